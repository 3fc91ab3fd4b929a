"""Equities, funds and exchange-traded funds that are held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.linear import LinearPositions
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

_SPOT = ("spot",)


class EquityPosition(Product):
    """quantity x spot of the underlying; with a proxy, quantity x price x (1 + beta x (P / P0 - 1)).

    P is the proxy's spot (an index that the fund tracks), P0 its level of today's market, so that today's value is
    the fund's own price and its moves are beta times the proxy's. The price is the column's, else today's spot of the
    underlying. A proxy may be quoted in another currency: its returns are taken as they are there. beta is constant: a
    geared fund's is that of one day, and nothing holds its price above zero.
    """

    name = "equity_position"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot; with a proxy and a price, of the fund alone"),
        Column("currency", "string", "of the price and the present value"),
        Column("quantity", "number", "shares or units; negative when short"),
        Column("proxy", "string", "name of the spot whose returns move the price; null: its own", required=False),
        Column("beta", "number", "return of the price for one of the proxy; null: 1", required=False),
        Column(
            "price",
            "number",
            "today's, a unit, for a proxy; null: the underlying's spot; without a proxy it is not read",
            required=False,
            rule="positive",
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        alone = ~_proxied(trades) & ~np.isnan(trades.numbers("beta"))
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("beta", "proxy", alone, "beta is of a proxy's returns, and there is no proxy"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        underlying, proxied = trades.labels("underlying"), _proxied(trades)
        anywhere = Labels.constant("", len(trades)).where(np.zeros(len(trades), np.bool_))
        return (
            Need("underlying", _SPOT, underlying.where(~proxied)),
            Need("proxy", _SPOT, trades.labels("proxy"), currency=anywhere),
            Need("price", _SPOT, underlying.where(_priced_by_market(trades)), today_only=True),
        )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.1)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        proxied, quantity = _proxied(trades), trades.numbers("quantity")
        level = TradeNodes(*model.levels("spot", trades.labels("proxy").otherwise(trades.labels("underlying"))))
        today = np.where(proxied, level.today(model), 1.0)
        worth = quantity * np.where(proxied, _prices(trades, model), 0.0)
        size = np.where(proxied, worth * trades.numbers("beta", 1.0) / today, quantity)
        return LinearPositions(level, size, np.where(proxied, today, 0.0), worth)


def _proxied(trades: Trades) -> NDArray[np.bool_]:
    return trades.labels("proxy").codes >= 0


def _priced_by_market(trades: Trades) -> NDArray[np.bool_]:
    """bool[n]: what a proxy moves is today's spot of the underlying."""
    return _proxied(trades) & np.isnan(trades.numbers("price"))


def _prices(trades: Trades, model: MarketModel) -> FloatArray:
    """float64[n]: today's, of those that have a proxy."""
    price, rows = trades.numbers("price").copy(), np.flatnonzero(_priced_by_market(trades))
    if rows.size:
        price[rows] = TradeNodes(*model.levels("spot", trades.labels("underlying").take(rows))).today(model)
    return price
