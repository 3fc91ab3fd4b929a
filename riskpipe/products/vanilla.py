"""European options of every asset class, once they are forwards, discount factors and total variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import NodeValues, Vanillas, Variances
from riskpipe.kernels.black import european_options
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import CARRY_KINDS
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.base import Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, paid_once
from riskpipe.products.lognormal import negative_forwards, or_no_moneyness, or_overpaid
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies

BLACK_VOLATILITY = ("black_vol",)
OPTION_TYPE = Column("option_type", "string", "right to buy or to sell the underlying", choices=("call", "put"))


class OptionMarket(Struct, frozen=True):
    """What every option depends on.

    :param variance: one an option.
    """

    forward: TradeNodes
    discount: TradeNodes
    variance: VarianceNodes

    def under(self, rows: NDArray[np.int32], x: FloatArray) -> tuple[NodeValues, NodeValues, Variances]:
        """Forwards, discount factors and variances, as kernels take them."""
        return self.forward.under(rows, x), self.discount.under(rows, x), self.variance.under(x)


@dataclass(frozen=True)
class VanillaOptions(Prepared):
    """n options: quantity x discount factor x Black (1976) price, or that of Bachelier (1900).

    :param strike, sign, quantity: float64[n]; sign +1 for calls, -1 for puts.
    :param normal: bool[n], the variance is that of normal forwards.
    :param way_out: what can be done about a negative forward, for a message.
    """

    market: OptionMarket
    strike: FloatArray
    sign: FloatArray
    quantity: FloatArray
    normal: NDArray[np.bool_]
    way_out: str = ""

    @property
    def terms(self) -> Vanillas:
        return self.strike, self.sign, self.quantity

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out = np.empty((len(rows), x.shape[1]))
        european_options(rows, *self.market.under(rows, x), self.terms, self.normal, out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        value = self.price(np.arange(len(self.strike), dtype=np.int32), x)[:, 0]
        return paid_once(value, self.market.discount, x, "option")

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        values, position = self.market.forward.under(rows, x)
        forward = np.where(self.normal[rows], np.nan, values[position[rows], 0])
        causes = or_overpaid(negative_forwards(forward, self.way_out), self.market.forward.overpaid(rows, x))
        return or_no_moneyness(causes, self.market.variance.strike_weight[rows])


def carry_needs(underlying: Labels) -> tuple[Need, ...]:
    """What makes forwards of a spot beside rates."""
    roles = ("borrow" if kind == "borrow" else "dividend" for kind in CARRY_KINDS)
    return tuple(Need(role, (kind,), underlying, optional=True) for role, kind in zip(roles, CARRY_KINDS, strict=True))


def underlying_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What an option with the columns underlying and currency depends on: equities and commodities."""
    underlying = trades.labels("underlying")
    return (
        Need("underlying", ("forward_price", "spot"), underlying),
        Need("discount", ("zero_rate",), trades.labels("currency").map(conventions.discount_curve)),
        Need("volatility", BLACK_VOLATILITY, underlying),
        *carry_needs(underlying),
    )


class UnderlyingOption(Product):
    """An option with the columns underlying and currency that pays on its expiry date."""

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [*unknown_currencies(trades, "currency"), *past_dates(trades, "expiry_date", as_of, "expiry")]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return underlying_needs(trades, conventions)


def prepare_vanilla(
    trades: Trades,
    model: MarketModel,
    forward: TradeNodes,
    discount: tuple[Labels, NDArray[np.int32]],
    volatility: tuple[tuple[str, ...], Labels],
    quantity: FloatArray,
) -> VanillaOptions:
    """Options with the columns option_type, strike and expiry_date.

    :param discount: curve and payment date of each option.
    :param volatility: factor kinds and the surface of each option. In every scenario a surface in moneyness
        is read at the strike over the forward of the base scenario.
    :param quantity: float64[n], signed.
    """
    strike, (kinds, surfaces) = trades.numbers("strike"), volatility
    variance = model.variance(kinds, surfaces, trades.days("expiry_date"), strike, forward.today(model))
    nodes, (position,) = model.discount(discount)
    sign = np.where(trades.is_one("option_type", "call"), 1.0, -1.0)
    market = OptionMarket(forward, TradeNodes(nodes, position), variance)
    return VanillaOptions(market, strike, sign, quantity, normal=np.zeros(len(trades), np.bool_))


def prepare_on_underlying(trades: Trades, model: MarketModel) -> VanillaOptions:
    """Likewise with the columns underlying, currency and quantity; they pay on the expiry date."""
    underlying, currency, expiry = trades.labels("underlying"), trades.labels("currency"), trades.days("expiry_date")
    return prepare_vanilla(
        trades,
        model,
        forward=TradeNodes(*model.forwards(underlying, currency, expiry)),
        discount=(currency.map(model.conventions.discount_curve), expiry),
        volatility=(BLACK_VOLATILITY, underlying),
        quantity=trades.numbers("quantity"),
    )


def spots(trades: Trades, model: MarketModel) -> TradeNodes:
    """Of the columns underlying and currency: forwards for today."""
    today = np.full(len(trades), model.as_of, np.int32)
    return TradeNodes(*model.forwards(trades.labels("underlying"), trades.labels("currency"), today))
