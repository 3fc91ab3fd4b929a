"""Forward on a commodity."""

from __future__ import annotations

from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.outright import Outright, prepare_outrights
from riskpipe.products.trades import Trades


class CommodityForward(Outright):
    """quantity x (forward for delivery_date - strike) x discount factor of the currency to delivery_date.

    Delivery today counts as done: the trade is worth nothing any more, as an FX forward on its delivery date.
    """

    name = "commodity_forward"
    version = 1
    day = "delivery_date"
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the forward prices"),
        Column("currency", "string", "of the prices and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        Column("strike", "number", "price a unit, in the currency"),
        Column("delivery_date", "date", "of the forward, and when it is paid for"),
    )

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        delivery = trades.days("delivery_date")
        return prepare_outrights(trades, model, delivery, delivery > model.as_of)
