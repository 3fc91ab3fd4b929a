"""Coupons that stay with the seller of a bond who settles shortly before they are paid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendars import add_business_days
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Column, RowFaults
from riskpipe.products.flows import Days, Integers
from riskpipe.products.leg_date_faults import calendar_faults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

_LONGEST_EX: Final = 366  # days

EX_COUPON_COLUMNS = (
    Column(
        "ex_coupon_days",
        "number",
        f"before a payment from which its coupon stays with the seller, at most {_LONGEST_EX}; null: 0",
        required=False,
        rule="nonnegative",
    ),
    Column("ex_coupon_calendar", "string", "whose business days these are; null: calendar days", required=False),
)


def ex_coupon_faults(trades: Trades) -> list[RowFaults]:
    """Broken rules of these columns."""
    days = trades.numbers("ex_coupon_days", 0.0)
    odd = (days != np.floor(days)) | (days > _LONGEST_EX)
    return [
        *calendar_faults(trades, "ex_coupon_calendar"),
        *rows_fault("ex_coupon_days", "range", odd, f"ex_coupon_days is a whole number, at most {_LONGEST_EX}"),
    ]


def ex_coupon(trades: Trades, periods: Schedule, day: Days) -> NDArray[np.bool_]:
    """bool[periods]: the coupon is paid after a day, and is not that of a buyer who settles then.

    :param day: int32[n].
    """
    return ex_coupon_at(trades, periods, np.arange(len(periods)), day[periods.trades])


def ex_coupon_at(trades: Trades, periods: Schedule, chosen: Integers, day: Days) -> NDArray[np.bool_]:
    """bool[k]: likewise of some periods, each with a day of its own.

    :param chosen: int64[k]. :param day: int32[k].
    """
    if not trades.has("ex_coupon_days"):
        return np.zeros(len(chosen), np.bool_)
    trade, paid = periods.trades[chosen], periods.payment[chosen]
    lead = np.clip(trades.numbers("ex_coupon_days", 0.0), 0, _LONGEST_EX).astype(np.int32)[trade]
    calendar = trades.labels("ex_coupon_calendar").take(trade)
    from_ = paid - lead
    at = np.flatnonzero((calendar.codes >= 0) & (lead > 0))
    if at.size:
        from_[at] = add_business_days(paid[at], -lead[at], calendar.take(at))
    return np.asarray((lead > 0) & (from_ <= day) & (paid > day))
