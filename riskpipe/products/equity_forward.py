"""Forward on an equity or an equity index."""

from __future__ import annotations

from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.outright import Outright, prepare_outrights
from riskpipe.products.trades import Trades


class EquityForward(Outright):
    """quantity x (forward to expiry_date - strike) x discount factor of the currency to expiry_date.

    On its expiry date it is worth quantity x (spot - strike), as the call less the put of the same terms.
    """

    name = "equity_forward"
    version = 1
    day = "expiry_date"
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot or forwards"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        Column("strike", "number", "price a unit, in the currency"),
        Column("expiry_date", "date", "of the forward, and when it pays"),
    )

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        expiry = trades.days("expiry_date")
        return prepare_outrights(trades, model, expiry, expiry >= model.as_of)
