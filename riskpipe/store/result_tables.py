"""The result tables: their columns, what identifies a file, and a writer that lets no NaN through."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.errors import RiskpipeError
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import ROW_GROUP_ROWS, ParquetSink, Remnant, WrittenFile, atomic_parquet, read_metadata

SCHEMA_VERSION = 1
LEAST_ROW_GROUP = 1024
PREFIX = "riskpipe."

_TIMESTAMP = pa.timestamp("us", tz="UTC")
_NUMBERS = pa.list_(pa.float64())
_LIMBS = pa.list_(pa.int64())


class ResultStatus(StrEnum):
    """Of a row of results: there is a value; there should be one; or there is none to compute."""

    OK = "ok"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class AttemptStatus(StrEnum):
    """Of a row of blocks.parquet: how an attempt ended; or that the block was cut in two, or never done."""

    OK = "ok"
    FAILED = "failed"
    RETRIED = "retried"
    SPLIT = "split"
    CANCELLED = "cancelled"


class InvalidResultError(RiskpipeError):
    """A result table breaks its own contract: a bug in riskpipe (exit 1), never the user's data."""


def _schema(required: Mapping[str, pa.DataType], **nullable: pa.DataType) -> list[pa.Field]:
    fields = [pa.field(name, type_, nullable=False) for name, type_ in required.items()]
    return fields + [pa.field(name, type_) for name, type_ in nullable.items()]


_STRING = pa.string()
_RUN = {"as_of_date": pa.date32(), "run_id": _STRING}
_TRADE = {**_RUN, "book": _STRING, "trade_id": _STRING, "product": _STRING}
_STATUS = pa.field("status", _STRING, nullable=False)
_VALUE = _schema({}, value=pa.float64(), currency=_STRING, value_base=pa.float64())

SCHEMAS: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "valuations": pa.schema(
            [
                *_schema({**_TRADE, "measure": _STRING}),
                *_VALUE,
                _STATUS,
                *_schema({}, reason=_STRING, message=_STRING, block_id=_STRING),
            ]
        ),
        "sensitivities": pa.schema(
            [
                *_schema({**_TRADE, "factor": _STRING, "measure": _STRING}),
                *_schema({}, shift=pa.float64(), shift_type=_STRING),
                *_VALUE,
                _STATUS,
            ]
        ),
        "scenario_pnl": pa.schema([*_schema({**_TRADE, "scenario_set": _STRING}), *_schema({}, pnl=_NUMBERS), _STATUS]),
        "scenarios": pa.schema(
            _schema({**_RUN, "scenario_set": _STRING, "index": pa.int32(), "scenario": _STRING}, date=pa.date32())
        ),
        "aggregates": pa.schema(
            [
                *_schema({**_RUN, "level": pa.int32(), "book": _STRING, "measure": _STRING}),
                *_schema({}, scenario_set=_STRING, scenario=_STRING, value_base=pa.float64()),
                *_schema({"trades": pa.int64(), "failed_trades": pa.int64()}),
            ]
        ),
        "failures": pa.schema(
            [
                *_schema({"run_id": _STRING}, block_id=_STRING, trade_id=_STRING, product=_STRING),
                *_schema({"stage": _STRING, "reason": _STRING, "message": _STRING, "retryable": pa.bool_()}),
            ]
        ),
        "blocks": pa.schema(
            [
                *_schema({"run_id": _STRING, "block_id": _STRING}, parent_block_id=_STRING),
                *_schema({"attempt": pa.int32(), "product": _STRING}),
                *_schema({"trades": pa.int64(), "scenarios": pa.int64(), "status": _STRING}),
                *_schema({}, reason=_STRING, worker=_STRING, host=_STRING),
                *_schema({}, queued_at=_TIMESTAMP, started_at=_TIMESTAMP, ended_at=_TIMESTAMP),
                *_schema({}, queue_s=pa.float64(), fetch_s=pa.float64(), price_s=pa.float64()),
                *_schema({}, write_s=pa.float64(), cpu_s=pa.float64()),
                *_schema({}, peak_rss_bytes=pa.int64(), projected_bytes=pa.int64(), projected_s=pa.float64()),
                *_schema({}, rows=pa.int64(), bytes_in=pa.int64(), bytes_out=pa.int64(), engine_version=_STRING),
            ]
        ),
        # Internal: a block's sums per book, exact integers in limbs, merged in any order to the same total.
        # `first` is the place of the first element within the scenario set.
        "partials": pa.schema(
            [
                *_schema({"book": _STRING, "scenario_set": _STRING, "measure": _STRING}),
                *_schema({"first": pa.int64(), "trades": pa.int64(), "failed_trades": pa.int64()}),
                *_schema({"high": _LIMBS, "middle": _LIMBS, "low": _LIMBS}),
            ]
        ),
    }
)

