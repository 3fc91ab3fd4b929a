"""One session of a run: from an opened run (new, resumed or to be repeated in part) to its end.

blocks --> value --> sum, concatenate, correct, merge --> aggregates --> published
              |                      |
              +------> ledger <------+
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import InfrastructureError, Reason, StorageError
from riskpipe.execute.drive import DriveResult, DriveState, Ending, drive
from riskpipe.execute.events import Event, Failed, Finished, Retried, SplitInto, Submitted
from riskpipe.execute.executor import Executor
from riskpipe.execute.policy import RetryPolicy
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Displaced, Mishap, Task
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.plan.accounting import Observer, RunLifecycle, RunStatus
from riskpipe.plan.block import Block
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.runs.attempts import cause_of, done_record
from riskpipe.runs.day_parts import clear_staged, day_parts, part_payloads, standing
from riskpipe.runs.engine import engines_of
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.losses import loss_error, lost_outputs, missing_outputs
from riskpipe.runs.outputs import (
    concatenation_payloads,
    correction_payloads,
    merge_payloads,
    table_sources,
    unfinished,
)
from riskpipe.runs.parts import halves
from riskpipe.runs.worker_functions import FUNCTIONS
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.lease import Lease
from riskpipe.store.ledger import LedgerWriter, new_session_id, read_ledger
from riskpipe.store.parquet import ChangedFileError, WrittenFile
from riskpipe.store.process import ProcessIdentity
from riskpipe.store.records import (
    BlockFailed,
    BlockSplit,
    BlockVoid,
    Combined,
    OutputLost,
    Record,
    SessionEnded,
    SessionStarted,
)
from riskpipe.store.result_tables import SORT_KEYS
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.book_sums import PartialFile, SumPayload
from riskpipe.valuation.context import open_context
from riskpipe.valuation.merge_files import MergePayload, PartPayload
from riskpipe.valuation.run_block import BlockPayload, void_block

UPDATE_SECONDS = 0.5


@dataclass
class Session:
    """An open run in this process; the only writer of its ledger."""

    run: FoldedRun
    settings: Settings
    writer: LedgerWriter
    session: str
    lease: Lease
    observer: Observer
    stop: StopSignal
    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=dict)
    queued: dict[str, float] = field(default_factory=dict)
    done_projected: float = 0.0
    left_projected: float = 0.0
    valuing_since: float | None = None
    updated: float = 0.0
    sums: tuple[PartialFile, ...] = ()
    parts: dict[str, list[WrittenFile]] = field(default_factory=dict)
    publishable: bool = False
    lost: list[OutputLost] = field(default_factory=list)

    @property
    def folder(self) -> RunFolder:
        return self.run.folder

    @property
    def plan(self) -> StoredPlan:
        return self.run.plan

    @property
    def state(self) -> RunState:
        return self.run.state

    # -- ledger

    def record(self, record: Record) -> None:
        """Into the ledger, and into the state that is folded from it."""
        self.writer.append(record)
        self.run.apply(record)

    def flush(self) -> None:
        self.lease.check()
        self.writer.flush()

    @contextmanager
    def sound(self) -> Iterator[None]:
        """While outputs are read: one that is missing or changed has all of them looked at, and what is lost recorded.

        :raises StorageError: naming the files and the way out.
        """
        try:
            yield
        except (MissingFileError, ChangedFileError) as error:
            raise (self._losses() or error) from error

    def _losses(self) -> StorageError | None:
        """Records what is not in place any more; None: everything is."""
        lost = list(lost_outputs(self.run))
        self.lose(lost)
        self.flush()
        return loss_error(self.folder, lost) if lost else None

    def lose(self, lost: Iterable[OutputLost]) -> None:
        """These files are to be made again."""
        for loss in lost:
            self.record(loss)

    def end(self, status: RunStatus) -> None:
        fault_point(FaultPoint.END_SESSION)
        self.record(SessionEnded(self.session, status.state, status.exit_code, time.time()))
        self.flush()

    # -- driving

    def value_blocks(self, executor: Executor, *, fail_fast: bool) -> DriveResult:
        """Everything that is pending, sums as their groups fill up."""
        fault_point(FaultPoint.VALUE_BLOCKS)
        self.valuing_since = time.monotonic()
        self.left_projected = sum(block.projected_seconds for block in self.state.pending())
        result = self._drive(self._tasks(), executor, fail_fast=fail_fast)
        self.phases["value"] = time.monotonic() - self.valuing_since
        self.observer.update(self.status(RunLifecycle.RUNNING))
        return result

    def finish_outputs(self, executor: Executor | None = None, *, merge: bool) -> None:
        """Everything that publishing reads: rows for what failed, sums, whole vectors; what is there stays.

        Only when all of it is in place is the session `publishable`: a stop may come at any point here.

        :param executor: None: one in this process.
        :param merge: the run is to be published: make the files of its day, of the tables that have a row a trade.
        """
        executor = executor or SerialExecutor(FUNCTIONS)
        started = time.monotonic()
        self.publishable = self._finish_outputs(executor) and (not merge or self._merge(executor))
        self.phases["combine"] = time.monotonic() - started
        self.flush()

    def _finish_outputs(self, executor: Executor) -> bool:
        """Whether everything is in place."""
        for leaf in unfinished(self.state):
            payload = BlockPayload(*self.folder.place, leaf.block)
            made = void_block(payload, self.state.why(leaf.block.block_id))
            self.record(BlockVoid(leaf.block.block_id, made.outputs, made.vectors))
        for level in self.run.combined.levels(self.state):
            tasks_of_level = (self._sum_task(payload) for payload in level)
            if self._drive(tasks_of_level, executor, fail_fast=True).state is not DriveState.COMPLETE:
                return False
        corrections = list(correction_payloads(self.run))
        corrected = (Task(key=payload.name, payload=payload, function="correct") for payload in corrections)
        whole = (Task(key=p.name, payload=p, function="concatenate") for p in concatenation_payloads(self.run))
        left = (task for task in itertools.chain(corrected, whole) if not self.run.combined.has(task.key))
        if self._drive(left, executor, fail_fast=True).state is not DriveState.COMPLETE:
            return False
        self.sums = tuple(
            map(self.run.combined.sums, (*self.run.combined.roots, *(payload.name for payload in corrections)))
        )
        return True

    def _merge(self, executor: Executor) -> bool:
        """The files of the day, each made by a worker; those that are left from a session that was killed are kept."""
        payloads: dict[str, list[PartPayload]] = {}
        engine_version = engines_of(self.state.engines)
        footer_stands = engine_version == open_context(*self.folder.place).spec.provenance.engine_version
        for table in SORT_KEYS:
            found = table_sources(self.run, table)
            alone, rest = standing(found) if footer_stands else ([], found)
            while level := merge_payloads(self.folder, table, rest):
                if not self._combine(executor, "merge", level):
                    return False
                rest = [self.run.combined.source(p.name, self.folder.merged_file(p.name)) for p in level]
            if found:
                parts = day_parts(self.folder.store, alone, rest)
                payloads[table] = part_payloads(self.folder, table, parts, engine_version)
        clear_staged(self.folder, {p.path for of in payloads.values() for p in of if self.run.combined.has(p.name)})
        if not self._combine(executor, "part", [payload for of in payloads.values() for payload in of]):
            return False
        self.parts = {table: [self.run.combined.file(p.name) for p in of] for table, of in payloads.items()}
        return True

    def _combine(self, executor: Executor, function: str, payloads: Sequence[MergePayload | PartPayload]) -> bool:
        """Whether what these ask for is in place, after what is not yet was made."""
        left = (payload for payload in payloads if not self.run.combined.has(payload.name))
        tasks = (Task(key=payload.name, payload=payload, function=function) for payload in left)
        return self._drive(tasks, executor, fail_fast=True).state is DriveState.COMPLETE

    def _drive(self, tasks: Iterator[Task], executor: Executor, *, fail_fast: bool) -> DriveResult:
        retry = self.settings.retry
        self.stop.breaks_in = isinstance(executor, SerialExecutor)
        try:
            return drive(
                tasks,
                executor,
                RetryPolicy(**retry.model_dump()),
                split=self._split,
                on_event=self._on_event,
                ending=Ending(self.stop, fail_fast, self.settings.grace_seconds),
                tick=self._tick,
            )
        finally:
            self.stop.breaks_in = False

    def _tasks(self) -> Iterator[Task]:
        for block in self.state.pending():
            yield self._task(block)

    def _task(self, block: Block) -> Task:
        limit = self.settings.cluster.block_timeout
        return Task(
            key=block.block_id,
            payload=BlockPayload(*self.folder.place, block),
            size=block.trades,
            timeout_seconds=float("inf") if limit is None else limit,
            projected_seconds=block.projected_seconds,
        )

    def _sum_task(self, payload: SumPayload) -> Task:
        return Task(key=payload.name, payload=payload, function="sum")

    def _split(self, task: Task) -> list[Task]:
        if not isinstance(task.payload, BlockPayload):
            return []
        return [self._task(child) for child in halves(self.folder, task.payload.block)]

    def _tick(self) -> None:
        now = time.monotonic()
        if self.writer.pending:
            self.lease.check()
            self.writer.maybe_flush(now)
        if now - self.updated >= UPDATE_SECONDS:
            self.updated = now
            self.observer.update(self.status(RunLifecycle.RUNNING))

    def _on_event(self, event: Event) -> list[Task]:
        fault_point(FaultPoint.EVENT, event)
        match event:
            case Submitted(task=task):
                self.queued[task.key] = time.time()
            case Finished(outcome=outcome):
                return self._finished(outcome.task, outcome.result, outcome.worker)
            case Retried(task=task, mishap=mishap):
                self._attempt_failed(task, mishap, final=False)
            case SplitInto(task=task, children=children, mishap=mishap, reason=reason):
                self._attempt_failed(task, mishap, final=False)
                described = tuple({"block": child.payload.block.to_json(), "replaces": None} for child in children)
                self.record(BlockSplit(task.key, described, reason.value))
                self.observer.message("warning", f"block {task.key} was split: {reason.value}")
            case Failed(task=task, reason=reason, message=message, mishap=mishap):
                if not isinstance(task.payload, BlockPayload):
                    unsound = reason in (Reason.STORAGE, Reason.INPUT_CHANGED)
                    lost = self._losses() if unsound else None
                    raise lost or InfrastructureError(
                        f"results of blocks could not be combined: {message}; `riskpipe run` goes on from here"
                    )
                self._attempt_failed(task, mishap, final=True, reason=reason.value, message=message)
            case _:
                pass
        return []

    def _finished(self, task: Task, result: Any, worker: str) -> list[Task]:
        queued_at = self.queued.pop(task.key, time.time())
        if not isinstance(task.payload, BlockPayload):
            self.record(Combined(task.key, result.path, result.sha256, result.rows, result.bytes))
            return []
        block = task.payload.block
        self.record(done_record(block, task.attempt, worker, queued_at, result))
        self.done_projected += block.projected_seconds
        self.left_projected -= block.projected_seconds
        payload = self.run.combined.completed_by(block, self.state)
        return [] if payload is None else [self._sum_task(payload)]

    def _attempt_failed(
        self,
        task: Task,
        mishap: Mishap,
        *,
        final: bool,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        self.queued.pop(task.key, None)
        if not isinstance(task.payload, BlockPayload):
            return
        cause, text = cause_of(task, mishap)
        block = task.payload.block
        if final:
            self.left_projected -= block.projected_seconds
        self.record(
            BlockFailed(
                block_id=block.block_id,
                parent_block_id=block.parent,
                attempt=task.attempt if final else max(task.attempt - 1, 1),
                reason=reason or cause,
                message=message or text,
                worker=mishap.worker,
                retryable=True,
                final=final,
            )
        )
        if not isinstance(mishap, Displaced):  # the loss of a shard is told once, and not for each of its blocks
            self.observer.message("warning", f"block {block.block_id}: {reason or cause}: {message or text}")

    # -- status

    def status(self, state: RunLifecycle, **more: Any) -> RunStatus:
        """The run as it is now."""
        elapsed = time.monotonic() - self.started
        return RunStatus(
            run_id=self.folder.run_id,
            as_of=self.plan.header.as_of,
            state=state,
            blocks=self.state.blocks_counts(),
            numbers=self.state.numbers_counts(self.state.planned_numbers),
            trades=int(self.plan.header.totals["trades"]),
            valuations=self.plan.header.valuations,
            running=len(self.queued),
            elapsed_seconds=elapsed,
            remaining_seconds=self._remaining() if state is RunLifecycle.RUNNING else None,
            selection=tuple(tuple(terms) for terms in self.plan.header.selection),
            output=self.folder.store.root,
            phases=dict(self.phases),
            signal_number=self.stop.signal_number,
            **more,
        )

    def _remaining(self) -> float | None:
        """From what the done blocks took against what was projected for them."""
        if self.valuing_since is None or self.done_projected <= 0.0:
            return None
        pace = (time.monotonic() - self.valuing_since) / self.done_projected
        return max(self.left_projected, 0.0) * pace

    def clean(self) -> bool:
        """Whether nothing is left to do: every block is done or has failed."""
        return next(self.state.pending(), None) is None


def open_session(folder: RunFolder, settings: Settings, lease: Lease, observer: Observer, stop: StopSignal) -> Session:
    """Fold the ledger and begin a session on a run whose plan is in place.

    :raises StorageError: plan or ledger cannot be read.
    """
    folder.store.delete_temporary(folder.root)
    open_context(*folder.place).verify()
    run = fold(folder, read_ledger(folder))
    run.combined.forget_staged()
    lost = list(missing_outputs(run))
    name = new_session_id(folder, datetime.now(UTC))
    started = time.monotonic()
    writer = LedgerWriter(folder, name, started)
    session = Session(run, settings, writer, name, lease, observer, stop, started=started)
    identity = ProcessIdentity.current()
    session.record(SessionStarted(name, time.time(), identity.host, identity.pid, __version__))
    session.lose(lost)
    session.lost = lost
    run.state.start_session()
    run.combined.begin(run.state)
    session.flush()
    return session
