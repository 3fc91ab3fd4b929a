"""`riskpipe runs`: list, show, gc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.runs.status import as_seen_now, published_days, status_of
from riskpipe.store import run_ids
from riskpipe.store.lease import Lease
from riskpipe.store.location import open_store
from riskpipe.store.published import read_current
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import resolve_run


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


def collect(settings: Settings, keep: int) -> list[str]:
    """Delete all runs but the last `keep`, and those whose results are published. Names of the deleted ones."""
    store = open_store(settings.output)
    deleted = []
    with Lease(store, "gc", settings.lease_seconds):
        published = {day["run_id"] for day in read_current(store).values()}
        for run_id in run_ids.list_runs(store)[: -keep or None]:
            if run_id not in published:
                store.delete_tree(RunFolder(store, run_id).root)
                deleted.append(run_id)
    return deleted
