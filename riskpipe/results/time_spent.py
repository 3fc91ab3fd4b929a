"""Where the time of a run went: one pass over blocks.parquet, in pieces, whatever its number of blocks.

What is kept grows with workers, hosts and products, not with blocks: sums, quantile sketches, bins of time, and the few
rows that stand out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.config import Settings
from riskpipe.results.bottleneck import Bottleneck, Evidence, Parts, bottleneck
from riskpipe.results.busy_time import BusyTime
from riskpipe.results.quantile_sketch import QuantileSketches
from riskpipe.runs.recorded_files import recorded_files
from riskpipe.store.ledger import LedgerSession, read_sessions
from riskpipe.store.parquet import open_parquet
from riskpipe.store.result_tables import AttemptStatus
from riskpipe.store.run_folder import RunFolder
from riskpipe.structs import asdict

PIECE_ROWS = 65_536
STEPS = 240
"""Of a session's utilisation over time."""
MOST_ROWS = 10
"""Of slowest blocks and hosts."""
MOST_WORKERS = 32
LEAST_BLOCKS = 10
"""That a host is judged by."""
SECONDS = ("queue_s", "fetch_s", "price_s", "write_s")
_SUMS = (*SECONDS, "cpu_s", "projected_s", "seconds")
_ATTEMPTS = ("retried", "outrun", "split", "failed", "cancelled")
COLUMNS = (
    "block_id", "parent_block_id", "product", "trades", "scenarios", "status", "reason", "worker", "host", "started_at",
    "ended_at", *SECONDS, "cpu_s", "peak_rss_bytes", "projected_bytes", "projected_s",
)  # fmt: skip
TEXTS = ("product", "status", "reason", "worker", "host")
# Attempts that never began.
_NOT_BEGUN = "CANCELLED"


class ProductTime(Struct, frozen=True):
    """Of a product's blocks that are done; seconds are sums over them.

    :param product: "" stands for all. :param trades: without those of parts of blocks, which are their blocks' too.
    :param seconds: from start to end on a worker. :param projected_s: what the plan projected for `price_s`.
    :param p50, p90, p99: quantiles of a block's seconds, to 1 %; `longest` exactly.
    :param retried, outrun, split, failed, cancelled: rows of that status, other than ok.
    """

    product: str
    blocks: int
    trades: int
    queue_s: float
    fetch_s: float
    price_s: float
    write_s: float
    cpu_s: float
    projected_s: float
    seconds: float
    p50: float
    p90: float
    p99: float
    longest: float
    retried: int
    outrun: int
    split: int
    failed: int
    cancelled: int

    @property
    def skew(self) -> float:
        """The 99 % quantile of a block's seconds over the median; 0: there is none."""
        return self.p99 / self.p50 if self.p50 else 0.0


class HostTime(Struct, frozen=True):
    """:param pace: pricing seconds over those that the run's blocks of the same products took for the same projected
    seconds: 1.5 is half as slow again as the others."""

    host: str
    blocks: int
    price_s: float
    projected_s: float
    pace: float


class WorkerTime(Struct, frozen=True):
    """:param peak_rss_bytes, projected_bytes: the greatest of its blocks."""

    worker: str
    host: str
    blocks: int
    seconds: float
    price_s: float
    cpu_s: float
    peak_rss_bytes: int
    projected_bytes: int


class BlockTime(Struct, frozen=True):
    """A block that stands out. :param seconds: from start to end on its worker."""

    block_id: str
    product: str
    trades: int
    scenarios: int
    seconds: float
    fetch_s: float
    price_s: float
    write_s: float
    cpu_s: float
    projected_s: float
    worker: str


class LostAttempts(Struct, frozen=True):
    """Attempts that came to nothing, by cause: a reason, or OUTRUN.

    :param repeated: that another one followed. :param final: that none did.
    :param seconds: what they took, estimated: of each what a block of its product takes on the mean, or
        `cluster.block_timeout`.
    """

    cause: str
    repeated: int
    final: int
    seconds: float


