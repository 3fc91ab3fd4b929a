"""When trades that pay once pay: on a date as it is, or moved and late by a calendar of payments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import is_calendar
from riskpipe.market.date_rules import CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Payments
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.leg_date_faults import calendar_faults, lag_faults, wrong_lags
from riskpipe.products.leg_dates import LAG, LONGEST_LAG, PAYMENT, PAYMENT_CALENDAR
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

Days = NDArray[np.int32]


def payment_columns(due: str) -> tuple[Column, ...]:
    """:param due: the date on which the trade pays where nothing else is said."""
    return (
        Column(PAYMENT_CALENDAR, "string", f"of the payment; null: it is on {due} as it is", required=False),
        Column(
            PAYMENT,
            "string",
            "of a payment without a lag; null: following",
            required=False,
            choices=CONVENTIONS,
        ),
        Column(
            LAG,
            "number",
            f"business days of payment_calendar from {due} to the payment, at most {LONGEST_LAG}; null: 0",
            required=False,
            rule="nonnegative",
        ),
    )


def payment_faults(trades: Trades) -> list[RowFaults]:
    """Unknown calendars, lags that cannot be, and what a payment without a calendar cannot have."""
    calendar = trades.labels(PAYMENT_CALENDAR)
    said = {LAG: trades.numbers(LAG, 0.0) > 0.0, PAYMENT: trades.labels(PAYMENT).codes >= 0}
    faults = [*calendar_faults(trades, PAYMENT_CALENDAR), *lag_faults(trades)]
    for name, given in said.items():
        lacks = given & (calendar.codes < 0) & ~wrong_lags(trades)
        faults += rows_fault(name, "calendar", lacks, f"{name} is by a {PAYMENT_CALENDAR}, which is null")
    return faults


def payment_days(trades: Trades, due: Days) -> Days:
    """int32[n]: when what falls due on `due` int32[n] is paid."""
    calendar = trades.labels(PAYMENT_CALENDAR)
    rows = np.flatnonzero(label_mask(calendar, is_calendar) & (due != Trades.NO_DATE))
    if not rows.size:
        return due
    some, paid = trades.take(rows), due.copy()
    convention = some.labels(PAYMENT).otherwise(Labels.constant("following", len(rows)))
    lag = np.nan_to_num(some.numbers(LAG, 0.0)).clip(0, LONGEST_LAG).astype(np.int64)
    paid[rows] = Payments(calendar.take(rows), convention, lag).days(due[rows])
    return paid


def paid_in_the_past(trades: Trades, column: str, as_of: int, what: str) -> list[RowFaults]:
    """As `past_dates`, of what falls due on the date `column`."""
    over = payment_days(trades, trades.days(column)) < as_of
    return rows_fault(column, "not_past", over, f"{what} in the past")
