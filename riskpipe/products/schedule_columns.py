"""Columns and rules that all products with schedules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendar_names import A_CALENDAR, is_calendar
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import CONVENTIONS, COUPON_DAY_COUNTS, DAY_COUNTS, FREQUENCIES
from riskpipe.market.labels import Labels
from riskpipe.market.schedules import LONGEST_ADJUSTMENT, period_count
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.leg_date_faults import alive_by_dates, date_faults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

_LONGEST_LAG_DAYS = 62  # two for a business day
_QUARTER_DAYS = 1461  # a year of 365 1/4 days


def frequency_column(name: str, description: str) -> Column:
    return Column(name, "string", description, choices=FREQUENCIES)


def day_count_column(name: str, description: str) -> Column:
    return Column(name, "string", description, choices=DAY_COUNTS)


def coupon_day_count_column(name: str, description: str) -> Column:
    """Of fixed coupons, for which there are more."""
    return Column(name, "string", description, choices=COUPON_DAY_COUNTS)


def day_count_faults(trades: Trades, column: str, floating: NDArray[np.bool_]) -> list[RowFaults]:
    """Day counts of fixed coupons on legs that float. :param floating: bool[n]."""
    wrong = floating & label_mask(trades.labels(column), lambda name: name not in DAY_COUNTS)
    message = f"{column} of a floating leg is none of {', '.join(DAY_COUNTS)}"
    return rows_fault(column, "choice", wrong, message)


def calendar_column() -> Column:
    return Column(
        "calendar",
        "string",
        "of the schedule: [financial centres](#calendars) such as GBLO, exchanges, indices, or joint ones such as "
        "TARGET+USNY",
    )


def convention_column() -> Column:
    return Column("business_day_convention", "string", "what moves dates to business days", choices=CONVENTIONS)


def schedule_faults(
    trades: Trades, start: str, as_of: int, convention: Labels | None = None, prefixes: tuple[str, ...] = ()
) -> list[RowFaults]:
    """Unknown calendars; dates out of order; a maturity in the past, and the payment that it was moved to.

    :param start: the column of the first date; the last is `maturity_date`.
    :param convention: that moves the last payment; None: as the column business_day_convention says.
    :param prefixes: of the legs that have the columns of `leg_dates`, whose rules are looked at, too.
    """
    unknown = label_mask(trades.labels("calendar"), lambda name: not is_calendar(name))
    message = f"unknown calendar: {A_CALENDAR} is wanted"
    begin, end = trades.days(start), trades.days("maturity_date")
    missing = (begin == Trades.NO_DATE) | (end == Trades.NO_DATE)
    over = ended(trades, start, as_of, convention, prefixes)
    faults = [fault for prefix in prefixes for fault in date_faults(trades, prefix, start)]
    return [
        *rows_fault("calendar", "calendar", unknown, message),
        *rows_fault("maturity_date", "date_order", (begin >= end) & ~missing, f"maturity_date is not after {start}"),
        *rows_fault("maturity_date", "not_past", over, "maturity in the past"),
        *faults,
    ]


def ended(
    trades: Trades, start: str, as_of: int, convention: Labels | None = None, prefixes: tuple[str, ...] = ()
) -> NDArray[np.bool_]:
    """bool[n]: all that falls due at maturity was paid before today. Parameters as `schedule_faults` has them."""
    over = paid_before(trades, "maturity_date", as_of, convention)
    recent = trades.days("maturity_date") > as_of - 2 * LONGEST_ADJUSTMENT - _LONGEST_LAG_DAYS
    late = np.flatnonzero(over & recent)
    for prefix in prefixes:
        over[late] &= ~alive_by_dates(trades.take(late), prefix, as_of, start, convention)
    return over


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
