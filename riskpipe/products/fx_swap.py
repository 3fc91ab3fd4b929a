"""FX swap: two currencies exchanged, and exchanged back later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined
from riskpipe.products.exchange import Exchanges, exchange_needs, one_currency, prepare_exchanges
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, unknown_currencies


class FxSwap(Product):
    """Two FX forwards of opposite directions, in the currency that is sold at the near date.

    Near: near_buy_amount x fx x D_buy(near) - near_sell_amount x D_sell(near); far: far_buy_amount x D_sell(far) -
    far_sell_amount x fx x D_buy(far), the currencies having changed sides. Each leg is discounted on its own
    currency's curve, as an FX forward. From the near date on the far leg is left.
    """

    name = "fx_swap"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("buy_currency", "string", "received at the near date, paid back at the far one"),
        Column("sell_currency", "string", "paid at the near date, received at the far one; the present value is in it"),
        Column("near_buy_amount", "number", "of the buy currency, received at the near date", rule="positive"),
        Column("near_sell_amount", "number", "of the sell currency, paid at the near date", rule="positive"),
        Column("far_buy_amount", "number", "of the sell currency, received at the far date", rule="positive"),
        Column("far_sell_amount", "number", "of the buy currency, paid at the far date", rule="positive"),
        Column("near_date", "date", "of the first exchange"),
        Column("far_date", "date", "of the second exchange"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [
            *unknown_currencies(trades, "buy_currency", "sell_currency"),
            *one_currency(trades),
            *out_of_order(trades, "near_date", "far_date"),
            *past_dates(trades, "far_date", as_of, "far date"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("sell_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return exchange_needs(trades.labels("buy_currency"), trades.labels("sell_currency"), conventions)

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.4)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        bought, sold = trades.labels("buy_currency"), trades.labels("sell_currency")
        near = trades.numbers("near_buy_amount"), trades.numbers("near_sell_amount")
        back = -trades.numbers("far_sell_amount"), -trades.numbers("far_buy_amount")
        return _FxSwaps(
            prepare_exchanges(model, (bought, near[0]), (sold, near[1]), trades.days("near_date")),
            prepare_exchanges(model, (bought, back[0]), (sold, back[1]), trades.days("far_date")),
        )


@dataclass(frozen=True)
class _FxSwaps(Prepared):
    near: Exchanges
    far: Exchanges

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        value = self.near.price(rows, x)
        value += self.far.price(rows, x)
        return value

    def cash_flows(self, x: FloatArray) -> CashFlows:
        return joined([self.near.cash_flows(x), self.far.cash_flows(x)])