# The order of published rows. The first two columns are also the order of a block's rows.
SORT_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "valuations": ("book", "trade_id", "measure"),
        "sensitivities": ("book", "trade_id", "measure", "factor"),
        "scenario_pnl": ("book", "trade_id", "scenario_set"),
    }
)


@dataclass(frozen=True)
class Provenance:
    """What made a file; written to the footer of every result file.

    :param config_sha256: of the resolved configuration. :param inputs_sha256: of all inputs together.
    """

    run_id: str
    as_of_date: date
    config_sha256: str
    inputs_sha256: str
    engine_version: str

    def metadata(self, table: str) -> dict[str, str]:
        """The footer's keys `riskpipe.*` for a file of that table."""
        return {
            "riskpipe.table": table,
            "riskpipe.schema_version": str(SCHEMA_VERSION),
            "riskpipe.run_id": self.run_id,
            "riskpipe.as_of_date": self.as_of_date.isoformat(),
            "riskpipe.config_sha256": self.config_sha256,
            "riskpipe.inputs_sha256": self.inputs_sha256,
            "riskpipe.engine_version": self.engine_version,
        }


def metadata(store: Store, path: str) -> dict[str, str]:
    """The `riskpipe.*` keys of a file's footer, without the prefix."""
    return {k.removeprefix(PREFIX): v for k, v in read_metadata(store, path).items() if k.startswith(PREFIX)}


def conform(table: str, data: pa.Table, *, plain: bool = True) -> pa.Table:
    """The columns of `table` in order and type, proven to keep the contract.

    :param data: at least the table's required columns; missing nullable ones become null, others are refused.
    :param plain: strings where `data` has dictionaries; else those stay.
    :raises InvalidResultError: a column too many or missing, a wrong type, a null in a required column, NaN
        or infinity in a number, an unknown status, a value without status ok or the reverse.
    """
    schema = SCHEMAS[table]
    unknown = set(data.column_names) - set(schema.names)
    if unknown:
        raise InvalidResultError(f"{table} has no column {', '.join(sorted(unknown))}")
    columns = []
    for field in schema:
        if field.name in data.column_names:
            columns.append(_conform_column(table, field, data.column(field.name), plain))
        elif field.nullable:
            columns.append(pa.nulls(data.num_rows, field.type))
        else:
            raise InvalidResultError(f"{table}.{field.name} is missing")
    result = pa.table(columns, schema=pa.schema([f.with_type(c.type) for f, c in zip(schema, columns, strict=True)]))
    if "status" in schema.names and table != "blocks":
        _check_status(table, result)
    return result


