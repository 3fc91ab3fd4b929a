"""Single-barrier option on an equity."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.products.barriers import BARRIER_COLUMNS, BARRIER_WEIGHT, prepare_barriers
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared
from riskpipe.products.payouts import TradePayouts, ex_dates_until
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE, UnderlyingOption, prepare_on_underlying, spots

# Measured: of an ex date until the expiry, nodes and densities.
EX_DATE_WEIGHT = 1300.0


class EquityBarrierOption(UnderlyingOption):
    """Reiner and Rubinstein (1991), at the constant rate, dividend yield and volatility to the expiry date.

    The volatility is that of the strike. A spot at or beyond the barrier has reached it: in is the vanilla option, out
    the rebate, paid at once. With discrete dividends until the expiry: the escrowed model, from ex date to ex date.
    """

    name = "equity_barrier_option"
    version = 2
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

    def weight_in(self, trades: Trades, model: MarketModel) -> FloatArray:
        ex_dates = ex_dates_until(trades.labels("underlying"), trades.days("expiry_date"), model)
        return self.weight(trades, model.as_of) + EX_DATE_WEIGHT * ex_dates

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        vanilla = prepare_on_underlying(trades, model)
        payouts = TradePayouts.until(model, vanilla.market.forward, trades.days("expiry_date"))
        return prepare_barriers(trades, vanilla, spots(trades, model), payouts)
