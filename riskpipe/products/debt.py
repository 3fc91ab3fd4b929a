"""What bonds and floating-rate notes share: columns, redemption, recovery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendars import adjust
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, Need, RowFaults
from riskpipe.products.flows import Amounts
from riskpipe.products.schedule_columns import (
    calendar_column,
    convention_column,
    day_count_column,
    frequency_column,
    schedule_faults,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import unknown_currencies

DEFAULT_RECOVERY = 0.4

CURRENCY = Column("currency", "string", "of face and present value")
SIZE_COLUMNS = (
    Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
    Column("quantity", "number", "pieces; below zero for a short position"),
    Column("face", "number", "redeemed per piece at maturity", rule="positive"),
)
TERM_COLUMNS = (
    frequency_column("frequency", "of coupons; 1T pays once at maturity"),
    day_count_column("day_count", "of coupons"),
    Column("issue_date", "date", "interest accrues from here"),
    Column("maturity_date", "date", "of redemption, before adjustment"),
    calendar_column(),
    convention_column(),
    Column("settlement_days", "number", "carried", required=False, rule="nonnegative"),
    Column("credit_curve", "string", "hazard_rate curve of the issuer; null: risk-free", required=False),
)


def debt_faults(trades: Trades, as_of: int) -> list[RowFaults]:
    """Broken rules of these columns."""
    return [*unknown_currencies(trades, "currency"), *schedule_faults(trades, "issue_date", as_of)]


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


def redemptions(trades: Trades, as_of: int) -> Amounts:
    """The faces that are still to be paid, on adjusted dates."""
    paid = adjust(trades.days("maturity_date"), trades.labels("calendar"), trades.labels("business_day_convention"))
    return Amounts(np.arange(len(trades)), paid, faces(trades)).where(paid > as_of)


def recovery_factors(credit: Labels, model: MarketModel) -> NDArray[np.int32]:
    """int32[n]: the factor `recovery:<credit curve>`, -1 where there is none."""
    groups = [model.snapshot.group("recovery", name) for name in credit.names]
    factors = np.array([*(-1 if group is None else group.start for group in groups), -1], np.int32)
    return factors[credit.codes]


def owed_on_default(trades: Trades, recovery: NDArray[np.int32]) -> FloatArray:
    """float64[n]: what a default pays, but for the recovery rate where that is a factor."""
    return faces(trades) * np.where(recovery < 0, DEFAULT_RECOVERY, 1.0)
