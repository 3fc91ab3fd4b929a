"""Single-barrier option on an equity."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.products.barriers import BARRIER_COLUMNS, BARRIER_WEIGHT, prepare_barriers
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE, UnderlyingOption, prepare_on_underlying, spots


class EquityBarrierOption(UnderlyingOption):
    """Reiner and Rubinstein (1991), at the constant rate, dividend yield and volatility to the expiry date.

    The volatility is that of the strike. A spot at or beyond the barrier has reached it: in is the vanilla option, out
    the rebate, paid at once.
    """

    name = "equity_barrier_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying, the strike, the barrier and the rebate"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "last day of the option and of the barrier, and when it pays"),
        *BARRIER_COLUMNS,
    )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), BARRIER_WEIGHT)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        return prepare_barriers(trades, prepare_on_underlying(trades, model), spots(trades, model))
