"""Equity option."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.products.american import exercisable
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE, UnderlyingOption, prepare_on_underlying, spots

# Rates and volatilities move with every scenario; a half of it where the spot moves alone.
AMERICAN_WEIGHT = 60.0


class EquityOption(UnderlyingOption):
    """European or American exercise of an option on an equity.

    European: Black, Scholes and Merton (1973) on the forward to the expiry date. American: Andersen, Lake and
    Offengenden (2016), with the constant rate, dividend yield and volatility that the discount factor, the forward
    and the surface have to the expiry date.
    """

    name = "equity_option"
    version = 4
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "last day of the option, and when it pays"),
        Column("exercise", "string", "style of exercise", choices=("european", "american")),
    )

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.where(trades.is_one("exercise", "american"), AMERICAN_WEIGHT, 1.0)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        american = trades.is_one("exercise", "american")
        return exercisable(prepare_on_underlying(trades, model), american, spots(trades, model), model)
