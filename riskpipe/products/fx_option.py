"""European FX option."""

from __future__ import annotations

import re

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, out_of_order, past_dates, rows_fault
from riskpipe.products.vanilla import OPTION_TYPE, prepare_vanilla

_PAIR = re.compile(r"([A-Z]{3})(?!\1)[A-Z]{3}")
_VOLATILITY = ("fx_vol", "black_vol")


class FxOption(Product):
    """Garman and Kohlhagen (1983), in the pair's second currency.

    The forward is to the delivery date by covered parity, the variance to the expiry date, and the payment is
    discounted from the delivery date on the second currency's curve.
    """

    name = "fx_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("pair", "string", "such as EURUSD: USD per EUR"),
        OPTION_TYPE,
        Column("strike", "number", "second currency per unit of the first", rule="positive"),
        Column("notional", "number", "in the first currency; negative when short"),
        Column("expiry_date", "date", "last day of the option"),
        Column("delivery_date", "date", "when the currencies are exchanged"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        bad = label_mask(trades.labels("pair"), lambda name: not _PAIR.fullmatch(name))
        return [
            *rows_fault("pair", "pair", bad, "pair is not two different ISO currency codes, such as EURUSD"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *out_of_order(trades, "expiry_date", "delivery_date"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("pair").map(_second)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        pair = trades.labels("pair")
        return (
            Need("underlying", ("fx",), pair),
            Need("discount", ("zero_rate",), pair.map(_first).map(conventions.discount_curve)),
            Need("discount", ("zero_rate",), pair.map(_second).map(conventions.discount_curve)),
            Need("volatility", _VOLATILITY, pair),
        )

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        pair, delivery = trades.labels("pair"), trades.days("delivery_date")
        second = pair.map(_second)
        return prepare_vanilla(
            trades,
            model,
            forward=model.fx_forwards(pair.map(_first), second, delivery),
            discount=(second.map(model.conventions.discount_curve), delivery),
            volatility=(_VOLATILITY, pair),
            quantity=trades.numbers("notional"),
        )


def _first(pair: str) -> str:
    return pair[:3]


def _second(pair: str) -> str:
    return pair[3:]
