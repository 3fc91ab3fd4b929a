"""What bonds and floating-rate notes share: columns, redemption, recovery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, Need, RowFaults
from riskpipe.products.flows import Amounts, Days, Integers
from riskpipe.products.leg_dates import LegDates, leg_dates
from riskpipe.products.schedule_columns import (
    calendar_column,
    convention_column,
    frequency_column,
    schedule_faults,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

DEFAULT_RECOVERY = 0.4

CURRENCY = Column("currency", "string", "of face and present value")
SIZE_COLUMNS = (
    Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
    Column("quantity", "number", "pieces; below zero for a short position"),
    Column("face", "number", "redeemed per piece at maturity", rule="positive"),
)
FREQUENCY = frequency_column("frequency", "of coupons; 1T pays once at maturity")
RISK_FREE_COLUMNS = (
    Column("issue_date", "date", "interest accrues from here"),
    Column("maturity_date", "date", "of redemption, before adjustment"),
    calendar_column(),
    convention_column(),
    Column(
        "settlement_days",
        "number",
        "business days to settlement, of prices and yields; null: 0",
        required=False,
        rule="nonnegative",
    ),
)
TERM_COLUMNS = (
    *RISK_FREE_COLUMNS,
    Column("credit_curve", "string", "hazard_rate curve of the issuer; null: risk-free", required=False),
)


def debt_faults(trades: Trades, as_of: int) -> list[RowFaults]:
    """Broken rules of these columns."""
    days = trades.numbers("settlement_days", 0.0)
    message = "settlement_days is a whole number of business days"
    return [
        *unknown_currencies(trades, "currency"),
        *schedule_faults(trades, "issue_date", as_of, None, ("",)),
        *rows_fault("settlement_days", "whole", days != np.floor(days), message),
    ]


def debt_needs(trades: Trades) -> tuple[Need, ...]:
    """A discount curve, and the issuer's credit where it is named."""
    credit = trades.labels("credit_curve")
    return (
        Need("discount", ("zero_rate",), trades.labels("discount_curve")),
        Need("credit", ("hazard_rate",), credit),
        Need("credit", ("recovery",), credit, optional=True),
    )


def faces(trades: Trades) -> FloatArray:
    """float64[n]: what is redeemed at maturity."""
    return trades.numbers("quantity") * trades.numbers("face")


def bond_dates(trades: Trades) -> LegDates:
    """Of bonds: periods run between unadjusted dates, unless the columns say otherwise; payments are moved."""
    return leg_dates(trades, start="issue_date", accrual=Labels.constant("unadjusted", len(trades)))


def redemptions(trades: Trades, dates: LegDates, as_of: int) -> Amounts:
    """The faces that are still to be paid, with the last coupons."""
    paid = dates.last_payments()
    return Amounts(np.arange(len(trades)), paid, faces(trades)).where(paid > as_of)


def time_of_default(trade: Integers, start: Days, paid: Days) -> Days:
    """int32[k]: where the time of default begins that a payment ends: at the payment before, or at the first start.

    :param trade: int64[k], ascending; start, paid int32[k], of the trade's coupons in time order.
    """
    begin = start.copy()
    follows = np.flatnonzero(trade[1:] == trade[:-1]) + 1
    begin[follows] = paid[follows - 1]
    return begin


def recovery_factors(credit: Labels, model: MarketModel) -> NDArray[np.int32]:
    """int32[n]: the factor `recovery:<credit curve>`, -1 where there is none."""
    groups = [model.snapshot.group("recovery", name) for name in credit.names]
    factors = np.array([*(-1 if group is None else group.start for group in groups), -1], np.int32)
    return factors[credit.codes]
