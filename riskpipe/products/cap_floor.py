"""Caps and floors on term and overnight rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import (
    Coupons,
    FloatingLeg,
    fixing_faults,
    last_fixed_start,
    projection_curve,
    rate_needs,
)
from riskpipe.products.flows import offsets_of
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column, fixing_calendars, leg_dates
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs
from riskpipe.products.optionlets import Optionlets, option_terms, optionlet_legs, optionlets
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    day_count_column,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import unknown_currencies
from riskpipe.products.volatility_columns import (
    MODEL,
    SHIFT,
    VOLATILITY,
    strike_faults,
    volatility_needs,
)

_CONVENTION = "modified_following"


class CapFloor(Product):
    """notional x tau x max(F - strike, 0) (a floor: max(strike - F, 0)) at the end of every period, the first too.

    Periods are adjusted by the modified following convention. F is the rate of a swap's floating coupon over the
    period; its volatility is read at the day of its fixing and at the strike, and the payment is discounted on its own
    curve (Black 1976, or Bachelier 1900). A coupon that is fixed already pays what it will.

    An overnight rate is compounded in arrears and goes on moving, ever less, until its period ends: its volatility is
    read at the start of the period (tomorrow, once that has come) and its variance is that volatility squared x
    (T0 + (T1 - T0)^3 / (3 (end - start)^2)), with T0 the time to the start or zero, T1 that to the end (Lyashenko and
    Mercurio, Looking forward to backward-looking rates, 2019, section 6.3). With a lookback (the index's `fixing_lag`)
    these are the days that many business days earlier.
    """

    name = "cap_floor"
    version = 3
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the notional and the present value"),
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        Column("discount_curve", "string", "zero_rate curve that discounts all payments"),
        Column("notional", "number", "negative when short"),
        Column("option_type", "string", "of the options on the rate", choices=("cap", "floor")),
        Column("strike", "number", "decimal a year", quantity="rate"),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        frequency_column("frequency", "of the periods; 1T is one period"),
        day_count_column("day_count", "of the periods"),
        calendar_column(),
        VOLATILITY,
        MODEL,
        SHIFT,
        *date_columns(accrual=_CONVENTION),
        fixing_calendar_column(),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "currency"),
            *schedule_faults(trades, "start_date", as_of, Labels.constant(_CONVENTION, len(trades)), ("",)),
            *strike_faults(trades, "strike"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (*rate_needs(trades, conventions), *volatility_needs(trades))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        before = last_fixed_start(trades.labels("index"), model)
        return fixing_faults(Coupons(_leg(trades, model.as_of, before), model))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return 0.3 + 0.6 * remaining_periods(trades, "start_date", "frequency", as_of)

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        options = _optionlets(trades, model)
        projection, curve = projection_curve(trades, model.conventions), trades.labels("discount_curve")
        nodes, (growth, payment, known_node) = model.projected(
            *options.growth.requests(projection, curve), (curve.take(options.known.trade), options.known.day)
        )
        known = KnownLeg(offsets_of(options.known.trade, len(trades)), options.known.amount, known_node)
        terms = option_terms(trades, _signs(trades))
        return PreparedLegs(nodes, NO_NODES, (known, *optionlet_legs(options, terms, (growth, payment), nodes, model)))


def _optionlets(trades: Trades, model: MarketModel) -> Optionlets:
    leg = _leg(trades, model.as_of)
    coupons = Coupons(leg, model)
    strike, sign = trades.numbers("strike")[coupons.trade], _signs(trades)[coupons.trade]
    return optionlets(coupons, leg.notional * coupons.tau, strike, sign)


def _leg(trades: Trades, as_of: int, before: int | None = None) -> FloatingLeg:
    calendar, notional = trades.labels("calendar"), trades.numbers("notional")
    dates = leg_dates(trades, convention=Labels.constant(_CONVENTION, len(trades)))
    periods = dates.periods(as_of, before)
    zero = np.zeros(len(periods))
    by_period = periods.spread(notional)
    names = (trades.labels("index"), trades.labels("day_count"), calendar)
    return FloatingLeg(periods, *names, by_period, zero, fixing_calendar=fixing_calendars(trades))


def _signs(trades: Trades) -> FloatArray:
    return np.where(trades.is_one("option_type", "cap"), 1.0, -1.0)
