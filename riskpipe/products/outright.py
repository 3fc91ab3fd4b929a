"""Outright forwards on equities and commodities, once they are forwards and discount factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import forward_contracts
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, paid_once
from riskpipe.products.lognormal import or_overpaid
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies
from riskpipe.products.vanilla import carry_needs


@dataclass(frozen=True)
class Outrights(Prepared):
    """n forwards: quantity x discount factor x (forward - strike).

    :param quantity: float64[n], zero where the trade is over; `strike` likewise float64[n].
    """

    forward: TradeNodes
    discount: TradeNodes
    quantity: FloatArray
    strike: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, terms = np.empty((len(rows), x.shape[1])), (self.strike, self.quantity)
        forward_contracts(rows, self.forward.under(rows, x), self.discount.under(rows, x), terms, out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        value = self.price(np.arange(len(self.quantity), dtype=np.int32), x)[:, 0]
        return paid_once(value, self.discount, x, "forward")

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return or_overpaid([""] * len(rows), self.forward.overpaid(rows, x))


def outright_needs(trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
    """What a forward with the columns underlying and currency depends on."""
    underlying = trades.labels("underlying")
    return (
        Need("underlying", ("forward_price", "spot"), underlying),
        Need("discount", ("zero_rate",), trades.labels("currency").map(conventions.discount_curve)),
        *carry_needs(underlying),
    )


class Outright(Product):
    """A forward with the columns underlying, currency, quantity and strike.

    :cvar day: the column of its date, on which it pays.
    """

    day: ClassVar[str]

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        past = past_dates(trades, self.day, as_of, self.day.removesuffix("_date"))
        return [*unknown_currencies(trades, "currency"), *past]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return outright_needs(trades, conventions)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.2)


def prepare_outrights(
    trades: Trades, model: MarketModel, days: NDArray[np.int32], alive: NDArray[np.bool_]
) -> Outrights:
    """Forwards with the columns underlying, currency, quantity and strike.

    :param days: int32[n], of the forward and of its payment.
    :param alive: bool[n]; the others are worth nothing any more.
    """
    underlying, currency = trades.labels("underlying"), trades.labels("currency")
    forward = TradeNodes(*model.forwards(underlying, currency, days))
    discount, (position,) = model.discount((currency.map(model.conventions.discount_curve), days))
    quantity = np.where(alive, trades.numbers("quantity"), 0.0)
    return Outrights(forward, TradeNodes(discount, position), quantity, trades.numbers("strike"))
