"""One session of a run: from an opened run (new, resumed or to be repeated in part) to its end.

blocks --> value --> sum, concatenate, correct, merge --> aggregates --> published
              |                      |
              +------> ledger <------+
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from riskpipe.config import Settings
from riskpipe.errors import InfrastructureError, Reason, StorageError
from riskpipe.execute.drive import DriveResult, Ending, TaskSource, drive
from riskpipe.execute.events import Event, Failed, Finished, OneOfTwo, Retried, SplitInto, StartedAgain, Submitted
from riskpipe.execute.executor import Executor
from riskpipe.execute.policy import RetryPolicy
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Mishap, Overdue, Task
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.plan.accounting import GateResult, Observer, RunLifecycle, RunStatus
from riskpipe.plan.block import Block
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.runs.asked_stop import stop_if_asked
from riskpipe.runs.attempt_rows import AttemptRows
from riskpipe.runs.attempts import cause_of, done_record
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.deadline import DeadlineWatch, late_failures
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.groups import combined_record, tasks_above, tasks_after
from riskpipe.runs.losses import loss_error, lost_outputs
from riskpipe.runs.pace import Pace
from riskpipe.runs.parts import halves
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.ledger import LedgerWriter, new_session_id
from riskpipe.store.parquet import ChangedFileError
from riskpipe.store.records import (
    BlockDone,
    BlockFailed,
    BlockSplit,
    BlockStartedAgain,
    OutputLost,
    Record,
    SessionEnded,
)
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.shared_lease import Hold
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import PartialFile, read_sums
from riskpipe.valuation.context import open_context
from riskpipe.valuation.revaluation import RevaluationPayload, RevaluedPayload
from riskpipe.valuation.run_block import BlockPayload
from riskpipe.valuation.tail_components import LargestPayload, TailPayload

UPDATE_SECONDS = 0.5
UPDATE_SHARE = 0.02  # of the time, at most
LOOKS_A_LEASE = 12  # for a stop that somebody asked for: every five seconds of a minute


@dataclass
class Session:
    """An open run in this process; the only writer of its ledger, but for drivers of shards that it has started.

    :param files: name within the run -> SHA-256 of what sessions write anew.
    :param attempts: the rows of blocks.parquet; None: this session does not write it.
    :ivar merged_tables: those whose rows are merged group by group while blocks are valued.
    :ivar elsewhere: tasks that drivers of shards have and have not finished.
    """

    run: FoldedRun
    settings: Settings
    writer: LedgerWriter
    session: str
    lease: Hold
    observer: Observer
    stop: StopSignal
    started: float = field(default_factory=time.monotonic)
    phases: dict[str, float] = field(default_factory=dict)
    queued: dict[str, float] = field(default_factory=dict)
    attempts: AttemptRows | None = None
    merged_tables: tuple[str, ...] = ()
    elsewhere: int = 0
    queued_again: dict[str, tuple[int, float]] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    phase: str = ""
    told_to_stop: bool = False
    next_update: float = 0.0
    cut_short: int = 0
    due: DeadlineWatch = field(init=False)
    looked: float = field(default_factory=time.monotonic)
    sums: tuple[PartialFile, ...] = ()
    parts: dict[str, list[WrittenFile]] = field(default_factory=dict)
    publishable: bool = False
    notes: list[str] = field(default_factory=list)
    gates: list[GateResult] = field(default_factory=list)
    beside: dict[str, list[WrittenFile]] = field(default_factory=dict)
    lost: list[OutputLost] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    not_taken: int = 0
    _totals: tuple[tuple[PartialFile, ...], BookTotals] | None = None

    def __post_init__(self) -> None:
        self.due = DeadlineWatch(self.stop)

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
        self._apply(record)

    def _apply(self, record: Record) -> None:
        self.run.apply(record)
        if self.attempts is not None:
            self.attempts.apply(record)

    def learn(self, record: Record) -> None:
        """What a shard's driver has put into the ledger."""
        fault_point(FaultPoint.LEARN, record)
        self._apply(record)
        if isinstance(record, BlockDone):
            self.pace.finished_elsewhere(record.projected_s)

    def write_after(self, others: Iterable[str]) -> None:
        """From here on records come after those that were written under these names."""
        self.flush()
        name = new_session_id(self.folder, datetime.now(UTC))
        self.writer = LedgerWriter(self.folder, name, self.started, beside=others)

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
        self.record(SessionEnded(self.session, status.state, status.exit_code, time.time(), dict(self.files)))
        self.flush()
        self.folder.store.delete(self.folder.stop)

    def close(self) -> None:
        """Nothing is left of what is only whole at the end of a session, and it has none."""
        if self.attempts is not None:
            self.attempts.close()

    def wrote(self, path: str, sha256: str) -> None:
        """A file that every session writes anew is in place."""
        self.files[path.removeprefix(f"{self.folder.root}/")] = sha256

    def note(self, text: str) -> None:
        """Something that the day lacks, and is published without."""
        self.notes.append(text)
        self.observer.message("warning", text)

    def totals(self) -> BookTotals:
        """Of the books, when `sums` are in place."""
        if self._totals is None or self._totals[0] != self.sums:
            context = open_context(*self.folder.place)
            self._totals = self.sums, BookTotals(context.scenarios, read_sums(context, self.sums))
        return self._totals[1]

    # -- driving

    def value_blocks(self, executor: Executor, *, fail_fast: bool) -> DriveResult:
        """Everything that is pending, sums as their groups fill up."""
        self.begin_blocks()
        result = self.drive(self._tasks(), executor, fail_fast=fail_fast)
        self.end_blocks()
        return result

    def begin_blocks(self) -> None:
        """Blocks are valued from here on."""
        fault_point(FaultPoint.VALUE_BLOCKS)
        self.phase = "value"
        self.pace.begin(*self.state.pending_work())

    def end_blocks(self) -> None:
        """No block is valued any more; where it was too late for some they have failed."""
        if self.due.ended_drive() and not self.stop.requested:
            self._cut_short()
        self.phases["value"] = self.pace.elapsed()
        self.observer.update(self.status(RunLifecycle.RUNNING))

    def drive(
        self,
        tasks: Iterator[Task] | TaskSource,
        executor: Executor,
        *,
        fail_fast: bool,
        give_back: Callable[[], int] = lambda: 0,
    ) -> DriveResult:
        """Have tasks done, and record what becomes of each. :param give_back: see `drive`."""
        retry = self.settings.retry
        self.stop.breaks_in = isinstance(executor, SerialExecutor)
        try:
            return drive(
                tasks,
                executor,
                RetryPolicy(retry.worker_lost, retry.storage, retry.out_of_memory, retry.timeout),
                split=self._split,
                on_event=self._on_event,
                ending=Ending(self.due, fail_fast, self.settings.grace_seconds),
                tick=self.tick,
                patience=None if retry.second_start == "off" else self._patience,
                give_back=give_back,
            )
        finally:
            self.stop.breaks_in = False

    def _tasks(self) -> Iterator[Task]:
        for block in self.state.pending():
            yield self.task(block)

    def task(self, block: Block) -> Task:
        """To value a block."""
        limit = self.settings.cluster.block_timeout
        return Task(
            key=block.block_id,
            payload=BlockPayload(*self.folder.place, block),
            size=block.trades,
            timeout_seconds=float("inf") if limit is None else limit,
            projected_seconds=block.projected_seconds,
        )

    def _patience(self, task: Task) -> float | None:
        """Seconds after which a block is started a second time; combining files, which nothing is projected for, is
        not."""
        if not isinstance(task.payload, BlockPayload):
            return None
        retry = self.settings.retry
        expected = self.pace.expected(task.payload.block)
        if expected is None:
            return None
        return max(retry.second_start_factor * expected, retry.second_start_seconds) + self.pace.longest_compiled

    def _split(self, task: Task) -> list[Task]:
        if not isinstance(task.payload, BlockPayload):
            return []
        return [self.task(child) for child in halves(self.folder, task.payload.block)]

    def tick(self) -> None:
        """Once a second or more often: flush, tell how it goes, look for what asks for an end."""
        now = time.monotonic()
        if self.stop.requested and not self.told_to_stop:
            self.told_to_stop = True
            self.observer.message("info", f"stopping, {self.settings.grace_seconds:g} s for what has been started")
        if self.writer.pending:
            self.lease.check()
            self.writer.maybe_flush(now)
        if now >= self.next_update:
            self.observer.update(self.status(RunLifecycle.RUNNING))
            took = time.monotonic() - now  # of a plan of millions of blocks, longer than the usual interval
            self.next_update = now + max(UPDATE_SECONDS, took / UPDATE_SHARE)
        self._watch(now)

    def _watch(self, now: float) -> None:
        """For what asks for an end: somebody elsewhere, or the deadline."""
        if now - self.looked >= self.settings.lease_seconds / LOOKS_A_LEASE:
            self.looked = now
            stop_if_asked(self.folder, self.stop, self.observer)
        if self.pace.since is not None and "value" not in self.phases:
            self.due.look(time.time(), self.pace.remaining(), lambda: self.status(RunLifecycle.RUNNING))

    def _cut_short(self) -> None:
        for failure in list(late_failures(self.state.pending())):
            self.record(failure)
            self.cut_short += 1
        if left := self.cut_short:
            self.note(f"too late for {left} blocks: what is complete is published; `riskpipe retry` does them")

    def _on_event(self, event: Event) -> list[Task]:
        fault_point(FaultPoint.EVENT, event)
        match event:
            case Submitted(task=task):
                self.queued[task.key] = time.time()
            case Finished(outcome=outcome):
                return self._finished(outcome.task, outcome.result, outcome.worker)
            case Retried(mishap=mishap):
                self._attempt_failed(mishap, final=False)
            case StartedAgain(task=task, overdue=overdue):
                self._started_again(task, overdue)
            case OneOfTwo(mishap=mishap):
                self._note_failure(mishap, final=False)
                self.observer.message("info", f"block {mishap.task.key}: its other start goes on")
            case SplitInto(task=task, children=children, mishap=mishap, reason=reason):
                self._attempt_failed(mishap, final=False)
                described = tuple({"block": child.payload.block.to_json(), "replaces": None} for child in children)
                self.record(BlockSplit(task.key, described, reason.value))
                self.observer.message("warning", f"block {task.key} was split: {reason.value}")
            case Failed(task=task, reason=reason, message=message, mishap=mishap):
                if isinstance(task.payload, TailPayload | LargestPayload):
                    self.note(f"components of trades were not made: {message}")
                elif isinstance(task.payload, RevaluationPayload | RevaluedPayload):
                    self.note(f"reverse stresses were not revalued: {message}")
                elif not isinstance(task.payload, BlockPayload):
                    unsound = reason in (Reason.STORAGE, Reason.INPUT_CHANGED)
                    lost = self._losses() if unsound else None
                    raise lost or InfrastructureError(
                        f"results of blocks could not be combined: {message}; `riskpipe run` goes on from here"
                    )
                else:
                    self._attempt_failed(mishap, final=True, reason=reason.value, message=message)
            case _:
                pass
        return []

    def _finished(self, task: Task, result: Any, worker: str) -> list[Task]:
        queued_at = self.queued.pop(task.key, time.time())
        second, second_at = self.queued_again.pop(task.key, (0, 0.0))
        if not isinstance(task.payload, BlockPayload):
            record = combined_record(task.key, task.payload, result)
            self.record(record)
            return list(tasks_above(self.run, record, self.merged_tables))
        block = task.payload.block
        if second:
            queued_at = second_at if task.attempt == second else queued_at
            which = "second" if task.attempt == second else "first"
            self.observer.message("info", f"block {block.block_id} is done by its {which} start")
        self.record(done_record(block, task.attempt, self.named(worker), queued_at, result))
        self.pace.finished(block, worker, result.ended_at - result.started_at, result.compile_s)
        if result.not_taken and not self.not_taken:
            self.note(f"results of run {(self.taken_over or {}).get('since')} are missing or are not what was written: "
                      "their trades are priced")  # fmt: skip
        self.not_taken += result.not_taken
        return list(tasks_after(self.run, block, self.merged_tables))

    def _started_again(self, task: Task, overdue: Overdue) -> None:
        now, block = time.time(), task.payload.block
        self.queued_again[task.key] = task.attempt, now
        self.record(BlockStartedAgain(block.block_id, task.attempt, self.named(overdue.worker), overdue.seconds, now))
        expected = self.pace.expected(block) or 0.0
        self.observer.message(
            "warning",
            f"block {block.block_id} has run for {overdue.seconds:.0f} s on {overdue.worker}, {expected:.1f} s were "
            "expected: it is started a second time, and the first result counts",
        )

    def _attempt_failed(
        self, mishap: Mishap, *, final: bool, reason: str | None = None, message: str | None = None
    ) -> None:
        self.queued.pop(mishap.task.key, None)
        self.queued_again.pop(mishap.task.key, None)
        self._note_failure(mishap, final=final, reason=reason, message=message)

    def _note_failure(
        self, mishap: Mishap, *, final: bool, reason: str | None = None, message: str | None = None
    ) -> None:
        task = mishap.task
        if not isinstance(task.payload, BlockPayload):
            return
        cause, text = cause_of(task, mishap)
        block = task.payload.block
        if final:
            self.pace.given_up(block)
        self.record(
            BlockFailed(
                block_id=block.block_id,
                parent_block_id=block.parent,
                attempt=task.attempt,
                reason=reason or cause,
                message=message or text,
                worker=self.named(mishap.worker),
                retryable=True,
                final=final,
            )
        )
        self.observer.message("warning", f"block {block.block_id}: {reason or cause}: {message or text}")

    def named(self, worker: str) -> str:
        """A worker's name in the ledger."""
        return worker

    # -- status

    def status(self, state: RunLifecycle, **more: Any) -> RunStatus:
        """The run as it is now."""
        elapsed, now = time.monotonic() - self.started, time.time()
        remaining = self.pace.remaining() if state is RunLifecycle.RUNNING else None
        return RunStatus(
            run_id=self.folder.run_id,
            as_of=self.plan.header.as_of,
            state=state,
            blocks=self.state.blocks_counts(),
            numbers=self.state.numbers_counts(self.state.planned_numbers),
            trades=int(self.plan.header.totals["trades"]),
            valuations=self.plan.header.valuations,
            running=len(self.queued) + self.elsewhere,
            elapsed_seconds=elapsed,
            remaining_seconds=remaining,
            **self.due.facts(now, remaining),
            selection=tuple(tuple(terms) for terms in self.plan.header.selection),
            output=self.folder.store.root,
            phases=dict(self.phases),
            phase=self.phase if state is RunLifecycle.RUNNING else "",
            compiling=self.pace.compiling() if state is RunLifecycle.RUNNING else None,
            signal_number=self.stop.signal_number,
            gates=tuple(self.gates),
            reuse=self.taken_over,
            second_starts=self.state.second_starts.started,
            second_starts_won=self.state.second_starts.won,
            **more,
        )

    @cached_property
    def taken_over(self) -> dict[str, Any] | None:
        """What the run takes over of an earlier one, in figures."""
        reuse = open_context(*self.folder.place).reuse
        return None if reuse is None else dict(reuse.counts)

    def clean(self) -> bool:
        """Whether nothing is left to do: every block is done or has failed."""
        return not self.state.undone().any() and next(self.state.undone_parts(), None) is None
