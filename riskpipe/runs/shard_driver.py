"""The driver of a shard: a process that drives its own cluster, over blocks of the plan that it is dealt.

It is the driver that a run without shards has: the same loop, the same policy, and a ledger to which it alone adds
under its name. What it does not do is the first driver's: the lease, the deadline, sums over shards, publishing.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.errors import ClusterError, LeaseError, RiskpipeError
from riskpipe.execute.drive import DriveResult, DriveState
from riskpipe.execute.events import CancelledTask, Event, Failed, Finished, SplitInto, Withdrawn
from riskpipe.execute.executor import Executor, SchedulerLostError
from riskpipe.execute.signals import StopSignal, stop_on_signals
from riskpipe.execute.task import Task
from riskpipe.plan.accounting import RunStatus
from riskpipe.plan.block import Block
from riskpipe.plan.dealt_plan import DealtPlan
from riskpipe.plan.state import RunState
from riskpipe.runs.combined_files import CombinedFiles
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.session import Session
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
from riskpipe.runs.stored import open_plan
from riskpipe.runs.worker_functions import executor_on
from riskpipe.store.ledger import LedgerWriter, new_session_id
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockSplit
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.shared_lease import SharedLease

CLUSTERS = 3
REPORT_SECONDS = 0.25
AHEAD_SECONDS = 2.0
LISTEN_SECONDS = 0.2
CLOSE_SECONDS = 5.0


def drive_shard(order: ShardOrder, parent: int, pipe: Connection) -> None:
    """The process, from its order to the end of its cluster."""
    os.setsid()  # a Ctrl-C of the terminal is the first driver's to pass on
    os.dup2(2, 1)  # what libraries print is no answer
    line = Line(pipe, SharedLease(parent, lambda run_id: None))
    try:
        with stop_on_signals(StopSignal()) as stop:
            _drive(order, line, stop)
    except LeaseError:  # the first driver is gone: nobody hears, and nothing may be written any more
        pass
    except RiskpipeError as error:
        line.say(Over(error=str(error).splitlines()[0]))


class Line:
    """The pipe to the first driver, whose end is the end of everything."""

    def __init__(self, pipe: Connection, lease: SharedLease) -> None:
        self._pipe = pipe
        self.lease = lease

    def say(self, message: FromShard) -> None:
        """:raises LeaseError: the first driver is gone."""
        try:
            self._pipe.send(message)
        except OSError as error:
            raise LeaseError("the first driver is gone") from error

    def heard(self, seconds: float = 0.0) -> Iterator[ToShard]:
        """What has been said, waiting for the first for so long. :raises LeaseError: the first driver is gone."""
        try:
            while self._pipe.poll(seconds):
                yield self._pipe.recv()
                seconds = 0.0
        except (EOFError, OSError) as error:
            raise LeaseError("the first driver is gone") from error

    # As an observer of the run.

    def message(self, level: str, text: str) -> None:
        self.say(Said(level, text))

    def update(self, status: RunStatus) -> None:
        """The first driver knows."""


class _Hand:
    """Blocks that the shard has and has not submitted: the source of its drive.

    :ivar blocks: with their positions in the plan; None: a part of one.
    """

    def __init__(self, session: ShardSession) -> None:
        self._session = session
        self.blocks: deque[tuple[int | None, Block]] = deque()
        self.no_more = False

    @property
    def exhausted(self) -> bool:
        return self.no_more and not self.blocks

    def take(self, most: int) -> list[Task]:
        if not self.blocks and not self._session.open:
            self._session.hear(LISTEN_SECONDS)
        taken = [self.blocks.popleft()[1] for _ in range(min(most, len(self.blocks)))]
        self._session.open += len(taken)
        return [self._session.task(block) for block in taken]

    def give_back(self, most: int) -> list[int]:
        """The positions of the last ones, which are not here any more."""
        found: list[int] = []
        while len(found) < most and self.blocks and (index := self.blocks[-1][0]) is not None:
            self.blocks.pop()
            found.append(index)
        return found


@dataclass
class ShardSession(Session):
    """What a shard's driver does of a session: blocks, and sums of those that are neighbours.

    :ivar mine: bool[n], of the plan's blocks: those that it was dealt and has not given back.
    :ivar open: tasks that its drive has taken and that have not ended.
    """

    dealt_plan: DealtPlan = field(kw_only=True)
    line: Line = field(kw_only=True)
    shard: int = field(kw_only=True)
    hand: _Hand = field(init=False)
    mine: NDArray[np.bool_] = field(init=False)
    open: int = 0
    _executor: Executor | None = None
    _done: int = 0
    _deals: int = 0
    _wish: int | None = None
    _wishes: int = 0
    _withdrawn: list[int] = field(default_factory=list)
    _report: Report = field(default_factory=Report)
    _reported: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.hand = _Hand(self)
        self.mine = np.zeros(len(self.dealt_plan), np.bool_)

    def value(self, executor: Executor, *, fail_fast: bool) -> DriveResult:
        """All that it has, and will be dealt, until there is no more."""
        self._take_up_again()
        if self.pace.since is None:
            self.pace.begin(0.0, set())
        self._executor = executor
        try:
            return self.drive(self.hand, executor, fail_fast=fail_fast, give_back=lambda: self._wish or 0)
        finally:
            self._executor = None
            self.flush()

    def named(self, worker: str) -> str:
        """An address alone does not say in which cluster it was."""
        return f"shard-{self.shard}/{worker}"

    def note(self, text: str) -> None:
        self.line.say(Said("warning", text, note=True))

    def tick(self) -> None:
        self._give_back_withdrawn()
        if self._wish is not None:  # the drive has seen it
            self._wish = None
            self._wishes += 1
        self.hear()
        if self.writer.pending:
            self.lease.check()
            self.writer.maybe_flush(time.monotonic())
        self._tell()

    def hear(self, seconds: float = 0.0) -> None:
        """What the first driver says, waiting for it for so long."""
        for message in self.line.heard(seconds):
            match message:
                case Deal(indices=indices, parts=parts):
                    self._deals += 1
                    self.hand.blocks.extend((None, block) for block in self._learnt(parts))
                    self.hand.blocks.extend(self.dealt_plan.deal(indices))
                    self.mine[indices] = True
                case WantedBack(most=most):
                    given = self.hand.give_back(most)
                    self._give_back(given)
                    self._wish = most - len(given)
                case Stop(signal_number=number):
                    self.stop.request(number)
                case NoMore() | Close():
                    self.hand.no_more = True

    def _learnt(self, parts: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Block]:
        """Parts of blocks that another driver has cut. What becomes of them is to come after that in the ledger."""
        if not parts:
            return []
        self.flush()
        self.writer = new_writer(self.folder, self.started, self.line)
        for parent, described in parts:
            self.state.apply(BlockSplit(parent, (described,), "dealt"))
        found = (self.state.part(described["block"]["block_id"]) for _, described in parts)
        return [block for block in found if block is not None]

    def _take_up_again(self) -> None:
        """All that it has and has not done: a cluster that was lost had some of it."""
        self._give_back_withdrawn()
        if self._deals:
            parts = [(None, part.block) for part in self.state.undone_parts()]
            indices = np.flatnonzero(self.mine & self.state.undone())
            self.hand.blocks = deque([*parts, *self.dealt_plan.deal(indices)])
        self.queued.clear()

    def _give_back_withdrawn(self) -> None:
        withdrawn, self._withdrawn = self._withdrawn, []
        self._give_back(withdrawn)

    def _give_back(self, indices: Sequence[int]) -> None:
        if indices:
            found = np.sort(np.asarray(indices, np.int32))
            self.mine[found] = False
            self.line.say(GivenBack(found))

    def _on_event(self, event: Event) -> list[Task]:
        more = self._withdraw(event.task) if isinstance(event, Withdrawn) else super()._on_event(event)
        match event:
            case Finished() | Failed() | CancelledTask() | Withdrawn():
                self.open -= 1
                self._done += isinstance(event, Finished)
            case SplitInto(children=children):
                self.open += len(children) - 1
        self.open += len(more)
        return more

    def _withdraw(self, task: Task) -> list[Task]:
        self.queued.pop(task.key, None)
        index = self.dealt_plan.index_of(task.key)
        if index is None:  # a part, or a sum: nobody else knows of it
            return [task]
        self._withdrawn.append(index)
        return []

    def _tell(self) -> None:
        """How it stands, when that has changed, and not more than four times a second."""
        executor, now = self._executor, time.monotonic()
        if executor is None or now - self._reported < REPORT_SECONDS:
            return
        here = len(self.hand.blocks)
        waiting = here + max(executor.running() - executor.slots, 0)
        soon = AHEAD_SECONDS * self._done / max(self.pace.elapsed(), 1.0)
        if not here and not self.open:
            self.flush()
        report = Report(
            deals=self._deals,
            wishes=self._wishes,
            slots=executor.slots,
            idle=max(executor.idle() - here, 0),
            waiting=waiting,
            under_way=here + self.open,
            wants=waiting < executor.slots + soon,
        )
        if report != self._report:
            self._report, self._reported = report, now
            self.line.say(report)


def new_writer(folder: RunFolder, started: float, line: Line) -> LedgerWriter:
    """Under a name that comes after all that is in the ledger; the first driver is told that, and what is written."""
    name = new_session_id(folder, datetime.now(UTC))
    line.say(Began(name))
    return LedgerWriter(folder, name, started, written=lambda number, lines: line.say(Written(name, number, lines)))


def _drive(order: ShardOrder, line: Line, stop: StopSignal) -> None:
    settings, folder = order.settings, RunFolder(open_store(order.settings.output), order.run_id)
    plan, started = DealtPlan(open_plan(folder).path), time.monotonic()
    run = FoldedRun(folder, RunState(plan), CombinedFiles(folder, len(plan)))
    writer = new_writer(folder, started, line)
    session = ShardSession(
        run, settings, writer, "", line.lease, line, stop,
        started=started, merged_tables=order.merged_tables, dealt_plan=plan, line=line, shard=order.request.shard,
    )  # fmt: skip
    for attempt in range(1, CLUSTERS + 1):
        try:
            _on_a_cluster(session, order, attempt)
            return
        except SchedulerLostError as error:
            session.flush()
            if attempt == CLUSTERS or stop.requested:
                raise
            session.observer.message("warning", f"{error}; starting another cluster")
        except ClusterError:
            session.flush()
            if not (stop.requested or session.hand.no_more):
                raise
            line.say(Over())  # it was given up while it started
            return


def _on_a_cluster(session: ShardSession, order: ShardOrder, attempt: int) -> None:
    """From its start until nobody needs it any more."""

    def given_up() -> bool:
        session.hear()
        return session.stop.requested or session.hand.no_more

    settings = session.settings
    identity = replace(order.request.identity, attempt=attempt)
    request = replace(order.request, identity=identity, stopped=given_up)
    with settings.cluster.runs_on.open(request) as client:
        if client is None:
            raise AssertionError("shards have clusters")
        with closing(executor_on(client, settings)) as executor:
            result = session.value(executor, fail_fast=order.fail_fast)
        failed_fast = result.state is DriveState.FAILED_FAST
        session.line.say(Over(failed_fast=failed_fast, address=client.scheduler.address))
        while not any(isinstance(message, Close) for message in session.line.heard(CLOSE_SECONDS)):
            session.lease.check()
