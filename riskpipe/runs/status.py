"""What has become of a run, for those who look at it from outside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Counts, RunLifecycle, RunStatus
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import CURRENT
from riskpipe.store.lease import holder
from riskpipe.store.ledger import read_ledger, session_records
from riskpipe.store.published import read_current
from riskpipe.store.records import Record, SessionEnded, SessionStarted
from riskpipe.store.run_folder import RunFolder


def status_of(folder: RunFolder) -> RunStatus:
    """From the summary if the last session ended in order, else folded from the ledger."""
    opened = folder.described()
    # Whoever began the last session is at work, or was killed: its lease tells.
    running = folder.run_id in (holder(folder.store) or "").split(",")  # several, of a backfill
    state = RunLifecycle.RUNNING if running else RunLifecycle.INTERRUPTED
    if not folder.planned():
        nothing, why = Counts(), "planning" if running else "stopped before it had a plan"
        return RunStatus(
            folder.run_id, opened["as_of"], state, nothing, nothing, output=folder.store.root, messages=(why,)
        )
    ended = read_status(folder, session_records(folder))
    if ended is not None:
        return ended
    # Numpy and pyarrow, which all that ended in order can be told without.
    from riskpipe.runs.unfinished import unfinished

    return unfinished(folder, opened["as_of"], read_ledger(folder), running)


def read_status(folder: RunFolder, records: Iterable[Record]) -> RunStatus | None:
    """How the last session of a run ended; None when it is at work, or was killed.

    :param records: the run's ledger: a summary counts only when its session's end was recorded after it.
    :raises StorageError: the summary is damaged.
    """
    started = ended = None
    files: Mapping[str, str] = {}
    for record in records:
        if isinstance(record, SessionStarted):
            started = record.session
        elif isinstance(record, SessionEnded):
            ended, files = record.session, record.files
    if started is None or ended != started or not folder.store.exists(folder.summary):
        return None
    return read_summary(folder, files.get(folder.summary.rpartition("/")[2]))


def read_summary(folder: RunFolder, sha256: str | None = None) -> RunStatus:
    """How a run ended. :param sha256: what the file must be; None: that is not known. :raises StorageError: damaged."""
    content = folder.store.read_bytes(folder.summary, changing=True)
    try:
        if sha256 not in (None, hashlib.sha256(content).hexdigest()):
            raise ValueError("it is not what was written")
        return RunStatus.from_json(json.loads(content))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(f"cannot read {folder.store.full_path(folder.summary)}: damaged ({error!r})") from error


def published_days(store: Store) -> Mapping[str, Any] | None:
    """What meta/CURRENT.json says of every day, for those who only look; None when it is damaged."""
    with suppress(StorageError):
        return read_current(store)
    return None


def as_seen_now(status: RunStatus, days: Mapping[str, Any] | None) -> RunStatus:
    """A run's status with what has become of its publication.

    :param days: of `published_days`.
    """
    if days is None:
        return replace(status, messages=(*status.messages, f"{CURRENT} is damaged: what is published is not known"))
    standing = days.get(status.as_of, {}).get("run_id")
    if standing == status.run_id:
        return replace(status, published=True)
    return replace(status, published=False, superseded_by=standing if status.published else None)
