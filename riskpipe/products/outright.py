"""Outright forwards on equities and commodities, once they are forwards and discount factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.forwards import forward_contracts
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes, ForwardNodes
from riskpipe.products.base import Need, Prepared
from riskpipe.products.nodes import evaluate_used
from riskpipe.products.trades import Trades


@dataclass(frozen=True)
class Outrights(Prepared):
    """n forwards: quantity x discount factor x (forward - strike).

    :param forward, discount: nodes; `forward_position`, `discount_position` int32[n] are each trade's.
    :param quantity: float64[n], zero where the trade is over; `strike` likewise float64[n].
    """

    forward: ForwardNodes
    forward_position: NDArray[np.int32]
    discount: DiscountNodes
    discount_position: NDArray[np.int32]
    quantity: NDArray[np.float64]
    strike: NDArray[np.float64]

    def price(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> NDArray[np.float64]:
        forward, (position,) = evaluate_used(self.forward, rows, x, self.forward_position)
        discount, (payment,) = evaluate_used(self.discount, rows, x, self.discount_position)
        out = np.empty((len(rows), x.shape[1]))
        forward_contracts(rows, self.quantity, self.strike, forward, position, discount, payment, out)
        return out


def outright_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What a forward with the columns underlying and currency depends on."""
    underlying = trades.labels("underlying")
    return (
        Need("underlying", ("forward_price", "spot"), underlying),
        Need("dividend", ("dividend_yield",), underlying, optional=True),
        Need("discount", ("zero_rate",), trades.labels("currency").map(conventions.discount_curve)),
    )


def prepare_outrights(
    trades: Trades, model: MarketModel, days: NDArray[np.int32], alive: NDArray[np.bool_]
) -> Outrights:
    """Forwards with the columns underlying, currency, quantity and strike.

    :param days: int32[n], of the forward and of its payment.
    :param alive: bool[n]; the others are worth nothing any more.
    """
    underlying, currency = trades.labels("underlying"), trades.labels("currency")
    forward, forward_position = model.forwards(underlying, currency, days)
    discount, (discount_position,) = model.discount((currency.map(model.conventions.discount_curve), days))
    quantity = np.where(alive, trades.numbers("quantity"), 0.0)
    strike = trades.numbers("strike")
    return Outrights(forward, forward_position, discount, discount_position, quantity, strike)
