"""Year fractions by day counts.

Source: 2006 ISDA Definitions, section 4.16 (b) to (h); of the US rule, Mayle, Standard Securities Calculation Methods 1
(SIA, 1993), chapter 1; of ACT/365L, ICMA rule 251.1 (i); of ACT/ACT by the AFB and by whole coupon periods, ISDA, EMU
and market conventions: recent developments (1998), and ICMA rule 251.3.
"""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Flags, Indices, Offsets
from riskpipe.kernels.civil_dates import civil_year, day_in_month, is_end_of_february, month_of, year_start
from riskpipe.kernels.compiler import inline, kernel

ACT_360, ACT_365F, ACT_ACT, BOND_BASIS, EUROBOND_BASIS, US_BASIS = range(6)
ACT_364, NO_LEAP, AFB, ISDA_BASIS, ISDA_BASIS_AT_MATURITY, ACT_365L, ACT_365L_ANNUAL = range(6, 13)

_LAST_OF_FEBRUARY = 27  # the first day that may be it, less one
_YEARLY = 12  # months


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


@inline
def _isda_months_of_30(start: int, end: int, at_maturity: bool) -> float:
    """The 31st and the last day of February become the 30th, the latter not at the end of the last period."""
    first_month, first = month_of(start)
    last_month, last = month_of(end)
    first = 29 if is_end_of_february(start) else min(first, 29)
    last = 29 if is_end_of_february(end) and not at_maturity else min(last, 29)
    return (30 * (last_month - first_month) + (last - first)) / 360.0


@inline
def _leap_day(year: int) -> int:
    """29 February, or before every date in a year that has none."""
    return year_start(year) + 59 if year_start(year + 1) - year_start(year) == 366 else -(2**40)


@inline
def _leap_days(day: int) -> int:
    """So many days up to this one are a 29 February, since a day that does not matter."""
    year = civil_year(day)
    before = (year - 1) // 4 - (year - 1) // 100 + (year - 1) // 400
    return before + (1 if 0 <= day - _leap_day(year) < 366 else 0)


@inline
def _whole_years(start: int, end: int) -> tuple[int, int]:
    """How many years fit, counted back from the end, and where they begin; the last day of February stays it."""
    month, day = month_of(end)
    if month % 12 == 1 and day >= _LAST_OF_FEBRUARY:
        day = 30
    years = month // 12 - month_of(start)[0] // 12
    if years > 0 and day_in_month(month - 12 * years, day) < start:
        years -= 1
    return years, day_in_month(month - 12 * years, day) if years > 0 else end


@inline
def _afb(start: int, end: int) -> float:
    """Whole years back from the end, and the days before them over 366 if they have a 29 February, else 365."""
    if start == end:
        return 0.0
    first, last = min(start, end), max(start, end)
    years, begin = _whole_years(first, last)
    leap_day = _leap_day(civil_year(begin))
    if leap_day < first:
        leap_day = _leap_day(civil_year(first))
    total = years + (begin - first) / (366.0 if first <= leap_day < begin else 365.0)
    return total if start < end else -total


@inline
def _act_365l(start: int, end: int, annual: bool) -> float:
    """Over 366 if a year's coupon has a 29 February, or a shorter one ends in a leap year; else over 365."""
    if annual:
        leap = _leap_days(start) != _leap_days(end)
    else:
        leap = _leap_day(civil_year(end)) > -(2**40)
    return (end - start) / (366.0 if leap else 365.0)


@inline
def _rare(start: int, end: int, rule: int) -> float:
    if rule == ACT_364:
        return (end - start) / 364.0
    if rule == NO_LEAP:
        return (end - start - (_leap_days(end) - _leap_days(start))) / 365.0
    if rule == AFB:
        return _afb(start, end)
    if rule in (ACT_365L, ACT_365L_ANNUAL):
        return _act_365l(start, end, rule == ACT_365L_ANNUAL)
    return _isda_months_of_30(start, end, rule == ISDA_BASIS_AT_MATURITY)


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
        elif rule[k] > US_BASIS:
            fraction[k] = _rare(first, last, rule[k])
        else:
            fraction[k] = _months_of_30(first, last, rule[k] == BOND_BASIS)


@inline
def _stepped(day: int, periods: int, length: int, end_of_month: bool) -> int:
    """So many whole periods later."""
    if length < 0:
        return day - periods * length
    month, of_month = month_of(day)
    return day_in_month(month + periods * length, 30 if end_of_month else of_month)


@inline
def _overlap(start: int, end: int, first: int, last: int) -> float:
    """The part of the period from `first` to `last` that is between two dates."""
    return max(min(end, last) - max(start, first), 0) / (last - first)


@kernel
def whole_periods_fractions(
    start: Indices,
    end: Indices,
    reference: tuple[Indices, Indices],
    length: Offsets,
    end_of_month: Flags,
    fraction: FloatArray,
) -> None:
    """Years by ACT/ACT of the ICMA: a whole coupon period is its part of a year, and days are parts of one.

    What is outside of the reference period is in notional ones that go on from it on either side.

    :param start, end: int32[n]. :param reference: int32[n] each, a whole period at or beside each.
    :param length: int64[n], of a whole period in months, below zero in days; 0: one period for all time, which is in
        years back from its end.
    :param end_of_month: bool[n], whole periods end with months.
    :param fraction: float64[n], written.
    """
    for k in range(start.size):
        first, last = min(start[k], end[k]), max(start[k], end[k])
        size = length[k] if length[k] != 0 else _YEARLY
        near, far = reference[0][k], reference[1][k]
        if length[k] == 0:
            near, far = _stepped(last, -1, size, False), last
        total = _overlap(first, last, near, far)
        later, steps = near, 2
        while first < later:
            earlier = _stepped(far, -steps, size, end_of_month[k])
            total += _overlap(first, last, earlier, later)
            later, steps = earlier, steps + 1
        earlier, steps = far, 2
        while last > earlier:
            later = _stepped(near, steps, size, end_of_month[k])
            total += _overlap(first, last, earlier, later)
            earlier, steps = later, steps + 1
        total *= size / 12.0 if size > 0 else 1.0 / round(-365.0 / size)
        fraction[k] = total if start[k] <= end[k] else -total
