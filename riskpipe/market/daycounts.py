"""Day counts: the year fraction between two dates, over whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]


def year_fraction(start: Days, end: Days, day_count: Labels | str) -> FloatArray:
    """Year fractions from `start` to `end`; negative where end < start.

    :param start: int32[n], days since 1970-01-01.
    :param end: int32[n].
    :param day_count: ACT/360, ACT/365F, ACT/ACT (ISDA), 30/360 (bond basis) or 30E/360 (Eurobond basis), of
        each pair or one for all.
    :return: float64[n].
    :raises ValueError: unknown day count.

    Source: 2006 ISDA Definitions, section 4.16 (b), (d), (e), (f), (g).
    """
    if isinstance(day_count, str):
        return _rule(day_count)(start, end)
    fractions = np.empty(len(start))
    for code in np.unique(day_count.codes).tolist():
        if code < 0:
            raise ValueError("a period has no day count")
        rows = np.flatnonzero(day_count.codes == code)
        fractions[rows] = _rule(day_count.names[code])(start[rows], end[rows])
    return fractions


def _rule(name: str) -> Callable[[Days, Days], FloatArray]:
    if name not in _RULES:
        raise ValueError(f"unknown day count {name!r}: one of {', '.join(DAY_COUNTS)}")
    return _RULES[name]


def _actual_360(start: Days, end: Days) -> FloatArray:
    return np.asarray((end - start) / 360.0)


def _actual_365_fixed(start: Days, end: Days) -> FloatArray:
    return np.asarray((end - start) / 365.0)


def _actual_actual_isda(start: Days, end: Days) -> FloatArray:
    """Days in leap years over 366 plus days in other years over 365."""
    first, last = np.minimum(start, end), np.maximum(start, end)
    first_year, last_year = _year(first), _year(last)
    total = (last_year - first_year - 1).astype(np.float64)
    total += (_new_year(first_year + 1) - first) / _year_length(first_year)
    total += (last - _new_year(last_year)) / _year_length(last_year)
    return np.where(start == end, 0.0, np.where(start < end, total, -total))


def _bond_basis(start: Days, end: Days) -> FloatArray:
    """Months of 30 days; the 31st becomes the 30th, at the end only if the start lies on the 30th or 31st."""
    (y1, m1, d1), (y2, m2, d2) = _civil(start), _civil(end)
    d1 = np.minimum(d1, 30)
    d2 = np.where((d2 == 31) & (d1 == 30), 30, d2)
    return np.asarray((360 * (y2 - y1) + 30 * (m2 - m1) + (d2 - d1)) / 360.0)


def _eurobond_basis(start: Days, end: Days) -> FloatArray:
    """Months of 30 days; the 31st always becomes the 30th."""
    (y1, m1, d1), (y2, m2, d2) = _civil(start), _civil(end)
    d1, d2 = np.minimum(d1, 30), np.minimum(d2, 30)
    return np.asarray((360 * (y2 - y1) + 30 * (m2 - m1) + (d2 - d1)) / 360.0)


_RULES: Final[dict[str, Callable[[Days, Days], FloatArray]]] = {
    "ACT/360": _actual_360,
    "ACT/365F": _actual_365_fixed,
    "ACT/ACT": _actual_actual_isda,
    "30/360": _bond_basis,
    "30E/360": _eurobond_basis,
}
DAY_COUNTS: Final = tuple(_RULES)

Integers = NDArray[np.int64]


def _year(days: Days) -> Integers:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _new_year(year: Integers) -> Integers:
    return (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)


def _year_length(year: Integers) -> Integers:
    return _new_year(year + 1) - _new_year(year)


def _civil(days: Days) -> tuple[Integers, Integers, Integers]:
    """Year, month (1-12) and day of the month."""
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    count = months.astype(np.int64)
    day = days.astype(np.int64) - months.astype("datetime64[D]").astype(np.int64) + 1
    return count // 12 + 1970, count % 12 + 1, day