class SessionTime(Struct, frozen=True):
    """A session that did blocks.

    :param seconds: from its begin, or its first block where that worker's clock has it earlier, to its end or that of
        its last block.
    :param first_block_s, last_block_s: from its begin to the start of the first block and to the end of the last.
    :param utilisation: seconds in blocks over workers x seconds from the first block's start to the last one's end.
    :param pricing: the same of pricing seconds alone.
    :param busy: of `step_s` seconds each, the share of the workers that was busy.
    :param tail_s: from when the last block was started to the end of the last one; `tail_idle_s`: worker seconds idle
        in it.
    :param last_hundredth_s: during which the last 1 % of the blocks ended, to a 4,096th of the session.
    :param ended: whether it ended in order.
    """

    started_at: str
    seconds: float
    workers: int
    blocks: int
    first_block_s: float
    last_block_s: float
    utilisation: float
    pricing: float
    step_s: float
    busy: tuple[float, ...]
    tail_s: float
    tail_idle_s: float
    last_hundredth_s: float
    ended: bool


class TimeSpent(Struct, frozen=True):
    """Where the time of a run went, all its sessions together unless said otherwise.

    :param workers: that did a block. :param by_worker: those of the largest peak memory.
    :param hosts: the slowest ones of `hosts_compared`, which did at least LEAST_BLOCKS blocks.
    :param parts: of all worker seconds.
    :param core_hours: workers' hours from the start of each one's first block to the end of a session's last block; a
        worker has one core. :param cpu_hours: processor hours of the blocks.
    :param cost: of the core hours, by `cluster.price_per_core_hour`; None: no price is set.
    """

    blocks: int
    workers: int
    utilisation: float
    bottleneck: Bottleneck
    parts: Parts
    core_hours: float
    cpu_hours: float
    cost: float | None
    sessions: tuple[SessionTime, ...]
    total: ProductTime
    products: tuple[ProductTime, ...]
    hosts: tuple[HostTime, ...]
    hosts_compared: int
    lost_attempts: tuple[LostAttempts, ...]
    slowest: tuple[BlockTime, ...]
    by_worker: tuple[WorkerTime, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def hours_text(hours: float) -> str:
    """Of hours, and of what they cost: three digits at least."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def read_time_spent(folder: RunFolder, settings: Settings, phases: Mapping[str, float]) -> TimeSpent | None:
    """From blocks.parquet and the ledger; None: no session of the run has ended yet, or no block is done.

    :param settings: what advice and price go by. :param phases: seconds of the phases of the last session that did
        blocks (`RunStatus.phases`).
    :raises StorageError: a file cannot be read, or is not what was written.
    """
    if not folder.store.exists(folder.blocks):
        return None
    sessions = read_sessions(folder)
    files = recorded_files(folder, (record for session in sessions for record in session.records))
    with open_parquet(folder.store, folder.blocks, dictionaries=TEXTS, sha256=files.of(folder.blocks)) as file:
        batches = file.iter_batches(PIECE_ROWS, columns=list(COLUMNS), use_threads=False)
        return time_spent(map(pa.Table.from_batches, ([batch] for batch in batches)), sessions, settings, phases)


def time_spent(
    pieces: Iterable[pa.Table], sessions: Sequence[LedgerSession], settings: Settings, phases: Mapping[str, float]
) -> TimeSpent | None:
    """As `read_time_spent`, of tables in memory; None: no block is done.

    :param pieces: of `COLUMNS`, in the order of the table, cut anywhere; text may be dictionaries.
    """
    sums = _Sums(sessions)
    for piece in pieces:
        sums.add(piece)
    return sums.result(settings, phases.get("plan", 0.0)) if sums.done else None


# -- the pass


class _Names:
    """Text as numbers, in the order in which it comes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def codes(self, column: pa.ChunkedArray) -> NDArray[np.int64]:
        """int64[n]; -1 where null."""
        coded = column.combine_chunks()
        if not pa.types.is_dictionary(coded.type):
            coded = coded.dictionary_encode()
        known = [self.code(name) for name in coded.dictionary.to_pylist()]
        indices = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*known, -1], np.int64)[indices])

    def code(self, name: str) -> int:
        found = self._codes.setdefault(name, len(self.names))
        if found == len(self.names):
            self.names.append(name)
        return found


def _grown(array: NDArray[Any], size: int, fill: float = 0.0) -> NDArray[Any]:
    """With at least `size` rows."""
    more = size - len(array)
    return array if more <= 0 else np.concatenate([array, np.full((more, *array.shape[1:]), fill, array.dtype)])


