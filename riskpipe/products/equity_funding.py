"""The funding leg of equity swaps: coupons on a notional, or on a price that is set anew for each period."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskpipe.market.model import MarketModel
from riskpipe.products.equity_returns import Shares, price_nodes
from riskpipe.products.flat_legs import side_legs
from riskpipe.products.flows import Amounts, Integers, offsets_of
from riskpipe.products.leg_flows import leg_periods, signs, unit_coupons
from riskpipe.products.legs import Positions
from riskpipe.products.price_resets import Valuations
from riskpipe.products.resets import ResetLeg
from riskpipe.products.trades import Trades

FUNDING = "funding"


def funding_legs(trades: Trades) -> Trades:
    """A leg for each trade, with the columns `LEG_COLUMNS`; of a notional of one."""
    n = len(trades)
    pays = trades.is_one("direction", "receive")
    floats = trades.labels("funding_index").codes >= 0
    given = {
        "direction": pa.array(np.where(pays, "pay", "receive"), pa.string()),
        "leg_type": pa.array(np.where(floats, "floating", "fixed"), pa.string()),
        "notional": pa.repeat(1.0, n),
    }
    return side_legs(trades, FUNDING, given)


class FundingFlows:
    """Flows of the funding legs of n trades, above zero where they are received.

    A coupon is paid on the notional, or on quantity times the price that begins the period of returns in which the
    coupon's own begins.

    :ivar known, growth: of coupons whose amount is known, in currency.
    :ivar open_known, open_growth: of the others, for a price of one.
    :ivar coupons: of all, for an amount of one. :ivar missing: fixings of prices, by trade.
    """

    def __init__(self, trades: Trades, legs: Trades, valuations: Valuations, model: MarketModel) -> None:
        periods = leg_periods(legs, np.arange(len(legs)), model.as_of)
        interest, weight, self.coupons = unit_coupons(legs, periods, model)
        trade = periods.trades
        size = trades.numbers("notional")[trade]
        follows = np.isnan(size)
        reset, place = np.unique(valuations.at(trade[follows], periods.unadjusted_start[follows]), return_inverse=True)
        price, self.missing = valuations.starts(reset)
        size[follows] = trades.numbers("quantity")[trade[follows]] * price[place]
        self._start = np.zeros(len(trade), np.int32)
        self._start[follows] = valuations.periods.start[reset][place]
        open_, grows = np.isnan(size), weight != 0.0
        amount = signs(legs)[trade] * np.where(open_, trades.numbers("quantity")[trade], size)
        known = Amounts(trade, periods.payment, amount * interest)
        growth = self.coupons.growth(amount * weight)
        self.known, self.growth = known.where(~open_), growth.where(grows & ~open_)
        self._open, self._open_growth = open_, grows & open_
        self.open_known, self.open_growth = known.where(open_), growth.where(grows & open_)

    def reset_legs(self, shares: Shares, model: MarketModel, positions: list[Positions]) -> tuple[ResetLeg, ...]:
        """The open coupons, if there are any.

        :param positions: of the payments of `open_known`, and of the growths and payments of `open_growth`.
        """
        paid, growth, grown = positions
        trade: Integers = np.concatenate((self.open_known.trade, self.open_growth.trade))
        if not len(trade):
            return ()
        start = np.concatenate((self._start[self._open], self._start[self._open_growth]))
        prices, place = price_nodes(shares.take(trade), start, model)
        order = np.argsort(trade, kind="stable")
        coefficient = np.concatenate((self.open_known.amount, self.open_growth.coefficient))
        growths = np.concatenate((np.full(len(paid), -1, np.int32), growth))
        payment = np.concatenate((paid, grown))
        offsets = offsets_of(trade, len(shares.underlying))
        return (ResetLeg(offsets, coefficient[order], prices, place[order], growths[order], payment[order]),)
