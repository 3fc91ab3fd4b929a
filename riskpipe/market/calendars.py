"""Holiday calendars and business-day conventions, over whole arrays of dates.

The business days come from QuantLib and are used through tables of all days of the years that QuantLib knows (1901 to
2199). Outside these years only weekends are closed: the weekdays that are closed all through the first, and the last,
of these years.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.kernels.arguments import BusinessTable
from riskpipe.kernels.business_days import FOLLOWING, MODIFIED_FOLLOWING, PRECEDING, roll, step
from riskpipe.market.calendar_names import is_calendar, unknown_calendar
from riskpipe.market.date_rules import CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.market.open_days import FIRST, LAST, OpenDays, open_days, weekday

_ROLLS: Final = {"following": FOLLOWING, "modified_following": MODIFIED_FOLLOWING, "preceding": PRECEDING}
_MARGIN: Final = 31  # days
_BEGIN, _END = FIRST - _MARGIN, LAST + 1 + _MARGIN
_YEAR: Final = 366

Days = NDArray[np.int32]
Integers = NDArray[np.int64]


class BusinessDays(Struct, frozen=True):
    """A calendar.

    :param open_days: of 1901 to 2199.
    :param before, after: bool[7], the open weekdays of earlier and of later days, from Monday on.
    :param table: of the same years; its business days go on for a month at either end.
    """

    open_days: OpenDays
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    table: BusinessTable

    @staticmethod
    def of(is_open: OpenDays) -> BusinessDays:
        """:raises ValueError: no weekday is open."""
        before, after = _open_weekdays(is_open[:_YEAR], FIRST), _open_weekdays(is_open[-_YEAR:], LAST + 1 - _YEAR)
        if not (before.any() and after.any()):
            raise ValueError("a calendar without business days")
        margins = np.arange(_BEGIN, FIRST), np.arange(LAST + 1, _END)
        every = np.concatenate((before[weekday(margins[0])], is_open, after[weekday(margins[1])]))
        following = np.cumsum(every, dtype=np.int32) - every.astype(np.int32)
        days = np.arange(_BEGIN, _END, dtype=np.int32)
        return BusinessDays(is_open, before, after, (FIRST, following[_MARGIN:-_MARGIN].copy(), days[every]))


def _open_weekdays(is_open: OpenDays, first: int) -> NDArray[np.bool_]:
    """bool[7]: the weekdays that are open at least once in a year that begins on the day `first`."""
    return np.bincount(weekday(np.arange(first, first + len(is_open))), is_open, 7) > 0


Calendar = Labels | str | BusinessDays


@lru_cache(maxsize=128)
def business_calendar(name: str) -> BusinessDays:
    """Weekends and holidays of a calendar, 0.8 MiB; of a joint one `A+B`, those of either.

    :raises ValueError: the name is no calendar.
    """
    if not is_calendar(name):
        raise ValueError(unknown_calendar(name))
    return BusinessDays.of(np.logical_and.reduce([open_days(part) for part in name.split("+")]))


def without(calendar: str, days: Days) -> BusinessDays:
    """A calendar in which `days` int32[n], of 1901 to 2199, are holidays too."""
    named = business_calendar(calendar)
    if not len(days):
        return named
    is_open = named.open_days.copy()
    is_open[days - FIRST] = False
    return BusinessDays.of(is_open)


def adjust(days: Days, calendar: Calendar, convention: Labels | str, offsets: Integers | None = None) -> Days:
    """Dates moved to business days.

    :param days: int32[k], days since 1970-01-01.
    :param calendar: of each date, or one for all.
    :param convention: unadjusted, following, modified_following or preceding, of each date or one for all.
    :param offsets: int64[n + 1]: calendars and conventions are of n rows, row r having the dates offsets[r] to
        offsets[r + 1].
    :return: int32[k].
    :raises ValueError: unknown calendar or convention.
    """
    adjusted = np.array(days, np.int32)
    if offsets is None:
        offsets = np.arange(len(days) + 1)
    for dates, rows in _calendars(calendar, len(offsets) - 1):
        rules = convention if isinstance(convention, str) else convention.take(rows)
        for rule, among in _groups(rules, rows.size):
            _check_convention(rule)
            if rule == "unadjusted":
                continue
            code = _ROLLS[rule]
            if roll(rows[among], offsets, dates.table, code, adjusted):
                _roll_far(adjusted, _positions(rows[among], offsets), dates, code)
    return adjusted


def _roll_far(days: Days, at: Integers, dates: BusinessDays, rule: int) -> None:
    """Move those of the days at `at` that are outside the table, in place."""
    far = at[(days[at] < FIRST) | (days[at] > LAST)]
    rank = _rank(dates, days[far])
    later = _ranked(dates, rank)
    earlier = np.where(later == days[far], later, _ranked(dates, rank - 1))
    if rule == MODIFIED_FOLLOWING:
        months = (x.astype("datetime64[D]").astype("datetime64[M]") for x in (later, days[far]))
        days[far] = np.where(np.equal(*months), later, earlier)
    else:
        days[far] = later if rule == FOLLOWING else earlier


def _rank(dates: BusinessDays, days: Days) -> Integers:
    """int64[n]: how many business days are before each day, those before the table's months counted below zero."""
    business = dates.table[2]
    rank = np.searchsorted(business, days)
    early, late = days < _BEGIN, days >= _END
    stamps, (begin, end) = days.astype("datetime64[D]"), np.array((_BEGIN, _END), "datetime64[D]")
    rank[early] = -np.busday_count(stamps[early], begin, weekmask=dates.before)
    rank[late] = len(business) + np.busday_count(end, stamps[late], weekmask=dates.after)
    return rank


