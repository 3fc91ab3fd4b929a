"""European option on an equity, paid in another currency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.quanto import quanto_options
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.pairs import FX_VOLATILITY, broken_pairs, first_currency, second_currency
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import OPTION_TYPE, VanillaOptions, prepare_vanilla, underlying_needs


class QuantoEquityOption(Product):
    """European option on an equity whose payoff is paid in another currency at a fixed rate.

    Black, Scholes and Merton (1973) with the drift of the underlying less rho sigma_S sigma_X (Reiner, Quanto
    mechanics, 1992): sigma_S is the volatility at the strike, sigma_X that of the pair at its forward of today to the
    expiry date (to the spot date of that day, where spots are of those), rho the point
    `correlation:<underlying>:<pair>`, of the two returns, the pair in its order (where it has the payment's currency
    first, the sign turns). The payoff is discounted on the payment currency's curve.
    """

    name = "quanto_equity_option"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("pair", "string", "of the currency and the payment's, in either order, such as EURUSD"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column(
            "quanto_rate", "number", "paid for one of the currency; 1 unless given", required=False, rule="positive"
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        foreign = _payment(trades).codes < 0
        return [
            *unknown_currencies(trades, "currency"),
            *broken_pairs(trades),
            *rows_fault("pair", "currency", foreign, "pair is not of the trade's currency and another one"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return _payment(trades)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        currency, pair, payment = trades.labels("currency"), trades.labels("pair"), _payment(trades)
        underlying, growth, volatility, *carry = underlying_needs(trades, conventions)
        discount = Need("discount", ("zero_rate",), payment.map(conventions.discount_curve))
        return (
            Need(underlying.role, underlying.kinds, underlying.labels, currency=currency),
            Need("growth", growth.kinds, growth.labels, currency=currency),
            discount,
            volatility,
            *carry,
            Need("pair", ("fx",), pair, today_only=True),
            Need("pair_volatility", FX_VOLATILITY, pair),
            Need("correlation", ("correlation",), _correlation(trades)),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 2.0)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        currency, pair, expiry = trades.labels("currency"), trades.labels("pair"), trades.days("expiry_date")
        first = pair.map(first_currency)
        options = prepare_vanilla(
            trades,
            model,
            forward=TradeNodes(*model.forwards(trades.labels("underlying"), currency, expiry)),
            discount=(_payment(trades).map(model.conventions.discount_curve), expiry),
            volatility=(("black_vol",), trades.labels("underlying")),
            quantity=trades.numbers("quantity") * trades.numbers("quanto_rate", 1.0),
        )
        exchanged = model.settled(pair, expiry)
        at_the_money = TradeNodes(*model.fx_forwards(first, pair.map(second_currency), exchanged)).today(model)
        return _QuantoOptions(
            options,
            model.variance(FX_VOLATILITY, pair, expiry, at_the_money, at_the_money),
            TradeNodes(*model.levels("correlation", _correlation(trades))),
            _direction(trades),
        )


def _payment(trades: Trades) -> Labels:
    """The other currency of the pair; none where the trade's is not one of its two."""
    currency, pair = trades.labels("currency"), trades.labels("pair")
    names = currency.combine(pair, lambda own, both: both.replace(own, "", 1) if own in (both[:3], both[3:]) else "")
    return names.where(names.codes != (names.names.index("") if "" in names.names else -1))


def _direction(trades: Trades) -> FloatArray:
    """float64[n]: +1 where the pair has the trade's currency first, -1 where second."""
    currency, pair = trades.labels("currency"), trades.labels("pair")
    names = currency.combine(pair, lambda own, both: "first" if both[:3] == own else "second")
    return np.array([1.0 if name == "first" else -1.0 for name in (*names.names, "")])[names.codes]


def _correlation(trades: Trades) -> Labels:
    return trades.labels("underlying").combine(trades.labels("pair"), lambda name, pair: f"{name}:{pair}")


@dataclass(frozen=True)
class _QuantoOptions(Prepared):
    """:param pair_variance: one an option. :param direction: float64[n], of the correlation (`_direction`)."""

    options: VanillaOptions
    pair_variance: VarianceNodes
    correlation: TradeNodes
    direction: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        forward, discount, variances = self.options.market.under(rows, x)
        correlation = (*self.correlation.under(rows, x), self.direction)
        out = np.empty((len(rows), x.shape[1]))
        both = (variances, self.pair_variance.under(x))
        quanto_options(rows, forward, discount, both, correlation, self.options.terms, out)
        return out

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.options.why_not(rows, x)
