"""Interest rate swap: fixed against floating in one currency, projected and discounted on separate curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import (
    FloatingFlows,
    FloatingLeg,
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
    rate_needs,
)
from riskpipe.products.flows import Amounts, fixed_coupons, merged, offsets_of
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs, ProjectedLeg
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    convention_column,
    day_count_column,
    frequency_column,
    leg_schedule,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import unknown_currencies


class InterestRateSwap(Product):
    """Value of the leg received less that of the leg paid; coupons are paid at their adjusted period ends.

    Coupons dated after the valuation date count in full (the value is dirty). The spread is simple: it is
    added to the rate of a floating coupon after compounding.
    """

    name = "interest_rate_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the notional and the present value"),
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
        Column("notional", "number", "below zero turns the direction round"),
        Column("direction", "string", "of the fixed leg", choices=("pay", "receive")),
        Column("fixed_rate", "number", "decimal a year"),
        Column("float_spread", "number", "decimal a year, added to the floating rate"),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        frequency_column("fixed_frequency", "of the fixed leg; 1T pays once at maturity"),
        day_count_column("fixed_day_count", "of the fixed leg"),
        frequency_column("float_frequency", "of the floating leg"),
        day_count_column("float_day_count", "of the floating leg"),
        calendar_column(),
        convention_column(),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [*unknown_currencies(trades, "currency"), *schedule_faults(trades, "start_date", as_of)]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return rate_needs(trades, conventions)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        before = last_fixed_start(trades.labels("index"), model)
        return fixing_faults(_floating(trades, model, before))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        fixed = remaining_periods(trades, "start_date", "fixed_frequency", as_of)
        return 0.3 + 0.03 * fixed + 0.1 * remaining_periods(trades, "start_date", "float_frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        discount_curve, projection = trades.labels("discount_curve"), projection_curve(trades, model.conventions)
        floating = _floating(trades, model)
        started, growth = floating.growth.telescoped(projection, discount_curve)
        known = merged([_fixed(trades, model), floating.known, started])
        nodes, (known_node, growth_node, payment_node) = model.projected(
            (discount_curve.take(known.trade), known.day), *growth.requests(projection, discount_curve)
        )
        n = len(trades)
        return PreparedLegs(
            nodes,
            NO_NODES,
            (
                KnownLeg(offsets_of(known.trade, n), known.amount, known_node),
                ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, growth_node, payment_node),
            ),
        )


def _fixed_notional(trades: Trades) -> FloatArray:
    """Signed: above zero the fixed leg is received."""
    return np.where(trades.is_one("direction", "receive"), 1.0, -1.0) * trades.numbers("notional")


def _fixed(trades: Trades, model: MarketModel) -> Amounts:
    periods = leg_schedule(trades, "fixed", model.as_of)
    interest = _fixed_notional(trades) * trades.numbers("fixed_rate")
    return fixed_coupons(periods, trades.labels("fixed_day_count"), interest)


def _floating(trades: Trades, model: MarketModel, before: int | None = None) -> FloatingFlows:
    leg = FloatingLeg(
        leg_schedule(trades, "float", model.as_of, before),
        trades.labels("index"),
        trades.labels("float_day_count"),
        trades.labels("calendar"),
        -_fixed_notional(trades),
        trades.numbers("float_spread"),
    )
    return floating_flows(leg, model)
