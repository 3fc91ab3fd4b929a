"""How many workers were busy when: intervals on a grid of time that grows with what comes, and stays as small."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

MOST_BINS = 8192
_FINEST = -10
"""Bins of 2^-10 s at least."""


class BusyTime:
    """Busy seconds, and ends of intervals, by bins of equal width.

    Edges are the multiples of a power of two of seconds, the least one with which all fits into MOST_BINS. It is
    doubled where what comes needs it, neighbours added up. So the same intervals leave the same bins, in whatever
    pieces and order.
    """

    def __init__(self) -> None:
        self._power = _FINEST
        self._first = 0
        self._busy: FloatArray = np.zeros(0)
        self._ends = np.zeros(0, np.int64)
        self.begins = math.inf
        self.ends = -math.inf

    @property
    def width(self) -> float:
        """Seconds of a bin: at most a 4,096th of what all intervals span, or a thousandth of a second."""
        return 2.0**self._power

    def add(self, starts: FloatArray, stops: FloatArray) -> None:
        """:param starts, stops: float64[n], seconds from a moment that all share; no interval ends before it begins."""
        if not len(starts):
            return
        self.begins = min(self.begins, float(starts.min()))
        self.ends = max(self.ends, float(stops.max()))
        self._make_room()
        self._busy += covered(starts, stops, self.edges())
        places = np.floor(stops / self.width).astype(np.int64) - self._first
        self._ends += np.bincount(places, minlength=len(self._ends))

    def _make_room(self) -> None:
        power = self._power
        while self._bins(power)[1] > MOST_BINS:
            power += 1
        first, size = self._bins(power)
        places = ((self._first + np.arange(len(self._busy))) >> (power - self._power)) - first
        self._busy = np.asarray(np.bincount(places, self._busy, minlength=size), np.float64)
        ends = np.zeros(size, np.int64)
        np.add.at(ends, places, self._ends)
        self._power, self._first, self._ends = power, first, ends

    def _bins(self, power: int) -> tuple[int, int]:
        """The first one, counted from moment 0, and how many there are."""
        first, last = (math.floor(moment / 2.0**power) for moment in (self.begins, self.ends))
        return first, last - first + 1

    def edges(self) -> FloatArray:
        """float64[bins + 1]: seconds."""
        return np.asarray((self._first + np.arange(len(self._busy) + 1)) * self.width)

    def busy(self, edges: FloatArray) -> FloatArray:
        """float64[n - 1]: busy seconds between each two of n increasing moments; within a bin spread evenly."""
        if not len(self._busy):
            return np.zeros(len(edges) - 1)
        sums = np.concatenate([[0.0], np.cumsum(self._busy)])
        return np.asarray(np.diff(np.interp(edges, self.edges(), sums)))

    def ended(self, share: float) -> float:
        """The moment at which that share of the intervals has ended, up to a bin's width late."""
        sums = np.cumsum(self._ends)
        k = int(np.searchsorted(sums, max(math.ceil(share * int(sums[-1])), 1)))
        return min(float(self.edges()[k + 1]), self.ends)


def covered(starts: FloatArray, stops: FloatArray, edges: FloatArray) -> FloatArray:
    """float64[n - 1]: how much of each of the parts between n increasing edges the intervals [start, stop) cover;
    overlaps count as often as they are."""

    def below(points: FloatArray) -> FloatArray:  # sum over the points p < e of (e - p)
        points = np.sort(points)
        sums = np.concatenate([[0.0], np.cumsum(points)])
        k: NDArray[np.int64] = np.searchsorted(points, edges)
        return np.asarray(k * edges - sums[k])

    return np.maximum(np.diff(below(starts) - below(stops)), 0.0)
