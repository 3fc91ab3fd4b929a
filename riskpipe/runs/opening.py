"""From an output to a session that values, combines and publishes, under the lease and with a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.clusters.kind import ClusterRequest
from riskpipe.config.models import Settings
from riskpipe.errors import ClusterError, InterruptedRunError
from riskpipe.execute.executor import Executor, SchedulerLostError
from riskpipe.execute.signals import StopSignal, stop_on_signals
from riskpipe.plan.accounting import Observer, RunLifecycle, RunStatus
from riskpipe.runs.clusters import cluster_request
from riskpipe.runs.combining import finish_outputs
from riskpipe.runs.deadline import deadline_of
from riskpipe.runs.finish import finish
from riskpipe.runs.log import RunLog
from riskpipe.runs.losses import counted_losses
from riskpipe.runs.outputs import tables_to_merge
from riskpipe.runs.publication import Publication, decide
from riskpipe.runs.session import Session
from riskpipe.runs.session_start import open_session
from riskpipe.runs.telling import Telling
from riskpipe.runs.worker_functions import open_executor
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.shared_lease import Hold, lease_of

CLUSTERS_PER_SESSION = 3


class Opened(Struct, frozen=True):
    """A run that is ready for a session.

    :param prepare: done to the session before it values anything.
    :param settled: there is nothing to do: no session is begun.
    """

    folder: RunFolder
    phases: dict[str, float]
    prepare: Callable[[Session], None] = lambda session: None
    settled: RunStatus | None = None


def open_output(settings: Settings) -> Store:
    """The output's store, after everything that would stop a run later for reasons that can be seen now.

    :raises StorageError: the output cannot be written to. :raises UsageError: an address that must not be used.
    """
    cluster = settings.cluster
    cluster.runs_on.check(cluster.options_of(cluster.runs_on))
    store = open_store(settings.output)
    store.probe_writable()
    return store


def with_session(
    store: Store,
    settings: Settings,
    opened: Callable[[Observer, Hold], Opened],
    fail_fast: bool,
    publication: Publication,
    observer: Observer,
    wait: float = 0.0,
) -> RunStatus:
    """Take the lease, open the run, value what is pending, combine, publish, account for everything.

    :param wait: seconds to wait for the lease. :raises InterruptedRunError: by a signal, meanwhile.
    """
    started, began = time.monotonic(), datetime.now(UTC)
    log = RunLog(observer)
    with (
        stop_on_signals(StopSignal()) as stop,
        Telling(settings, observer) as telling,
        lease_of(store, "", settings.lease_seconds, wait, partial(pause_until_stopped, stop)) as lease,
        closing(log),
    ):
        run = opened(log, lease)
        if run.settled is not None:
            observer.message("info", f"nothing to do: run {run.folder.run_id} is {run.settled.state}")
            return run.settled
        lease.name(run.folder.run_id)
        log.open(run.folder)
        session = open_session(run.folder, settings, lease, log, stop, deadline_of(settings, store, began))
        session.due.tell = telling.at_risk
        session.started = started
        session.phases.update(run.phases)
        telling.start(session.status(RunLifecycle.RUNNING))
        if session.lost:
            log.message("warning", f"{counted_losses(store, session.lost)}: they are made again")
        with session.sound(), closing(session):
            run.prepare(session)
            session.flush()
            log.message("info", f"run {run.folder.run_id}: {len(session.plan)} blocks")
            if decide(session, publication).publish:
                session.merged_tables = tables_to_merge(session.run)
            _value(session, fail_fast, publication)
            status = finish(session, publication)
        log.ended(status)
        telling.end(status)
        observer.update(status)
        return status


def pause_until_stopped(stop: StopSignal, seconds: float) -> None:
    """:raises InterruptedRunError: a signal asked for an end."""
    time.sleep(seconds)
    if stop.signal_number is not None:
        raise InterruptedRunError("stopped while another run held the output", stop.signal_number)


def _value(session: Session, fail_fast: bool, publication: Publication) -> None:
    """Until nothing is pending; a scheduler that dies is replaced, and the ledger says what is left."""
    request = _cluster(session, 1)
    shards = session.settings.cluster.shards_of(request.workers)
    if shards > 1 and not session.clean() and not _value_in_shards(session, request, shards, fail_fast, publication):
        return
    for attempt in range(1, CLUSTERS_PER_SESSION + 1):
        try:
            started, session.phase = time.monotonic(), "cluster"
            with open_executor(session.settings, _cluster(session, attempt)) as executor:
                session.phases["cluster"] = time.monotonic() - started
                session.value_blocks(executor, fail_fast=fail_fast)
                session.flush()
                _finish_outputs(session, executor, publication)
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


def _value_in_shards(
    session: Session, request: ClusterRequest, shards: int, fail_fast: bool, publication: Publication
) -> bool:
    """By drivers of their own, one a shard; whether anything is left that another cluster could do."""
    from riskpipe.runs.shard_drivers import ShardDrivers  # of most runs, nobody needs it

    with ShardDrivers(session, request, shards, fail_fast=fail_fast) as drivers:
        drivers.value()
        if not session.clean() or session.stop.requested:
            return False
        try:
            with drivers.executor() as executor:
                _finish_outputs(session, executor, publication)
        except ClusterError as error:
            session.flush()
            session.observer.message("warning", f"{error}; starting another cluster")
            return not session.stop.requested
    return False


def _finish_outputs(session: Session, executor: Executor, publication: Publication) -> None:
    if session.clean() and not session.stop.requested:
        finish_outputs(session, executor, merge=decide(session, publication).publish)


def _cluster(session: Session, attempt: int) -> ClusterRequest:
    """As large as what is left to be priced asks for; of a run's shards, the first."""
    request = cluster_request(
        session.settings,
        run_id=session.folder.run_id,
        projected_seconds=session.state.pending_work()[0],
        attempt=attempt,
        isolated=len(session.run.unended) > 1,  # this one, and one that was killed
        stopped=lambda: session.stop.requested,
    )
    return replace(request, shards=session.settings.cluster.shards_of(request.workers))
