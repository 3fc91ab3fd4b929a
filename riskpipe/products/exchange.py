"""Exchanges of two currencies, once the amounts are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import exchange_two_amounts
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes
from riskpipe.products.base import Need, Prepared, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined, paid_once
from riskpipe.products.shared_nodes import TradeNodes, evaluate_used
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault


@dataclass(frozen=True)
class Exchanges(Prepared):
    """n exchanges, in the sold currency: buy_amount x fx x D_buy(t) - sell_amount x D_sell(t).

    :param buy_amount, sell_amount: float64[n], zero where the trade is over.
    :param discount: nodes; each trade's are `buy_position`, `sell_position` int32[n].
    :param net: the difference is paid, in the currency sold.
    """

    buy_amount: FloatArray
    sell_amount: FloatArray
    rate: TradeNodes
    discount: DiscountNodes
    buy_position: NDArray[np.int32]
    sell_position: NDArray[np.int32]
    buy_currency: Labels
    net: bool

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        discount, (buy, sell) = evaluate_used(self.discount, rows, x, self.buy_position, self.sell_position)
        out = np.empty((len(rows), x.shape[1]))
        amounts = (self.buy_amount, self.sell_amount)
        exchange_two_amounts(rows, self.rate.under(rows, x), (discount, buy), (discount, sell), amounts, out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        every, nothing = np.arange(len(self.buy_amount), dtype=np.int32), np.zeros_like(self.buy_amount)
        if self.net:
            open_ = self.buy_amount != 0.0
            return paid_once(self.price(every, x)[:, 0], self._discount(self.sell_position), x, "settlement", open_)
        factors = self.discount.evaluate(x)[:, 0]
        bought, sold = self.buy_amount * factors[self.buy_position], -self.sell_amount * factors[self.sell_position]
        sure, rate = nothing != 0.0, self.rate.nodes.evaluate(x)[self.rate.position, 0]
        received = paid_once(bought, self._discount(self.buy_position), x, "buy", sure)
        paid = paid_once(sold, self._discount(self.sell_position), x, "sell", sure)
        received = replace(received, amount=self.buy_amount[received.trade]).converted(self.buy_currency, rate)
        return joined([received, replace(paid, amount=-self.sell_amount[paid.trade])])

    def _discount(self, position: NDArray[np.int32]) -> TradeNodes:
        return TradeNodes(self.discount, position)


def exchange_needs(bought: Labels, sold: Labels, conventions: Conventions) -> tuple[Need, ...]:
    """What an exchange of two currencies depends on, its value being in the one sold."""
    return (
        Need("underlying", ("fx",), bought.combine(sold, str.__add__)),
        Need("discount", ("zero_rate",), bought.map(conventions.discount_curve), currency=bought),
        Need("discount", ("zero_rate",), sold.map(conventions.discount_curve), currency=sold),
    )


def one_currency(trades: Trades) -> list[RowFaults]:
    """Trades whose columns buy_currency and sell_currency are the same."""
    same = trades.labels("buy_currency").combine(
        trades.labels("sell_currency"), lambda a, b: "same" if a == b else "other"
    )
    alike = np.array([*(name == "same" for name in same.names), False], np.bool_)[same.codes]
    return rows_fault("buy_currency", "two_currencies", alike, "buy_currency and sell_currency are the same")


def prepare_exchanges(
    model: MarketModel,
    bought: tuple[Labels, FloatArray],
    sold: tuple[Labels, FloatArray],
    delivery: NDArray[np.int32],
    net: bool = False,
) -> Exchanges:
    """Each leg is discounted on its own currency's curve; what is delivered by today is over.

    :param bought, sold: currency and amount float64[n] of each trade.
    :param delivery: int32[n]. :param net: the difference is paid, in the currency sold.
    """
    curve, alive = model.conventions.discount_curve, delivery > model.as_of
    discount, (buy_position, sell_position) = model.discount(
        (bought[0].map(curve), delivery), (sold[0].map(curve), delivery)
    )
    return Exchanges(
        buy_amount=np.where(alive, bought[1], 0.0),
        sell_amount=np.where(alive, sold[1], 0.0),
        rate=TradeNodes(*model.fx(bought[0], sold[0])),
        discount=discount,
        buy_position=buy_position,
        sell_position=sell_position,
        buy_currency=bought[0],
        net=net,
    )
