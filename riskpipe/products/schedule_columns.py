"""Columns and rules that all products with schedules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendar_names import CALENDARS, CENTRES, is_calendar
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import CONVENTIONS, DAY_COUNTS, FREQUENCIES
from riskpipe.market.labels import Labels
from riskpipe.market.schedules import LONGEST_ADJUSTMENT, Adjustment, Schedule, period_count, schedule
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

_QUARTER_DAYS = 1461  # a year of 365 1/4 days


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


def schedule_faults(trades: Trades, start: str, as_of: int, convention: Labels | None = None) -> list[RowFaults]:
    """Unknown calendars; dates out of order; a maturity in the past, and the payment that it was moved to.

    :param start: the column of the first date; the last is `maturity_date`.
    :param convention: that moves the last payment; None: as the column business_day_convention says.
    """
    unknown = label_mask(trades.labels("calendar"), lambda name: not is_calendar(name))
    message = f"calendar is none of {', '.join(CALENDARS)}, nor such joined by '+'"
    begin, end = trades.days(start), trades.days("maturity_date")
    missing = (begin == Trades.NO_DATE) | (end == Trades.NO_DATE)
    over = paid_before(trades, "maturity_date", as_of, convention)
    return [
        *rows_fault("calendar", "calendar", unknown, message),
        *rows_fault("maturity_date", "date_order", (begin >= end) & ~missing, f"maturity_date is not after {start}"),
        *rows_fault("maturity_date", "not_past", over, "maturity in the past"),
    ]


def paid_before(trades: Trades, column: str, as_of: int, convention: Labels | None = None) -> NDArray[np.bool_]:
    """bool[n]: what falls due on the date `column` was paid before today; on a holiday it is paid after it.

    :param convention: that moves the payment; None: as the column business_day_convention says.
    """
    due = trades.days(column)
    calendar = trades.labels("calendar")
    known = label_mask(calendar, is_calendar)
    rule = trades.labels("business_day_convention") if convention is None else convention
    near = np.flatnonzero((due < as_of) & (due > as_of - LONGEST_ADJUSTMENT) & known)
    paid = due.copy()
    paid[near] = adjust(due[near], calendar.take(near), rule.take(near))
    return np.asarray((due < as_of) & (paid < as_of))


def leg_schedule(trades: Trades, leg: str, after: int, before: int | None = None) -> Schedule:
    """Periods of a swap's leg, all dates moved by one convention.

    :param leg: "fixed" or "float", with which the column of its frequency begins.
    :param after, before: as `schedule` has them.
    """
    dates = (trades.days("start_date"), trades.days("maturity_date"))
    return schedule(*dates, trades.labels(f"{leg}_frequency"), adjustment(trades), after=after, before=before)


def adjustment(trades: Trades) -> Adjustment:
    """As the columns calendar and business_day_convention say."""
    return Adjustment(trades.labels("calendar"), trades.labels("business_day_convention"))


def remaining_periods(trades: Trades, start: str, frequency: str, as_of: int) -> FloatArray:
    """float64[n]: about how many periods are still to come."""
    begin = np.maximum(trades.days(start), np.int32(as_of))
    return period_count(begin, trades.days("maturity_date"), trades.labels(frequency)).astype(np.float64)


def by_coupon_phase(trades: Trades, curve: str = "discount_curve") -> NDArray[np.int32]:
    """An order for `Product.pricing_order`: by curve, then by the time of year of the maturity.

    Periods are counted back from maturity, so that neighbours have nearly all dates in common.

    :param curve: the column that names it.
    """
    phase = trades.days("maturity_date").astype(np.int64) * 4 % _QUARTER_DAYS
    key = trades.labels(curve).codes * np.int64(_QUARTER_DAYS) + phase
    return np.argsort(key, kind="stable").astype(np.int32)
