"""Columns and rules that all products with schedules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import CALENDARS, CENTRES, is_calendar
from riskpipe.market.calendars import CONVENTIONS
from riskpipe.market.daycounts import DAY_COUNTS
from riskpipe.market.schedules import FREQUENCIES, period_count
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, past_dates, rows_fault

# QuantLib's calendars begin in 1901; schedules run well inside of what 32-bit days and memory can take.
_FIRST_DAY = int(np.datetime64("1901-01-01").astype("datetime64[D]").astype(int))
_LAST_DAY = int(np.datetime64("2199-12-31").astype("datetime64[D]").astype(int))


def frequency_column(name: str, description: str) -> Column:
    return Column(name, "string", description, choices=FREQUENCIES)


def day_count_column(name: str, description: str) -> Column:
    return Column(name, "string", description, choices=DAY_COUNTS)


def calendar_column() -> Column:
    known = ", ".join(CENTRES)
    return Column(
        "calendar", "string", f"of the schedule: {known}, that of an index, or joint ones such as TARGET+USNY"
    )


def convention_column() -> Column:
    return Column("business_day_convention", "string", "what moves dates to business days", choices=CONVENTIONS)


def schedule_faults(trades: Trades, start: str, as_of: int) -> list[RowFaults]:
    """Unknown calendars; dates out of range or order; a maturity in the past.

    :param start: the column of the first date; the last is `maturity_date`.
    """
    unknown = label_mask(trades.labels("calendar"), lambda name: not is_calendar(name))
    message = f"calendar is none of {', '.join(CALENDARS)}, nor such joined by '+'"
    begin, end = trades.days(start), trades.days("maturity_date")
    missing = (begin == Trades.NO_DATE) | (end == Trades.NO_DATE)
    return [
        *rows_fault("calendar", "calendar", unknown, message),
        *date_range_faults(trades, start),
        *date_range_faults(trades, "maturity_date"),
        *rows_fault("maturity_date", "date_order", (begin >= end) & ~missing, f"maturity_date is not after {start}"),
        *past_dates(trades, "maturity_date", as_of, "maturity"),
    ]


def remaining_periods(trades: Trades, start: str, frequency: str, as_of: int) -> NDArray[np.float64]:
    """float64[n]: about how many periods are still to come."""
    begin = np.maximum(trades.days(start), np.int32(as_of))
    return period_count(begin, trades.days("maturity_date"), trades.labels(frequency)).astype(np.float64)


def date_range_faults(trades: Trades, column: str) -> list[RowFaults]:
    """Dates outside of what calendars reach."""
    days = trades.days(column)
    outside = ((days < _FIRST_DAY) | (days > _LAST_DAY)) & (days != Trades.NO_DATE)
    return rows_fault(column, "date_range", outside, f"{column} is not in the years 1901 to 2199")
