"""Publishing: a run's block results, merged in order, take the place of the day's published tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.execute.signals import StopSignal
from riskpipe.plan.accounting import RunStatus
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RunLayout, resolve_run
from riskpipe.store.lease import Lease
from riskpipe.store.merge import Source
from riskpipe.store.parquet import WrittenFile
from riskpipe.store.publish import publish_day, read_current
from riskpipe.store.stage import stage, stage_merged
from riskpipe.store.tables import SORT_KEYS
from riskpipe.valuation.context import open_context
from riskpipe.valuation.merge import PartialFile, merged_sums
from riskpipe.workflows.aggregate import aggregates_table, scenarios_table
from riskpipe.workflows.losses import loss_error
from riskpipe.workflows.plan import open_plan
from riskpipe.workflows.publication import Publication, allowed, contents, stands


@dataclass(frozen=True)
class PublishReport:
    """Rows of every published table. :cvar stood: nothing was to be done."""

    run_id: str
    as_of: str
    tables: dict[str, int]
    stood: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def publish_tables(
    store: Store,
    layout: RunLayout,
    sources: Mapping[str, Sequence[Source]],
    merged: Sequence[PartialFile],
    engines: Iterable[str],
) -> dict[str, list[WrittenFile]]:
    """Stage every table of a run whose merges are done, and put the day in place.

    :param sources: files, few enough to be merged at once, of the tables with a row a trade (`outputs.collation`).
    :param engines: versions of riskpipe that did the blocks; this one puts them together.
    :param merged: the files that hold the run's sums.
    """
    context = open_context(store.root, layout.run_id)
    context.verify()
    spec = context.spec
    versions = ", ".join(sorted({*engines, __version__}))
    provenance = replace(spec.provenance, engine_version=versions)
    staged: dict[str, list[WrittenFile]] = {}
    for table in SORT_KEYS:
        if sources[table]:
            staged[table] = stage_merged(store, layout, table, sources[table], provenance)
    sums = merged_sums(store, merged)
    for table, rows in (
        ("aggregates", aggregates_table(spec, context.scenarios, sums)),
        ("scenarios", scenarios_table(spec, context.scenarios)),
    ):
        staged[table] = stage(store, layout, table, [rows], provenance)
    described = contents(open_plan(store, layout).header)
    publish_day(store, layout, spec.as_of, staged, datetime.now(UTC), described)
    return staged


def publish(
    settings: Settings, run: str, observer: Any = None, *, replace_day: bool = False, wait: float = 0.0
) -> PublishReport:
    """Publish a run that has ended, whatever its rule said: blocks that failed leave rows with their reasons.

    A run that stands already, as it is, is left as it stands.

    :param run: an id, a unique prefix of one, or "latest". :param wait: seconds to wait for a run that is at work.
    :param replace_day: even when what stands for the day has more trades, more measures or another selection.
    :raises UsageError: no such run, one with blocks that were not reached, or one that needs `replace_day`.
    :raises StorageError: one whose outputs are missing or changed: nothing is published.
    """
    # The session's machinery, without valuing anything.
    from riskpipe.workflows.finish import mark_published
    from riskpipe.workflows.session import open_session

    store = Store(settings.output)
    layout = resolve_run(store, run)
    if not store.exists(layout.plan):
        raise UsageError(f"run {layout.run_id} was stopped before it had a plan: `riskpipe run` starts a new one")
    with Lease(store, layout.run_id, settings.lease_seconds, wait) as lease:
        header = open_plan(store, layout).header
        if stands(store, layout, header.as_of):
            return _as_it_stands(store, header.as_of)
        decision = allowed(store, layout.run_id, header, Publication("always", replace_day))
        if decision.why is not None:
            raise UsageError(f"not published: {decision.why}")
        session = open_session(store, layout, settings, lease, observer or _Silent(), StopSignal())
        if session.lost:
            raise loss_error(store, layout, session.lost)
        if not session.clean():
            raise UsageError(f"run {layout.run_id} is not done: go on with `riskpipe run --resume {layout.run_id}`")
        with session.sound():
            session.finish_outputs(collate=True)
            lease.check(confirm=True)
            tables = publish_tables(store, layout, session.sources, session.sums, session.state.engines)
        mark_published(session, tables)
    rows = {table: sum(file.rows for file in files) for table, files in tables.items()}
    return PublishReport(layout.run_id, session.plan.header.as_of, rows)


def _as_it_stands(store: Store, as_of: str) -> PublishReport:
    entry = read_current(store)[as_of]
    rows = {table: int(described["rows"]) for table, described in entry["tables"].items()}
    return PublishReport(entry["run_id"], as_of, rows, stood=True)


class _Silent:
    def update(self, status: RunStatus) -> None:
        pass

    def message(self, level: str, text: str) -> None:
        pass
