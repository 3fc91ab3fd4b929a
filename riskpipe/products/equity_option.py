"""Equity option."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.products.american import exercisable
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.payouts import TradePayouts, ex_dates_until
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE, UnderlyingOption, prepare_on_underlying, spots

# Rates and volatilities move with every scenario; a half of it where the spot moves alone.
AMERICAN_WEIGHT = 60.0
# With discrete dividends until the expiry; 30 more for each of them.
LATTICE_WEIGHT = 4200.0


class EquityOption(UnderlyingOption):
    """European or American exercise of an option on an equity.

    European: Black, Scholes and Merton (1973) on the forward to the expiry date. American: Andersen, Lake and
    Offengenden (2016), with the constant rate, dividend yield and volatility that the discount factor, the forward
    and the surface have to the expiry date; with discrete dividends until then the escrowed model, on a lattice.
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

    def weight_in(self, trades: Trades, model: MarketModel) -> FloatArray:
        ex_dates = ex_dates_until(trades.labels("underlying"), trades.days("expiry_date"), model)
        on_lattice = (ex_dates > 0) & trades.is_one("exercise", "american")
        return np.where(on_lattice, LATTICE_WEIGHT, self.weight(trades, model.as_of))

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        american = trades.is_one("exercise", "american")
        vanilla = prepare_on_underlying(trades, model)
        payouts = TradePayouts.until(model, vanilla.market.forward, trades.days("expiry_date"))
        return exercisable(vanilla, american, spots(trades, model), payouts, model)
