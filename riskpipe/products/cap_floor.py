"""Caps and floors on term and overnight rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.rate_options import add_optionlets
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import CurveNodes
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.market.schedules import Adjustment, schedule
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import (
    Coupons,
    FloatingLeg,
    Growth,
    fixing_faults,
    last_fixed_start,
    projection_curve,
    rate_needs,
)
from riskpipe.products.flows import Amounts, Days, Integers, merged, offsets_of
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, Positions, PreparedLegs, Rows, Tile
from riskpipe.products.lognormal import OF_RATES, negative_forwards, or_no_moneyness
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
    BACHELIER,
    KINDS,
    MODEL,
    SHIFT,
    VOLATILITY,
    shifts,
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
    version = 2
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
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "currency"),
            *schedule_faults(trades, "start_date", as_of, Labels.constant(_CONVENTION, len(trades))),
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
        factors = nodes.evaluate(model.base)[:, 0]
        forward0 = options.gearing * factors[growth] + options.constant
        n, normal = len(trades), trades.is_one("model", BACHELIER)[options.trade]
        legs: list[Leg] = [KnownLeg(offsets_of(options.known.trade, n), options.known.amount, known_node)]
        for name, kinds in KINDS.items():
            terms = np.flatnonzero(normal == (name == BACHELIER))
            if terms.size:
                leg = _OptionletLeg(
                    offsets_of(options.trade[terms], n),
                    options.amount[terms],
                    growth[terms],
                    payment[terms],
                    options.gearing[terms],
                    options.constant[terms],
                    _variances(trades, model, kinds, options, terms, forward0),
                    trades.numbers("strike"),
                    shifts(trades),
                    _signs(trades),
                    name == BACHELIER,
                )
                legs.append(leg)
        return PreparedLegs(nodes, NO_NODES, tuple(legs))


@dataclass(frozen=True)
class _OptionletLeg(Leg):
    """Options on rates of one model: coefficient D(payment) option(gearing x growth + constant).

    :param variance: one a term.
    :param strike, shift, sign: float64[n], of the trades.
    """

    growth: Positions
    payment: Positions
    gearing: FloatArray
    constant: FloatArray
    variance: VarianceNodes
    strike: FloatArray
    shift: FloatArray
    sign: FloatArray
    normal: bool

    def nodes(self) -> tuple[Positions, ...]:
        return self.growth, self.payment

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        add_optionlets(
            rows,
            tile.discount,
            self.variance.under(tile.levels),
            (self.offsets, self.growth, self.payment, self.gearing, self.constant, self.coefficient),
            (self.strike, self.shift, self.sign),
            self.normal,
            first,
            value,
        )

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        factors = discount.evaluate(x)[:, 0]
        forward = self.gearing * factors[self.growth] + self.constant
        terms = [slice(self.offsets[row], self.offsets[row + 1]) for row in rows]
        # Without terms of this leg a trade has no forward that could be negative.
        lowest = np.array([forward[mine].min(initial=np.inf) for mine in terms]) + self.shift[rows]
        weight = np.array([[self.variance.strike_weight[mine].sum()] for mine in terms])
        causes = negative_forwards(np.where(self.normal, np.nan, lowest), OF_RATES)
        return or_no_moneyness(causes, weight)


@dataclass(frozen=True)
class _Optionlets:
    """Options to come, k of them, by trade and period; those that are decided are known amounts.

    :param trade: int64[k].
    :param growth: what the rate grows by: gearing x growth + constant.
    :param gearing, constant: float64[k].
    :param amount: float64[k], notional x length of the period.
    :param fixing, last: int32[k], from when on the rate begins to be known, and when it is: the day of the fixing, or
        the days of an overnight period's first and last rates (without a lookback its start and end).
    """

    trade: Integers
    growth: Growth
    gearing: FloatArray
    constant: FloatArray
    amount: FloatArray
    fixing: Days
    last: Days
    overnight: NDArray[np.bool_]
    known: Amounts


def _leg(trades: Trades, as_of: int, before: int | None = None) -> FloatingLeg:
    calendar, notional = trades.labels("calendar"), trades.numbers("notional")
    dates = (trades.days("start_date"), trades.days("maturity_date"))
    adjustment = Adjustment(calendar, Labels.constant(_CONVENTION, len(trades)))
    periods = schedule(*dates, trades.labels("frequency"), adjustment, after=as_of, before=before)
    zero = np.zeros(len(trades))
    return FloatingLeg(periods, trades.labels("index"), trades.labels("day_count"), calendar, notional, zero)


def _optionlets(trades: Trades, model: MarketModel) -> _Optionlets:
    leg = _leg(trades, model.as_of)
    coupons = Coupons(leg, model)
    trade, tau, end = coupons.trade, coupons.tau, leg.periods.end
    strike, sign = trades.numbers("strike")[trade], _signs(trades)[trade]
    decided = coupons.weight == 0.0
    # A period without length by the trade's day count pays nothing.
    rate = np.divide(coupons.known, tau, out=np.zeros(len(tau)), where=tau != 0.0)
    paid = leg.notional[trade] * tau * np.maximum(sign * (rate - strike), 0.0)
    open_ = np.flatnonzero(~decided & (tau != 0.0))
    return _Optionlets(
        trade[open_],
        coupons.growth(coupons.weight).where(open_),
        coupons.weight[open_] / tau[open_],
        rate[open_],
        (leg.notional[trade] * tau)[open_],
        coupons.day[open_],
        coupons.last[open_],
        coupons.overnight[open_],
        merged([Amounts(trade, end, paid).where(decided)]),
    )


def _variances(
    trades: Trades,
    model: MarketModel,
    kinds: tuple[str, ...],
    options: _Optionlets,
    terms: Integers,
    forward0: FloatArray,
) -> VarianceNodes:
    trade = options.trade[terms]
    overnight = options.overnight[terms]
    tomorrow = np.int32(model.as_of + model.horizon_days + 1)
    read = np.where(overnight, np.maximum(options.fixing[terms], tomorrow), options.fixing[terms])
    surface, strike = trades.labels("volatility").take(trade), trades.numbers("strike")[trade]
    nodes = model.variance(kinds, surface, read, strike, forward0[terms])
    scale = np.ones(len(terms))
    scale[overnight] = _effective_time(model, options, terms[overnight]) / model.time(read[overnight])
    return VarianceNodes(nodes.index, nodes.strike_weight, nodes.time_weight * scale[:, None])


def _effective_time(model: MarketModel, options: _Optionlets, terms: Integers) -> FloatArray:
    """float64[k], years: what a volatility that dies out over an overnight period is worth."""
    start, end = options.fixing[terms], options.last[terms]
    begin = model.time(start)
    left, length = model.time(end) - begin, (end.astype(np.float64) - start) / 365.0
    return np.asarray(begin + left * left * left / (3.0 * length * length))


def _signs(trades: Trades) -> FloatArray:
    return np.where(trades.is_one("option_type", "cap"), 1.0, -1.0)
