"""`riskpipe run`: a new run, or the rest of one that was interrupted; and what `retry` shares with it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from riskpipe.config import Settings
from riskpipe.errors import Reason, StorageError, UsageError
from riskpipe.plan.accounting import Observer, RunLifecycle, RunStatus
from riskpipe.plan.selection import Selection
from riskpipe.runs.earlier_run import find_earlier
from riskpipe.runs.engine import engine_differences, refuse_other_engine
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.freed import refuse_freed
from riskpipe.runs.new_run import create
from riskpipe.runs.opening import Opened, open_output, with_session
from riskpipe.runs.planned_inputs import refuse_other_inputs, same_inputs
from riskpipe.runs.publication import FOR_A_RUN, Publication
from riskpipe.runs.session import Session
from riskpipe.runs.settled import settled
from riskpipe.runs.status import read_status
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet
from riskpipe.store.published import published_runs
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs, new_run_id, resolve_run
from riskpipe.store.shared_lease import Hold


def run(
    settings: Settings,
    selection: Selection,
    *,
    resume: str = "auto",
    since: str | None = None,
    fail_fast: bool = False,
    publication: Publication = FOR_A_RUN,
    wait: float = 0.0,
    accept_engine: bool = False,
    observer: Observer,
) -> RunStatus:
    """Value the book, end to end.

    :param resume: "auto": go on with the last run of the same inputs if it was interrupted; "never": a new run; or
        the run to go on with.
    :param since: a run of the day whose numbers are taken over where nothing has changed since; a new run is started.
    :param publication: what is asked for besides the settings' `publish`.
    :param wait: seconds to wait for another run that holds the output.
    :param accept_engine: go on with a run that another version planned.
    :raises RiskpipeError: whatever keeps the run from starting or going on; see riskpipe.errors.
    """
    store = open_output(settings)

    def opened(log: Observer, lease: Hold) -> Opened:
        folder = _resumable(store, settings, selection, resume, log, accept_engine)
        if folder is not None:
            status = settled(folder, settings, publication, _storage_failed)
            if status is not None:
                return Opened(folder, {}, settled=status)
            log.message("info", f"resuming run {folder.run_id}")
            return Opened(folder, {}, _try_storage_again)
        new_id = new_run_id(store, datetime.now(UTC), published_runs(store))
        lease.name(new_id)
        tell = partial(log.message, "info")
        find = partial(find_earlier, store, settings, selection, since, tell)
        return create(store, settings, selection, new_id, log, find)

    return with_session(store, settings, opened, fail_fast, publication, observer, wait)


# -- opening


def _try_storage_again(session: Session) -> None:
    """Blocks that an earlier session gave up for want of storage: whoever resumes has seen to that."""
    session.state.reopen_failed(session.state.failed_for(Reason.STORAGE))


def _storage_failed(run: FoldedRun) -> bool:
    return bool(run.state.failed_for(Reason.STORAGE))


def _resumable(
    store: Store, settings: Settings, selection: Selection, resume: str, observer: Observer, accept_engine: bool
) -> RunFolder | None:
    if resume == "never":
        return None
    if resume != "auto":
        folder = resolve_run(store, resume)
        if not folder.planned():
            raise UsageError(f"run {folder.run_id} was stopped before it had a plan: start a new one")
        refuse_freed(folder, "resumed")
        refuse_other_inputs(folder, settings, selection)
        refuse_other_engine(open_plan(folder).header, folder.run_id, accept_engine)
        return folder
    for run_id in reversed(list_runs(store)):
        folder = RunFolder(store, run_id)
        if not folder.planned():
            continue
        try:
            found = _unfinished(folder, settings, selection, observer)
            differences = [] if found is None or accept_engine else engine_differences(open_plan(found).header)
            if differences:
                observer.message("info", f"run {run_id} was planned by {'; '.join(differences)}: a new run is started")
                return None
            return found
        except StorageError as error:
            observer.message("warning", f"run {run_id} cannot be resumed, a new run is started: {error}")
            return None
    return None


def _unfinished(folder: RunFolder, settings: Settings, selection: Selection, observer: Observer) -> RunFolder | None:
    """The run, if it was interrupted and is of the same inputs. :raises StorageError: its files are damaged."""
    status = read_status(folder, read_ledger(folder))
    same = same_inputs(folder, settings, selection)
    if status is not None and status.state.ended:
        if status.state is RunLifecycle.PARTIAL and same:
            text = f"run {folder.run_id} of these inputs is partial: `riskpipe retry` redoes what failed"
            observer.message("info", text)
        return None
    if same and settings.on_invalid == "error" and len(read_parquet(folder.store, folder.quarantine)):
        return None  # a new run says what is wrong with the trades, and prices none
    return folder if same else None