def _ranked(dates: BusinessDays, rank: Integers) -> Days:
    """int32[n]: the business days that have so many before them."""
    business = dates.table[2]
    days = business[np.clip(rank, 0, len(business) - 1)]
    early, late = rank < 0, rank >= len(business)
    begin, end = np.array((_BEGIN, _END), "datetime64[D]")
    days[early] = np.busday_offset(begin, rank[early], "forward", weekmask=dates.before).astype(np.int32)
    days[late] = np.busday_offset(end, rank[late] - len(business), "forward", weekmask=dates.after).astype(np.int32)
    return days


def _positions(rows: Integers, offsets: Integers) -> Integers:
    """Of what the rows have."""
    counts = offsets[rows + 1] - offsets[rows]
    return np.repeat(offsets[rows] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())


def add_business_days(days: Days, count: int | NDArray[np.integer], calendar: Calendar) -> Days:
    """The date `count` business days later (or earlier, if negative); 0: the following business day.

    :param days: int32[n]; from a holiday the first step leads to the next (or previous) business day.
    :param count: one for all or int[n].
    :param calendar: of each date, or one for all.
    :return: int32[n].
    """
    counts = np.broadcast_to(np.asarray(count, np.int64), np.shape(days)).copy()
    moved = np.array(days, np.int32)
    for dates, rows in _calendars(calendar, len(days)):
        if step(rows, counts, dates.table, moved):
            moved[rows] = _step_far(days[rows], counts[rows], dates)
    return moved


def _step_far(days: Days, counts: Integers, dates: BusinessDays) -> Days:
    rank = _rank(dates, days)
    on_holiday = _ranked(dates, rank) != days
    return _ranked(dates, rank + counts - (on_holiday & (counts > 0)))


def is_business_day(days: Days, calendar: Calendar) -> NDArray[np.bool_]:
    """bool[n]: neither a weekend nor a holiday."""
    if not isinstance(calendar, Labels):
        return _are_open(business_calendar(calendar) if isinstance(calendar, str) else calendar, days)
    result = np.empty(len(days), np.bool_)
    for dates, rows in _calendars(calendar, len(days)):
        result[rows] = _are_open(dates, days[rows])
    return result


def _are_open(dates: BusinessDays, days: Days) -> NDArray[np.bool_]:
    found = dates.open_days.take(days - FIRST, mode="clip")
    if days.min(initial=FIRST) < FIRST or days.max(initial=LAST) > LAST:
        far = np.flatnonzero((days < FIRST) | (days > LAST))
        found[far] = _ranked(dates, _rank(dates, days[far])) == days[far]
    return found


def business_days(start: int, stop: int, calendar: str | BusinessDays) -> Days:
    """The business days in [start, stop), ascending."""
    days = np.arange(start, max(start, stop), dtype=np.int32)
    return days[is_business_day(days, calendar)]


def count_business_days(start: Days, stop: Days, calendar: Calendar) -> Integers:
    """int64[n]: how many business days are in [start, stop); below zero where stop < start."""
    counts = np.empty(len(start), np.int64)
    for dates, rows in _calendars(calendar, len(start)):
        counts[rows] = _rank(dates, stop[rows]) - _rank(dates, start[rows])
    return counts


def _check_convention(name: str) -> None:
    if name not in CONVENTIONS:
        raise ValueError(f"unknown business-day convention {name!r}: one of {', '.join(CONVENTIONS)}")


def _calendars(calendar: Calendar, size: int) -> Iterator[tuple[BusinessDays, Integers]]:
    """Each distinct calendar with the positions that it is of."""
    if isinstance(calendar, BusinessDays):
        yield calendar, np.arange(size)
        return
    for name, rows in _groups(calendar, size):
        yield business_calendar(name), rows


def _groups(labels: Labels | str, size: int) -> Iterator[tuple[str, Integers]]:
    """Each distinct name with the positions that carry it."""
    if isinstance(labels, str):
        yield labels, np.arange(size)
        return
    missing = np.count_nonzero(labels.codes < 0)
    if missing:
        raise ValueError(f"{missing} dates have no calendar or convention")
    for code in np.flatnonzero(np.bincount(labels.codes)).tolist():
        yield labels.names[code], np.flatnonzero(labels.codes == code)
