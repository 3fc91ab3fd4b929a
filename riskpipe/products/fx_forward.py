"""FX forward: an amount of one currency against an amount of another on one date."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.exchange import exchange_needs, one_currency, prepare_exchanges
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies


class FxForward(Product):
    """Present value in the sold currency: buy_amount x fx x D_buy(t) - sell_amount x D_sell(t).

    Each leg is discounted on its own currency's curve, so that the forward follows covered parity.
    """

    name = "fx_forward"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("buy_currency", "string", "currency received"),
        Column("buy_amount", "number", "received at delivery", rule="positive"),
        Column("sell_currency", "string", "currency paid; the present value is in it"),
        Column("sell_amount", "number", "paid at delivery", rule="positive"),
        Column("delivery_date", "date", "of both amounts"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "buy_currency", "sell_currency"),
            *one_currency(trades),
            *past_dates(trades, "delivery_date", as_of, "delivery"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("sell_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return exchange_needs(trades.labels("buy_currency"), trades.labels("sell_currency"), conventions)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.2)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        bought = trades.labels("buy_currency"), trades.numbers("buy_amount")
        sold = trades.labels("sell_currency"), trades.numbers("sell_amount")
        return prepare_exchanges(model, bought, sold, trades.days("delivery_date"))
