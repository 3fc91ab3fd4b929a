"""What has become so far of a run that goes on, or whose last session was killed: its ledger, folded."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from msgspec import Struct

from riskpipe.plan.accounting import RunLifecycle, RunStatus
from riskpipe.plan.state import RunState
from riskpipe.runs.deadline import iso
from riskpipe.runs.stored import open_plan
from riskpipe.store.records import BlockDone, Published, Record, SessionStarted
from riskpipe.store.run_folder import RunFolder


def unfinished(folder: RunFolder, as_of: str, records: Iterable[Record], running: bool) -> RunStatus:
    """Of a run that has a plan.

    :param records: its ledger. :param running: whether a session is at work.
    """
    plan = open_plan(folder)
    progress = _Progress(RunState(plan))
    published = False
    for record in records:
        progress.apply(record)
        published = published or isinstance(record, Published)
    now = time.time()
    remaining = progress.remaining(now) if running else None
    finishes = None if remaining is None or progress.deadline is None else now + remaining + progress.finishing
    return RunStatus(
        run_id=folder.run_id,
        as_of=as_of,
        state=RunLifecycle.RUNNING if running else RunLifecycle.INTERRUPTED,
        blocks=progress.state.blocks_counts(),
        numbers=progress.state.numbers_counts(progress.state.planned_numbers),
        trades=int(plan.header.totals["trades"]),
        valuations=plan.header.valuations,
        elapsed_seconds=progress.elapsed(time.time() if running else progress.last),
        remaining_seconds=remaining,
        deadline=iso(progress.deadline),
        finishes_at=iso(finishes),
        at_risk=progress.deadline is not None and max(now, finishes or now) > progress.deadline,
        published=published,
        selection=tuple(tuple(terms) for terms in plan.header.selection),
        output=folder.store.root,
        second_starts=progress.state.second_starts.started,
        second_starts_won=progress.state.second_starts.won,
    )


class _Progress(Struct):
    """A run's ledger, and how the last session gets on: times of day, by the driver's clock.

    :param projected: seconds that were projected for the blocks that it has done. :param valuing: when it queued the
        first of them. :param last: when it was last heard of.
    """

    state: RunState
    began: float = 0.0
    last: float = 0.0
    valuing: float = math.inf
    projected: float = 0.0
    deadline: float | None = None
    finishing: float = 0.0

    def apply(self, record: Record) -> None:
        if isinstance(record, SessionStarted):
            self.state.start_session()
            self.began, self.last, self.valuing, self.projected = record.at, record.at, math.inf, 0.0
            self.deadline, self.finishing = record.deadline, record.finishing
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
