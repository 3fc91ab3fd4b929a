"""The start of a session on a run whose plan is in place."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.execute.signals import StopSignal
from riskpipe.plan.accounting import Observer
from riskpipe.runs.attempt_rows import AttemptRows
from riskpipe.runs.deadline import Deadline
from riskpipe.runs.folded import unfolded
from riskpipe.runs.losses import missing_outputs
from riskpipe.runs.session import Session
from riskpipe.store.ledger import LedgerWriter, new_session_id, read_ledger
from riskpipe.store.process import ProcessIdentity
from riskpipe.store.records import SessionStarted
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.shared_lease import Hold
from riskpipe.valuation.context import open_context


def open_session(
    folder: RunFolder,
    settings: Settings,
    lease: Hold,
    observer: Observer,
    stop: StopSignal,
    deadline: Deadline | None = None,
    *,
    accounts: bool = True,
) -> Session:
    """Fold the ledger and begin a session on a run whose plan is in place.

    :param accounts: it writes blocks.parquet at its end.
    :raises StorageError: plan or ledger cannot be read.
    """
    folder.store.delete_temporary(folder.root)
    context = open_context(*folder.place)
    context.verify()
    run = unfolded(folder)
    attempts = AttemptRows(folder, run.state, context.spec.provenance) if accounts else None
    for record in read_ledger(folder):
        run.apply(record)
        if attempts is not None:
            attempts.apply(record)
    if run.unended or run.state.engines:
        folder.store.delete(folder.stop)  # of an earlier session, which was killed before it saw it
    run.combined.forget_staged()
    lost = list(missing_outputs(run))
    name = new_session_id(folder, datetime.now(UTC))
    started = time.monotonic()
    writer = LedgerWriter(folder, name, started)
    session = Session(
        run, settings, writer, name, lease, observer, stop,
        started=started, files=dict(run.files), attempts=attempts,
    )  # fmt: skip
    session.due.deadline = deadline
    identity = ProcessIdentity.current()
    due = (None, 0.0) if deadline is None else (deadline.at, deadline.finishing)
    session.record(SessionStarted(name, time.time(), identity.host, identity.pid, __version__, *due))
    session.lose(lost)
    session.lost = lost
    run.state.start_session()
    run.combined.begin(run.state)
    session.flush()
    return session
