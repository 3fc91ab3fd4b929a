"""The end of a session: what became of every block and number, written down, and published when it may be."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from riskpipe.errors import Level, Reason, StorageError
from riskpipe.measures.run_scenarios import NOT_PRICED
from riskpipe.plan.accounting import RunLifecycle, RunStatus
from riskpipe.runs.failures import BlockFacts, write_failures
from riskpipe.runs.publication import Decision, Publication, decide, publish_tables
from riskpipe.runs.session import Session
from riskpipe.runs.status import read_summary
from riskpipe.store.ledger import read_ledger
from riskpipe.store.parquet import read_parquet
from riskpipe.store.records import BlockDone, BlockFailed, BlockSplit, Published, Record, SessionStarted
from riskpipe.store.result_tables import SCHEMAS, AttemptStatus, table_sink
from riskpipe.valuation.context import open_context

ROWS_AT_A_TIME = 20_000


def finish(session: Session, publication: Publication) -> RunStatus:
    """Write blocks, failures and summary; publish by the rule; end the session.

    :raises AssertionError: the numbers do not add up, a bug.
    """
    session.flush()
    started = time.monotonic()
    _write_blocks(session)
    reasons = write_failures(session)
    session.phases["account"] = time.monotonic() - started
    state = _state_of(session)
    messages = _left_out(session)
    decision = decide(session, publication) if session.publishable else Decision(False)
    if decision.publish:
        started = time.monotonic()
        session.lease.check(confirm=True)
        session.observer.message("info", "publishing")
        tables = publish_tables(session.folder, session.parts, session.sums, session.state.engines)
        session.record(Published(tuple(tables), time.time()))
        session.phases["publish"] = time.monotonic() - started
    elif decision.why is not None:
        messages.append(f"not published: {decision.why}")
    status = session.status(
        state,
        failures_by_reason=reasons,
        published=decision.publish,
        refused=decision.refused,
        messages=tuple(messages),
    )
    if not (status.numbers.balanced and status.blocks.balanced):
        raise AssertionError(f"run {status.run_id} does not add up: {status.numbers}, {status.blocks}")
    _conclude(session, status)
    return status


def mark_published(session: Session, tables: Mapping[str, object]) -> None:
    """End a session that did nothing but publish."""
    session.record(Published(tuple(tables), time.time()))
    try:
        status = replace(read_summary(session.folder), published=True, refused=False, messages=())
    except StorageError:  # it is not there, or damaged: it is made again
        reasons = write_failures(session)
        status = session.status(_state_of(session), failures_by_reason=reasons, published=True)
    _conclude(session, status)


def _conclude(session: Session, status: RunStatus) -> None:
    session.folder.store.write_bytes(session.folder.summary, json.dumps(status.to_json(), indent=2).encode())
    session.end(status)


def _state_of(session: Session) -> RunLifecycle:
    if session.stop.requested and not session.publishable:
        return RunLifecycle.INTERRUPTED
    if not session.clean():
        return RunLifecycle.PARTIAL
    failed = session.state.numbers_counts(session.state.planned_numbers).failed
    return RunLifecycle.PARTIAL if failed or _left_out(session) else RunLifecycle.COMPLETE


def _left_out(session: Session) -> list[str]:
    """What was asked for and is not among the planned numbers: scenarios without usable rows."""
    table = read_parquet(session.folder.store, session.folder.checks, ["level", "table", "rule", "message"])
    return [
        f"{row['table']}: {row['message']}"
        for row in table.to_pylist()
        if row["level"] == Level.ERROR and row["table"] in ("scenarios", "history") and row["rule"] in NOT_PRICED
    ]


# -- blocks.parquet


def _write_blocks(session: Session) -> None:
    provenance = open_context(*session.folder.place).spec.provenance
    with table_sink(session.folder.store, session.folder.blocks, "blocks", provenance) as sink:
        rows: list[dict[str, Any]] = []
        for row in _block_rows(session):
            rows.append(row)
            if len(rows) >= ROWS_AT_A_TIME:
                sink.write(pa.Table.from_pylist(rows, SCHEMAS["blocks"]))
                rows = []
        sink.write(pa.Table.from_pylist(rows, SCHEMAS["blocks"]))


def _block_rows(session: Session) -> Iterator[dict[str, Any]]:
    """One row an attempt, from the ledger; and one for each block that was never done."""
    state, run_id = session.state, session.folder.run_id
    facts = BlockFacts(state)
    engine = ""
    for record in read_ledger(session.folder):
        if isinstance(record, SessionStarted):
            engine = record.version
        row = _attempt_row(record, facts)
        if row is not None:
            yield {"run_id": run_id, **row, "engine_version": engine}
    pending = state.pending()
    for block in pending:
        yield {
            "run_id": run_id,
            "block_id": block.block_id,
            "parent_block_id": block.parent,
            "attempt": 0,
            **facts.of(block.block_id),
            "status": AttemptStatus.CANCELLED,
            "reason": Reason.CANCELLED,
        }


def _attempt_row(record: Record, facts: BlockFacts) -> dict[str, Any] | None:
    if isinstance(record, BlockDone):
        row = {
            name: getattr(record, name)
            for name in (
                "block_id", "parent_block_id", "attempt", "worker", "host", "queue_s", "fetch_s", "price_s", "write_s",
                "cpu_s", "peak_rss_bytes", "projected_bytes", "projected_s", "rows", "bytes_in", "bytes_out",
            )
        }  # fmt: skip
        times = {name: _moment(getattr(record, name)) for name in ("queued_at", "started_at", "ended_at")}
        return {**row, **times, **facts.of(record.block_id), "status": AttemptStatus.OK}
    if isinstance(record, BlockFailed):
        return {
            "block_id": record.block_id,
            "parent_block_id": record.parent_block_id,
            "attempt": record.attempt,
            **facts.of(record.block_id),
            "status": AttemptStatus.FAILED if record.final else AttemptStatus.RETRIED,
            "reason": record.reason,
            "worker": record.worker,
        }
    if isinstance(record, BlockSplit) and record.reason != "retry":
        return {
            "block_id": record.block_id,
            "attempt": 0,
            **facts.of(record.block_id),
            "status": AttemptStatus.SPLIT,
            "reason": record.reason,
        }
    return None


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
