"""A run over several clusters, each with a driver of its own: the first driver deals, watches, and accounts.

    first driver --> deals of blocks --> driver of a shard --> its scheduler --> its workers
         ^                                      |
         +------------- ledger <----------------+

A Dask scheduler serves about a thousand workers, and a driver a thousand blocks a second: more of both takes more
processes. Nothing passes through the first driver for a block but the record that the ledger has of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, Self

from msgspec import Struct, field
from msgspec.structs import replace

from riskpipe.clusters.kind import ClusterRequest
from riskpipe.errors import ClusterError, LeaseError
from riskpipe.execute.executor import Executor, SchedulerLostError
from riskpipe.plan.state import Child
from riskpipe.runs.dealing import Dealer, share
from riskpipe.runs.session import Session
from riskpipe.runs.shard_driver import drive_shard
from riskpipe.runs.shard_messages import (
    Began,
    Close,
    Deal,
    FromShard,
    GivenBack,
    NoMore,
    Over,
    Report,
    Said,
    ShardOrder,
    Stop,
    ToShard,
    WantedBack,
    Written,
)
from riskpipe.runs.worker_functions import executor_on
from riskpipe.store.ledger import read_lines, read_session
from riskpipe.store.records import BlockSplit, Record
from riskpipe.structs import asdict

RESTARTS = 2
LISTEN_SECONDS = 0.2
REBALANCE_SECONDS = 1.0
DRAIN_SECONDS = 60.0
CLOSE_SECONDS = 90.0
EXIT_SECONDS = 10.0


class _Driver(Struct, eq=False):
    """The driver of a shard, as the first driver knows it.

    :ivar session, written: the name that it writes under, and how many segments of it are known here.
    :ivar deals, wishes, stops: `Deal`s, `WantedBack`s and `Stop`s that it was sent.
    """

    number: int
    process: SpawnProcess
    pipe: Connection
    session: str = ""
    written: int = 0
    deals: int = 0
    wishes: int = 0
    stops: int = 0
    told_no_more: bool = False
    report: Report = field(default_factory=Report)
    over: Over | None = None

    @property
    def listens(self) -> bool:
        """Whether its report is of all that it was told."""
        return (self.report.deals, self.report.wishes) == (self.deals, self.wishes)

    def tell(self, message: ToShard) -> None:
        with suppress(OSError):  # it is gone: the end of its pipe will be heard
            self.pipe.send(message)


class ShardDrivers:
    """The drivers of a run's shards, from their start to their end; a context manager.

    :param request: of all shards together.
    """

    def __init__(self, session: Session, request: ClusterRequest, shards: int, *, fail_fast: bool) -> None:
        self._session = session
        self._request = replace(request, shards=shards, stopped=None)
        self._shards = shards
        self._fail_fast = fail_fast
        self._failed_fast = False
        self._drivers: list[_Driver] = []
        self._restarts = dict.fromkeys(range(shards), RESTARTS)
        self._names: list[str] = []
        self._dealer = Dealer(session.state.undone())
        self._parts = list(session.state.undone_parts())
        self._cut_by: dict[str, int] = {}
        self._rebalanced = 0.0
        self._drained_by: float | None = None

    def __enter__(self) -> Self:
        for number in range(self._shards):
            self._start(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = isinstance(error, LeaseError)  # another may be at work there: nothing may be written any more
        for driver in self._drivers:
            driver.tell(Close())
            driver.pipe.close()  # and whoever listens ends
        until = time.monotonic() + (0.0 if lost else CLOSE_SECONDS)
        for driver in self._drivers:
            _end(driver.process, max(until - time.monotonic(), 0.0))

    def value(self) -> None:
        """Everything that is pending.

        :raises SchedulerLostError: no shard is left. :raises LeaseError: another run has taken the output.
        """
        session, started = self._session, time.monotonic()
        session.phase = "cluster"
        while working := self._working():
            self._listen(working)
            session.elsewhere = sum(driver.report.under_way for driver in working)
            if session.phase == "cluster" and any(driver.report.slots for driver in working):
                session.phases["cluster"] = time.monotonic() - started
                session.begin_blocks()
            session.tick()
            if session.due.requested or self._failed_fast:
                self._stop()
            else:
                self._deal()
                self._rebalance()
                self._end_when_done()
        session.elsewhere = 0
        session.write_after(self._names)
        session.end_blocks()
        if not (session.clean() or session.due.requested or session.stop.requested or self._failed_fast):
            raise SchedulerLostError(f"all {self._shards} shards are lost; resume the run")

    @contextmanager
    def executor(self) -> Iterator[Executor]:
        """On the cluster of a shard that is through; the others are closed.

        :raises ClusterError: there is none, or it does not answer.
        """
        there = [driver for driver in self._drivers if driver.over is not None and driver.over.address is not None]
        for driver in there[1:]:
            driver.tell(Close())
        if not there or there[0].over is None or there[0].over.address is None:
            raise SchedulerLostError("no shard's cluster is left")
        cluster = self._session.settings.cluster
        options = cluster.options_of(cluster.runs_on)
        with (
            cluster.runs_on.join(options, there[0].over.address) as client,
            closing(executor_on(client, self._session.settings)) as executor,
        ):
            yield executor

    # -- processes

    def _start(self, number: int) -> None:
        session = self._session
        order = ShardOrder(session.settings, session.folder.run_id, self._of_shard(number), self._fail_fast,
                           session.merged_tables)  # fmt: skip
        mine, theirs = get_context("spawn").Pipe()
        process = get_context("spawn").Process(
            target=drive_shard, args=(order, os.getpid(), theirs), name=f"riskpipe-shard-{number}", daemon=False
        )
        process.start()
        theirs.close()
        self._drivers.append(_Driver(number, process, mine))

    def _of_shard(self, number: int) -> ClusterRequest:
        return replace(self._request, shard=number)

    def _working(self) -> list[_Driver]:
        return [driver for driver in self._drivers if driver.over is None]

    def _lose(self, driver: _Driver, why: str) -> None:
        """What it has left in the ledger is learnt, what it has not done goes to others."""
        session, state = self._session, self._session.state
        driver.over = driver.over or Over(error=why)
        if driver.session:
            for record in read_session(session.folder, driver.session, driver.written):
                self._learn(driver, record)
        blocks = self._dealer.lose(driver.number, state.undone())
        parts = [part for part in state.undone_parts() if self._cut_by.get(part.block.block_id) == driver.number]
        self._parts += parts
        if session.due.requested or self._failed_fast:
            return
        fate = f"shard {driver.number} is lost ({why}); its {blocks + len(parts)} blocks go to the others"
        with suppress(ClusterError):
            session.settings.cluster.runs_on.discard(self._of_shard(driver.number))
        if self._restarts[driver.number] and (self._dealer.left or self._parts):
            self._restarts[driver.number] -= 1
            session.observer.message("warning", f"{fate}; it is started again")
            self._start(driver.number)
        else:
            session.observer.message("warning", f"{fate}; the run goes on without it")

    # -- what drivers say

    def _listen(self, working: Sequence[_Driver]) -> None:
        by_pipe = {driver.pipe: driver for driver in working}
        for pipe in wait(list(by_pipe), LISTEN_SECONDS):
            driver = by_pipe[pipe]  # type: ignore[index]  # they are those that were given
            try:
                while driver.over is None and driver.pipe.poll():
                    self._hear(driver, driver.pipe.recv())
            except (EOFError, OSError):
                _end(driver.process, EXIT_SECONDS)
                self._lose(driver, f"its driver ended with {driver.process.exitcode}: killed, out of memory?")

    def _hear(self, driver: _Driver, message: FromShard) -> None:
        match message:
            case Began(session=name):
                driver.session, driver.written = name, 0
                self._names.append(name)
            case Report():
                driver.report = message
            case Written(sequence=sequence, lines=lines):
                driver.written = sequence + 1
                for record in read_lines(lines):
                    self._learn(driver, record)
            case GivenBack(indices=indices):
                self._dealer.give_back(indices)
            case Said(text=text, note=True):
                if text not in self._session.notes:  # what one shard lacks another may lack as well
                    self._session.note(text)
            case Said(level=level, text=text):
                self._session.observer.message(level, f"shard {driver.number}: {text}")
            case Over(error=None, failed_fast=failed_fast):
                driver.over = message
                self._failed_fast = self._failed_fast or failed_fast
            case Over(error=error):
                driver.over = message
                self._lose(driver, error or "")

    def _learn(self, driver: _Driver, record: Record) -> None:
        self._session.learn(record)
        if isinstance(record, BlockSplit):
            for part in record.children:
                self._cut_by[part["block"]["block_id"]] = driver.number

    # -- what they are told

    def _deal(self) -> None:
        working = self._working()
        slots = sum(driver.report.slots for driver in working)
        for driver in sorted(working, key=lambda driver: -driver.report.idle):
            report = driver.report
            if not (report.wants and report.slots and driver.listens and not driver.told_no_more):
                continue
            parts = self._parts[: report.slots]
            most = share(self._dealer.left, report.slots, slots, max(report.idle - len(parts), 0))
            if not parts and not most:
                continue
            del self._parts[: len(parts)]
            for part in parts:
                self._cut_by[part.block.block_id] = driver.number
            driver.deals += 1
            driver.tell(Deal(self._dealer.deal(driver.number, most), tuple(map(_described, parts))))

    def _rebalance(self) -> None:
        """Nothing is left to deal: what waits at the fullest shard is wanted for those with idle workers."""
        if self._dealer.left or self._parts or time.monotonic() - self._rebalanced < REBALANCE_SECONDS:
            return
        self._rebalanced = time.monotonic()
        settled = [driver for driver in self._working() if driver.listens]
        idle = sum(driver.report.idle for driver in settled if not driver.report.waiting)
        fullest = max(settled, key=lambda driver: driver.report.waiting, default=None)
        if idle and fullest is not None and fullest.report.waiting:
            fullest.wishes += 1
            fullest.tell(WantedBack(min(-(-fullest.report.waiting // 2), idle)))

    def _end_when_done(self) -> None:
        working = self._working()
        if self._dealer.left or self._parts or not all(d.listens and not d.report.under_way for d in working):
            return
        for driver in working:
            if not driver.told_no_more:
                driver.told_no_more = True
                driver.tell(NoMore())

    def _stop(self) -> None:
        """They drain, as the driver of a run without shards does; those that do not are ended."""
        session, now = self._session, time.monotonic()
        wanted = 2 if session.due.immediate else 1
        number = session.stop.signal_number or signal.SIGTERM
        for driver in self._working():
            while driver.stops < wanted:
                driver.stops += 1
                driver.tell(Stop(number))
        if self._drained_by is None:
            self._drained_by = now + session.settings.grace_seconds + DRAIN_SECONDS
        if now > self._drained_by:
            for driver in self._working():
                driver.process.kill()


def _end(process: SpawnProcess, seconds: float) -> None:
    """Wait so long for its end, and then bring it about."""
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join()


def _described(part: Child) -> tuple[str, dict[str, Any]]:
    replaces = None if part.replaces is None else list(part.replaces)
    return part.block.parent or "", {"block": asdict(part.block), "replaces": replaces}
