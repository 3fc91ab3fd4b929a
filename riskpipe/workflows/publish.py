"""Publishing: a run's block results, merged in order, take the place of the day's published tables."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from riskpipe.config import Settings
from riskpipe.errors import GateError, UsageError
from riskpipe.execute.signals import StopSignal
from riskpipe.plan.accounting import PublishRule, SilentObserver
from riskpipe.runs.combining import finish_outputs
from riskpipe.runs.finish import mark_gated, mark_published
from riskpipe.runs.freed import refuse_freed
from riskpipe.runs.gates import Override
from riskpipe.runs.losses import loss_error
from riskpipe.runs.publication import Publication, allowed, publish_tables, stands
from riskpipe.runs.session_start import open_session
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_ids import resolve_run
from riskpipe.structs import asdict


class PublishReport(Struct, frozen=True):
    """Rows of every published table. :cvar stood: nothing was to be done."""

    run_id: str
    as_of: str
    tables: dict[str, int]
    stood: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def publish(
    settings: Settings,
    run: str,
    observer: Any = None,
    *,
    replace_day: bool = False,
    wait: float = 0.0,
    override: str | None = None,
) -> PublishReport:
    """Publish a run that has ended, whatever its rule said: blocks that failed leave rows with their reasons.

    A run that stands already, as it is, is left as it stands.

    :param run: an id, a unique prefix of one, or "latest". :param wait: seconds to wait for a run that is at work.
    :param replace_day: even when what stands for the day has more trades, more measures or another selection.
    :param override: why it is published in spite of its gates.
    :raises GateError: a gate keeps it from being published.
    :raises UsageError: no such run, one with blocks that were not reached, or one that needs `replace_day`.
    :raises StorageError: one whose outputs are missing or changed: nothing is published.
    """
    if override is not None and not override.strip():
        raise UsageError("--override wants a reason, which is kept with the day")
    store = open_store(settings.output)
    folder = resolve_run(store, run)
    if not folder.planned():
        raise UsageError(f"run {folder.run_id} was stopped before it had a plan: `riskpipe run` starts a new one")
    with Lease(store, folder.run_id, settings.lease_seconds, wait) as lease:
        header = open_plan(folder).header
        if stands(folder, header.as_of):
            return _as_it_stands(store, header.as_of)
        refuse_freed(folder, "published again")
        decision = allowed(folder, header, Publication(PublishRule.ALWAYS, replace_day))
        if decision.why is not None:
            raise UsageError(f"not published: {decision.why}")
        session = open_session(folder, settings, lease, observer or SilentObserver(), StopSignal(), accounts=False)
        if session.lost:
            raise loss_error(folder, session.lost)
        if not session.clean():
            raise UsageError(f"run {folder.run_id} is not done: go on with `riskpipe run --resume {folder.run_id}`")
        with session.sound():
            finish_outputs(session, merge=True)
            lease.check(confirm=True)
            try:
                tables = publish_tables(session, None if override is None else Override.now(override))
            except GateError:
                mark_gated(session)
                raise
        mark_published(session, tables)
    rows = {table: sum(file.rows for file in files) for table, files in tables.items()}
    return PublishReport(folder.run_id, session.plan.header.as_of, rows)


def _as_it_stands(store: Store, as_of: str) -> PublishReport:
    entry = read_current(store)[as_of]
    rows = {table: int(described["rows"]) for table, described in entry["tables"].items()}
    return PublishReport(entry["run_id"], as_of, rows, stood=True)
