"""The end of a session: what became of every block and number, written down, and published when it may be."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping

from msgspec.structs import replace

from riskpipe.errors import GateError, Level, StorageError
from riskpipe.plan.accounting import RunLifecycle, RunStatus
from riskpipe.runs.aggregate import headline
from riskpipe.runs.failures import write_failures
from riskpipe.runs.publication import Decision, Publication, decide, publish_tables
from riskpipe.runs.recorded_files import planned_files
from riskpipe.runs.session import Session
from riskpipe.runs.status import read_summary
from riskpipe.store.parquet import read_parquet
from riskpipe.store.records import Published
from riskpipe.valuation.context import open_context


def finish(session: Session, publication: Publication) -> RunStatus:
    """Write blocks, failures and summary; publish by the rule; end the session.

    :raises AssertionError: the numbers do not add up, a bug.
    """
    session.flush()
    started, session.phase = time.monotonic(), "account"
    if session.attempts is not None:
        written = session.attempts.finish(session.state.pending())
        session.wrote(session.folder.blocks, written.sha256)
    reasons = write_failures(session)
    session.phases["account"] = time.monotonic() - started
    state = _state_of(session)
    messages = _left_out(session)
    decision = decide(session, publication) if session.publishable else Decision(False)
    if decision.publish:
        started, session.phase = time.monotonic(), "publish"
        session.lease.check(confirm=True)
        session.observer.message("info", "publishing")
        try:
            tables = publish_tables(session)
            session.record(Published(tuple(tables), time.time()))
        except GateError as error:
            decision = Decision(False, gated=True)
            messages.append(f"not published: {error}")
        session.phases["publish"] = time.monotonic() - started
    elif decision.why is not None:
        messages.append(f"not published: {decision.why}")
    status = session.status(
        state,
        failures_by_reason=reasons,
        published=decision.publish,
        refused=decision.refused,
        gated=decision.gated,
        messages=(*messages, *session.notes),
        headline=_headline(session),
        currency=session.plan.header.base_currency,
    )
    if not (status.numbers.balanced and status.blocks.balanced):
        raise AssertionError(f"run {status.run_id} does not add up: {status.numbers}, {status.blocks}")
    _conclude(session, status)
    return status


def mark_published(session: Session, tables: Mapping[str, object]) -> None:
    """End a session that did nothing but publish."""
    session.record(Published(tuple(tables), time.time()))
    notes = tuple(session.notes)
    try:
        known = session.files.get(session.folder.summary.rpartition("/")[2])
        status = read_summary(session.folder, known)
        status = replace(status, published=True, refused=False, gated=False, gates=tuple(session.gates), messages=notes)
    except StorageError:  # it is not there, or damaged: it is made again
        reasons = write_failures(session)
        status = session.status(
            _state_of(session), failures_by_reason=reasons, published=True, messages=tuple(session.notes)
        )
    _conclude(session, status)


def mark_gated(session: Session) -> None:
    """End a session that was to publish and that a gate kept from it: the run stays as complete as it was."""
    try:
        known = session.files.get(session.folder.summary.rpartition("/")[2])
        status = replace(read_summary(session.folder, known), gated=True, gates=tuple(session.gates))
    except StorageError:  # as above
        reasons = write_failures(session)
        status = session.status(_state_of(session), failures_by_reason=reasons, gated=True)
    _conclude(session, status)


def _conclude(session: Session, status: RunStatus) -> None:
    content = json.dumps(status.to_json(), indent=2).encode()
    session.folder.store.write_bytes(session.folder.summary, content)
    session.wrote(session.folder.summary, hashlib.sha256(content).hexdigest())
    session.end(status)


def _headline(session: Session) -> dict[str, float]:
    """Of what is complete; a book without trades has none."""
    if not session.publishable:
        return {}
    context = open_context(*session.folder.place)
    totals = session.totals()
    return headline(context.spec, context.scenarios, totals) if len(totals.paths) else {}


def _state_of(session: Session) -> RunLifecycle:
    if session.stop.requested and not session.publishable:
        return RunLifecycle.INTERRUPTED
    if not session.clean():
        return RunLifecycle.PARTIAL
    failed = session.state.numbers_counts(session.state.planned_numbers).failed
    return RunLifecycle.PARTIAL if failed or _left_out(session) else RunLifecycle.COMPLETE


def _left_out(session: Session) -> list[str]:
    """What was asked for and is not among the planned numbers: scenarios without usable rows."""
    columns, sha256 = ["level", "table", "rule", "message"], planned_files(session.folder)
    checks = session.folder.checks
    table = read_parquet(session.folder.store, checks, columns, sha256.get(checks))
    errors = [row for row in table.to_pylist() if row["level"] == Level.ERROR and _is_of_scenarios(row["table"])]
    if not errors:
        return []
    from riskpipe.measures.run_scenarios import NOT_PRICED  # and with it all that makes scenarios

    return [f"{row['table']}: {row['message']}" for row in errors if row["rule"] in NOT_PRICED]


def _is_of_scenarios(table: str) -> bool:
    return table in ("scenarios", "history") or table.startswith("inputs.histories.")
