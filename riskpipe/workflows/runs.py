"""`riskpipe runs`: list, show, gc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riskpipe.config import Settings
from riskpipe.errors import StorageError, UsageError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.runs.asked_stop import ask_to_stop
from riskpipe.runs.status import as_seen_now, published_days, status_of
from riskpipe.store import run_ids
from riskpipe.store.lease import holder
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run

if TYPE_CHECKING:
    from riskpipe.results.time_spent import TimeSpent


def list_runs(settings: Settings) -> list[RunStatus]:
    """Every run of the output, oldest first; one whose files are damaged says so in its messages."""
    store = open_store(settings.output)
    days = published_days(store)
    return [_listed(RunFolder(store, run_id), days) for run_id in run_ids.list_runs(store)]


def _listed(folder: RunFolder, days: Mapping[str, Any] | None) -> RunStatus:
    try:
        return as_seen_now(status_of(folder), days)
    except StorageError as error:
        nothing = Counts()
        return RunStatus(
            folder.run_id, "", RunLifecycle.DAMAGED, nothing, nothing, output=folder.store.root, messages=(str(error),)
        )


def show(settings: Settings, run: str) -> RunStatus:
    """One run as it is now, also while another process works on it.

    :param run: an id, a unique prefix of one, or "latest".
    """
    store = open_store(settings.output)
    return as_seen_now(status_of(resolve_run(store, run)), published_days(store))


def time_of(settings: Settings, status: RunStatus) -> TimeSpent | None:
    """Where the time of a run went; None while it is at work, or when no block was done.

    :raises StorageError: its blocks.parquet or ledger cannot be read, or is not what was written.
    """
    if status.state is RunLifecycle.RUNNING:
        return None
    # Numpy and pyarrow, which `runs list` does without.
    from riskpipe.results.time_spent import read_time_spent

    return read_time_spent(resolve_run(open_store(settings.output), status.run_id), settings, status.phases)


def checks_of(settings: Settings, run: str) -> list[dict[str, Any]]:
    """What the checks of a run found, as they stand in its checks.parquet."""
    from riskpipe.store.parquet import read_parquet  # pyarrow, which telling of runs does without

    folder = resolve_run(open_store(settings.output), run)
    found: list[dict[str, Any]] = read_parquet(folder.store, folder.checks).to_pylist()
    return found


def stop(settings: Settings, run: str) -> str:
    """Ask the run that is at work to drain, wherever its process is; its id.

    It looks for that every twelfth of `lease_seconds`, and with kind serial between two blocks.

    :raises UsageError: no such run, or nobody is at work on it.
    """
    store = open_store(settings.output)
    folder = resolve_run(store, run)
    if folder.run_id not in (holder(store) or "").split(","):
        raise UsageError(f"nobody is at work on run {folder.run_id}: there is nothing to stop")
    ask_to_stop(folder)
    return folder.run_id
