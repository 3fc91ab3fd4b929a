"""Cash: an amount of a currency on an account."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.linear import LinearPositions
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import unknown_currencies


class CashBalance(Product):
    """amount, at par; where it has a value date that is still to come, x the currency's discount factor to it.

    A balance does not end: a value date that has passed says nothing any more. Interest is not accrued.
    """

    name = "cash_balance"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the amount"),
        Column("amount", "number", "on the account; negative when overdrawn"),
        Column("value_date", "date", "from which the amount is there; null: it is", required=False),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return unknown_currencies(trades, "currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        dated = trades.days("value_date") != Trades.NO_DATE
        curve = trades.labels("currency").map(conventions.discount_curve)
        return (Need("discount", ("zero_rate",), curve.where(dated)),)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.1)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        days = trades.days("value_date")
        dated = days != Trades.NO_DATE
        curve = trades.labels("currency").map(model.conventions.discount_curve).where(dated)
        discount, (position,) = model.discount((curve, np.where(dated, days, model.as_of).astype(np.int32)))
        none = np.zeros(len(trades))
        return LinearPositions(TradeNodes(discount, position), trades.numbers("amount"), none, none)
