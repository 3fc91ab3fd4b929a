"""`riskpipe run`: a new run, or the rest of one that was interrupted; and what `retry` shares with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from riskpipe import __version__
from riskpipe.clusters.catalogue import ClusterOptions
from riskpipe.config import Settings, resolved_yaml
from riskpipe.errors import ClusterError, InputError, InterruptedRunError, Reason, StorageError, UsageError
from riskpipe.execute.executor import SchedulerLostError
from riskpipe.execute.signals import StopSignal, stop_on_signals
from riskpipe.measures.families import Bumps
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.plan.plan import PlanHeader, StoredPlan
from riskpipe.plan.selection import Selection, parse_selection
from riskpipe.plan.state import RunState
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RunLayout, list_runs, new_run_id, resolve_run
from riskpipe.store.lease import Lease
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet, write_parquet
from riskpipe.store.portfolio import content_sha256
from riskpipe.store.publish import published_runs
from riskpipe.valuation.context import open_context
from riskpipe.valuation.spec import ValuationSpec
from riskpipe.workflows.check import checks_table
from riskpipe.workflows.clusters import cluster_options
from riskpipe.workflows.engine import engine_differences, refuse_other_engine
from riskpipe.workflows.finish import finish, read_status
from riskpipe.workflows.functions import open_executor
from riskpipe.workflows.inputs import hash_inputs
from riskpipe.workflows.log import RunLog
from riskpipe.workflows.losses import counted_losses
from riskpipe.workflows.plan import PLAN_FILE, Planned, make_plan, open_plan, put_file
from riskpipe.workflows.publication import Publication, decide
from riskpipe.workflows.session import Session, open_session
from riskpipe.workflows.settled import settled

RUN_VERSION = 1
CLUSTERS_PER_SESSION = 3


@dataclass(frozen=True)
class _Opened:
    """A run that is ready for a session.

    :param prepare: done to the session before it values anything.
    :param settled: there is nothing to do: no session is begun.
    """

    layout: RunLayout
    phases: dict[str, float]
    prepare: Callable[[Session], None] = lambda session: None
    settled: RunStatus | None = None


def run(
    settings: Settings,
    selection: Selection,
    *,
    resume: str = "auto",
    fail_fast: bool = False,
    publish: str | None = None,
    replace_day: bool = False,
    wait: float = 0.0,
    accept_engine: bool = False,
    observer: Observer,
) -> RunStatus:
    """Value the book, end to end.

    :param resume: "auto": go on with the last run of the same inputs if it was interrupted; "never": a new run; or
        the run to go on with.
    :param publish: overrides the settings' `publish`.
    :param replace_day: publish even when what stands for the day has more trades, measures or another selection.
    :param wait: seconds to wait for another run that holds the output.
    :param accept_engine: go on with a run that another version planned.
    :raises RiskpipeError: whatever keeps the run from starting or going on; see riskpipe.errors.
    """
    store = open_output(settings)
    publication = Publication(publish, replace_day)

    def opened(log: Observer, lease: Lease) -> _Opened:
        layout = _resumable(store, settings, selection, resume, log, accept_engine)
        if layout is not None:
            status = settled(store, layout, settings, publication, _storage_failed)
            if status is not None:
                return _Opened(layout, {}, settled=status)
            log.message("info", f"resuming run {layout.run_id}")
            return _Opened(layout, {}, _try_storage_again)
        new_id = new_run_id(store, datetime.now(UTC), published_runs(store))
        lease.name(new_id)
        return _create(store, settings, selection, new_id, log)

    return with_session(store, settings, opened, fail_fast, publication, observer, wait)


def open_output(settings: Settings) -> Store:
    """The output's store, after everything that would stop a run later for reasons that can be seen now.

    :raises StorageError: the output cannot be written to. :raises UsageError: an address that must not be used.
    """
    if settings.cluster.kind == "address":
        from riskpipe.clusters.address import check_address

        check_address(settings.cluster.address or "")
    store = Store(settings.output)
    store.probe_writable()
    return store


def with_session(
    store: Store,
    settings: Settings,
    opened: Callable[[Observer, Lease], _Opened],
    fail_fast: bool,
    publication: Publication,
    observer: Observer,
    wait: float = 0.0,
) -> RunStatus:
    """Take the lease, open the run, value what is pending, merge, publish, account for everything.

    :param wait: seconds to wait for the lease. :raises InterruptedRunError: by a signal, meanwhile.
    """
    started = time.monotonic()
    log = RunLog(observer)
    with (
        stop_on_signals(StopSignal()) as stop,
        Lease(store, "", settings.lease_seconds, wait, pause=partial(_pause, stop)) as lease,
        closing(log),
    ):
        run_ = opened(log, lease)
        if run_.settled is not None:
            observer.message("info", f"nothing to do: run {run_.layout.run_id} is {run_.settled.state}")
            return run_.settled
        lease.name(run_.layout.run_id)
        log.open(store, run_.layout)
        session = open_session(store, run_.layout, settings, lease, log, stop)
        session.started = started
        session.phases.update(run_.phases)
        if session.lost:
            log.message("warning", f"{counted_losses(store, session.lost)}: what they are of is done again")
        with session.sound():
            run_.prepare(session)
            session.flush()
            log.message("info", f"run {run_.layout.run_id}: {len(session.plan)} blocks")
            _value(session, fail_fast, publication)
            status = finish(session, publication)
        log.ended(status)
        observer.update(status)
        return status


def _pause(stop: StopSignal, seconds: float) -> None:
    """:raises InterruptedRunError: a signal asked for an end."""
    time.sleep(seconds)
    if stop.signal_number is not None:
        raise InterruptedRunError("stopped while another run held the output", stop.signal_number)


def _value(session: Session, fail_fast: bool, publication: Publication) -> None:
    """Until nothing is pending; a scheduler that dies is replaced, and the ledger says what is left."""
    for attempt in range(1, CLUSTERS_PER_SESSION + 1):
        try:
            started = time.monotonic()
            tell = partial(session.observer.message, "warning")
            with open_executor(session.settings, _cluster(session, attempt), tell) as executor:
                session.phases["cluster"] = time.monotonic() - started
                session.value_blocks(executor, fail_fast=fail_fast)
                session.flush()
                if session.clean() and not session.stop.requested:
                    session.finish_outputs(executor, collate=decide(session, publication).publish)
            return
        except SchedulerLostError as error:
            session.flush()
            if attempt == CLUSTERS_PER_SESSION or session.stop.requested:
                raise
            session.observer.message("warning", f"{error}; starting another cluster")
        except ClusterError:
            session.flush()
            if session.stop.requested:  # a signal to the process group ends workers that are just starting
                return
            raise


def _cluster(session: Session, attempt: int) -> ClusterOptions:
    """As large as what is left to be priced asks for."""
    return cluster_options(
        session.settings,
        run_id=session.layout.run_id,
        projected_seconds=sum(block.projected_seconds for block in session.state.pending()),
        attempt=attempt,
        stopped=lambda: session.stop.requested,
    )


# -- opening


def _try_storage_again(session: Session) -> None:
    """Blocks that an earlier session gave up for want of storage: whoever resumes has seen to that."""
    session.state.reopen_failed(session.state.failed_for(Reason.STORAGE))


def _storage_failed(plan: StoredPlan, state: RunState) -> bool:
    return bool(state.failed_for(Reason.STORAGE))


def _resumable(
    store: Store, settings: Settings, selection: Selection, resume: str, observer: Observer, accept_engine: bool
) -> RunLayout | None:
    if resume == "never":
        return None
    if resume != "auto":
        layout = resolve_run(store, resume)
        if not store.exists(layout.plan):
            raise UsageError(f"run {layout.run_id} was stopped before it had a plan: start a new one")
        _refuse_other_inputs(store, layout, settings, selection)
        refuse_other_engine(read_header(store, layout), layout.run_id, accept_engine)
        return layout
    for run_id in reversed(list_runs(store)):
        layout = RunLayout(run_id)
        if not store.exists(layout.plan):
            continue
        try:
            found = _unfinished(store, layout, settings, selection, observer)
            differences = [] if found is None or accept_engine else engine_differences(read_header(store, found))
            if differences:
                observer.message("info", f"run {run_id} was planned by {'; '.join(differences)}: a new one is made")
                return None
            return found
        except StorageError as error:
            observer.message("warning", f"run {run_id} cannot be gone on with, a new one is made: {error}")
            return None
    return None


def _unfinished(
    store: Store, layout: RunLayout, settings: Settings, selection: Selection, observer: Observer
) -> RunLayout | None:
    """The run, if it was interrupted and is of the same inputs. :raises StorageError: its files are damaged."""
    status = read_status(store, layout, read_ledger(store, layout))
    same = _same(store, layout, settings, selection)
    if status is not None and status.state in ("complete", "partial"):
        if status.state == "partial" and same:
            text = f"run {layout.run_id} of these inputs is partial: `riskpipe retry` redoes what failed"
            observer.message("info", text)
        return None
    if same and settings.on_invalid == "error" and len(read_parquet(store, layout.quarantine)):
        return None  # a new run says what is wrong with the trades, and prices none
    return layout if same else None


def _same(store: Store, layout: RunLayout, settings: Settings, selection: Selection) -> bool:
    try:
        _refuse_other_inputs(store, layout, settings, selection)
    except InputError:
        return False
    return True


def _refuse_other_inputs(store: Store, layout: RunLayout, settings: Settings, selection: Selection) -> None:
    """:raises InputError: inputs, settings or selection are not those that the run was planned with."""
    header = read_header(store, layout)
    found = []
    if header.config_sha256 != settings.sha256:
        found.append("the configuration")
    if header.selection != selection.canonical():
        found.append("--select")
    elif header.inputs_sha256 != hash_inputs(settings, selection):
        found.append("an input file")
    if found:
        raise InputError(f"{' and '.join(found)} changed since run {layout.run_id} was planned: start a new run")


def refuse_changed_inputs(store: Store, layout: RunLayout, settings: Settings) -> None:
    """:raises InputError: an input file is not the one that the run was planned with."""
    header = read_header(store, layout)
    selection = _selection_of(header)
    if header.inputs_sha256 != hash_inputs(settings, selection):
        raise InputError(f"an input file changed since run {layout.run_id} was planned: start a new run")


def _selection_of(header: PlanHeader) -> Selection:
    return parse_selection([",".join(terms) for terms in header.selection])


def read_header(store: Store, layout: RunLayout) -> PlanHeader:
    """What all blocks of a run share."""
    return open_plan(store, layout).header


def _create(store: Store, settings: Settings, selection: Selection, run_id: str, observer: Observer) -> _Opened:
    """Check, plan, and put everything that the workers need in place; the plan comes last and makes it a run."""
    started = time.monotonic()
    layout = RunLayout(run_id)
    observer.message("info", "checking and planning")
    with make_plan(settings, selection) as planned:
        phases = {"plan": time.monotonic() - started}
        errors = sum(1 for fault in planned.faults if fault.level == "error")
        if errors:
            observer.message("warning", f"{errors} faults in the inputs; they are in {layout.checks}")
        _write_run(store, layout, settings, planned)
    return _Opened(layout, phases)


def _write_run(store: Store, layout: RunLayout, settings: Settings, planned: Planned) -> None:
    inputs = planned.inputs
    assert inputs.snapshot is not None
    assert inputs.scenarios is not None
    header = planned.plan.header
    store.write_bytes(
        layout.run,
        json.dumps(
            {
                "schema_version": RUN_VERSION,
                "run_id": layout.run_id,
                "as_of": header.as_of,
                "created_at": datetime.now(UTC).isoformat(),
                "engine_version": __version__,
                "config_sha256": settings.sha256,
                "inputs_sha256": inputs.sha256,
            },
            indent=2,
        ).encode(),
    )
    store.write_bytes(layout.config, resolved_yaml(settings).encode())
    store.write_bytes(layout.inputs, json.dumps(inputs.hashes, indent=2, sort_keys=True).encode())
    sha256 = {PLAN_FILE: content_sha256(*Store.of_file(planned.plan.path))}
    for path, writable in ((layout.market, inputs.snapshot), (layout.scenarios, inputs.scenarios.columns)):
        with store.atomic_sink(path) as sink:
            writable.write(sink.name)
            sha256[path.rpartition("/")[2]] = content_sha256(*Store.of_file(sink.name))
    quarantine = write_parquet(store, layout.quarantine, planned.quarantine.table())
    sha256[layout.quarantine.rpartition("/")[2]] = quarantine.sha256
    spec = ValuationSpec(
        run_id=layout.run_id,
        as_of=settings.as_of,
        measures=tuple(settings.measures),
        bumps=Bumps(**settings.bumps.model_dump()),
        conventions=settings.conventions(),
        portfolio=settings.inputs.portfolio,
        files={file.path: file for file in inputs.files},
        selection=tuple(tuple(terms) for terms in header.selection),
        stored_pnl=planned.stored_pnl,
        config_sha256=settings.sha256,
        inputs_sha256=inputs.sha256,
        engine_version=__version__,
        files_sha256=sha256,
    )
    store.write_bytes(layout.valuation, spec.to_json().encode())
    write_parquet(store, layout.checks, checks_table(list(planned.faults)))
    put_file(store, layout.plan, planned.plan.path)
    open_context.cache_clear()
