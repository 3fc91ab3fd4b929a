"""Cash flows of trades: what is paid when, in which currency, and what that is worth today."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple, replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.market.nodes import DatedNodes
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

VALUE = "value"
"""The leg of what has no payment dates: a value of today."""


class CashFlows(Struct, frozen=True):
    """k flows, received above zero; amount x discount x today's exchange rate is the value.

    :param trade: int64[k], which trade's.
    :param leg: of the trade, by a name.
    :param day: int32[k], of the payment; `Trades.NO_DATE`: a value of today that has no payment dates.
    :param currency: of the amount; none: that of the trade's value.
    :param amount: float64[k], in that currency; expected, where it is projected: with the chance that it is paid.
    :param projected: bool[k]: forwards, volatilities or survival have a part in the amount.
    :param discount: float64[k], today's discount factor.
    :param value: float64[k], in the currency of the trade's value.
    """

    trade: Integers
    leg: Labels
    day: Days
    currency: Labels
    amount: FloatArray
    projected: NDArray[np.bool_]
    discount: FloatArray
    value: FloatArray

    def __len__(self) -> int:
        return len(self.trade)

    def take(self, rows: Integers) -> CashFlows:
        return CashFlows(*(part.take(rows) for part in astuple(self)))

    def of(self, rows: NDArray[np.integer]) -> CashFlows:
        """The same of trades that were counted among `rows`."""
        return replace(self, trade=rows[self.trade].astype(np.int64))

    def of_trades(self, mask: NDArray[np.bool_]) -> CashFlows:
        """Those of the trades alone for which the mask holds."""
        return self.take(np.flatnonzero(mask[self.trade]))

    def converted(self, currency: Labels, rate: FloatArray) -> CashFlows:
        """In another currency than the value is to be in. :param currency, rate: of each trade, the latter float64."""
        return replace(self, currency=currency.take(self.trade), value=self.value * rate[self.trade])


def joined(parts: Sequence[CashFlows]) -> CashFlows:
    """All of them; what one leg of a trade pays on one day in one currency as one flow."""
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in _NUMBERS]
    trade, day, amount, projected, discount, value = columns
    leg, currency = (_labels([getattr(part, name) for part in parts]) for name in ("leg", "currency"))
    order = np.lexsort((currency.codes, day, leg.codes, trade))
    keys = np.stack((trade, leg.codes, day, currency.codes))[:, order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    group, first = np.cumsum(begins) - 1, order[begins]
    n = len(first)

    def summed(column: NDArray[np.generic]) -> FloatArray:
        # One after the other: what else there is of other trades changes no bit.
        return np.bincount(group, column[order], n).astype(np.float64)

    total, worth = summed(amount), summed(value)
    several = np.zeros(n, np.bool_)  # curves that discount it: it counts at the first one's factor
    several[group[discount[order] != discount[first][group]]] = True
    at_first = np.divide(worth, discount[first], out=np.zeros(n), where=discount[first] != 0.0)
    flows = CashFlows(
        trade[first],
        leg.take(first),
        day[first],
        currency.take(first),
        np.where(several, at_first, total),
        summed(projected.astype(np.float64)) > 0.0,
        discount[first],
        worth,
    )
    return flows.take(np.flatnonzero((flows.amount != 0.0) | (flows.value != 0.0)))


_NUMBERS = ("trade", "day", "amount", "projected", "discount", "value")


def _labels(parts: Sequence[Labels]) -> Labels:
    """One after the other, their names in alphabetical order: the codes sort as the names do."""
    names = tuple(sorted({name for part in parts for name in part.names}))
    codes = [np.array([*(names.index(name) for name in part.names), -1], np.int32)[part.codes] for part in parts]
    return Labels(np.concatenate([np.empty(0, np.int32), *codes]), names)


def undated(value: FloatArray, leg: str = VALUE) -> CashFlows:
    """Values float64[n] of today that have no payment dates, one a trade."""
    n = len(value)
    nowhere, one = np.full(n, Trades.NO_DATE, np.int32), np.ones(n)
    own = Labels(np.full(n, -1, np.int32), ())
    flows = CashFlows(np.arange(n), Labels.constant(leg, n), nowhere, own, value, np.ones(n, np.bool_), one, value)
    return flows.take(np.flatnonzero(value != 0.0))


def paid_once(
    value: FloatArray, discount: TradeNodes, x: FloatArray, leg: str, projected: NDArray[np.bool_] | None = None
) -> CashFlows:
    """Trades that pay one amount on one day each.

    :param value: float64[n], today. :param discount: whose nodes have dates; `x` float64[n_factors, 1], today's levels.
    :param projected: bool[n]; None: all are.
    """
    n, nodes = len(value), discount.nodes
    if not isinstance(nodes, DatedNodes):
        return undated(value)
    factor = nodes.evaluate(x)[discount.position, 0]
    own = Labels(np.full(n, -1, np.int32), ())
    unsure = np.ones(n, np.bool_) if projected is None else projected
    day = nodes.day[discount.position]
    flows = CashFlows(np.arange(n), Labels.constant(leg, n), day, own, value / factor, unsure, factor, value)
    return flows.take(np.flatnonzero(value != 0.0))
