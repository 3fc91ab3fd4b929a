"""Year fractions by day counts.

Source: 2006 ISDA Definitions, section 4.16 (b), (d), (e), (f), (g); of the US rule, Mayle, Standard Securities
Calculation Methods 1 (SIA, 1993), chapter 1.
"""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices
from riskpipe.kernels.civil_dates import civil_year, is_end_of_february, month_of, year_start
from riskpipe.kernels.compiler import inline, kernel

ACT_360, ACT_365F, ACT_ACT, BOND_BASIS, EUROBOND_BASIS, US_BASIS = range(6)


@inline
def _actual_actual(start: int, end: int) -> float:
    """Days in leap years over 366 plus days in other years over 365."""
    if start == end:
        return 0.0
    first, last = min(start, end), max(start, end)
    first_year, last_year = civil_year(first), civil_year(last)
    after, begin = year_start(first_year + 1), year_start(last_year)
    total = float(last_year - first_year - 1)
    total += (after - first) / (after - year_start(first_year))
    total += (last - begin) / (year_start(last_year + 1) - begin)
    return total if start < end else -total


@inline
def _months_of_30(start: int, end: int, bond_basis: bool) -> float:
    """The 31st becomes the 30th; by the bond basis at the end only if the start lies on the 30th or 31st."""
    first_month, first = month_of(start)
    last_month, last = month_of(end)
    first = min(first, 29)
    if not bond_basis or first == 29:
        last = min(last, 29)
    return (30 * (last_month - first_month) + (last - first)) / 360.0


@inline
def _us_months_of_30(start: int, end: int) -> float:
    """As the bond basis, and the last day of February is the 30th: at the end only if the start is one, too."""
    if not is_end_of_february(start):
        return _months_of_30(start, end, True)
    first_month, last_month = month_of(start)[0], month_of(end)[0]
    last = 29 if is_end_of_february(end) else min(month_of(end)[1], 29)
    return (30 * (last_month - first_month) + (last - 29)) / 360.0


@kernel
def year_fractions(start: Indices, end: Indices, rule: Indices, fraction: FloatArray) -> None:
    """Years from `start` to `end`, int32[n], into float64[n]; `rule` int32[n], such as `ACT_360`."""
    for k in range(start.size):
        first, last = start[k], end[k]
        if rule[k] == ACT_360:
            fraction[k] = (last - first) / 360.0
        elif rule[k] == ACT_365F:
            fraction[k] = (last - first) / 365.0
        elif rule[k] == ACT_ACT:
            fraction[k] = _actual_actual(first, last)
        elif rule[k] == US_BASIS:
            fraction[k] = _us_months_of_30(first, last)
        else:
            fraction[k] = _months_of_30(first, last, rule[k] == BOND_BASIS)
