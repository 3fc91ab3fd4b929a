"""Fixing dates of averages: backwards from the last day, not before the first."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.labels import Labels

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

_MONTHS: Final = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12}
FIXING_FREQUENCIES: Final = ("1D", "1W", *_MONTHS, "1T")


def fixing_counts(start: Days, end: Days, frequency: Labels) -> Integers:
    """How many fixings each trade has, int64[n]: the last on `end`, the others before it and not before `start`.

    :param frequency: 1D weekdays, 1W weeks, months, or 1T the last day alone.
    """
    counts = np.ones(len(start), np.int64)
    for name, rows in _rows(frequency):
        first, last = start[rows].astype(np.int64), end[rows].astype(np.int64)
        if name == "1D":
            begin, stop = first.astype("datetime64[D]"), last.astype("datetime64[D]")
            counts[rows] += np.maximum(np.busday_count(begin, stop), 0)
        elif name == "1W":
            counts[rows] += np.maximum(last - first, 0) // 7
        elif name in _MONTHS:
            periods = np.maximum((_month(last) - _month(first)) // _MONTHS[name], 0)
            counts[rows] += periods - (_months_before(last, periods * _MONTHS[name]) < first) * (periods > 0)
    return counts


def fixing_dates(end: Days, frequency: Labels, trade: Integers, before_last: Integers) -> Days:
    """Dates of some fixings, int32[m].

    :param trade: int64[m], among the trades of `end` and `frequency`.
    :param before_last: int64[m], how many fixings come after each.
    """
    dates = end[trade].astype(np.int64)
    of_fixing = Labels(frequency.codes[trade], frequency.names)
    for name, rows in _rows(of_fixing):
        steps, last = before_last[rows], dates[rows]
        if name == "1D":
            moved = np.busday_offset(last.astype("datetime64[D]"), -steps, roll="forward").astype(np.int64)
            dates[rows] = np.where(steps > 0, moved, last)
        elif name == "1W":
            dates[rows] = last - 7 * steps
        elif name in _MONTHS:
            dates[rows] = _months_before(last, steps * _MONTHS[name])
    return dates.astype(np.int32)


def _rows(frequency: Labels) -> list[tuple[str, Integers]]:
    return [(name, np.flatnonzero(frequency.codes == code)) for code, name in enumerate(frequency.names)]


def _month(days: Integers) -> Integers:
    return np.asarray(days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64))


def _months_before(days: Integers, months: Integers) -> Integers:
    """The same day of an earlier month, or the last day of that month where it is shorter."""
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    into = days - month.astype("datetime64[D]").astype(np.int64)
    target = month - months
    first = target.astype("datetime64[D]").astype(np.int64)
    length = (target + 1).astype("datetime64[D]").astype(np.int64) - first
    return np.asarray(first + np.minimum(into, length - 1))
