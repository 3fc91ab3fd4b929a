"""`riskpipe runs`: list, show, gc."""

from __future__ import annotations

from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Counts, RunStatus
from riskpipe.plan.state import RunState
from riskpipe.store import layout as layouts
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RunLayout, resolve_run
from riskpipe.store.lease import Lease, holder
from riskpipe.store.ledger import Published, read_ledger
from riskpipe.store.publish import read_current
from riskpipe.workflows.finish import read_status
from riskpipe.workflows.plan import open_plan


def list_runs(settings: Settings) -> list[RunStatus]:
    """Every run of the output, oldest first; one whose files are damaged says so in its messages."""
    store = Store(settings.output)
    return [_listed(store, RunLayout(run_id)) for run_id in layouts.list_runs(store)]


def _listed(store: Store, layout: RunLayout) -> RunStatus:
    try:
        return status_of(store, layout)
    except StorageError as error:
        nothing = Counts()
        return RunStatus(layout.run_id, "", "damaged", nothing, nothing, output=store.root, messages=(str(error),))


def show(settings: Settings, run: str) -> RunStatus:
    """One run as it is now, also while another process works on it.

    :param run: an id, a unique prefix of one, or "latest".
    """
    store = Store(settings.output)
    return status_of(store, resolve_run(store, run))


def status_of(store: Store, layout: RunLayout) -> RunStatus:
    """From the summary if the last session ended in order, else folded from the ledger."""
    opened = store.read_json(layout.run)
    if not store.exists(layout.plan):
        nothing = Counts()
        return RunStatus(layout.run_id, opened["as_of"], "interrupted", nothing, nothing, output=store.root,
                         messages=("stopped before it had a plan",))  # fmt: skip
    records = list(read_ledger(store, layout))
    ended = read_status(store, layout, records)
    if ended is not None:
        return ended
    plan = open_plan(store, layout)
    state = RunState(plan).fold(records)
    return RunStatus(
        run_id=layout.run_id,
        as_of=opened["as_of"],
        # Whoever began the last session is at work, or was killed: its lease tells.
        state="running" if holder(store) == layout.run_id else "interrupted",
        blocks=state.blocks_counts(),
        numbers=state.numbers_counts(state.planned_numbers),
        trades=int(plan.header.totals["trades"]),
        published=any(isinstance(record, Published) for record in records),
        output=store.root,
    )


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
