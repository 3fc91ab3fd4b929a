"""Interest rate swap: fixed against floating in one currency, projected and discounted on separate curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
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
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column, fixing_calendars, leg_dates
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, PreparedLegs, ProjectedLeg
from riskpipe.products.observations import observation_columns, observation_faults, observations
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    convention_column,
    coupon_day_count_column,
    day_count_column,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.steps import Stepped
from riskpipe.products.stub_rates import StubFlows, split_stubs, stub_columns, stub_faults, stub_needs
from riskpipe.products.trades import Trades
from riskpipe.products.validation import unknown_currencies

NOTIONAL = Stepped("notional", "notionals", "notional_dates")
RATE = Stepped("fixed_rate", "fixed_rates", "fixed_rate_dates")
SPREAD = Stepped("float_spread", "float_spreads", "float_spread_dates")


class InterestRateSwap(Product):
    """Value of the leg received less that of the leg paid; coupons are paid at their adjusted period ends, unless
    the columns of [dates](#dates-of-legs) say otherwise.

    Coupons dated after the valuation date count in full (the value is dirty). The spread is simple: it is
    added to the rate of a floating coupon after compounding. Notionals are not exchanged.
    """

    name = "interest_rate_swap"
    version = 3
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
        coupon_day_count_column("fixed_day_count", "of the fixed leg"),
        frequency_column("float_frequency", "of the floating leg"),
        day_count_column("float_day_count", "of the floating leg"),
        calendar_column(),
        convention_column(),
        *NOTIONAL.columns(),
        *RATE.columns(quantity="rate"),
        *SPREAD.columns(quantity="spread"),
        *observation_columns("float_"),
        *date_columns("fixed_"),
        *date_columns("float_"),
        fixing_calendar_column("float_"),
        *stub_columns("float_"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        stepped = [fault for term in (NOTIONAL, RATE, SPREAD) for fault in term.faults(trades)]
        dated = schedule_faults(trades, "start_date", as_of, prefixes=("fixed_", "float_"))
        return [*unknown_currencies(trades, "currency"), *dated, *stepped]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*rate_needs(trades, conventions), *stub_needs(trades, conventions, "float_"))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        before = last_fixed_start(trades.labels("index"), model)
        index, conventions = trades.labels("index"), model.conventions
        terms = observation_faults(trades, index, conventions, "float_")
        terms += stub_faults(trades, leg_dates(trades, "float_"), index, conventions, "float_")
        floating, odd = _floating(trades, model, before)
        return [*terms, *fixing_faults(floating), *(odd.faults if odd else ())]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        fixed = remaining_periods(trades, "start_date", "fixed_frequency", as_of)
        return 0.3 + 0.03 * fixed + 0.1 * remaining_periods(trades, "start_date", "float_frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        discount_curve, projection = trades.labels("discount_curve"), projection_curve(trades, model.conventions)
        floating, odd = _floating(trades, model)
        started, growth = floating.growth.telescoped(projection, discount_curve, model)
        fixed, floats = _fixed(trades, model), [floating.known, started, *([odd.known] if odd else [])]
        known = [merged([fixed]), merged(floats)] if model.by_flow else [merged([fixed, *floats])]
        nodes, positions = model.projected(
            *growth.requests(projection, discount_curve),
            *((discount_curve.take(part.trade), part.day) for part in known),
            *(odd.requests(discount_curve, model.conventions) if odd else ()),
        )
        n, after = len(trades), 2 + len(known)
        legs: list[Leg] = [
            KnownLeg(offsets_of(part.trade, n), part.amount, node)
            for part, node in zip(known, positions[2:after], strict=True)
        ]
        legs.append(ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[:2]))
        if odd:
            legs.append(odd.leg(n, positions[after:]))
        names = ("fixed", *(["floating"] * (len(legs) - 1)))
        return PreparedLegs(nodes, NO_NODES, tuple(legs), names)


def _fixed_notional(trades: Trades, periods: Schedule) -> FloatArray:
    """float64[periods], signed: above zero the fixed leg is received."""
    sign = np.where(trades.is_one("direction", "receive"), 1.0, -1.0)
    return NOTIONAL.by_period(trades, periods, scale=sign)


def _fixed(trades: Trades, model: MarketModel) -> Amounts:
    dates = leg_dates(trades, "fixed_")
    periods = dates.periods(model.as_of)
    interest = _fixed_notional(trades, periods) * RATE.by_period(trades, periods)
    return fixed_coupons(periods, dates.accrual(trades.labels("fixed_day_count")), interest)


def _floating(trades: Trades, model: MarketModel, before: int | None = None) -> tuple[FloatingFlows, StubFlows | None]:
    periods = leg_dates(trades, "float_").periods(model.as_of, before)
    leg = FloatingLeg(
        periods,
        trades.labels("index"),
        trades.labels("float_day_count"),
        trades.labels("calendar"),
        -_fixed_notional(trades, periods),
        SPREAD.by_period(trades, periods),
        observed=observations(trades, "float_"),
        fixing_calendar=fixing_calendars(trades, "float_"),
    )
    whole, odd = split_stubs(leg, trades, model, "float_")
    return floating_flows(whole, model), odd
