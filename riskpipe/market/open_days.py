"""The business days of QuantLib's calendars, listed once and kept between processes: QuantLib is slow to import, and to
list a calendar."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import QUANTLIB, is_own
from riskpipe.market.own_calendars import bespoke_calendar, closed_days
from riskpipe.store.kept import KeptResults

FIRST, LAST = -25_202, 84_005
"""1901-01-01 and 2199-12-31, which QuantLib's dates reach; days since 1970-01-01."""

OpenDays = NDArray[np.bool_]
"""bool[LAST - FIRST + 1]: of each day from `FIRST` on whether it is a business day."""

_PACKED: Final = "open.npy"
_EXCEL_EPOCH: Final = 25569  # QuantLib's serial number of 1970-01-01


def quantlib_calendar(name: str) -> Any:
    """A calendar as QuantLib's; of a joint one `A+B` the holidays of either."""
    import QuantLib as ql  # noqa: N813  # slow to import, and not every book has dates to adjust

    parts = []
    for part in name.split("+"):
        if is_own(part):
            parts.append(bespoke_calendar(part))
            continue
        kind, market = QUANTLIB[part]
        maker = getattr(ql, kind)
        parts.append(maker(getattr(maker, market)) if market else maker())
    return parts[0] if len(parts) == 1 else ql.JointCalendar(parts)


@lru_cache(maxsize=256)
def open_days(name: str) -> OpenDays:
    """Of one calendar, not of joint ones."""
    if name == "weekends":
        return by_weekday((5, 6))
    if is_own(name):
        weekend, closed = closed_days(name)
        days = by_weekday(weekend)
        days[closed - FIRST] = False
        return days
    kept = KeptResults.of_user()
    key = hashlib.sha256(f"2 {QUANTLIB[name]} {version('QuantLib')}".encode()).hexdigest()
    found = kept.find(f"calendar-{key}")
    if found is not None:
        with suppress(OSError):  # deleted since
            packed = np.load(found.path(_PACKED), allow_pickle=False)
            return np.unpackbits(packed, count=LAST - FIRST + 1).astype(np.bool_)
    days = _listed(quantlib_calendar(name))
    kept.keep(f"calendar-{key}", name, {_PACKED: lambda path: np.save(path, np.packbits(days), allow_pickle=False)})
    return days


def by_weekday(weekend: tuple[int, ...]) -> OpenDays:
    """All days are open but those of the weekend; Monday is 0."""
    return ~np.isin(weekday(np.arange(FIRST, LAST + 1)), weekend)


def weekday(days: NDArray[np.integer]) -> NDArray[np.integer]:
    """Monday is 0; 1970-01-01 was a Thursday."""
    return np.asarray((days + 3) % 7)


def _listed(calendar: Any) -> OpenDays:
    """QuantLib's, year by year: some calendars do not know all years, and there only weekends are closed."""
    import QuantLib as ql  # noqa: N813

    weekend = tuple(day for day in range(7) if calendar.isWeekend((day + 1) % 7 + 1))  # Sunday is 1
    days = by_weekday(weekend)
    for year in range(1901, 2200):
        first = ql.Date(1, 1, year)
        at = first.serialNumber() - _EXCEL_EPOCH - FIRST
        size = 366 if ql.Date.isLeap(year) else 365
        try:
            closed = calendar.holidayList(first, first + (size - 1), True)
        except RuntimeError:  # it looks beyond the ends of QuantLib's dates, or does not know the year
            _day_by_day(calendar, first, days[at : at + size])
            continue
        days[at : at + size] = True
        days[[date.serialNumber() - _EXCEL_EPOCH - FIRST for date in closed]] = False
    return days


def _day_by_day(calendar: Any, first: Any, days: OpenDays) -> None:
    """Those days of a year that the calendar knows, in place."""
    for day in range(len(days)):
        with suppress(RuntimeError):
            days[day] = calendar.isBusinessDay(first + day)
