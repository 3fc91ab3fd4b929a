"""Forwards of equities and commodities from spots, rates, dividends and borrow costs."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.curves import Curves
from riskpipe.market.nodes import ExDates, ForwardNodes, PaidForwardNodes
from riskpipe.market.snapshot import MarketSnapshot

Groups = NDArray[np.int32]


class Carry(Struct, frozen=True):
    """What the forwards of p underlyings are made of: positions among the snapshot's groups, int32[p] each; -1: none.

    :param levels: forward prices or spots.
    :param rates, yields, borrow: curves of zero rates; the first adds to growth, the others are taken off.
    :param cash, ratio: discrete dividends.
    """

    levels: Groups
    rates: Groups
    yields: Groups
    borrow: Groups
    cash: Groups
    ratio: Groups


class CarriedForwards:
    """:param curves: of the snapshot, at the date that values are of."""

    def __init__(self, snapshot: MarketSnapshot, curves: Curves) -> None:
        self._snapshot = snapshot
        self._curves = curves

    def nodes(self, carry: Carry, code: NDArray[np.int32], day: NDArray[np.int32]) -> ForwardNodes | PaidForwardNodes:
        """A forward for each (underlying, date).

        :param code: int32[n], ascending; -1: no underlying, a forward of zero.
        :param day: int32[n].
        """
        if len(carry.levels) == 0:
            return ForwardNodes(np.zeros((len(code), 6), np.int32), np.zeros((len(code), 6)))
        grown = self._grown(carry, np.maximum(code, 0), day)
        grown.weight[code < 0] = 0.0
        if (carry.cash < 0).all() and (carry.ratio < 0).all():
            return grown
        until = np.full(len(carry.levels), self._curves.origin)
        np.maximum.at(until, code[code >= 0], day[code >= 0])
        chain, ex_day, cash, ratio = self._events(carry, until)
        if not len(chain):
            return grown
        ex_dates = ExDates(self._grown(carry, chain, ex_day), ex_day, chain, cash, ratio)
        # Underlying and date as one number, in which ex dates ascend.
        width = int(max(day.max(), ex_day.max())) + 1
        key, ex_key = code.astype(np.int64) * width + np.maximum(day, 0), chain.astype(np.int64) * width + ex_day
        last = np.searchsorted(ex_key, key, side="right") - 1
        gone = (code >= 0) & (last >= 0) & (chain[last] == code)
        return PaidForwardNodes(grown, ex_dates, np.where(gone, last, -1).astype(np.int32))

    def _grown(self, carry: Carry, code: NDArray[np.int32], day: NDArray[np.int32]) -> ForwardNodes:
        """Without discrete dividends."""
        level_index, level_weight = self._curves.forward_price(carry.levels[code], day)
        rate_index, rate_weight = self._curves.log_discount(carry.rates[code], day)
        yield_index, yield_weight = self._curves.log_discount(carry.yields[code], day)
        index: tuple[NDArray[np.int32], ...] = (level_index, rate_index, yield_index)
        weight: tuple[FloatArray, ...] = (level_weight, rate_weight, -yield_weight)
        if (carry.borrow >= 0).any():
            borrow_index, borrow_weight = self._curves.log_discount(carry.borrow[code], day)
            none = np.zeros_like(borrow_weight)
            # What costs nothing to borrow takes the points of its rates, without weight.
            borrow_index = np.where(carry.borrow[code, None] < 0, rate_index, borrow_index)
            index, weight = (*index, borrow_index, rate_index), (*weight, -borrow_weight, none)
        return ForwardNodes(np.hstack(index), np.hstack(weight))

    def _events(self, carry: Carry, until: NDArray[np.int64]) -> tuple[NDArray[np.int32], ...]:
        """Ex dates to come, underlying by underlying.

        :param until: int64[p], the last date that matters.
        :return: underlying, ex date, factor of the cash and of the ratio (-1: none), int32[m] each.
        """
        found: list[tuple[int, int, int, int]] = []
        for code in range(len(carry.levels)):
            cash, ratio = self._points(carry.cash[code]), self._points(carry.ratio[code])
            found += [
                (code, day, cash.get(day, -1), ratio.get(day, -1))
                for day in sorted(cash.keys() | ratio.keys())
                if self._curves.origin < day <= until[code]
            ]
        columns = np.array(found, np.int32).reshape(-1, 4).T
        return tuple(np.ascontiguousarray(column) for column in columns)

    def _points(self, group: int) -> dict[int, int]:
        """Ex date -> factor."""
        if group < 0:
            return {}
        start, stop = self._snapshot.groups[group].start, self._snapshot.groups[group].stop
        return {int(self._snapshot.days[k]): k for k in range(start, stop)}
