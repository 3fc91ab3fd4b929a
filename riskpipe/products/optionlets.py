"""Options on the rates of floating coupons: caps and floors, by themselves and within legs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.rate_options import add_optionlets, add_survival_optionlets
from riskpipe.market.growths import CurveNodes
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.floating import Coupons, Growth
from riskpipe.products.flows import Amounts, Days, Integers, merged, offsets_of
from riskpipe.products.legs import Leg, LegTerms, Positions, Rows, Tile
from riskpipe.products.lognormal import OF_RATES, negative_forwards, or_no_moneyness
from riskpipe.products.trades import Trades
from riskpipe.products.volatility_columns import BACHELIER, KINDS, shifts


class Optionlets(Struct, frozen=True):
    """Options to come, k of them, by trade and period; those that are decided are known amounts.

    :param trade: int64[k], ascending.
    :param growth: what the rate grows by: gearing x growth + constant.
    :param gearing, constant: float64[k].
    :param amount: float64[k], in currency, of a rate that ends one above the strike.
    :param strike: float64[k], of the index's rate.
    :param fixing, last: int32[k], from when on the rate begins to be known, and when it is: the day of the fixing, or
        the days of an overnight period's first and last rates (without a lookback its start and end).
    """

    trade: Integers
    growth: Growth
    gearing: FloatArray
    constant: FloatArray
    amount: FloatArray
    strike: FloatArray
    fixing: Days
    last: Days
    overnight: NDArray[np.bool_]
    known: Amounts

    def of(self, rows: Integers) -> Optionlets:
        """The same of trades that were counted among `rows`, ascending."""
        return replace(self, trade=rows[self.trade], growth=self.growth.of(rows), known=self.known.of(rows))

    def where(self, mask: NDArray[np.bool_]) -> Optionlets:
        """Some of the options to come, without the known amounts."""
        return Optionlets(
            self.trade[mask],
            self.growth.where(mask),
            self.gearing[mask],
            self.constant[mask],
            self.amount[mask],
            self.strike[mask],
            self.fixing[mask],
            self.last[mask],
            self.overnight[mask],
            self.known.where(np.zeros(len(self.known), np.bool_)),
        )


class OptionTerms(Struct, frozen=True):
    """Of options on the coupons of n trades.

    :param surface: of their volatilities. :param normal: bool[n], the rate is, else rate + shift is lognormal.
    :param shift: float64[n]. :param sign: float64[n], +1 for caps, -1 for floors.
    """

    surface: Labels
    normal: NDArray[np.bool_]
    shift: FloatArray
    sign: FloatArray


def option_terms(trades: Trades, sign: FloatArray) -> OptionTerms:
    """As the columns `VOLATILITY`, `MODEL` and `SHIFT` have them.

    :param sign: float64[n], +1 for caps, -1 for floors.
    """
    return OptionTerms(trades.labels("volatility"), trades.is_one("model", BACHELIER), shifts(trades), sign)


def optionlets(coupons: Coupons, amount: FloatArray, strike: FloatArray, sign: FloatArray) -> Optionlets:
    """Each coupon's amount x max(sign (rate - strike), 0), paid when the coupon is.

    :param amount: float64[k], notional x length of the period.
    :param strike: float64[k], of the index's rate, without gearing and spread; NaN: the coupon has no option.
    :param sign: float64[k], +1 for calls, -1 for puts.
    """
    trade, tau = coupons.trade, coupons.tau
    decided, optional = coupons.weight == 0.0, ~np.isnan(strike)
    # A period without length by the trade's day count pays nothing.
    rate = np.divide(coupons.known, tau, out=np.zeros(len(tau)), where=tau != 0.0)
    paid = amount * np.maximum(sign * (rate - strike), 0.0)
    open_ = np.flatnonzero(~decided & (tau != 0.0) & optional)
    return Optionlets(
        trade[open_],
        coupons.growth(coupons.weight).take(open_),
        coupons.weight[open_] / tau[open_],
        rate[open_],
        amount[open_],
        strike[open_],
        coupons.day[open_],
        coupons.last[open_],
        coupons.overnight[open_],
        merged([Amounts(trade, coupons.periods.payment, paid).where(decided & optional)]),
    )


def optionlet_legs(
    options: Optionlets,
    terms: OptionTerms,
    positions: tuple[Positions, Positions],
    nodes: CurveNodes,
    model: MarketModel,
    survival: Positions | None = None,
) -> list[Leg]:
    """Options to come, those of lognormal rates and those of normal ones.

    :param positions: of `options.growth.requests` among `nodes`.
    :param survival: int32[k], hazard nodes of an issuer that pays them if it has not defaulted; None: they are sure.
    """
    growth, payment = positions
    forward0 = options.gearing * nodes.evaluate(model.base)[:, 0][growth] + options.constant
    normal = terms.normal[options.trade]
    legs: list[Leg] = []
    for name, kinds in KINDS.items():
        rows = np.flatnonzero(normal == (name == BACHELIER))
        if rows.size:
            leg = OptionletLeg(
                offsets_of(options.trade[rows], len(terms.sign)),
                options.amount[rows],
                growth[rows],
                payment[rows],
                options.gearing[rows],
                options.constant[rows],
                options.strike[rows],
                _variances(terms.surface, model, kinds, options, rows, forward0),
                terms.shift,
                terms.sign,
                name == BACHELIER,
                None if survival is None else survival[rows],
            )
            legs.append(leg)
    return legs


@dataclass(frozen=True)
class OptionletLeg(Leg):
    """Options on rates of one model: coefficient D(payment) option(gearing x growth + constant, strike).

    :param variance: one a term.
    :param shift, sign: float64[n], of the trades.
    :param hazard_node: where an issuer may default.
    """

    growth: Positions
    payment: Positions
    gearing: FloatArray
    constant: FloatArray
    strike: FloatArray
    variance: VarianceNodes
    shift: FloatArray
    sign: FloatArray
    normal: bool
    hazard_node: Positions | None = None

    called: ClassVar[str] = "option"

    def nodes(self) -> tuple[Positions, ...]:
        return self.growth, self.payment

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return () if self.hazard_node is None else (self.hazard_node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (
            self.offsets,
            self.growth,
            self.payment,
            self.gearing,
            self.constant,
            self.coefficient,
            self.strike,
        )
        variances, sides = self.variance.under(tile.levels), (self.shift, self.sign)
        if self.hazard_node is None:
            add_optionlets(rows, tile.discount, variances, terms, sides, self.normal, first, value)
        else:
            unsure = (terms, self.hazard_node)
            add_survival_optionlets(
                rows, tile.discount, tile.survival, variances, unsure, sides, self.normal, first, value
            )

    def by_term(self) -> LegTerms:
        return self._alone(self.payment, shift=self._of_terms(self.shift), sign=self._of_terms(self.sign))

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        factors = discount.evaluate(x)[:, 0]
        forward = self.gearing * factors[self.growth] + self.constant
        terms = [slice(self.offsets[row], self.offsets[row + 1]) for row in rows]
        # Without terms of this leg a trade has no forward that could be negative.
        lowest = np.array([forward[mine].min(initial=np.inf) for mine in terms]) + self.shift[rows]
        weight = np.array([[self.variance.strike_weight[mine].sum()] for mine in terms])
        causes = negative_forwards(np.where(self.normal, np.nan, lowest), OF_RATES)
        return or_no_moneyness(causes, weight)


def _variances(
    surface: Labels,
    model: MarketModel,
    kinds: tuple[str, ...],
    options: Optionlets,
    rows: Integers,
    forward0: FloatArray,
) -> VarianceNodes:
    trade, overnight = options.trade[rows], options.overnight[rows]
    tomorrow = np.int32(model.as_of + model.horizon_days + 1)
    read = np.where(overnight, np.maximum(options.fixing[rows], tomorrow), options.fixing[rows])
    nodes = model.variance(kinds, surface.take(trade), read, options.strike[rows], forward0[rows])
    scale = np.ones(len(rows))
    scale[overnight] = _effective_time(model, options, rows[overnight]) / model.time(read[overnight])
    return VarianceNodes(nodes.index, nodes.strike_weight, nodes.time_weight * scale[:, None])


def _effective_time(model: MarketModel, options: Optionlets, rows: Integers) -> FloatArray:
    """float64[rows], years: what a volatility that dies out over an overnight period is worth."""
    start, end = options.fixing[rows], options.last[rows]
    begin = model.time(start)
    left, length = model.time(end) - begin, (end.astype(np.float64) - start) / 365.0
    return np.asarray(begin + left * left * left / (3.0 * length * length))
