"""What has become of a run, for those who look at it from outside."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.plan.state import RunState
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import holder
from riskpipe.store.ledger import read_ledger
from riskpipe.store.published import read_current
from riskpipe.store.records import BlockDone, Published, Record, SessionEnded, SessionStarted
from riskpipe.store.run_folder import RunFolder


def status_of(folder: RunFolder) -> RunStatus:
    """From the summary if the last session ended in order, else folded from the ledger."""
    opened = folder.described()
    # Whoever began the last session is at work, or was killed: its lease tells.
    running = holder(folder.store) == folder.run_id
    state = RunLifecycle.RUNNING if running else RunLifecycle.INTERRUPTED
    if not folder.planned():
        nothing, why = Counts(), "planning" if running else "stopped before it had a plan"
        return RunStatus(
            folder.run_id, opened["as_of"], state, nothing, nothing, output=folder.store.root, messages=(why,)
        )
    records = list(read_ledger(folder))
    ended = read_status(folder, records)
    if ended is not None:
        return ended
    plan = open_plan(folder)
    progress = _Progress(RunState(plan))
    for record in records:
        progress.apply(record)
    return RunStatus(
        run_id=folder.run_id,
        as_of=opened["as_of"],
        state=state,
        blocks=progress.state.blocks_counts(),
        numbers=progress.state.numbers_counts(progress.state.planned_numbers),
        trades=int(plan.header.totals["trades"]),
        valuations=plan.header.valuations,
        elapsed_seconds=progress.elapsed(time.time() if running else progress.last),
        remaining_seconds=progress.remaining(time.time()) if running else None,
        published=any(isinstance(record, Published) for record in records),
        selection=tuple(tuple(terms) for terms in plan.header.selection),
        output=folder.store.root,
    )


@dataclass
class _Progress:
    """A run's ledger, and how the last session gets on: times of day, by the driver's clock.

    :param projected: seconds that were projected for the blocks that it has done. :param valuing: when it queued the
        first of them. :param last: when it was last heard of.
    """

    state: RunState
    began: float = 0.0
    last: float = 0.0
    valuing: float = math.inf
    projected: float = 0.0

    def apply(self, record: Record) -> None:
        if isinstance(record, SessionStarted):
            self.state.start_session()
            self.began, self.last, self.valuing, self.projected = record.at, record.at, math.inf, 0.0
        elif isinstance(record, BlockDone):
            self.last = max(self.last, record.ended_at)
            self.valuing = min(self.valuing, record.queued_at)
            self.projected += record.projected_s
        self.state.apply(record)

    def elapsed(self, until: float) -> float:
        return max(until - self.began, 0.0)

    def remaining(self, now: float) -> float | None:
        """From what the done blocks took against what was projected for them; None before the first is done."""
        if self.projected <= 0.0:
            return None
        left = sum(block.projected_seconds for block in self.state.pending())
        return left * max(now - self.valuing, 0.0) / self.projected


def read_status(folder: RunFolder, records: Iterable[Record]) -> RunStatus | None:
    """How the last session of a run ended; None when it is at work, or was killed.

    :param records: the run's ledger: a summary counts only when its session's end was recorded after it.
    :raises StorageError: the summary is damaged.
    """
    started = ended = None
    for record in records:
        if isinstance(record, SessionStarted):
            started = record.session
        elif isinstance(record, SessionEnded):
            ended = record.session
    if started is None or ended != started or not folder.store.exists(folder.summary):
        return None
    return read_summary(folder)


def read_summary(folder: RunFolder) -> RunStatus:
    value = folder.store.read_json(folder.summary)
    try:
        return RunStatus.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"cannot read {folder.store.full_path(folder.summary)}: damaged ({error!r})") from error


def published_days(store: Store) -> Mapping[str, Any] | None:
    """What meta/CURRENT.json says of every day, for those who only look; None when it is damaged."""
    with suppress(StorageError):
        return read_current(store)
    return None


def as_seen_now(status: RunStatus, days: Mapping[str, Any] | None) -> RunStatus:
    """A run's status with what has become of its publication.

    :param days: of `published_days`.
    """
    if days is None:
        return status
    standing = days.get(status.as_of, {}).get("run_id")
    if standing == status.run_id:
        return replace(status, published=True)
    return replace(status, published=False, superseded_by=standing if status.published else None)
