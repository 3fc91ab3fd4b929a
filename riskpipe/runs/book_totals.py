"""Totals of every node of the book tree, kept in a temporary file until all are known: tables are in order of level.

P&L vectors of 50,000 books under 500 scenarios take 200 MB, which the driver writes once and reads a piece at a time.
"""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import to_floats
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.pnl_sets import pnl_set, pnl_sets
from riskpipe.measures.summed_columns import Summed, summed_columns
from riskpipe.runs.book_tree import closed_nodes, level_of
from riskpipe.valuation.book_sums import BookSums, Sums


class Totals(Struct, frozen=True):
    """Totals of some nodes.

    :param present: int64[k], which of the nodes that were asked for have it.
    :param trades, failed_trades: int64[k]. :param values: float64[k, columns].
    """

    present: NDArray[np.int64]
    trades: NDArray[np.int64]
    failed_trades: NDArray[np.int64]
    values: FloatArray

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """bool[k]: not every trade failed."""
        return self.failed_trades < self.trades


class _Kept:
    """Totals by node; the values lie in a file."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self._nodes: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._file = tempfile.TemporaryFile(prefix="riskpipe-totals-")  # noqa: SIM115  (ends with this object)

    def add(self, first: int, sums: Sums) -> None:
        """:param first: number of the first node of `sums`."""
        present = np.flatnonzero(sums.present)
        self._nodes.append(present + first)
        self._counts.append(np.stack([sums.trades[present], sums.failed_trades[present]], 1))
        to_floats(sums.limbs[present]).tofile(self._file)

    def close(self, nodes: int) -> None:
        """:param nodes: how many there are in all."""
        known = np.concatenate(self._nodes)
        self._place = np.full(nodes, -1)
        self._place[known] = np.arange(len(known))
        self._counts = [np.concatenate(self._counts)]
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if known.size * self.columns else None

    def of(self, nodes: NDArray[np.int64]) -> Totals:
        place = self._place[nodes]
        present = np.flatnonzero(place >= 0)
        counts, values = self._counts[0][place[present]], np.empty((len(present), self.columns))
        if self._map is not None:
            values[:] = np.frombuffer(self._map).reshape(-1, self.columns)[place[present]]
            self._map.madvise(mmap.MADV_DONTNEED)  # what was read is not to count as the driver's memory
        return Totals(present, counts[:, 0], counts[:, 1], values)


class BookTotals:
    """Nodes in order of level and path, and what is summed of each; of P&L by parts also what the parts leave.

    :ivar paths, levels: of the nodes. :ivar summed: what any node has.
    """

    def __init__(self, scenarios: ScenarioSet, ranges: Iterable[BookSums]) -> None:
        """:param ranges: as `read_sums` has them."""
        self._kept: dict[Summed, _Kept] = {}
        paths: list[str] = []
        for nodes in closed_nodes(ranges, lambda what: summed_columns(scenarios, what)):
            for what, sums in (*nodes.sums.items(), *_cross_effects(nodes.sums)):
                if what not in self._kept:
                    self._kept[what] = _Kept(sums.limbs.shape[2])
                self._kept[what].add(len(paths), sums)
            paths += nodes.paths
        for kept in self._kept.values():
            kept.close(len(paths))
        order = sorted(range(len(paths)), key=lambda k: (level_of(paths[k]), paths[k]))
        self._order = np.array(order, np.int64)
        self.paths: Sequence[str] = [paths[k] for k in order]
        self.levels: Sequence[int] = [level_of(path) for path in self.paths]

    def columns_of(self, what: Summed) -> int:
        """How many totals a node has."""
        return self._kept[what].columns

    @property
    def summed(self) -> tuple[Summed, ...]:
        return tuple(self._kept)

    def pieces(self, size: int) -> Iterator[range]:
        """Ranges of nodes, of `size` each."""
        size = max(size, 1)
        return (range(start, min(start + size, len(self.paths))) for start in range(0, len(self.paths), size))

    def of(self, what: Summed, nodes: range) -> Totals:
        """The totals of a range of nodes."""
        return self._kept[what].of(self._order[nodes.start : nodes.stop])


def _cross_effects(sums: Mapping[Summed, Sums]) -> Iterator[tuple[Summed, Sums]]:
    """Of each whole that has parts, exactly what they leave of it.

    A trade that lacks P&L under the scenarios of one part is in the whole, and so in what is left.
    """
    parts: dict[Summed, list[Sums]] = {}
    for found in pnl_sets(what.scenario_set for what in sums):
        if found.is_class:
            parts.setdefault(Summed(found.whole.name, found.measure), []).append(
                sums[Summed(found.name, found.measure)]
            )
    for what, each in parts.items():
        whole, name = sums[what], pnl_set(what.scenario_set)
        assert name is not None
        failed = np.maximum.reduce([whole.failed_trades, *(part.failed_trades for part in each)])
        limbs = whole.limbs - np.sum([part.limbs for part in each], axis=0)
        yield Summed(name.cross.name, what.measure), Sums(whole.present, whole.trades, failed, limbs)