class _Done(Struct, frozen=True):
    """The rows of a piece that are done: codes, and seconds by name."""

    table: pa.Table
    product: NDArray[np.int64]
    worker: NDArray[np.int64]
    host: NDArray[np.int64]
    numbers: Mapping[str, FloatArray]


class _Sums:
    """What is kept of the rows seen so far."""

    def __init__(self, sessions: Sequence[LedgerSession]) -> None:
        self.done = 0
        self._bounds = np.cumsum([session.done for session in sessions])
        self._sessions = [_SessionSums(session) for session in sessions]
        self._products, self._workers, self._hosts, self._reasons = _Names(), _Names(), _Names(), _Names()
        self._sketches = QuantileSketches()
        self._by_product = np.zeros((0, 2 + len(_SUMS)))  # blocks, trades, seconds
        self._statuses = np.zeros((0, len(_ATTEMPTS)), np.int64)
        self._lost: dict[tuple[int, str, bool], int] = {}
        self._by_host = np.zeros((0, 0, 3))  # by product: blocks, price_s, projected_s
        self._by_worker = np.zeros((0, 6))  # blocks, seconds, price_s, cpu_s, peak, projected bytes
        self._host_of = np.zeros(0, np.int64)
        self._slowest: list[tuple[float, int, BlockTime]] = []

    def add(self, piece: pa.Table) -> None:
        products = self._products.codes(piece["product"])
        workers = self._workers.codes(piece["worker"])
        self._grow()
        ok = pc.and_kleene(pc.equal(piece["status"], AttemptStatus.OK), pc.is_valid(piece["started_at"]))
        is_done = pc.fill_null(ok, False).to_numpy()
        # Rows are in the order of the ledger, so the number of those before it tells whose a row is.
        before = self.done + np.cumsum(is_done) - is_done
        session = np.minimum(np.searchsorted(self._bounds, before, "right"), len(self._sessions) - 1)
        self._add_others(piece.filter(pa.array(~is_done)), products[~is_done], workers[~is_done], session[~is_done])
        self._add_done(piece.filter(pa.array(is_done)), products[is_done], workers[is_done], session[is_done])

    def _grow(self) -> None:
        products, workers = len(self._products.names), len(self._workers.names)
        self._by_product = _grown(self._by_product, products)
        self._statuses = _grown(self._statuses, products)
        self._by_worker = _grown(self._by_worker, workers)
        self._host_of = _grown(self._host_of, workers, -1)

    def _add_others(
        self, rows: pa.Table, products: NDArray[np.int64], workers: NDArray[np.int64], session: NDArray[np.int64]
    ) -> None:
        """Attempts that came to nothing, and blocks that were cut or not reached: few, of a run that went well."""
        if not rows.num_rows:
            return
        texts = rows.select(["status", "reason"])
        for k, (status, reason) in enumerate(
            zip(texts["status"].to_pylist(), texts["reason"].to_pylist(), strict=True)
        ):
            if status in _ATTEMPTS:
                self._statuses[products[k], _ATTEMPTS.index(status)] += 1
            cause = "OUTRUN" if status == AttemptStatus.OUTRUN else reason
            if status in ("retried", "outrun", "failed") and workers[k] >= 0 and cause != _NOT_BEGUN:
                key = int(products[k]), str(cause), status == AttemptStatus.FAILED
                self._lost[key] = self._lost.get(key, 0) + 1
            if cause == "WORKER_LOST" and workers[k] >= 0:
                self._sessions[session[k]].lose(int(workers[k]))

    def _add_done(
        self, rows: pa.Table, products: NDArray[np.int64], workers: NDArray[np.int64], session: NDArray[np.int64]
    ) -> None:
        if not rows.num_rows:
            return
        micros = {name: rows[name].cast(pa.int64()).to_numpy() for name in ("started_at", "ended_at")}
        names = (*SECONDS, "cpu_s", "projected_s", "peak_rss_bytes", "projected_bytes", "trades")
        numbers: dict[str, FloatArray] = {
            name: np.asarray(pc.fill_null(rows[name], 0).to_numpy(), np.float64) for name in names
        }
        numbers["seconds"] = np.maximum(micros["ended_at"] - micros["started_at"], 0) / 1e6
        done = _Done(rows, products, workers, self._hosts.codes(rows["host"]), numbers)
        self._add_products(done)
        self._add_hosts(done)
        self._add_workers(done)
        self._keep_slowest(done)
        for k in np.unique(session):
            mine = session == k
            self._sessions[k].add(done, mine, micros["started_at"][mine])
        self.done += rows.num_rows

    def _add_products(self, done: _Done) -> None:
        size = len(self._by_product)
        own = done.table["parent_block_id"].is_null().to_numpy()
        columns = [
            np.bincount(done.product, minlength=size),
            np.bincount(done.product[own], done.numbers["trades"][own], minlength=size),
            *(np.bincount(done.product, done.numbers[name], minlength=size) for name in _SUMS),
        ]
        self._by_product += np.column_stack(columns)
        self._sketches.add(done.product, done.numbers["seconds"])

    def _add_hosts(self, done: _Done) -> None:
        hosts, products = len(self._hosts.names), len(self._products.names)
        if self._by_host.shape[1] < products:
            wider = np.zeros((len(self._by_host), products, 3))
            wider[:, : self._by_host.shape[1]] = self._by_host
            self._by_host = wider
        self._by_host = _grown(self._by_host, hosts)
        known = (done.host >= 0) & (done.numbers["projected_s"] > 0.0)
        place = done.host[known] * products + done.product[known]
        for k, weights in enumerate((None, done.numbers["price_s"][known], done.numbers["projected_s"][known])):
            self._by_host[:, :, k] += np.bincount(place, weights, minlength=hosts * products).reshape(hosts, products)

    def _add_workers(self, done: _Done) -> None:
        known = done.worker >= 0
        worker, size = done.worker[known], len(self._by_worker)
        self._by_worker[:, 0] += np.bincount(worker, minlength=size)
        for k, name in enumerate(("seconds", "price_s", "cpu_s"), start=1):
            self._by_worker[:, k] += np.bincount(worker, done.numbers[name][known], minlength=size)
        for k, name in enumerate(("peak_rss_bytes", "projected_bytes"), start=4):
            np.maximum.at(self._by_worker[:, k], worker, done.numbers[name][known])
        self._host_of[worker] = done.host[known]

    def _keep_slowest(self, done: _Done) -> None:
        seconds = done.numbers["seconds"]
        for row in np.argsort(-seconds, kind="stable")[:MOST_ROWS]:
            self._slowest.append((-float(seconds[row]), self.done + int(row), _block(done, int(row))))
        self._slowest = heapq.nsmallest(MOST_ROWS, self._slowest, key=lambda each: each[:2])

    # -- the result

    def result(self, settings: Settings, planning: float) -> TimeSpent:
        """:param planning: seconds that the last session which did blocks planned before it began."""
        products = [self._product(k, name) for k, name in enumerate(self._products.names)]
        total = self._product(None, "")
        lost = sorted(self._lost_attempts(settings, products, total), key=lambda each: (-each.seconds, each.cause))
        found = [session.result() for session in self._sessions if session.blocks]
        parts = sum((each.parts for each in found), Parts()).plus(plan=planning * found[-1].slots)
        parts = parts.repeated(sum(each.seconds for each in lost))
        held = sum(each.held for each in found)
        price = settings.cluster.price_per_core_hour
        hosts = sorted(self._host_times(), key=lambda each: (-each.pace, each.host))
        return TimeSpent(
            blocks=self.done,
            workers=int(np.count_nonzero(self._by_worker[:, 0])),
            utilisation=parts.utilisation,
            bottleneck=bottleneck(parts, self._evidence(total, found, lost), settings),
            parts=parts,
            core_hours=held / 3600.0,
            cpu_hours=total.cpu_s / 3600.0,
            cost=None if price is None else price * held / 3600.0,
            sessions=tuple(each.time for each in found),
            total=total,
            products=tuple(sorted(products, key=lambda each: (-each.seconds, each.product))),
            hosts=tuple(hosts[:MOST_ROWS]),
            hosts_compared=len(hosts),
            lost_attempts=tuple(lost),
            slowest=tuple(block for _, _, block in self._slowest),
            by_worker=tuple(self._worker_times()),
        )

    def _product(self, k: int | None, name: str) -> ProductTime:
        """:param k: None: all of them."""
        sums = self._by_product.sum(axis=0) if k is None else self._by_product[k]
        statuses = self._statuses.sum(axis=0) if k is None else self._statuses[k]
        counts = zip(("blocks", "trades", *_ATTEMPTS), map(int, (*sums[:2], *statuses)), strict=True)
        values: dict[str, Any] = dict(counts) | dict(zip(_SUMS, map(float, sums[2:]), strict=True))
        values |= {f"p{share}": self._sketches.quantile(k, share / 100) for share in (50, 90, 99)}
        return ProductTime(product=name, longest=self._sketches.greatest(k), **values)

    def _lost_attempts(
        self, settings: Settings, products: Sequence[ProductTime], total: ProductTime
    ) -> Iterator[LostAttempts]:
        limit = settings.cluster.block_timeout
        for cause in sorted({cause for _, cause, _ in self._lost}):
            counts, seconds = {False: 0, True: 0}, 0.0
            for (k, name, final), number in self._lost.items():
                if name == cause:
                    counts[final] += number
                    mean = products[k] if products[k].blocks else total
                    each = limit if cause == "TIMEOUT" and limit is not None else mean.seconds / mean.blocks
                    seconds += number * each
            yield LostAttempts(cause, counts[False], counts[True], seconds)

    def _evidence(self, total: ProductTime, found: Sequence[_SessionResult], lost: Sequence[LostAttempts]) -> Evidence:
        tail = max(found, key=lambda each: each.parts.tail)
        k = self._products.code(tail.last_product)
        projected, took = self._by_product[k, 2 + _SUMS.index("projected_s")], self._by_product[k, 2:][-1]
        mean = self._by_product[k, 2 + _SUMS.index("seconds")] / self._by_product[k, 0]
        return Evidence(
            blocks=self.done,
            workers=max(each.time.workers for each in found),
            block_seconds=total.seconds / total.blocks,
            span=sum(each.span for each in found),
            finishing=sum(each.finishing for each in found),
            lost_most=lost[0].cause if lost else "",
            last_product=tail.last_product,
            last_seconds=tail.last_seconds,
            last_expected=tail.last_projected * took / projected if projected and tail.last_projected else mean,
        )

    def _host_times(self) -> Iterator[HostTime]:
        sums = self._by_host.sum(axis=0)
        pace = np.divide(sums[:, 1], sums[:, 2], out=np.zeros(len(sums)), where=sums[:, 2] > 0.0)
        for name, mine in zip(self._hosts.names, self._by_host, strict=True):
            blocks, price, projected = mine.sum(axis=0)
            expected = float(mine[:, 2] @ pace)
            if blocks >= LEAST_BLOCKS and expected > 0.0:
                yield HostTime(name, int(blocks), float(price), float(projected), float(price) / expected)

    def _worker_times(self) -> Iterator[WorkerTime]:
        there = np.flatnonzero(self._by_worker[:, 0])
        for k in there[np.argsort(-self._by_worker[there, 4], kind="stable")[:MOST_WORKERS]]:
            blocks, seconds, price, cpu, peak, projected = map(float, self._by_worker[k])
            host = "" if self._host_of[k] < 0 else self._hosts.names[self._host_of[k]]
            name = self._workers.names[k]
            yield WorkerTime(name, host, int(blocks), seconds, price, cpu, int(peak), int(projected))


