"""A discrete-event model of a run over many shards: what it takes to put so many compute hours into so many minutes.

It models what can make workers wait: the start (workers become ready at a rate, register, and fetch image and market
snapshot through links, a registry and a store that others use too), the scheduler and the driver of each shard (servers
that take a measured time for each block), the window of each shard, the lengths of the blocks, workers that die, the
last blocks, which are cut finer (riskpipe.plan.taper), and what the first driver does alone: it learns of every block
that is done while others work, plans and publishes.
Deterministic: random numbers come from a seed.

Queues are first come, first served. A block's work is its seconds; what a worker does between two blocks is `gap_s`.
Times are seconds, sizes bytes, rates a second.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from riskpipe.execute.copy_sources import FAN_OUT
from riskpipe.plan.taper import LEAST_PART_SECONDS, MOST_PARTS, SHARES
from riskpipe.store.growing_copy import PIECE_BYTES

ARRIVE, FINISH, LOSE, READY = range(4)
REBALANCE_SECONDS = 1.0


@dataclass(frozen=True)
class Run:
    """What is asked for, what it runs on, and what was measured.

    :param compute_hours: of one worker, all blocks together.
    :param workers: single-threaded processes, over all shards.
    :param block_spread: block seconds lie evenly within this part of their mean on both sides.
    :param window: works in flight for each worker.
    :param scheduler_s, driver_s: for a block; register_s: of the scheduler for a worker.
    :param heartbeats: share of a scheduler's time that heartbeats take.
    :param finer: whether the last blocks are cut finer.
    :param ready_rate: workers that become ready a second, over all shards, from `cluster_s` on.
    :param store_rate, registry_rate: what store and registry give all nodes together; node_rate: what a node takes.
        Nodes get the snapshot and, before, what they lack of the image, once each.
    :param hand_on: whether the nodes of a shard have the snapshot from each other, and the first alone from the store.
    :param losses_an_hour: of one worker; replace_s: until another has taken its place.
    :param plan_s: before anything starts.
    :param learn_s: of the first driver for a block that a shard's driver has done; publish_s: when all are done, and
        publish_block_s: likewise for each.
    """

    compute_hours: float
    workers: int
    shards: int = 1
    block_seconds: float = 60.0
    block_spread: float = 0.5
    finer: bool = True
    window: int = 3
    scheduler_s: float = 0.0
    driver_s: float = 0.0
    register_s: float = 0.0
    heartbeats: float = 0.0
    gap_s: float = 0.0
    cluster_s: float = 0.0
    ready_rate: float = math.inf
    workers_a_node: int = 1
    snapshot_bytes: float = 0.0
    hand_on: bool = True
    image_bytes: float = 0.0
    node_rate: float = math.inf
    store_rate: float = math.inf
    registry_rate: float = math.inf
    losses_an_hour: float = 0.0
    replace_s: float = 0.0
    plan_s: float = 0.0
    learn_s: float = 0.0
    publish_s: float = 0.0
    publish_block_s: float = 0.0
    seed: int = 1

    @property
    def blocks(self) -> int:
        return max(round(self.compute_hours * 3600.0 / self.block_seconds), 1)

    def lengths(self, source: random.Random | None = None) -> Iterator[float]:
        """Seconds of each block that is handed out."""
        source = source or random.Random(self.seed)
        low, high = 1.0 - self.block_spread, 1.0 + self.block_spread
        shares = SHARES * self.workers
        for left in range(self.blocks, 0, -1):
            seconds, parts = self.block_seconds * source.uniform(low, high), 1
            while self.finer and parts < min(shares / left, MOST_PARTS) and seconds / (2 * parts) >= LEAST_PART_SECONDS:
                parts *= 2
            yield from itertools.repeat(seconds / parts, parts)

    def slice(self) -> Run:
        """One of its equal shards, with that part of the first driver, of the store and of the start that falls to
        it."""
        n = self.shards
        return replace(
            self,
            shards=1,
            workers=self.workers // n,
            compute_hours=self.compute_hours / n,
            learn_s=self.learn_s * n,
            ready_rate=self.ready_rate / n,
            store_rate=self.store_rate / n,
            registry_rate=self.registry_rate / n,
            publish_block_s=self.publish_block_s * n,
        )


@dataclass(frozen=True)
class Outcome:
    """:param snapshot_s: from the first worker that is ready to the last node that has the snapshot.

    :param value_s: from the opening of the clusters to the last block; total_s: with plan and publication.
    :param efficiency: seconds of blocks that counted / (workers x total_s).
    :param idle_s: of a worker, from the last block that was begun to the last that was done.
    :param scheduler_share, driver_share: of value_s that the busiest scheduler and the busiest driver of a shard
        worked; first_share: and the first driver.
    """

    blocks: int
    lost: int
    snapshot_s: float
    value_s: float
    total_s: float
    efficiency: float
    scheduler_share: float
    driver_share: float
    first_share: float
    idle_s: float


@dataclass
class _Server:
    """Works one thing after the other."""

    free: float = 0.0
    busy: float = 0.0

    def serve(self, now: float, seconds: float) -> float:
        """When it is through with what comes now."""
        self.busy += seconds
        self.free = max(now, self.free) + seconds
        return self.free


@dataclass
class _Shard:
    scheduler: _Server = field(default_factory=_Server)
    driver: _Server = field(default_factory=_Server)
    queue: deque[float] = field(default_factory=deque)
    idle: int = 0


def simulate(run: Run) -> Outcome:
    """The run, event by event."""
    return _Simulation(run).result()


class _Tree:
    """Which node of a shard has the snapshot from which, as `execute/copy_sources.py` has it; links shared in full."""

    def __init__(self, run: Run) -> None:
        self._seconds = FAN_OUT * run.snapshot_bytes / run.node_rate
        self._behind = FAN_OUT * min(PIECE_BYTES, run.snapshot_bytes) / run.node_rate
        self._ends: list[float] = []
        self._sinks: list[list[float]] = []

    def fetch(self, up: float) -> float | None:
        """When a node that asks now will have it; None: nobody has it to give."""
        for source in range(len(self._ends)):
            sinks = self._sinks[source] = [end for end in self._sinks[source] if end > up]
            if len(sinks) < FAN_OUT:
                sinks.append(max(up + self._seconds, self._ends[source] + self._behind))
                return sinks[-1]
        return None

    def have(self, end: float) -> None:
        self._ends.append(end)
        self._sinks.append([])


class _Simulation:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._random = random.Random(run.seed)
        self._shards = [_Shard() for _ in range(run.shards)]
        self._first = _Server()
        self._events: list[tuple[float, int, int, int, float]] = []
        self._numbers = itertools.count()
        self._left = run.lengths(self._random)
        self._again: list[float] = []
        self._scheduler_s = run.scheduler_s / (1.0 - run.heartbeats)
        self._worked = self._last = self._snapshot = self._begun = 0.0
        self._ends: list[float] = []
        self._lost = 0
        self._exhausted = False

    def result(self) -> Outcome:
        run = self._run
        self._start()
        while self._events:
            now, _, kind, shard, seconds = heapq.heappop(self._events)
            (self._arrive, self._finish, self._lose, self._ready)[kind](now, shard, seconds)
        publish = run.publish_s + run.publish_block_s * run.blocks
        busiest = max(shard.scheduler.busy for shard in self._shards)
        total = run.plan_s + max(self._last, self._first.free) + publish
        return Outcome(
            blocks=run.blocks,
            lost=self._lost,
            snapshot_s=self._snapshot,
            value_s=self._last,
            total_s=total,
            efficiency=self._worked / (run.workers * total),
            scheduler_share=busiest * (1.0 - run.heartbeats) / self._last + run.heartbeats,
            driver_share=max(shard.driver.busy for shard in self._shards) / self._last,
            first_share=self._first.busy / self._last,
            idle_s=self._idle_at_the_end(),
        )

    def _idle_at_the_end(self) -> float:
        since = self._begun
        busy = sum(end - since for end in self._ends if end > since)
        return (self._last - since) - busy / self._run.workers

    def _start(self) -> None:
        """Nodes come up one after the other, take image and snapshot, and their workers go to the shards in turn."""
        run, store, registry = self._run, _Server(), _Server()
        trees = [_Tree(run) for _ in range(run.shards)]
        for first in range(0, run.workers, run.workers_a_node):
            up = run.cluster_s + first / run.ready_rate
            if run.image_bytes:
                pulled = registry.serve(up, run.image_bytes / run.registry_rate)
                up = max(up + run.image_bytes / run.node_rate, pulled)
            shard = first // run.workers_a_node % run.shards
            if not run.hand_on or (fetched := trees[shard].fetch(up)) is None:
                served = store.serve(up, run.snapshot_bytes / run.store_rate)
                fetched = max(up + run.snapshot_bytes / run.node_rate, served)
            trees[shard].have(fetched)
            self._snapshot = max(self._snapshot, fetched - run.cluster_s)
            for _ in range(min(run.workers_a_node, run.workers - first)):
                self._later(fetched, READY, shard, float(run.window))

    def _later(self, at: float, kind: int, shard: int, seconds: float = 0.0) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), kind, shard, seconds))

    def _ready(self, now: float, number: int, wanted: float) -> None:
        """A worker registers and widens the window by `wanted`; one that takes a dead one's place does not."""
        registered = self._shards[number].scheduler.serve(now, self._run.register_s)
        self._free(registered, number)
        for _ in range(int(wanted)):
            self._submit(now, number)

    def _submit(self, now: float, number: int) -> None:
        seconds = self._again.pop() if self._again else next(self._left, None)
        if seconds is None:
            self._exhausted = True
        else:
            self._later(self._shards[number].driver.serve(now, self._run.driver_s / 2.0), ARRIVE, number, seconds)

    def _arrive(self, now: float, number: int, seconds: float) -> None:
        shard = self._shards[number]
        known = shard.scheduler.serve(now, self._scheduler_s / 2.0)
        if shard.idle:
            shard.idle -= 1
            self._begin(known, number, seconds)
        else:
            shard.queue.append(seconds)

    def _begin(self, now: float, number: int, seconds: float) -> None:
        run, self._begun = self._run, max(self._begun, now)
        if run.losses_an_hour and self._random.random() < -math.expm1(-run.losses_an_hour * seconds / 3600.0):
            self._later(now + seconds * self._random.random(), LOSE, number, seconds)
        else:
            self._later(now + seconds + run.gap_s, FINISH, number, seconds)

    def _finish(self, now: float, number: int, seconds: float) -> None:
        self._worked += seconds
        self._ends.append(now)
        told = self._shards[number].scheduler.serve(now, self._scheduler_s / 2.0)
        self._free(told, number)
        self._last = self._shards[number].driver.serve(told, self._run.driver_s / 2.0)
        self._first.serve(self._last, self._run.learn_s)
        self._submit(self._last, number)

    def _lose(self, now: float, number: int, seconds: float) -> None:
        """The driver hears of the death and gives the block out again; another worker comes."""
        self._lost += 1
        self._again.append(seconds)
        self._submit(self._shards[number].driver.serve(now, self._run.driver_s / 2.0), number)
        self._later(now + self._run.replace_s, READY, number, 0.0)

    def _free(self, now: float, number: int) -> None:
        """A worker has nothing to do: it takes what waits here, or, at the end, what waits on the fullest shard."""
        shard = self._shards[number]
        fullest = max(self._shards, key=lambda other: len(other.queue)) if self._exhausted else shard
        if shard.queue:
            self._begin(now, number, shard.queue.popleft())
        elif fullest.queue:
            self._begin(now + REBALANCE_SECONDS, number, fullest.queue.pop())
        else:
            shard.idle += 1


def workers_needed(run: Run, seconds: float, workers_a_shard: int) -> tuple[Run, Outcome]:
    """The fewest workers, in whole shards, with which the run is through in `seconds`; each trial is a slice of it.

    :raises ValueError: twice as many as without any loss are not enough.
    """
    least = max(math.ceil(run.compute_hours * 3600.0 / seconds / workers_a_shard), 1)

    def trial(shards: int) -> tuple[Run, Outcome]:
        tried = replace(run, workers=shards * workers_a_shard, shards=shards)
        return tried, simulate(tried.slice())

    if trial(2 * least)[1].total_s > seconds:
        raise ValueError(f"{seconds:g} s are too short for blocks of {run.block_seconds:g} s")
    return trial(bisect_left(range(2 * least), True, lo=least, key=lambda n: trial(n)[1].total_s <= seconds))
