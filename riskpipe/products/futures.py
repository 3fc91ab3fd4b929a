"""What futures share: a position is margined daily to the settlement price, so that its value is not discounted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, Need, Prepared
from riskpipe.products.linear import LinearPositions
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades

QUANTITY = Column("quantity", "number", "contracts; negative when short")
CONTRACT_SIZE = Column("contract_size", "number", "units of the underlying a contract", rule="positive")
REFERENCE_PRICE = Column("reference_price", "number", "that it was margined to last, or was dealt at since")
CONTRACT = Column(
    "contract",
    "string",
    "name of forward prices, of the futures' own by expiry; null: the price is made from its underlying",
    required=False,
)


def contract_need(trades: Trades) -> Need:
    """The futures' own prices, of the trades that name them."""
    return Need("contract", ("forward_price",), trades.labels("contract"))


def of_trades(needs: tuple[Need, ...], mask: NDArray[np.bool_]) -> tuple[Need, ...]:
    """Needs of the trades alone for which the mask bool[n] holds."""
    return tuple(replace(need, labels=need.labels.where(mask)) for need in needs)


def of_contracts(trades: Trades, currency: Labels, model: MarketModel) -> TradeNodes:
    """Prices of the columns contract and expiry_date, in `currency`."""
    return TradeNodes(*model.forwards(trades.labels("contract"), currency, trades.days("expiry_date")))


def margined(trades: Trades, price: TradeNodes, size: str = "contract_size", units: float = 1.0) -> Prepared:
    """quantity x size x units x (price - reference_price), paid daily.

    :param size: the column of it. :param units: of a size that one of the price is for.
    """
    worth = trades.numbers("quantity") * trades.numbers(size) * units
    return LinearPositions(price, worth, trades.numbers("reference_price"), np.zeros(len(trades)))


@dataclass(frozen=True)
class Carried(Prepared):
    """Flows as they are worth today, carried to a later day, less what is owed: carried / financing - owed.

    :param owed: float64[n], in currency.
    :param financing: discount factors to that day; None: the flows are not carried.
    """

    carried: Prepared
    owed: FloatArray
    financing: TradeNodes | None = None

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        value = self.carried.price(rows, x)
        if self.financing is not None:
            factors, position = self.financing.under(rows, x)
            value /= factors[position[rows]]
        value -= self.owed[rows, None]
        return value
