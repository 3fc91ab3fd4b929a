"""Future on an equity, or on an equity index."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.futures import (
    CONTRACT,
    CONTRACT_SIZE,
    QUANTITY,
    REFERENCE_PRICE,
    contract_need,
    margined,
    of_trades,
)
from riskpipe.products.outright import outright_needs
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies


class EquityFuture(Product):
    """quantity x contract_size x (futures price - reference_price), not discounted: what variation margin pays.

    The futures price is that of `contract` for expiry_date, where one is named; else the underlying's forward. What
    rates that move with the underlying take off a future, compared with a forward, is not modelled. On its expiry
    date it is worth its last margin; after that it is over.
    """

    name = "equity_future"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot or forwards"),
        CONTRACT,
        Column("currency", "string", "of the prices"),
        QUANTITY,
        CONTRACT_SIZE,
        REFERENCE_PRICE,
        Column("expiry_date", "date", "last day of trading, and of the price"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [*unknown_currencies(trades, "currency"), *past_dates(trades, "expiry_date", as_of, "expiry")]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        made = trades.labels("contract").codes < 0
        return (contract_need(trades), *of_trades(outright_needs(trades, conventions), made))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.15)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        priced = trades.labels("contract").otherwise(trades.labels("underlying"))
        price = model.forwards(priced, trades.labels("currency"), trades.days("expiry_date"))
        return margined(trades, TradeNodes(*price))
