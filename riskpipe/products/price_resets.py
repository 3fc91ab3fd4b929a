"""The days between which equity swaps measure returns, and what the market has fixed of their prices."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.equity_returns import Shares
from riskpipe.products.floating import Lacking
from riskpipe.products.flows import Days, Integers
from riskpipe.products.leg_dates import leg_dates
from riskpipe.products.trades import Trades

_DAY_BITS = 32
_BEFORE_ALL = -(2**30)


class FixedPrices(Struct, frozen=True):
    """What prices of some days were.

    :param price: float64[k], in the underlying's currency; `rate` float64[k], into the swap's. NaN: still to come.
    :param missing: fixings that are over and that the market lacks: name, day and positions among the k.
    """

    price: FloatArray
    rate: FloatArray
    missing: tuple[Lacking, ...]

    @property
    def converted(self) -> FloatArray:
        return self.price * self.rate


def fixed_prices(shares: Shares, days: Days, model: MarketModel) -> FixedPrices:
    """By `fixing:<underlying>:<date>`, and `fixing:<pair>:<date>` (or of the pair turned round) where it is converted.

    Those of today count if there are both.

    :param shares: one a day.
    """
    due = np.flatnonzero(days <= model.as_of)
    price, rate = np.full(len(days), np.nan), np.full(len(days), np.nan)
    price[due], rate[due] = model.fixings(shares.underlying.take(due), days[due]), 1.0
    pair = shares.pair
    crossing = due[pair.codes[due] >= 0]
    rate[crossing] = _rates(pair.take(crossing), days[crossing], model)
    open_ = np.isnan(price) | np.isnan(rate)
    over = open_ & (days < model.as_of)
    missing = [
        *_lacking(shares.underlying, days, over & np.isnan(price)),
        *_lacking(pair, days, over & np.isnan(rate)),
    ]
    price[open_] = rate[open_] = np.nan
    price[over] = rate[over] = 1.0  # fails the trade before it is priced
    return FixedPrices(price, rate, tuple(missing))


def _rates(pairs: Labels, days: Days, model: MarketModel) -> FloatArray:
    found = model.fixings(pairs, days)
    return np.where(np.isnan(found), 1.0 / model.fixings(pairs.map(_turned), days), found)


def _turned(pair: str) -> str:
    return pair[3:] + pair[:3]


def _lacking(names: Labels, days: Days, mask: NDArray[np.bool_]) -> list[Lacking]:
    found = []
    for code, name in enumerate(names.names):
        mine = mask & (names.codes == code)
        found += [(name, day, np.flatnonzero(mine & (days == day))) for day in np.unique(days[mine]).tolist()]
    return found


class Valuations:
    """Valuation periods of n trades, all from their starts on, paid or not.

    :ivar periods: k of them. :ivar start: prices of their first days, of which the first of all may be agreed.
    """

    def __init__(self, trades: Trades, shares: Shares, model: MarketModel) -> None:
        self.periods: Schedule = leg_dates(trades).periods_around(_BEFORE_ALL)
        self._shares, self._model = shares, model
        trade = self.periods.trades
        self.agreed = np.full(len(trade), np.nan)
        # A stub that business days leave no day of begins where the next period does.
        first = self.periods.start == self.periods.start[self.periods.offsets[:-1]][trade]
        self.agreed[first] = trades.numbers("initial_price")[trade[first]]
        self._received = _by_period(trades, self.periods)

    @property
    def trades(self) -> Integers:
        return self.periods.trades

    def unpaid(self) -> Integers:
        """Positions of the periods whose returns are still to be paid; those without a day have none."""
        return np.flatnonzero((self.periods.payment > self._model.as_of) & (self.periods.end > self.periods.start))

    def at(self, trade: Integers, unadjusted: Days) -> Integers:
        """The period of each trade in which a day is, int64: before adjustment."""
        keys = _keys(self.trades, self.periods.unadjusted_start)
        return np.asarray(np.searchsorted(keys, _keys(trade, unadjusted), side="right") - 1)

    def shares(self, chosen: Integers) -> Shares:
        return self._shares.take(self.trades[chosen])

    def starts(self, chosen: Integers) -> tuple[FloatArray, tuple[Lacking, ...]]:
        """Prices of the first days of some periods, in the swap's currency, NaN: still to come; and what is missing,
        by trade."""
        fixed, agreed = fixed_prices(self.shares(chosen), self.periods.start[chosen], self._model), self.agreed[chosen]
        missing = [(name, day, at[np.isnan(agreed[at])]) for name, day, at in fixed.missing]
        by_trade = tuple((name, day, self.trades[chosen[at]]) for name, day, at in missing if len(at))
        return np.where(np.isnan(agreed), fixed.converted, agreed), by_trade

    def ends(self, chosen: Integers) -> tuple[FixedPrices, tuple[Lacking, ...]]:
        """Prices of the last days, and what is missing, by trade."""
        fixed = fixed_prices(self.shares(chosen), self.periods.end[chosen], self._model)
        return fixed, tuple((name, day, self.trades[chosen[at]]) for name, day, at in fixed.missing)

    def received(self, chosen: Integers) -> FloatArray:
        """Dividends a share, float64, that went ex in some periods until today."""
        return np.asarray(self._received[chosen])


def _by_period(trades: Trades, periods: Schedule) -> FloatArray:
    amounts, dates = trades.nested("dividends"), trades.nested("dividend_dates")
    trade, day = amounts.trades, dates.rows.days("dividend_dates")
    at = np.searchsorted(_keys(periods.trades, periods.start), _keys(trade, day), side="left") - 1
    inside = (at >= 0) & (periods.trades[at] == trade) & (day <= periods.end[at])
    amount = amounts.rows.numbers("dividends")
    return np.asarray(np.bincount(at[inside], amount[inside], len(periods)), np.float64)


def _keys(trade: Integers, day: Days) -> Integers:
    """In the order of trades, then of days."""
    return (trade << _DAY_BITS) + day
