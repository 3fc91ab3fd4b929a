"""Options on averages of commodity prices (average price options)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import AveragedContracts, AveragedLegs, AverageOptions
from riskpipe.kernels.averages import average_options
from riskpipe.market.conventions import Conventions
from riskpipe.market.curves import DAYS_A_YEAR
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.average_prices import PricedDays, priced_days, priced_faults
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.flows import Integers, offsets_of
from riskpipe.products.lognormal import OF_COMMODITIES, negative_forwards, or_no_moneyness
from riskpipe.products.outright import outright_needs
from riskpipe.products.period_amounts import QUANTITY_COLUMNS, list_faults, per_period, period_quantities, unpaid
from riskpipe.products.pricing_periods import PERIOD_COLUMNS, period_faults, periods_of
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies
from riskpipe.products.vanilla import OPTION_TYPE
from riskpipe.products.volatility_columns import BACHELIER, BLACK, KINDS


class CommodityAverageOption(Product):
    """Each calculation period pays quantity x max(A - strike, 0), of puts max(strike - A, 0), A as in `CommoditySwap`.

    The average of lognormal prices is lognormal with its exact first two moments (Levy 1992; Turnbull and Wakeman
    1991); of normal prices (the model bachelier) it is normal, which is exact. The variance of a pricing day is that of
    the surface `black_vol:<underlying>` (`normal_vol`) to that day, at the strike, and that of the earlier day is the
    covariance of two. Of contracts each has the volatility of the surface at its expiry, and the covariance is
    rho sigma_c sigma_d t, t the earlier day and rho as `market.commodities` says.
    """

    name = "commodity_average_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices and volatility surface"),
        Column("currency", "string", "of the prices and of the strike"),
        Column("quantity", "number", "units a period; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency; for the model black above zero"),
        *PERIOD_COLUMNS,
        *QUANTITY_COLUMNS,
        Column("strikes", "number", "one a period, in the place of strike", required=False, many=True),
        Column("model", "string", "lognormal or normal prices; null: black", required=False, choices=tuple(KINDS)),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        faults = [*unknown_currencies(trades, "currency"), *period_faults(trades, as_of)]
        broken = np.zeros(len(trades), np.bool_)
        for fault in faults:
            broken[fault.rows] = True
        listed = trades.nested("strikes")
        low, normal = trades.numbers("strike") <= 0.0, trades.is_one("model", BACHELIER)
        low_listed = np.bincount(listed.trades[listed.rows.numbers("strikes") <= 0.0], minlength=len(trades)) > 0
        message = "{} must be above zero for the model black; bachelier takes any"
        return [
            *faults,
            *rows_fault("strike", "positive", low & ~normal, message.format("strike")),
            *rows_fault("strikes", "positive", low_listed & ~normal, message.format("strikes")),
            *list_faults(trades, np.flatnonzero(~broken), "quantities", "strikes"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        normal, underlying = trades.is_one("model", BACHELIER), trades.labels("underlying")
        return (
            *outright_needs(trades, conventions),
            Need("volatility", KINDS[BLACK], underlying.where(~normal)),
            Need("volatility", KINDS[BACHELIER], underlying.where(normal)),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        periods, underlying = periods_of(trades), trades.labels("underlying")
        chosen = unpaid(periods, underlying, model.as_of)
        return priced_faults(priced_days(trades, model, underlying, periods, chosen))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        left = trades.days("maturity_date") - np.maximum(trades.days("start_date"), as_of)
        return np.asarray(1.5 + 0.2 * np.maximum(left, 0))

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        periods, underlying = periods_of(trades), trades.labels("underlying")
        chosen = unpaid(periods, underlying, model.as_of)
        priced = priced_days(trades, model, underlying, periods, chosen)
        legs = _Legs.of(priced, model)
        trade, average = periods.trade[chosen], priced.average
        strike = per_period(trades, periods, "strikes", "strike")[chosen]
        normal = trades.is_one("model", BACHELIER)[trade]
        leg_counts = np.diff(legs.offsets)[average]
        first = np.concatenate((np.zeros(1, np.int64), np.cumsum(leg_counts)))
        sign = np.where(trades.is_one("option_type", "call"), 1.0, -1.0)[trade]
        curve = trades.labels("currency").map(model.conventions.discount_curve)
        discount, (payment,) = model.discount((curve.take(trade), periods.payment[chosen]))
        return _AverageOptions(
            options=(
                offsets_of(trade, len(trades)),
                average,
                first,
                strike - (priced.fixed / priced.count)[average],
                period_quantities(trades, periods)[chosen],
                sign,
                normal,
            ),
            averages=(legs.offsets, 1.0 / priced.count, ~priced.is_contract, legs.decay),
            contracts=legs.contracts,
            forward=legs.forward,
            discount=TradeNodes(discount, payment),
            variance=_variances(model, legs, underlying.take(trade), strike, normal, average, first),
        )


class _Legs(Struct, frozen=True):
    """Days to come of averages, or the contracts that several of these have.

    :param offsets: int64[m + 1], by average.
    :param quoted: int32[legs], the date whose variance a leg takes.
    :param decay: float64[m], a year.
    """

    offsets: Integers
    quoted: NDArray[np.int32]
    contracts: AveragedContracts
    forward: TradeNodes
    decay: FloatArray

    @staticmethod
    def of(priced: PricedDays, model: MarketModel) -> _Legs:
        runs, of_day = priced.runs(), priced.of_day
        of_run = of_day[runs]
        ends = np.append(runs[1:], len(of_day))[: len(runs)]
        last_day, price_day = priced.day[ends - 1], priced.price_day[runs]
        # After the last contract's expiry its price goes on moving.
        quoted = np.where(priced.is_contract[of_run], np.maximum(price_day, last_day), last_day).astype(np.int32)
        decays = [model.conventions.commodity(name).correlation_decay for name in priced.underlying.names]
        underlying, currency = priced.underlying.take(of_run), priced.currency.take(of_run)
        return _Legs(
            np.searchsorted(of_run, np.arange(len(priced.count) + 1)),
            quoted,
            (np.append(runs, len(of_day)), model.time(priced.day), model.time(quoted), price_day / DAYS_A_YEAR),
            TradeNodes(*model.forwards(underlying, currency, price_day)),
            np.array([*decays, 0.0])[priced.underlying.codes],
        )


def _variances(
    model: MarketModel,
    legs: _Legs,
    underlying: Labels,
    strike: FloatArray,
    normal: NDArray[np.bool_],
    average: NDArray[np.int32],
    first: Integers,
) -> VarianceNodes:
    """Of all legs of all options: option k has the rows first[k] to first[k + 1].

    :param underlying, strike, normal, average: of the options.
    """
    option = np.repeat(np.arange(len(average)), np.diff(first))
    leg = legs.offsets[average][option] + np.arange(first[-1]) - first[:-1][option]
    forward = legs.forward.today(model)[leg]
    name, mine = underlying.take(option), normal[option]
    kinds = ((BLACK, ~mine), (BACHELIER, mine))
    found = [
        model.variance(KINDS[kind], name.where(some), legs.quoted[leg], strike[option], forward)
        for kind, some in kinds
        if some.any() or kind == BLACK
    ]
    if len(found) == 1:
        return found[0]
    columns = ((getattr(nodes, part) for nodes in found) for part in ("index", "strike_weight", "time_weight"))
    return VarianceNodes(*(np.where(mine[:, None], other, black) for black, other in columns))


@dataclass(frozen=True)
class _AverageOptions(Prepared):
    """:param forward: of the legs; `discount` of the options; `variance` of each option's legs."""

    options: AverageOptions
    averages: AveragedLegs
    contracts: AveragedContracts
    forward: TradeNodes
    discount: TradeNodes
    variance: VarianceNodes

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out = np.empty((len(rows), x.shape[1]))
        chosen, legs = self._used(rows)
        forward, discount = self.forward.under(legs, x), self.discount.under(chosen, x)
        market = (forward, discount, self.variance.under(x))
        average_options(rows, *market, self.options, self.averages, self.contracts, out)
        return out

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        causes = []
        for row in rows:
            chosen, legs = self._used(np.array([row], np.int32))
            normal, first = self.options[6], self.options[2]
            values, position = self.forward.under(legs, x)
            prices = values[position[legs], 0]
            lowest = prices.min(initial=np.inf) if not normal[chosen].all() else np.nan
            weights = [self.variance.strike_weight[first[k] : first[k + 1]].sum() for k in chosen.tolist()]
            known = np.array([[np.sum(weights)]])
            causes += or_no_moneyness(negative_forwards(np.array([lowest]), OF_COMMODITIES), known)
        return causes

    def _used(self, rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The options of some trades, and the legs of these."""
        offsets, average = self.options[:2]
        mine = np.zeros(len(offsets) - 1, np.bool_)
        mine[rows] = True
        chosen = np.flatnonzero(np.repeat(mine, np.diff(offsets))).astype(np.int32)
        used = np.zeros(len(self.averages[0]) - 1, np.bool_)
        used[average[chosen]] = True
        return chosen, np.flatnonzero(np.repeat(used, np.diff(self.averages[0]))).astype(np.int32)
