"""Cutting scenarios into ranges and trades into blocks; every limit holds, the smallest wins."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.greedy_cuts import cut_rows
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.catalogue import additive_measures, measures_of
from riskpipe.measures.pnl_sets import pnl_set

BLOCKS_A_WORKER = 5
LEAST_SECONDS = 0.25


class Limits(Struct, frozen=True):
    """`partition.*` of the configuration; seconds are an aim, the others hold."""

    target_seconds: float
    max_trades: int
    max_scenarios: int
    max_memory: int

    def balanced(self, seconds: float, workers: int) -> Limits:
        """The limits of a run of so many seconds in all: a short one is cut finer, so that no worker idles long.

        The aim is then BLOCKS_A_WORKER blocks for each worker, but no block shorter than LEAST_SECONDS: below that
        reading, writing and scheduling show.
        """
        fine = max(seconds / (workers * BLOCKS_A_WORKER), LEAST_SECONDS)
        return replace(self, target_seconds=min(self.target_seconds, fine))


class ScenarioRange(Struct, frozen=True):
    """Columns [start, stop) of the set, and what they cost the trades that they touch.

    :param measures: reported from these columns.
    :param dense: columns that (nearly) every trade is priced under, the base included.
    :param by_group: float64[n_groups + 1], further columns that touch a factor group; the last element is 0.
    :param pnl_columns: columns whose P&L is kept per trade.
    """

    start: int
    stop: int
    measures: tuple[str, ...]
    dense: int
    by_group: FloatArray
    pnl_columns: int

    @property
    def sums(self) -> int:
        """How many sums a block has of each of its books."""
        return self.pnl_columns + len(set(self.measures) & set(additive_measures()))


def scenario_ranges(
    columns: ScenarioSet, snapshot: MarketSnapshot, measures: tuple[str, ...], max_scenarios: int
) -> tuple[ScenarioRange, ...]:
    """Ranges of at most `max_scenarios` columns, cut only where the set allows it.

    Bumps whose numbers are added up per trade stay together, even beyond the limit: a trade is priced under the few
    of them that touch it.
    """
    stops = []
    start, n = 0, len(columns)
    allowed = np.append(np.flatnonzero(columns.cut), n)
    while start < n:
        later = allowed[allowed > start]
        within = later[later <= start + max_scenarios]
        stop = int(within[-1] if len(within) else later[0])
        stops.append((start, stop))
        start = stop
    described = (_describe(columns, snapshot, measures, first, stop) for first, stop in stops)
    # The base by itself reports nothing unless pv is wanted; every block prices it anyway.
    return tuple(columns_ for columns_ in described if columns_.measures)


def _describe(
    columns: ScenarioSet, snapshot: MarketSnapshot, measures: tuple[str, ...], start: int, stop: int
) -> ScenarioRange:
    n_groups = len(snapshot.groups)
    index = np.arange(start, stop)
    indptr, groups = columns.touched_groups(index, snapshot)
    dense = (np.diff(indptr) * 2 > n_groups) | (columns.horizon[index] > 0)
    sparse_entries = np.repeat(~dense, np.diff(indptr))
    by_group = np.bincount(groups[sparse_entries], minlength=n_groups + 1).astype(np.float64)
    codes, sizes = np.unique(columns.set_code[index], return_counts=True)
    names = [columns.sets[code] for code in codes]
    made = frozenset[str]().union(*map(measures_of, names))
    pnl = sum(int(size) for name, size in zip(names, sizes, strict=True) if pnl_set(name) is not None)
    return ScenarioRange(
        start=start,
        stop=stop,
        measures=tuple(m for m in measures if m in made),
        dense=int(dense.sum()) + 1,
        by_group=by_group,
        pnl_columns=pnl,
    )


def cut_trades(seconds: FloatArray, bytes_: FloatArray, counts: NDArray[np.bool_], limits: Limits) -> NDArray[np.int64]:
    """Boundaries of blocks over rows: int64[n_blocks + 1], first 0, last n.

    :param seconds, bytes_: float64[n], of each row; rows that are not selected cost nothing.
    :param counts: bool[n], rows that count towards `max_trades`.
    """
    return np.asarray(
        cut_rows(seconds, bytes_, counts, limits.target_seconds, float(limits.max_memory), limits.max_trades)
    )