def _block(done: _Done, row: int) -> BlockTime:
    names = ("block_id", "product", "trades", "scenarios", "worker")
    values: dict[str, Any] = done.table.select(names).slice(row, 1).to_pylist()[0]
    seconds = ("seconds", "fetch_s", "price_s", "write_s", "cpu_s", "projected_s")
    values |= {name: float(done.numbers[name][row]) for name in seconds}
    return BlockTime(**values)


# -- sessions


class _SessionResult(Struct, frozen=True):
    """:param slots: workers at a time. :param held: worker seconds, as `TimeSpent.core_hours`.
    :param span: seconds from the first block's start to the last one's end; `finishing` those after it.
    :param last_product, last_seconds, last_projected: of the block that ended last.
    """

    time: SessionTime
    parts: Parts
    slots: int
    held: float
    span: float
    finishing: float
    last_product: str
    last_seconds: float
    last_projected: float


class _SessionSums:
    """What is kept of the blocks of a session; moments are seconds from its begin."""

    def __init__(self, session: LedgerSession) -> None:
        self._session = session
        self.blocks = 0
        self._busy = BusyTime()
        self._first = np.zeros(0)
        self._last = np.zeros(0)
        self._gone = np.zeros(0, np.bool_)
        self._last_start = -np.inf
        self._sums = dict.fromkeys(("fetch_s", "price_s", "write_s", "seconds"), 0.0)
        self._ended = (-np.inf, "", 0.0, 0.0)

    def _grow(self, size: int) -> None:
        self._first = _grown(self._first, size, np.inf)
        self._last = _grown(self._last, size, -np.inf)
        self._gone = _grown(self._gone, size)

    def lose(self, worker: int) -> None:
        """A worker that has died: there is nothing of it after its last block."""
        self._grow(worker + 1)
        self._gone[worker] = True

    def add(self, done: _Done, mine: NDArray[np.bool_], started_at: NDArray[np.int64]) -> None:
        """:param mine: which of the rows are of this session. :param started_at: of these, microseconds since 1970."""
        starts = (started_at - round(self._session.started.at * 1e6)) / 1e6
        seconds = done.numbers["seconds"][mine]
        stops, worker = starts + seconds, done.worker[mine]
        self.blocks += len(starts)
        self._busy.add(starts, stops)
        known = worker >= 0
        self._grow(int(worker.max(initial=-1)) + 1)
        np.minimum.at(self._first, worker[known], starts[known])
        np.maximum.at(self._last, worker[known], stops[known])
        self._last_start = max(self._last_start, float(starts.max()))
        for name in self._sums:
            self._sums[name] += float(done.numbers[name][mine].sum())
        k = int(np.argmax(stops))
        if stops[k] > self._ended[0]:
            row = int(np.flatnonzero(mine)[k])
            product = done.table["product"][row].as_py()
            self._ended = (float(stops[k]), product, float(seconds[k]), float(done.numbers["projected_s"][row]))

    def result(self) -> _SessionResult:
        begins, ends = self._busy.begins, self._busy.ends
        span = max(ends - begins, 1e-6)
        there = np.isfinite(self._first)
        first, last, gone = self._first[there], self._last[there], self._gone[there]
        workers = max(len(first), 1)
        held = float((np.where(gone, last, ends) - first).sum())
        # Another worker comes in the place of one that has died.
        slots = max(workers - int(gone.sum()), 1)
        idle = float(np.maximum(ends - np.maximum(last, self._last_start), 0.0)[~gone].sum())
        inside = self._sums["seconds"]
        named = {name.removesuffix("_s"): self._sums[name] for name in ("fetch_s", "price_s", "write_s")}
        at_end = None if self._session.ended is None else self._session.ended.at - self._session.started.at
        finishing = 0.0 if at_end is None else max(at_end - ends, 0.0)
        parts = Parts(
            start=slots * max(begins, 0.0),
            late=max(slots * span - held, 0.0),
            **named,
            other=max(inside - sum(named.values()), 0.0),
            wait=max(held - inside - idle, 0.0),
            tail=idle,
            finish=slots * finishing,
        )
        begin = min(begins, 0.0)
        length = max(max(ends, at_end or 0.0) - begin, 1e-3)
        edges = begin + np.linspace(0.0, length, STEPS + 1)
        busy = self._busy.busy(edges) * STEPS / (length * slots)
        time = SessionTime(
            started_at=datetime.fromtimestamp(self._session.started.at + begin, UTC).isoformat(timespec="seconds"),
            seconds=length,
            workers=workers,
            blocks=self.blocks,
            first_block_s=begins - begin,
            last_block_s=ends - begin,
            utilisation=parts.utilisation,
            pricing=named["price"] / max(slots * span, held),
            step_s=length / STEPS,
            busy=tuple(np.minimum(busy, 1.0).round(4).tolist()),
            tail_s=ends - self._last_start,
            tail_idle_s=idle,
            last_hundredth_s=ends - self._busy.ended(0.99),
            ended=at_end is not None,
        )
        return _SessionResult(time, parts, slots, held, span, finishing, *self._ended[1:])
