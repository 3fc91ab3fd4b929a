"""The blocks of a plan, as they are made: tables of their rows, and what they come to together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.plan.block import digest_id, digest_ids
from riskpipe.plan.costs import SECONDS_PER_BLOCK, block_bytes
from riskpipe.plan.partition import Limits, ScenarioRange
from riskpipe.plan.piece_files import SurveyedRows
from riskpipe.plan.row_ranges import RowRanges, row_ranges
from riskpipe.plan.stored_plan import SCHEMA

# Blocks below and beyond are counted: the one is mostly overhead, the other waits long for its end.
SHORT_SECONDS, LONG_SECONDS = 0.5, 60.0


class PlanTotals(Struct):
    """Sums over the blocks, kept while they are made.

    :param books: that have trades. :param book_sums: that blocks leave: one a book and scenario or measure.
    """

    blocks: int = 0
    trades: int = 0
    books: int = 0
    book_sums: int = 0
    numbers: int = 0
    projected_seconds: float = 0.0
    longest_seconds: float = 0.0
    most_bytes: int = 0
    short_blocks: int = 0
    long_blocks: int = 0
    products: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, product: str, trades: NDArray[np.int64], measures: int, seconds: FloatArray,
            bytes_: NDArray[np.int64], *, first_range: bool) -> None:  # fmt: skip
        """Count blocks of one product and scenario range."""
        self.blocks += len(trades)
        self.trades += int(trades.sum()) if first_range else 0
        self.numbers += int(trades.sum()) * measures
        self.projected_seconds += float(seconds.sum())
        self.longest_seconds = max(self.longest_seconds, float(seconds.max(initial=0.0)))
        self.most_bytes = max(self.most_bytes, int(bytes_.max(initial=0)))
        self.short_blocks += int((seconds < SHORT_SECONDS).sum())
        self.long_blocks += int((seconds > LONG_SECONDS).sum())
        row = self.products.setdefault(product, {"blocks": 0, "trades": 0, "seconds": 0.0})
        row["blocks"] += len(trades)
        row["trades"] += int(trades.sum()) if first_range else 0
        row["seconds"] += float(seconds.sum())


def block_tables(
    surveys: Iterable[SurveyedRows],
    ranges: tuple[ScenarioRange, ...],
    limits: Limits,
    inputs_of: Mapping[str, str],
    totals: PlanTotals,
) -> Iterator[pa.Table]:
    """The blocks of each product, as its rows come in: each trade range under every scenario range.

    :param inputs_of: path -> digest of all that determines the numbers of that file's trades besides the ranges.
    :param totals: is added to.
    """
    for cut in row_ranges(surveys, limits):
        inputs = [_inputs(paths, inputs_of) for paths in cut.paths]
        for k, columns in enumerate(ranges):
            seconds = cut.seconds[k] + SECONDS_PER_BLOCK
            memory = block_bytes(cut.bytes_, cut.books, columns.sums)
            totals.book_sums += int(cut.books.sum()) * columns.sums
            totals.add(cut.product, cut.trades, len(columns.measures), seconds, memory, first_range=k == 0)
            yield _table(cut, columns, inputs, memory, seconds)


def _inputs(paths: Sequence[str], inputs_of: Mapping[str, str]) -> str:
    return inputs_of[paths[0]] if len(paths) == 1 else digest_id(*(inputs_of[path] for path in paths))


def _table(
    cut: RowRanges, columns: ScenarioRange, inputs: list[str], memory: NDArray[np.int64], seconds: FloatArray
) -> pa.Table:
    n = len(cut.starts)
    paths = [files[0] for files in cut.paths]
    # With the path: two files may hold the same bytes.
    ids = digest_ids(
        ((cut.product, path, digest) for path, digest in zip(paths, inputs, strict=True)),
        zip(cut.starts.tolist(), cut.stops.tolist(), strict=True),
        (columns.start, columns.stop, columns.measures),
    )
    width = len(columns.measures)
    measures = pa.ListArray.from_arrays(
        pa.array(np.arange(n + 1) * width, pa.int32()), pa.array(list(columns.measures) * n, pa.string())
    )
    return pa.table(
        [
            pa.array(ids, pa.string()),
            pa.repeat(pa.scalar(cut.product, pa.string()), n),
            pa.array(paths, pa.string()),
            pa.array(cut.starts),
            pa.array(cut.stops),
            pa.array(cut.trades),
            pa.repeat(pa.scalar(columns.start, pa.int64()), n),
            pa.repeat(pa.scalar(columns.stop, pa.int64()), n),
            measures,
            pa.array(inputs, pa.string()),
            pa.array(memory),
            pa.array(seconds),
        ],
        schema=SCHEMA,
    )
