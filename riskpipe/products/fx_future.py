"""Future on an exchange rate."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.either import either
from riskpipe.products.exchange import exchange_needs
from riskpipe.products.futures import CONTRACT, QUANTITY, REFERENCE_PRICE, contract_need, margined, of_contracts
from riskpipe.products.pairs import broken_pairs, first_currency, second_currency
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates


class FxFuture(Product):
    """quantity x contract_size x (futures price - reference_price), not discounted, in the pair's second currency.

    The futures price is that of `contract` for expiry_date, where one is named; else the pair's forward for
    delivery_date, by covered parity. What rates that move with the pair take off a future, compared with a forward, is
    not modelled. On its expiry date it is worth its last margin; after that it is over, and what is delivered is booked
    as an `fx_forward`.
    """

    name = "fx_future"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("pair", "string", "such as EURUSD: USD per EUR"),
        CONTRACT,
        QUANTITY,
        Column("contract_size", "number", "of the first currency a contract", rule="positive"),
        REFERENCE_PRICE,
        Column("expiry_date", "date", "last day of trading"),
        Column("delivery_date", "date", "when the currencies are exchanged"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *broken_pairs(trades),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("pair").map(second_currency)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        pair = trades.labels("pair").where(trades.labels("contract").codes < 0)
        by_parity = exchange_needs(pair.map(first_currency), pair.map(second_currency), conventions)
        return (contract_need(trades), *by_parity)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.15)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        def quoted(some: Trades) -> Prepared:
            return margined(some, of_contracts(some, some.labels("pair").map(second_currency), model))

        def by_parity(some: Trades) -> Prepared:
            pair = some.labels("pair")
            first, second = pair.map(first_currency), pair.map(second_currency)
            return margined(some, TradeNodes(*model.fx_forwards(first, second, some.days("delivery_date"))))

        return either(trades, trades.labels("contract").codes >= 0, quoted, by_parity)
