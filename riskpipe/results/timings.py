"""Where the time of a run went: by product, by worker, block by block, and as bars to draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.runs.recorded_files import recorded_files
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet
from riskpipe.store.records import BlockDone, SessionEnded, SessionStarted
from riskpipe.store.result_tables import AttemptStatus
from riskpipe.store.run_folder import RunFolder

SECONDS = ("queue_s", "fetch_s", "price_s", "write_s")
SLOWEST = 10
MOST_SESSIONS = 4
MOST_LANES = 32
MOST_BARS = 2_500
CELLS = 240
COLUMNS = [
    "block_id", "parent_block_id", "attempt", "product", "trades", "scenarios", "status", "reason", "worker", "host",
    "queued_at", "started_at", "ended_at", *SECONDS, "cpu_s", "peak_rss_bytes", "projected_bytes", "projected_s",
]  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """What a lane shows from `start` for `width`, as shares of the time line.

    :param product: index of the block's product; of most of the blocks, when it stands for several.
    :param busy: share of the bar in which blocks ran.
    """

    start: float
    width: float
    product: int
    busy: float
    title: str


@dataclass(frozen=True)
class Lane:
    worker: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Timeline:
    """One session of the run.

    :param ticks: (share of the line, seconds). :param busy: share of the workers that were busy, in CELLS steps.
    :param pricing: pricing seconds over workers x wall seconds from the first block queued to the last one done.
    """

    started_at: datetime
    seconds: float
    blocks: int
    workers: int
    pricing: float
    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, float], ...]
    busy: tuple[float, ...]
    ended: bool


@dataclass(frozen=True)
class Timings:
    """Everything of blocks.parquet that the report shows."""

    products: tuple[str, ...]
    by_product: tuple[dict[str, Any], ...]
    total: dict[str, Any]
    slowest: tuple[dict[str, Any], ...]
    workers: tuple[dict[str, Any], ...]
    sessions: tuple[Timeline, ...]
    earlier_sessions: int


def read_timings(folder: RunFolder) -> Timings | None:
    """From blocks.parquet and the ledger; None while the run has not ended."""
    if not folder.store.exists(folder.blocks):
        return None
    table = read_parquet(folder.store, folder.blocks, COLUMNS, recorded_files(folder).of(folder.blocks))
    done = table.filter(pc.and_kleene(pc.equal(table["status"], AttemptStatus.OK), pc.is_valid(table["started_at"])))
    products = tuple(sorted(str(p) for p in pc.unique(table["product"]).to_pylist()))
    by_product = tuple(_product(table, done, product) for product in products)
    lines = [line for window in _sessions(folder) if (line := _timeline(done, products, window)) is not None]
    return Timings(
        products=products,
        by_product=by_product,
        total=_totals(table, done),
        slowest=tuple(_slowest(done)),
        workers=tuple(_workers(done)),
        sessions=tuple(lines[-MOST_SESSIONS:]),
        earlier_sessions=max(len(lines) - MOST_SESSIONS, 0),
    )


def _sum(table: pa.Table, name: str) -> float:
    return float(pc.sum(table[name]).as_py() or 0.0)


def _totals(table: pa.Table, done: pa.Table) -> dict[str, Any]:
    counts = {item["values"]: item["counts"] for item in pc.value_counts(table["status"]).to_pylist()}
    own = done.filter(pc.is_null(done["parent_block_id"]))
    return {
        "blocks": done.num_rows,
        "trades": int(_sum(own, "trades")),
        **{name: _sum(done, name) for name in (*SECONDS, "cpu_s", "projected_s")},
        **{name.value: counts.get(name, 0) for name in AttemptStatus if name is not AttemptStatus.OK},
    }


def _product(table: pa.Table, done: pa.Table, product: str) -> dict[str, Any]:
    mine, mine_done = (t.filter(pc.equal(t["product"], product)) for t in (table, done))
    return {"product": product, **_totals(mine, mine_done)}


def _slowest(done: pa.Table) -> Iterator[dict[str, Any]]:
    seconds = _seconds(done["ended_at"]) - _seconds(done["started_at"])
    for row in np.argsort(-seconds, kind="stable")[:SLOWEST]:
        found = done.slice(int(row), 1).to_pylist()[0]
        yield {**found, "seconds": float(seconds[row])}


def _workers(done: pa.Table) -> Iterator[dict[str, Any]]:
    seconds = pa.array(_seconds(done["ended_at"]) - _seconds(done["started_at"]))
    grouped = (
        done.append_column("seconds", seconds)
        .group_by(["worker", "host"], use_threads=False)
        .aggregate([("block_id", "count"), ("seconds", "sum"), ("price_s", "sum"), ("cpu_s", "sum"),
                    ("peak_rss_bytes", "max"), ("projected_bytes", "max")])
    )  # fmt: skip
    rows = sorted(grouped.to_pylist(), key=lambda row: -(row["peak_rss_bytes_max"] or 0))
    yield from rows[:MOST_LANES]


def _seconds(column: pa.ChunkedArray) -> FloatArray:
    """float64[n]: since 1970, UTC; NaN where null."""
    return np.asarray(column.cast(pa.int64()).to_numpy(), np.float64) / 1e6


# -- time lines


@dataclass
class _Window:
    """A session by the driver's clock, and which of the blocks that are done it did: blocks.parquet has them in order.

    :param last: None: it did not end in order.
    """

    first: float
    last: float | None
    offset: int
    blocks: int = 0


def _sessions(folder: RunFolder) -> list[_Window]:
    windows: list[_Window] = []
    for record in read_ledger(folder):
        if isinstance(record, SessionStarted):
            offset = windows[-1].offset + windows[-1].blocks if windows else 0
            windows.append(_Window(record.at, None, offset))
        elif isinstance(record, SessionEnded):
            windows[-1].last = record.at
        elif isinstance(record, BlockDone):
            windows[-1].blocks += 1
    return windows


def _timeline(done: pa.Table, products: Sequence[str], window: _Window) -> Timeline | None:
    """The blocks of a session; None when it has none."""
    blocks = done.slice(window.offset, window.blocks)
    if not len(blocks):
        return None
    start, stop = _seconds(blocks["started_at"]), _seconds(blocks["ended_at"])
    # Workers may be on other machines, with other clocks than the driver's.
    first, last = min(window.first, float(start.min())), window.last
    end = max(last or 0.0, float(stop.max()))
    length = max(end - first, 1e-3)
    workers = blocks["worker"].combine_chunks().dictionary_encode()
    lane, names = workers.indices.to_numpy(), workers.dictionary.to_pylist()
    order = np.argsort(names)[:MOST_LANES]
    draw = _bars if len(blocks) <= MOST_BARS else _cells
    codes = np.searchsorted(list(products), blocks["product"].to_pylist())
    x, w = (start - first) / length, (stop - start) / length
    lanes = tuple(Lane(str(names[k]), tuple(draw(blocks, np.flatnonzero(lane == k), x, w, codes))) for k in order)
    wall = float(stop.max()) - float(_seconds(blocks["queued_at"]).min())
    return Timeline(
        started_at=datetime.fromtimestamp(first, UTC),
        seconds=length,
        blocks=len(blocks),
        workers=len(names),
        pricing=_sum(blocks, "price_s") / max(len(names) * wall, 1e-9),
        lanes=lanes,
        ticks=tuple(_ticks(length)),
        busy=tuple(_covered(x, w, CELLS) * CELLS / len(names)),
        ended=last is not None,
    )


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
    covered = _covered(x[rows], w[rows], CELLS)
    cell = np.minimum(((x[rows] + w[rows] / 2) * CELLS).astype(np.int64), CELLS - 1)
    for k in np.flatnonzero(covered > 0):
        inside = rows[cell == k]
        product = int(np.bincount(codes[inside]).argmax()) if len(inside) else int(codes[rows][0])
        busy = float(covered[k] * CELLS)
        yield Bar(k / CELLS, 1 / CELLS, product, min(busy, 1.0), f"{len(inside)} blocks, {busy:.0%} busy")


def _covered(x: FloatArray, w: FloatArray, cells: int) -> FloatArray:
    """float64[cells]: how much of the line the intervals [x, x + w) cover within each of its equal parts, in shares of
    the whole line; overlaps count as often as they are."""
    edges = np.linspace(0.0, 1.0, cells + 1)
    starts, stops = np.sort(x), np.sort(np.minimum(x + w, 1.0))

    def below(points: FloatArray) -> FloatArray:  # sum over the points p < e of (e - p)
        sums = np.concatenate([[0.0], np.cumsum(points)])
        k = np.searchsorted(points, edges)
        return np.asarray(k * edges - sums[k])

    return np.maximum(np.diff(below(starts) - below(stops)), 0.0)


def _ticks(length: float) -> Iterator[tuple[float, float]]:
    """About eight round numbers of seconds."""
    steps = [m * 10.0**e for e in range(-3, 3) for m in (1, 2, 5)] + [600, 900, 1800, 3600, 7200, 14400, 43200, 86400]
    step = next((s for s in steps if length / s <= 9), length)
    for k in range(int(length / step) + 1):
        yield k * step / length, k * step
