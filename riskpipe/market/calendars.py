"""Holiday calendars and business-day conventions, over whole arrays of dates.

The holidays come from QuantLib, listed once a process and calendar, and are used through numpy's business-day
functions. Outside the years that QuantLib knows (1901 to 2199) only weekends are holidays.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import CALENDARS, QUANTLIB, is_calendar
from riskpipe.market.labels import Labels

CONVENTIONS: Final = ("unadjusted", "following", "modified_following", "preceding")

_ROLLS: Final = {
    "following": "following",
    "modified_following": "modifiedfollowing",
    "preceding": "preceding",
}
_EXCEL_EPOCH: Final = 25569  # QuantLib's serial number of 1970-01-01

Days = NDArray[np.int32]
Calendar = Labels | str | np.busdaycalendar


@lru_cache(maxsize=256)
def business_calendar(name: str) -> np.busdaycalendar:
    """Weekends (Saturday, Sunday) and holidays of a calendar; of a joint one `A+B`, the holidays of either.

    :raises ValueError: the name is no calendar.
    """
    if not is_calendar(name):
        raise ValueError(f"unknown calendar {name!r}: one of {', '.join(CALENDARS)}, or joint ones such as TARGET+USNY")
    holidays = np.concatenate([_holidays(part) for part in name.split("+")])
    return np.busdaycalendar(holidays=holidays)


def without(calendar: str, days: Days) -> np.busdaycalendar:
    """A calendar in which `days` int32[n] are holidays too."""
    named = business_calendar(calendar)
    if not len(days):
        return named
    return np.busdaycalendar(holidays=np.concatenate((named.holidays, days.astype("datetime64[D]"))))


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
    if name == "weekends":
        return np.zeros(0, "datetime64[D]")
    import QuantLib as ql  # noqa: N813

    dates = quantlib_calendar(name).holidayList(ql.Date.minDate(), ql.Date.maxDate() - 1, False)
    serials = np.fromiter((date.serialNumber() for date in dates), np.int64, len(dates))
    return (serials - _EXCEL_EPOCH).astype("datetime64[D]")


def adjust(days: Days, calendar: Calendar, convention: Labels | str) -> Days:
    """Dates moved to business days.

    :param days: int32[n], days since 1970-01-01.
    :param calendar: of each date, or one for all, by name or as numpy has it.
    :param convention: unadjusted, following, modified_following or preceding, of each date or one for all.
    :return: int32[n].
    :raises ValueError: unknown calendar or convention.
    """
    adjusted = np.array(days, np.int32)
    for busdays, dates in _calendars(calendar, len(days)):
        rules = convention if isinstance(convention, str) else convention.take(dates)
        for rule, among in _groups(rules, dates.size):
            _check_convention(rule)
            if rule == "unadjusted":
                continue
            rows = dates[among]
            stamps = days[rows].astype("datetime64[D]")
            adjusted[rows] = np.busday_offset(stamps, 0, _ROLLS[rule], busdaycal=busdays).astype(np.int32)  # type: ignore[call-overload]
    return adjusted


def add_business_days(days: Days, count: int | NDArray[np.integer], calendar: Calendar) -> Days:
    """The date `count` business days later (or earlier, if negative); 0: the following business day.

    :param days: int32[n]; from a holiday the first step leads to the next (or previous) business day.
    :param count: one for all or int[n].
    :param calendar: of each date, or one for all.
    :return: int32[n].
    """
    counts = np.broadcast_to(np.asarray(count, np.int64), np.shape(days))
    moved = np.empty(len(days), np.int32)
    for busdays, rows in _calendars(calendar, len(days)):
        stamps, steps = days[rows].astype("datetime64[D]"), counts[rows]
        # numpy first rolls a holiday to a business day: backwards, so that the roll costs no step
        later = np.busday_offset(stamps, steps, "preceding", busdaycal=busdays)
        earlier = np.busday_offset(stamps, steps, "following", busdaycal=busdays)
        moved[rows] = np.where(steps > 0, later, earlier).astype(np.int32)
    return moved


def is_business_day(days: Days, calendar: Calendar) -> NDArray[np.bool_]:
    """bool[n]: neither a weekend nor a holiday."""
    result = np.empty(len(days), np.bool_)
    for busdays, rows in _calendars(calendar, len(days)):
        result[rows] = np.is_busday(days[rows].astype("datetime64[D]"), busdaycal=busdays)
    return result


def business_days(start: int, stop: int, calendar: str | np.busdaycalendar) -> Days:
    """The business days in [start, stop), ascending."""
    days = np.arange(start, max(start, stop), dtype=np.int32)
    return days[is_business_day(days, calendar)]


def _check_convention(name: str) -> None:
    if name not in CONVENTIONS:
        raise ValueError(f"unknown business-day convention {name!r}: one of {', '.join(CONVENTIONS)}")


def _calendars(calendar: Calendar, size: int) -> Iterator[tuple[np.busdaycalendar, NDArray[np.int64]]]:
    """Each distinct calendar with the positions that it is of."""
    if isinstance(calendar, np.busdaycalendar):
        yield calendar, np.arange(size)
        return
    for name, rows in _groups(calendar, size):
        yield business_calendar(name), rows


def _groups(labels: Labels | str, size: int) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each distinct name with the positions that carry it."""
    if isinstance(labels, str):
        yield labels, np.arange(size)
        return
    missing = np.count_nonzero(labels.codes < 0)
    if missing:
        raise ValueError(f"{missing} dates have no calendar or convention")
    for code in np.flatnonzero(np.bincount(labels.codes)).tolist():
        yield labels.names[code], np.flatnonzero(labels.codes == code)
