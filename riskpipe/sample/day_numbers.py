"""Dates as int days since 1970-01-01, vectorised: what trade and market generators need of a calendar."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Closed everywhere; local holidays are left to the calendars that the trades name.
_HOLIDAYS = np.array(
    [f"{year}-{day}" for year in range(1990, 2110) for day in ("01-01", "12-25")], dtype="datetime64[D]"
)


def to_iso(days: int) -> str:
    return str(np.datetime64(int(days), "D"))


def _as_dates(days: ArrayLike) -> NDArray[np.datetime64]:
    return np.asarray(days, np.int64).astype("datetime64[D]")


def business_days(
    days: ArrayLike, offset: ArrayLike = 0, holidays: bool = True, roll: str = "forward"
) -> NDArray[np.int32]:
    """Days rolled to a weekday, then moved by `offset` weekdays; 25 December and 1 January are skipped too.

    :param days: int[n]; with `offset` broadcast against it.
    :param holidays: False: weekends only.
    """
    closed = _HOLIDAYS if holidays else np.array([], "datetime64[D]")
    moved = np.busday_offset(_as_dates(days), offset, roll=roll, holidays=closed)  # type: ignore[call-overload]
    return np.asarray(moved.astype(np.int64), np.int32)


def last_business_days(as_of: int, count: int, holidays: bool = True) -> NDArray[np.int32]:
    """The `count` business days up to `as_of`, ascending; `as_of` is the last whatever its weekday."""
    before = business_days(np.full(count - 1, as_of), np.arange(1 - count, 0), holidays, roll="forward")
    return np.asarray(np.append(before, np.int32(as_of)), np.int32)


def add_months(days: ArrayLike, months: ArrayLike) -> NDArray[np.int32]:
    """The same day of a later (or earlier) month, or that month's last day."""
    dates = _as_dates(days)
    month = dates.astype("datetime64[M]")
    day_of_month = (dates - month.astype("datetime64[D]")).astype(np.int64)
    target = month + np.asarray(months, np.int64).astype("timedelta64[M]")
    length = ((target + 1).astype("datetime64[D]") - target.astype("datetime64[D]")).astype(np.int64)
    moved = target.astype("datetime64[D]").astype(np.int64) + np.minimum(day_of_month, length - 1)
    return np.asarray(moved, np.int32)
