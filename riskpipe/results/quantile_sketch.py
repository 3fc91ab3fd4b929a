"""Quantiles of seconds, of a number of groups, in memory that does not grow with what is counted.

Values are counted in bins whose edges follow each other by a constant ratio, as DDSketch has them (Masson, Rim and
Lee, 2019): a quantile is then known to a relative error, here 1 %, and sketches of pieces add up to that of the whole,
bit by bit. Its packages for Python take value by value; this takes arrays.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray

RATIO = 1.02
RELATIVE_ERROR = math.sqrt(RATIO) - 1.0
"""Of a quantile between LEAST and MOST seconds; what is beyond counts as these."""
LEAST = 1e-4
MOST = 1e6
BINS = math.ceil(math.log(MOST / LEAST) / math.log(RATIO))


class QuantileSketches:
    """One sketch a group; groups are added as they come."""

    def __init__(self) -> None:
        self._counts = np.zeros((0, BINS), np.int64)
        self._greatest = np.zeros(0)

    def add(self, groups: NDArray[np.int64], seconds: FloatArray) -> None:
        """:param groups: int64[n], from 0. :param seconds: float64[n]."""
        if not len(groups):
            return
        more = int(groups.max()) + 1 - len(self._counts)
        if more > 0:
            self._counts = np.concatenate([self._counts, np.zeros((more, BINS), np.int64)])
            self._greatest = np.concatenate([self._greatest, np.zeros(more)])
        bins = np.log(np.maximum(seconds, LEAST) / LEAST) / math.log(RATIO)
        np.add.at(self._counts, (groups, np.minimum(bins.astype(np.int64), BINS - 1)), 1)
        np.maximum.at(self._greatest, groups, seconds)

    def quantile(self, group: int | None, share: float) -> float:
        """The value that `share` of the group's values do not exceed; 0 of a group without any.

        :param group: None: of all groups together.
        """
        counts = self._counts.sum(axis=0) if group is None else self._counts[group : group + 1].sum(axis=0)
        total = int(counts.sum())
        if not total:
            return 0.0
        k = int(np.searchsorted(np.cumsum(counts), max(math.ceil(share * total), 1)))
        return min(LEAST * float(RATIO ** (k + 0.5)), self.greatest(group))

    def greatest(self, group: int | None) -> float:
        """Exactly; 0 of a group without values."""
        mine = self._greatest if group is None else self._greatest[group : group + 1]
        return float(mine.max(initial=0.0))
