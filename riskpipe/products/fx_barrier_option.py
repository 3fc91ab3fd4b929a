"""Single-barrier FX option."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.model import MarketModel
from riskpipe.products.barriers import BARRIER_COLUMNS, BARRIER_WEIGHT, prepare_barriers
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared, RowFaults
from riskpipe.products.expired import expired_faults, expired_fixings, with_expired
from riskpipe.products.pairs import PairOption, prepare_on_pair, spot_rates
from riskpipe.products.payouts import TradePayouts
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import OPTION_TYPE


class FxBarrierOption(PairOption):
    """Reiner and Rubinstein (1991), at the constant rates and volatility to the delivery, in the second currency.

    In and out add up to the `fx_option`: the forward is to the delivery date, the variance that of the strike to the
    expiry date. A spot at or beyond the barrier has reached it: in is the vanilla option, out the rebate, paid at once.

    After the expiry date, until the delivery date, an option is what came of it, by `knocked` and the point
    `fixing:<pair>:<expiry_date>`, which has reached a barrier at or before it: a forward, the rebate, or nothing.
    """

    name = "fx_barrier_option"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("pair", "string", "such as EURUSD: USD per EUR"),
        OPTION_TYPE,
        Column("strike", "number", "second currency per unit of the first", rule="positive"),
        Column("notional", "number", "in the first currency; negative when short"),
        Column("expiry_date", "date", "last day of the option and of the barrier"),
        Column("delivery_date", "date", "when the currencies are exchanged"),
        *BARRIER_COLUMNS,
    )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        out = trades.is_one("barrier_type", "down_out") | trades.is_one("barrier_type", "up_out")
        return expired_faults(trades, model, ~(out & trades.flags("knocked")))

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), BARRIER_WEIGHT)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        options = prepare_barriers(
            trades, prepare_on_pair(trades, model), spot_rates(trades, model), TradePayouts.none(len(trades))
        )
        reached = options.knocked | (options.eta * (options.barrier - expired_fixings(trades, model)) >= 0.0)
        rebate = np.where(options.is_in & ~reached, options.rebate, 0.0)
        return with_expired(trades, model, options, options.is_in == reached, rebate)
