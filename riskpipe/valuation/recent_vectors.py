"""P&L vectors of the blocks that this process has valued, as far as they are short: figures of the tail, of which they
are asked again when books' are added up, then take no second pricing of small books.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.plan.block import Block
from riskpipe.valuation.part import Part

TAIL_SET = PNL_SETS["historical_var"]
"""The scenario set whose tails have components of trades."""

# Of the vectors that a process keeps: little against what a block takes.
KEPT_BYTES = 16 << 20


class Vectors(Struct, frozen=True):
    """P&L of some of a block's trades under scenarios of a set.

    :param names: their books and ids.
    :param rows: int64[n], as the block counts them.
    :param pnl: float64[n, scenarios], base currency; rows that failed are NaN.
    """

    names: pa.Table
    rows: NDArray[np.int64]
    pnl: FloatArray

    @property
    def nbytes(self) -> int:
        return self.pnl.nbytes + self.rows.nbytes + int(self.names.nbytes)

    def copy(self) -> Vectors:
        """Of nothing but itself: names are a slice of all the trades that were read, which it would keep alive."""
        every = pa.array(np.arange(len(self.rows)))
        return Vectors(self.names.take(every).combine_chunks(), self.rows.copy(), self.pnl.copy())


def vectors_of(parts: Iterable[tuple[Part, NDArray[np.int64]]]) -> list[Vectors]:
    """Under scenarios of `TAIL_SET`, of the parts that were priced under some; each with its trades' rows."""
    return [
        Vectors(part.trades.table.select(["book", "trade_id"]), rows, part.pnl[TAIL_SET])
        for part, rows in parts
        if TAIL_SET in part.pnl
    ]


class RecentVectors:
    """Keeps the first that come, under all scenarios of `TAIL_SET`."""

    def __init__(self) -> None:
        self._kept: dict[str, Sequence[Vectors]] = {}
        self._bytes = 0

    def keep(self, block: Block, vectors: Sequence[Vectors]) -> None:
        """Of all trades of a block that have any; unless it is too much."""
        size = sum(each.nbytes for each in vectors)
        if block.block_id not in self._kept and self._bytes + size <= KEPT_BYTES:
            self._kept[block.block_id] = [each.copy() for each in vectors]
            self._bytes += size

    def of(self, block: Block) -> Sequence[Vectors] | None:
        """None: they are not kept."""
        return self._kept.get(block.block_id)
