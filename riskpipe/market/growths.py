"""Growths over periods: ratios of discount factors, or products of daily rates.

The latter where rates count on other days than those that they are of, for compounding with a lookback: the rate of
Wednesday, which is for a day, counts for the three of a weekend, and the product over the days has to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compounding import daily_growths, distinct_ratios, ratios
from riskpipe.market.labels import Labels
from riskpipe.market.nodes import DiscountNodes

Days = NDArray[np.int32]
Positions = NDArray[np.int32]


class DailyGrowths(Struct, frozen=True):
    """Products over days i of 1 + weight (P(start) / P(end) - 1), for p periods that share d days.

    :param curve: of each day; `start`, `end` int32[d], the dates between which its rate is projected.
    :param weight: float64[d], for how much of that time the rate counts.
    :param first, begin, stop, last: int32[p]: a period's days are `first`, those from `begin` to `stop` - 1, and
        `last`; first and last are -1 where there are none.
    :param averaged: bool[p]: not the product, but one and the sum of weight (P(start) / P(end) - 1), over `begin` to
        `stop` alone.
    """

    curve: Labels
    start: Days
    end: Days
    weight: FloatArray
    first: Positions
    begin: Positions
    stop: Positions
    last: Positions
    averaged: NDArray[np.bool_]

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
        np.concatenate([np.empty(0, np.bool_), *(part.averaged for part in parts)]),
    )


class Grown(Struct, frozen=True):
    """What `MarketModel.projected` makes a node a row of: a growth over a period.

    :param curve, start, end: of k rows, where `period` is -1: the growth is P(start) / P(end).
    :param period: int32[k], among `growths`; -1: none.
    """

    curve: Labels
    start: Days
    end: Days
    period: Positions
    growths: DailyGrowths

    def __len__(self) -> int:
        return len(self.period)

    def dates(self) -> list[tuple[Labels, Days]]:
        """Curves and dates of the discount factors that growths are made of: of the ratios, then of the days."""
        days = self.growths
        of_days = [(days.curve, days.start), (days.curve, days.end)]
        if not len(days):
            return [(self.curve, self.start), (self.curve, self.end), *of_days]
        plain = np.flatnonzero(self.period < 0)
        curve = self.curve.take(plain)
        return [(curve, self.start[plain]), (curve, self.end[plain]), *of_days]


Request = tuple[Labels, Days] | Grown


class DailyNodes(Struct, frozen=True):
    """Products of daily rates, p of them.

    :param start, end: int32[d], among discount nodes; the others as `DailyGrowths` has them.
    """

    start: Positions
    end: Positions
    weight: FloatArray
    first: Positions
    begin: Positions
    stop: Positions
    last: Positions
    averaged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.begin)

    def needed(self, periods: Positions) -> NDArray[np.bool_]:
        """bool[d]: the days of some periods."""
        edges = np.zeros(len(self.weight) + 1, np.int64)
        np.add.at(edges, self.begin[periods], 1)
        np.add.at(edges, np.maximum(self.stop, self.begin)[periods], -1)
        days = np.cumsum(edges[:-1]) > 0
        for stub in (self.first[periods], self.last[periods]):
            days[stub[stub >= 0]] = True
        return days

    def take(self, periods: Positions, days: NDArray[np.bool_], node: Positions) -> DailyNodes:
        """Some periods, and their days.

        :param node: int32[m], the new position of each discount node.
        """
        place = np.cumsum(days, dtype=np.int32) - np.int32(1)
        first, begin, stop, last = (of[periods] for of in (self.first, self.begin, self.stop, self.last))
        length = np.maximum(stop - begin, 0)
        moved = np.where(length > 0, place[np.minimum(begin, len(days) - 1)], 0).astype(np.int32)
        return DailyNodes(
            node[self.start[days]],
            node[self.end[days]],
            self.weight[days],
            np.where(first >= 0, place[first], -1).astype(np.int32),
            moved,
            (moved + length).astype(np.int32),
            np.where(last >= 0, place[last], -1).astype(np.int32),
            self.averaged[periods],
        )


class GrowthNodes(Struct, frozen=True):
    """Discount factors, after them growths by daily rates, and after these ratios of discount factors.

    Trades whose coupons run over the same periods share these ratios, and the divisions.

    :param discount: m nodes.
    :param daily: p growths.
    :param numerator, denominator: int32[q], among the discount nodes.
    """

    discount: DiscountNodes
    daily: DailyNodes
    numerator: Positions
    denominator: Positions

    def __len__(self) -> int:
        return len(self.discount) + len(self.daily) + len(self.numerator)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """float64[m + p + q, n_scenarios] from float64[n_factors, n_scenarios]."""
        out = np.empty((len(self), x.shape[1]))
        out[: len(self.discount)] = self.discount.evaluate(x)
        self.grow(out)
        return out

    def grow(self, factors: FloatArray) -> None:
        """Fill the growths into the rows after the discount factors of float64[m + p + q, n_scenarios]."""
        m, daily = len(self.discount), self.daily
        after = m + len(daily)
        rates = np.empty((len(daily.weight), factors.shape[1]))
        days = (daily.start, daily.end, daily.weight)
        periods = (daily.first, daily.begin, daily.stop, daily.last, daily.averaged)
        daily_growths(days, periods, factors[:m], rates, factors[m:after])
        ratios(self.numerator, self.denominator, factors[:m], factors[after:])

    def take(self, used: NDArray[np.bool_]) -> GrowthNodes:
        """The nodes `used` bool[m + p + q]; discount factors that their growths are made of are marked there, too."""
        m = len(self.discount)
        after = m + len(self.daily)
        periods, pairs = np.flatnonzero(used[m:after]).astype(np.int32), used[after:]
        days = self.daily.needed(periods)
        numerator, denominator = self.numerator[pairs], self.denominator[pairs]
        for made_of in (self.daily.start[days], self.daily.end[days], numerator, denominator):
            used[made_of] = True
        kept, node = np.flatnonzero(used[:m]), np.cumsum(used[:m], dtype=np.int32) - np.int32(1)
        discount = DiscountNodes(self.discount.index[kept], self.discount.weight[kept])
        return GrowthNodes(discount, self.daily.take(periods, days, node), node[numerator], node[denominator])


CurveNodes = DiscountNodes | GrowthNodes


def grown(
    nodes: DiscountNodes, requests: Sequence[Request], positions: Sequence[Positions]
) -> tuple[CurveNodes, list[Positions]]:
    """Nodes with the growths of all requests, and for each request its positions; `nodes` where there are none.

    :param positions: among `nodes`, of each plain request, and of the `dates` of each other.
    """
    given = iter(positions)
    made = [(request, list(islice(given, 4 if isinstance(request, Grown) else 1))) for request in requests]
    wanted = [(request, of) for request, of in made if isinstance(request, Grown)]
    if not any(len(request) for request, _ in wanted):
        empty = np.empty(0, np.int32)
        return nodes, [empty if isinstance(request, Grown) else of[0] for request, of in made]
    every = joined([request.growths for request, _ in wanted])
    start, end, day_start, day_end = (np.concatenate([of[k] for _, of in wanted]) for k in range(4))
    numerator, denominator, place = distinct_ratios(start, end, len(nodes))
    found, period, pair = [], len(nodes), 0
    for request, of in made:
        if not isinstance(request, Grown):
            found.append(of[0])
            continue
        position = place[pair : pair + len(of[0])] + np.int32(len(nodes) + len(every))
        if len(request.growths):
            ratio, position = position, request.period + np.int32(period)
            position[request.period < 0] = ratio
        found.append(position)
        period, pair = period + len(request.growths), pair + len(of[0])
    ranges = (every.first, every.begin, every.stop, every.last)
    daily = DailyNodes(day_start, day_end, every.weight, *ranges, every.averaged)
    return GrowthNodes(nodes, daily, numerator, denominator), found
