"""`riskpipe runs`: list, show, gc."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Counts, RunStatus
from riskpipe.plan.state import RunState
from riskpipe.store import layout as layouts
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RunLayout, resolve_run
from riskpipe.store.lease import Lease, holder
from riskpipe.store.ledger import BlockDone, Published, Record, SessionStarted, read_ledger
from riskpipe.store.publish import read_current
from riskpipe.workflows.finish import read_status
from riskpipe.workflows.plan import open_plan
from riskpipe.workflows.publication import as_seen_now, days_of


def list_runs(settings: Settings) -> list[RunStatus]:
    """Every run of the output, oldest first; one whose files are damaged says so in its messages."""
    store = Store(settings.output)
    days = days_of(store)
    return [_listed(store, RunLayout(run_id), days) for run_id in layouts.list_runs(store)]


def _listed(store: Store, layout: RunLayout, days: Mapping[str, Any] | None) -> RunStatus:
    try:
        return as_seen_now(status_of(store, layout), days)
    except StorageError as error:
        nothing = Counts()
        return RunStatus(layout.run_id, "", "damaged", nothing, nothing, output=store.root, messages=(str(error),))


def show(settings: Settings, run: str) -> RunStatus:
    """One run as it is now, also while another process works on it.

    :param run: an id, a unique prefix of one, or "latest".
    """
    store = Store(settings.output)
    return as_seen_now(status_of(store, resolve_run(store, run)), days_of(store))


def status_of(store: Store, layout: RunLayout) -> RunStatus:
    """From the summary if the last session ended in order, else folded from the ledger."""
    opened = store.read_json(layout.run)
    # Whoever began the last session is at work, or was killed: its lease tells.
    state = "running" if holder(store) == layout.run_id else "interrupted"
    if not store.exists(layout.plan):
        nothing, why = Counts(), "planning" if state == "running" else "stopped before it had a plan"
        return RunStatus(layout.run_id, opened["as_of"], state, nothing, nothing, output=store.root, messages=(why,))
    records = list(read_ledger(store, layout))
    ended = read_status(store, layout, records)
    if ended is not None:
        return ended
    plan = open_plan(store, layout)
    progress = _Progress(RunState(plan))
    for record in records:
        progress.apply(record)
    return RunStatus(
        run_id=layout.run_id,
        as_of=opened["as_of"],
        state=state,
        blocks=progress.state.blocks_counts(),
        numbers=progress.state.numbers_counts(progress.state.planned_numbers),
        trades=int(plan.header.totals["trades"]),
        valuations=plan.header.valuations,
        elapsed_seconds=progress.elapsed(time.time() if state == "running" else progress.last),
        remaining_seconds=progress.remaining(time.time()) if state == "running" else None,
        published=any(isinstance(record, Published) for record in records),
        selection=tuple(tuple(terms) for terms in plan.header.selection),
        output=store.root,
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


def collect(settings: Settings, keep: int) -> list[str]:
    """Delete all runs but the last `keep`, and those whose results are published. Names of the deleted ones."""
    store = Store(settings.output)
    deleted = []
    with Lease(store, "gc", settings.lease_seconds):
        published = {day["run_id"] for day in read_current(store).values()}
        for run_id in layouts.list_runs(store)[: -keep or None]:
            if run_id not in published:
                store.delete_tree(RunLayout(run_id).root)
                deleted.append(run_id)
    return deleted
