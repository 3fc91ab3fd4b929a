"""Future on a commodity."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.futures import CONTRACT_SIZE, QUANTITY, REFERENCE_PRICE, margined
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies


class CommodityFuture(Product):
    """quantity x contract_size x (forward price for delivery_date - reference_price), not discounted.

    The forward prices are the futures' own, read as `market.commodities` says. On its expiry date it is worth its last
    margin; after that it is over.
    """

    name = "commodity_future"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices"),
        Column("currency", "string", "of the prices"),
        QUANTITY,
        CONTRACT_SIZE,
        REFERENCE_PRICE,
        Column("expiry_date", "date", "last day of trading"),
        Column("delivery_date", "date", "of the forward price; null: expiry_date", required=False),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [*unknown_currencies(trades, "currency"), *past_dates(trades, "expiry_date", as_of, "expiry")]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return (Need("underlying", ("forward_price",), trades.labels("underlying")),)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.1)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        delivery = trades.days("delivery_date")
        days = np.where(delivery == Trades.NO_DATE, trades.days("expiry_date"), delivery)
        price = model.forwards(trades.labels("underlying"), trades.labels("currency"), days)
        return margined(trades, TradeNodes(*price))
