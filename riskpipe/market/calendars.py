"""Holiday calendars and business-day conventions, over whole arrays of dates.

The holidays come from QuantLib, listed once a process and calendar, and are used through tables of all days of the
years that QuantLib knows (1901 to 2199). Outside these years only weekends are holidays, and numpy's business-day
functions serve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.arguments import BusinessTable
from riskpipe.kernels.business_days import FOLLOWING, MODIFIED_FOLLOWING, PRECEDING, roll, step
from riskpipe.market.calendar_names import CALENDARS, QUANTLIB, is_calendar
from riskpipe.market.date_rules import CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.store.kept import KeptResults

_ROLLS: Final = {
    "following": ("following", FOLLOWING),
    "modified_following": ("modifiedfollowing", MODIFIED_FOLLOWING),
    "preceding": ("preceding", PRECEDING),
}
_FIRST, _LAST = -25_202, 84_005  # 1901-01-01 and 2199-12-31
_MARGIN: Final = 31  # days
_DAYS: Final = "days.npy"
_EXCEL_EPOCH: Final = 25569  # QuantLib's serial number of 1970-01-01

Days = NDArray[np.int32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class BusinessDays:
    """A calendar.

    :param holidays: as numpy has them, for days that the table does not reach.
    :param table: of 1901 to 2199.
    """

    holidays: np.busdaycalendar
    table: BusinessTable

    @staticmethod
    def of(holidays: NDArray[np.datetime64]) -> BusinessDays:
        """Weekends (Saturday, Sunday) and these are holidays."""
        calendar = np.busdaycalendar(holidays=holidays)
        # business days around the ends are needed, too
        days = np.arange(_FIRST - _MARGIN, _LAST + 1 + _MARGIN, dtype=np.int32)
        is_open = np.empty(len(days), np.bool_)
        is_open[:] = np.is_busday(days.astype("datetime64[D]"), busdaycal=calendar)
        following = np.cumsum(is_open, dtype=np.int32) - is_open.astype(np.int32)
        return BusinessDays(calendar, (_FIRST, following[_MARGIN:-_MARGIN].copy(), days[is_open]))


Calendar = Labels | str | BusinessDays


@lru_cache(maxsize=256)
def business_calendar(name: str) -> BusinessDays:
    """Weekends and holidays of a calendar; of a joint one `A+B`, the holidays of either.

    :raises ValueError: the name is no calendar.
    """
    if not is_calendar(name):
        raise ValueError(f"unknown calendar {name!r}: one of {', '.join(CALENDARS)}, or joint ones such as TARGET+USNY")
    return BusinessDays.of(np.concatenate([_holidays(part) for part in name.split("+")]))


def without(calendar: str, days: Days) -> BusinessDays:
    """A calendar in which `days` int32[n] are holidays too."""
    named = business_calendar(calendar)
    if not len(days):
        return named
    return BusinessDays.of(np.concatenate((named.holidays.holidays, days.astype("datetime64[D]"))))


def quantlib_calendar(name: str) -> Any:
    """A calendar of QuantLib's; of a joint one `A+B` the holidays of either."""
    import QuantLib as ql  # noqa: N813  # slow to import, and not every book has dates to adjust

    parts = []
    for part in name.split("+"):
        kind, market = QUANTLIB[part]
        maker = getattr(ql, kind)
        parts.append(maker(getattr(maker, market)) if market else maker())
    return parts[0] if len(parts) == 1 else ql.JointCalendar(parts)


@lru_cache(maxsize=len(CALENDARS))
def _holidays(name: str) -> NDArray[np.datetime64]:
    """Ascending; kept between processes, because QuantLib is slow to import, and to list a calendar."""
    if name == "weekends":
        return np.zeros(0, "datetime64[D]")
    kept = KeptResults.of_user()
    key = hashlib.sha256(f"1 {name} {QUANTLIB[name]} {version('QuantLib')}".encode()).hexdigest()
    found = kept.find(f"calendar-{key}")
    if found is not None:
        with suppress(OSError):  # deleted since
            kept_days: Days = np.load(found.path(_DAYS), allow_pickle=False)
            return kept_days.astype("datetime64[D]")
    days = _listed(name)
    kept.keep(f"calendar-{key}", name, {_DAYS: lambda path: np.save(path, days, allow_pickle=False)})
    return days.astype("datetime64[D]")


def _listed(name: str) -> Days:
    """QuantLib's list."""
    import QuantLib as ql  # noqa: N813

    dates = quantlib_calendar(name).holidayList(ql.Date.minDate(), ql.Date.maxDate() - 1, False)
    serials = np.fromiter((date.serialNumber() for date in dates), np.int32, len(dates))
    return serials - np.int32(_EXCEL_EPOCH)


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
            numpys, code = _ROLLS[rule]
            if roll(rows[among], offsets, dates.table, code, adjusted):
                _roll_far(adjusted, _positions(rows[among], offsets), dates, numpys)
    return adjusted


def _roll_far(days: Days, at: Integers, dates: BusinessDays, rule: str) -> None:
    """Move those of the days at `at` that are outside the table, in place."""
    far = at[(days[at] < _FIRST) | (days[at] > _LAST)]
    stamps = days[far].astype("datetime64[D]")
    days[far] = np.busday_offset(stamps, 0, rule, busdaycal=dates.holidays).astype(np.int32)  # type: ignore[call-overload]


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
    stamps = days.astype("datetime64[D]")
    # numpy first rolls a holiday to a business day: backwards, so that the roll costs no step
    later = np.busday_offset(stamps, counts, "preceding", busdaycal=dates.holidays)
    earlier = np.busday_offset(stamps, counts, "following", busdaycal=dates.holidays)
    return np.where(counts > 0, later, earlier).astype(np.int32)


def is_business_day(days: Days, calendar: Calendar) -> NDArray[np.bool_]:
    """bool[n]: neither a weekend nor a holiday."""
    result = np.empty(len(days), np.bool_)
    for dates, rows in _calendars(calendar, len(days)):
        result[rows] = np.is_busday(days[rows].astype("datetime64[D]"), busdaycal=dates.holidays)
    return result


def business_days(start: int, stop: int, calendar: str | BusinessDays) -> Days:
    """The business days in [start, stop), ascending."""
    days = np.arange(start, max(start, stop), dtype=np.int32)
    return days[is_business_day(days, calendar)]


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
