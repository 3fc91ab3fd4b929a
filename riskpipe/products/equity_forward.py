"""Forward on an equity or an equity index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.outright import outright_needs, prepare_outrights
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, unknown_currencies


class EquityForward(Product):
    """quantity x (forward to expiry_date - strike) x discount factor of the currency to expiry_date.

    On its expiry date it is worth quantity x (spot - strike), as the call less the put of the same terms.
    """

    name = "equity_forward"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot or forwards"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        Column("strike", "number", "price a unit, in the currency"),
        Column("expiry_date", "date", "of the forward, and when it pays"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        return [*unknown_currencies(trades, "currency"), *past_dates(trades, "expiry_date", as_of, "expiry")]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return outright_needs(trades, conventions)

    def weight(self, trades: Trades, as_of: int) -> NDArray[np.float64]:
        return np.full(len(trades), 0.2)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        expiry = trades.days("expiry_date")
        return prepare_outrights(trades, model, expiry, expiry >= model.as_of)
