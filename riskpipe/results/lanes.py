"""Which worker did which block when, as bars to draw: of runs of so many blocks as can be told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.results.busy_time import covered
from riskpipe.results.time_spent import SECONDS, TimeSpent
from riskpipe.runs.recorded_files import recorded_files
from riskpipe.store.ledger import LedgerSession, read_sessions
from riskpipe.store.parquet import read_parquet
from riskpipe.store.result_tables import AttemptStatus
from riskpipe.store.run_folder import RunFolder

MOST_BLOCKS = 20_000
MOST_SESSIONS = 4
MOST_LANES = 32
MOST_BARS = 2_500
CELLS = 240
COLUMNS = ["block_id", "product", "trades", "status", "worker", "started_at", "ended_at", *SECONDS]


class Bar(Struct, frozen=True):
    """What a lane shows from `start` for `width`, as shares of the time line.

    :param product: index of the block's product; of most of the blocks, when it stands for several.
    :param busy: share of the bar in which blocks ran.
    """

    start: float
    width: float
    product: int
    busy: float
    title: str


class Lane(Struct, frozen=True):
    worker: str
    bars: tuple[Bar, ...]


class Timeline(Struct, frozen=True):
    """One session that did blocks. :param lanes: none where all of them are too many.

    :param ticks: (share of the line, seconds).
    """

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, float], ...]


class Timelines(Struct, frozen=True):
    """:param products: by the number that bars have. :param sessions: the last ones, beside those of TimeSpent."""

    products: tuple[str, ...]
    sessions: tuple[Timeline, ...]


def read_timelines(folder: RunFolder, spent: TimeSpent) -> Timelines:
    """Of the last sessions; without lanes where the run has more than MOST_BLOCKS blocks.

    :param spent: of the same run.
    """
    ticks = [tuple(_ticks(session.seconds)) for session in spent.sessions]
    if spent.blocks > MOST_BLOCKS:
        return Timelines((), tuple(Timeline((), each) for each in ticks[-MOST_SESSIONS:]))
    sessions = read_sessions(folder)
    table = read_parquet(folder.store, folder.blocks, COLUMNS, recorded_files(folder).of(folder.blocks))
    done = table.filter(pc.and_kleene(pc.equal(table["status"], AttemptStatus.OK), pc.is_valid(table["started_at"])))
    products = tuple(sorted(str(p) for p in pc.unique(done["product"]).to_pylist()))
    lanes = _all_lanes(done, products, sessions, [session.seconds for session in spent.sessions])
    lines = [Timeline(mine, each) for mine, each in zip(lanes, ticks, strict=True)]
    return Timelines(products, tuple(lines[-MOST_SESSIONS:]))


def _all_lanes(
    done: pa.Table, products: Sequence[str], sessions: Sequence[LedgerSession], seconds: Sequence[float]
) -> Iterator[tuple[Lane, ...]]:
    """Of each session that did blocks. :param seconds: of each of these."""
    begin, left = 0, iter(seconds)
    for session in sessions:
        blocks, begin = done.slice(begin, session.done), begin + session.done
        if len(blocks):
            yield _lanes(blocks, products, session.started.at, next(left))


def _lanes(blocks: pa.Table, products: Sequence[str], started: float, seconds: float) -> tuple[Lane, ...]:
    start, stop = _seconds(blocks["started_at"]), _seconds(blocks["ended_at"])
    # Workers may be on other machines, with other clocks than the driver's.
    first = min(started, float(start.min()))
    workers = blocks["worker"].combine_chunks().dictionary_encode()
    lane, names = workers.indices.to_numpy(), workers.dictionary.to_pylist()
    order = np.argsort(names)[:MOST_LANES]
    draw = _bars if len(blocks) <= MOST_BARS else _cells
    codes = np.searchsorted(list(products), blocks["product"].to_pylist())
    x, w = (start - first) / seconds, (stop - start) / seconds
    return tuple(Lane(str(names[k]), tuple(draw(blocks, np.flatnonzero(lane == k), x, w, codes))) for k in order)


def _seconds(column: pa.ChunkedArray) -> FloatArray:
    """float64[n]: since 1970, UTC; NaN where null."""
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.float64) / 1e6


def _bars(
    blocks: pa.Table, rows: NDArray[np.int64], x: FloatArray, w: FloatArray, codes: NDArray[np.int64]
) -> Iterator[Bar]:
    for row in rows:
        block = blocks.slice(int(row), 1).to_pylist()[0]
        title = (
            f"{block['product']} {block['block_id'][:8]}: {block['trades']:,} trades, queue {block['queue_s']:.2f} s, "
            f"fetch {block['fetch_s']:.2f} s, price {block['price_s']:.2f} s, write {block['write_s']:.2f} s"
        )
        yield Bar(float(x[row]), float(w[row]), int(codes[row]), 1.0, title)


def _cells(
    blocks: pa.Table, rows: NDArray[np.int64], x: FloatArray, w: FloatArray, codes: NDArray[np.int64]
) -> Iterator[Bar]:
    """Cells of equal width in place of blocks too many to draw."""
    shares = covered(x[rows], np.minimum(x[rows] + w[rows], 1.0), np.linspace(0.0, 1.0, CELLS + 1))
    cell = np.minimum(((x[rows] + w[rows] / 2) * CELLS).astype(np.int64), CELLS - 1)
    for k in np.flatnonzero(shares > 0):
        inside = rows[cell == k]
        product = int(np.bincount(codes[inside]).argmax()) if len(inside) else int(codes[rows][0])
        busy = float(shares[k] * CELLS)
        yield Bar(k / CELLS, 1 / CELLS, product, min(busy, 1.0), f"{len(inside)} blocks, {busy:.0%} busy")


def _ticks(length: float) -> Iterator[tuple[float, float]]:
    """About eight round numbers of seconds."""
    steps = [m * 10.0**e for e in range(-3, 3) for m in (1, 2, 5)] + [600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
    step = next((s for s in steps if length / s <= 9), length)
    for k in range(int(length / step) + 1):
        yield k * step / length, k * step
