"""FX forward: an amount of one currency against an amount of another on one date."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.exchange import prepare_exchanges
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies


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
        bought, sold = trades.labels("buy_currency"), trades.labels("sell_currency")
        same = bought.combine(sold, lambda a, b: "same" if a == b else "other")
        alike = np.array([name == "same" for name in (*same.names, "")], np.bool_)[same.codes]
        return [
            *unknown_currencies(trades, "buy_currency", "sell_currency"),
            *rows_fault("buy_currency", "two_currencies", alike, "buy_currency and sell_currency are the same"),
            *past_dates(trades, "delivery_date", as_of, "delivery"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("sell_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        bought, sold = trades.labels("buy_currency"), trades.labels("sell_currency")
        return (
            Need("underlying", ("fx",), bought.combine(sold, str.__add__)),
            Need("discount", ("zero_rate",), bought.map(conventions.discount_curve), currency=bought),
            Need("discount", ("zero_rate",), sold.map(conventions.discount_curve), currency=sold),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.2)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        bought = trades.labels("buy_currency"), trades.numbers("buy_amount")
        sold = trades.labels("sell_currency"), trades.numbers("sell_amount")
        return prepare_exchanges(model, bought, sold, trades.days("delivery_date"))
