"""Exchanges of two currencies, once the amounts are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import exchange_two_amounts
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes
from riskpipe.products.base import Prepared
from riskpipe.products.shared_nodes import TradeNodes, evaluate_used


@dataclass(frozen=True)
class Exchanges(Prepared):
    """n exchanges, in the sold currency: buy_amount x fx x D_buy(t) - sell_amount x D_sell(t).

    :param buy_amount, sell_amount: float64[n], zero where the trade is over.
    :param discount: nodes; each trade's are `buy_position`, `sell_position` int32[n].
    """

    buy_amount: FloatArray
    sell_amount: FloatArray
    rate: TradeNodes
    discount: DiscountNodes
    buy_position: NDArray[np.int32]
    sell_position: NDArray[np.int32]

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        discount, (buy, sell) = evaluate_used(self.discount, rows, x, self.buy_position, self.sell_position)
        out = np.empty((len(rows), x.shape[1]))
        amounts = (self.buy_amount, self.sell_amount)
        exchange_two_amounts(rows, self.rate.under(rows, x), (discount, buy), (discount, sell), amounts, out)
        return out


def prepare_exchanges(
    model: MarketModel,
    bought: tuple[Labels, FloatArray],
    sold: tuple[Labels, FloatArray],
    delivery: NDArray[np.int32],
) -> Exchanges:
    """Each leg is discounted on its own currency's curve; what is delivered by today is over.

    :param bought, sold: currency and amount float64[n] of each trade.
    :param delivery: int32[n].
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
    )