def _conform_column(table: str, field: pa.Field, column: pa.ChunkedArray, plain: bool) -> pa.ChunkedArray:
    coded = pa.types.is_dictionary(column.type) and column.type.value_type == field.type
    try:
        column = column if column.type == field.type or (coded and not plain) else column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise InvalidResultError(f"{table}.{field.name}: {error}") from error
    if not field.nullable and column.null_count:
        raise InvalidResultError(f"{table}.{field.name} has {column.null_count} nulls")
    numbers = pc.list_flatten(column) if pa.types.is_list(field.type) else column
    if pa.types.is_list(field.type) and numbers.null_count:
        raise InvalidResultError(f"{table}.{field.name} has nulls within its lists")
    if pa.types.is_floating(numbers.type) and pc.any(pc.invert(pc.is_finite(numbers))).as_py():
        raise InvalidResultError(
            f"{table}.{field.name} has NaN or infinity: a value is a number, or null with a status"
        )
    return column


def _check_status(table: str, data: pa.Table) -> None:
    status = data.column("status")
    unknown = set(pc.unique(status).to_pylist()) - set(ResultStatus)
    if unknown:
        raise InvalidResultError(f"{table}.status has {', '.join(map(repr, sorted(unknown)))}")
    is_ok = pc.equal(status, ResultStatus.OK)
    for name in ("value", "pnl"):
        if name in data.column_names and pc.any(pc.xor(is_ok, pc.is_valid(data.column(name)))).as_py():
            raise InvalidResultError(f"{table}.{name}: there must be a value exactly where status is ok")
    if "value_base" in data.column_names:
        base = pc.is_valid(data.column("value_base"))
        if pc.any(pc.and_(pc.invert(is_ok), base)).as_py():
            raise InvalidResultError(f"{table}.value_base: a value where status is not ok")


class TableSink:
    """A result table being written; see `table_sink`."""

    def __init__(self, table: str, sink: ParquetSink) -> None:
        self._table = table
        self._sink = sink

    def write(self, data: pa.Table, row_group_rows: int = ROW_GROUP_ROWS) -> None:
        """Appends rows after `conform`."""
        self._sink.write(conform(self._table, data), row_group_rows)

    @property
    def bytes_so_far(self) -> int:
        """Bytes of the row groups written so far."""
        return self._sink.bytes_so_far

    @property
    def written(self) -> WrittenFile:
        return self._sink.written


@contextmanager
def table_sink(
    store: Store,
    path: str,
    table: str,
    provenance: Provenance,
    before: Remnant | None = None,
    durable: bool = True,
) -> Iterator[TableSink]:
    """A result file in place, atomically, when the body ends without error; nothing after an error.

    :param before: what the file begins with; its size is the footer's key `riskpipe.begins_at`.
    :raises InvalidResultError: rows that break the table's contract (see `conform`).
    :raises StorageError: the file cannot be written.
    """
    footer = provenance.metadata(table)
    if before is not None:
        footer[f"{PREFIX}begins_at"] = str(os.path.getsize(before.path))
    with atomic_parquet(store, path, SCHEMAS[table], footer, before, durable=durable) as sink:
        yield TableSink(table, sink)


def row_group_rows(rows: pa.Table, size: int) -> int:
    """How many such rows make a row group of about `size` bytes."""
    width = rows.nbytes // max(rows.num_rows, 1) + 1
    return int(min(ROW_GROUP_ROWS, max(size // width, LEAST_ROW_GROUP)))


def write_result(store: Store, path: str, table: str, data: pa.Table, provenance: Provenance) -> WrittenFile:
    """All rows of a file of the run itself at once: what publishing reads, and people look into."""
    checked = conform(table, data, plain=False)
    with atomic_parquet(store, path, checked.schema, provenance.metadata(table), transient=True) as sink:
        sink.write(checked)
    return sink.written


def write_result_stream(
    store: Store, path: str, table: str, pieces: Iterable[pa.Table], provenance: Provenance
) -> WrittenFile:
    """As `write_result`, rows that come in pieces without dictionaries: a row group or more each."""
    with atomic_parquet(store, path, SCHEMAS[table], provenance.metadata(table), transient=True) as sink:
        for piece in pieces:
            sink.write(conform(table, piece))
    return sink.written
