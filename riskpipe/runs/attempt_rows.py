"""blocks.parquet: a row an attempt, gathered while the ledger grows, so that nothing is left for each at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from msgspec.structs import asdict
from numpy.typing import NDArray

from riskpipe.errors import Reason
from riskpipe.plan.block import Block
from riskpipe.plan.second_starts import SecondStarts
from riskpipe.plan.state import RunState
from riskpipe.runs.block_facts import BlockFacts
from riskpipe.store.records import (
    BlockDone,
    BlockFailed,
    BlockSplit,
    BlockStartedAgain,
    Record,
    SessionStarted,
)
from riskpipe.store.result_tables import AttemptStatus, Provenance, TableSink, table_sink
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.written_files import WrittenFile

ROWS_AT_A_TIME = 4_096
ROWS_A_GROUP = 20_480
_FACTS = ("product", "trades", "scenarios")
_MOMENTS = ("queued_at", "started_at", "ended_at")


class _AbandonedError(Exception):
    """The file is not to be put in place."""


class _Row(NamedTuple):
    values: Mapping[str, Any]
    status: AttemptStatus
    engine: str


class AttemptRows:
    """The file while it grows: beside its place, so that one that is there is whole."""

    def __init__(self, folder: RunFolder, state: RunState, provenance: Provenance) -> None:
        self._folder = folder
        self._state = state
        self._provenance = provenance
        self._second_starts = SecondStarts()
        self._engine = ""
        self._waiting: list[_Row] = []
        self._tables: list[pa.Table] = []
        self._stack = ExitStack()
        self._sink: TableSink | None = None

    def apply(self, record: Record) -> None:
        """What a record says of attempts; the state that it is of knows it already."""
        if isinstance(record, SessionStarted):
            self._engine = record.version
        outrun: Mapping[int, str | None] = {}
        if self._second_starts.running or isinstance(record, BlockStartedAgain):  # of a million records, next to none
            outrun = self._second_starts.apply(record)
        if isinstance(record, BlockDone):
            self._add(asdict(record), AttemptStatus.OK)
            names = {"block_id": record.block_id, "parent_block_id": record.parent_block_id}
            for attempt, worker in outrun.items():
                self._add({**names, "attempt": attempt, "worker": worker}, AttemptStatus.OUTRUN)
        elif isinstance(record, BlockFailed):
            names = {name: getattr(record, name) for name in ("block_id", "parent_block_id", "reason", "worker")}
            status = AttemptStatus.FAILED if record.final else AttemptStatus.RETRIED
            self._add({**names, "attempt": record.attempt}, status)
        elif isinstance(record, BlockSplit) and record.reason != "retry":
            self._add({"block_id": record.block_id, "attempt": 0, "reason": record.reason}, AttemptStatus.SPLIT)

    def finish(self, pending: Iterable[Block]) -> WrittenFile:
        """The file in place. :param pending: blocks that were never done; each has a row."""
        self._engine = ""
        for block in pending:
            names = {"block_id": block.block_id, "parent_block_id": block.parent}
            self._add({**names, "attempt": 0, "reason": Reason.CANCELLED}, AttemptStatus.CANCELLED)
        self._gather()
        sink = self._write()
        self._stack.close()
        return sink.written

    def close(self) -> None:
        """What was not finished is not there."""
        with suppress(_AbandonedError):
            self._stack.__exit__(_AbandonedError, _AbandonedError(), None)

    @cached_property
    def _facts(self) -> BlockFacts:
        return BlockFacts(self._state)

    def _add(self, values: Mapping[str, Any], status: AttemptStatus) -> None:
        self._waiting.append(_Row(values, status, self._engine))
        if len(self._waiting) == ROWS_AT_A_TIME:
            self._gather()
            if sum(map(len, self._tables)) >= ROWS_A_GROUP:
                self._write()

    def _gather(self) -> None:
        rows, self._waiting = self._waiting, []
        if rows:
            self._tables.append(self._table(rows))

    def _write(self) -> TableSink:
        if self._sink is None:
            sink = table_sink(self._folder.store, self._folder.blocks, "blocks", self._provenance)
            self._sink = self._stack.enter_context(sink)
        tables, self._tables = self._tables, []
        self._sink.write(pa.concat_tables(tables) if tables else SCHEMAS["blocks"].empty_table())
        return self._sink

    def _table(self, rows: list[_Row]) -> pa.Table:
        facts = self._facts.of_all([row.values["block_id"] for row in rows])
        made: dict[str, Any] = {
            "run_id": pa.repeat(pa.scalar(self._folder.run_id, pa.string()), len(rows)),
            "status": [row.status for row in rows],
            "engine_version": [row.engine or None for row in rows],
            **dict(zip(_FACTS, facts, strict=True)),
        }
        columns = []
        for field in SCHEMAS["blocks"]:
            values = made.get(field.name)
            if values is None:
                values = [row.values.get(field.name) for row in rows]
            columns.append(_moments(values, field.type) if field.name in _MOMENTS else _array(values, field.type))
        return pa.table(columns, schema=SCHEMAS["blocks"])


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


def _moments(seconds: list[float | None], kind: pa.DataType) -> pa.Array:
    """Of seconds since 1970."""
    known: NDArray[np.float64] = np.array(seconds, np.float64)
    micros = np.rint(np.nan_to_num(known) * 1e6).astype(np.int64)
    return pa.array(micros, pa.int64(), mask=np.isnan(known)).cast(pa.timestamp("us", "UTC")).cast(kind)
