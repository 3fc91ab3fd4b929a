"""Growths by daily rates that count on other days than those that they are of: compounding with a lookback.

Without one, the growth over a period is the ratio of two discount factors. With one, the rate of Wednesday, which is
for a day, counts for the three of a weekend, and the product over the days has to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compounding import daily_growths
from riskpipe.market.labels import Labels
from riskpipe.market.nodes import DiscountNodes

Days = NDArray[np.int32]
Positions = NDArray[np.int32]


@dataclass(frozen=True)
class DailyGrowths:
    """Products over days i of 1 + weight (P(start) / P(end) - 1), for p periods that share d days.

    :param curve: of each day; `start`, `end` int32[d], the dates between which its rate is projected.
    :param weight: float64[d], for how much of that time the rate counts.
    :param first, begin, stop, last: int32[p]: a period's days are `first`, those from `begin` to `stop` - 1, and
        `last`; first and last are -1 where there are none.
    """

    curve: Labels
    start: Days
    end: Days
    weight: FloatArray
    first: Positions
    begin: Positions
    stop: Positions
    last: Positions

    def __len__(self) -> int:
        return len(self.begin)


def joined(parts: Sequence[DailyGrowths]) -> DailyGrowths:
    """One after the other."""
    before = np.cumsum([0, *(len(part.weight) for part in parts)])[:-1].astype(np.int32).tolist()
    names = tuple(dict.fromkeys(name for part in parts for name in part.curve.names))
    codes = [np.empty(0, np.int32)]
    for part in parts:
        known = np.array([*(names.index(name) for name in part.curve.names), -1], np.int32)
        codes.append(known[part.curve.codes])

    def shifted(column: str) -> Positions:
        moved = [np.empty(0, np.int32)]
        for part, by in zip(parts, before, strict=True):
            values = getattr(part, column)
            moved.append(np.where(values >= 0, values + np.int32(by), np.int32(-1)).astype(np.int32))
        return np.concatenate(moved)

    return DailyGrowths(
        Labels(np.concatenate(codes), names),
        np.concatenate([np.empty(0, np.int32), *(part.start for part in parts)]),
        np.concatenate([np.empty(0, np.int32), *(part.end for part in parts)]),
        np.concatenate([np.empty(0), *(part.weight for part in parts)]),
        shifted("first"),
        shifted("begin"),
        shifted("stop"),
        shifted("last"),
    )


@dataclass(frozen=True)
class Grown:
    """What `MarketModel.discount` makes a node a row of: a curve's factor at a date, or a growth in its place.

    :param curve, day: of each row, where `period` is -1; else there is no curve.
    :param period: int32[k], among `growths`; -1: none.
    """

    curve: Labels
    day: Days
    period: Positions
    growths: DailyGrowths


Request = tuple[Labels, Days] | Grown


@dataclass(frozen=True)
class GrowthNodes:
    """Discount factors, and after them growths over them.

    :param discount: m nodes.
    :param start, end: int32[d], among these; the others as `DailyGrowths` has them.
    """

    discount: DiscountNodes
    start: Positions
    end: Positions
    weight: FloatArray
    first: Positions
    begin: Positions
    stop: Positions
    last: Positions

    def __len__(self) -> int:
        return len(self.discount) + len(self.begin)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """float64[m + p, n_scenarios] from float64[n_factors, n_scenarios]."""
        out = np.empty((len(self), x.shape[1]))
        out[: len(self.discount)] = self.discount.evaluate(x)
        self.grow(out)
        return out

    def grow(self, factors: FloatArray) -> None:
        """Fill the growths into the rows after the discount factors of float64[m + p, n_scenarios]."""
        m = len(self.discount)
        daily = np.empty((len(self.weight), factors.shape[1]))
        days, periods = (self.start, self.end, self.weight), (self.first, self.begin, self.stop, self.last)
        daily_growths(days, periods, factors[:m], daily, factors[m:])

    def needed(self, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[d]: the days of the growths among the nodes `used` bool[m + p]; marks their discount factors too."""
        m = len(self.discount)
        periods = np.flatnonzero(used[m:])
        edges = np.zeros(len(self.weight) + 1, np.int64)
        np.add.at(edges, self.begin[periods], 1)
        np.add.at(edges, np.maximum(self.stop, self.begin)[periods], -1)
        days = np.cumsum(edges[:-1]) > 0
        for stub in (self.first[periods], self.last[periods]):
            days[stub[stub >= 0]] = True
        used[self.start[days]] = True
        used[self.end[days]] = True
        return days

    def take(self, used: NDArray[np.bool_], days: NDArray[np.bool_]) -> GrowthNodes:
        """The nodes `used`, with the days that `needed` told of them."""
        m = len(self.discount)
        kept, periods, place = np.flatnonzero(used[:m]), used[m:], np.cumsum(days, dtype=np.int32) - np.int32(1)
        node = np.cumsum(used[:m], dtype=np.int32) - np.int32(1)
        first, begin, stop, last = (of[periods] for of in (self.first, self.begin, self.stop, self.last))
        length = np.maximum(stop - begin, 0)
        moved = np.where(length > 0, place[np.minimum(begin, len(days) - 1)], 0).astype(np.int32)
        return GrowthNodes(
            DiscountNodes(self.discount.index[kept], self.discount.weight[kept]),
            node[self.start[days]],
            node[self.end[days]],
            self.weight[days],
            np.where(first >= 0, place[first], -1).astype(np.int32),
            moved,
            (moved + length).astype(np.int32),
            np.where(last >= 0, place[last], -1).astype(np.int32),
        )


CurveNodes = DiscountNodes | GrowthNodes


def grown(
    nodes: DiscountNodes, requests: Sequence[Request], positions: list[Positions], days: list[Positions]
) -> tuple[GrowthNodes, list[Positions]]:
    """Nodes with the growths of all requests, and for each request its positions.

    :param positions: of each request's curves and dates among `nodes`.
    :param days: likewise of the starts and ends of each `Grown`'s days, in turn.
    """
    parts, found, growths, first = [], [], iter(zip(days[::2], days[1::2], strict=True)), len(nodes)
    ends: list[tuple[Positions, Positions]] = []
    for request, position in zip(requests, positions, strict=True):
        if isinstance(request, Grown):
            parts.append(request.growths)
            ends.append(next(growths))
            position = np.where(request.period >= 0, request.period + np.int32(first), position).astype(np.int32)
            first += len(request.growths)
        found.append(position)
    every = joined(parts)
    start, end = (np.concatenate([pair[k] for pair in ends]) for k in range(2))
    columns = (every.weight, every.first, every.begin, every.stop, every.last)
    return GrowthNodes(nodes, start, end, *columns), found
