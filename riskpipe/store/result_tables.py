"""The result tables: what identifies a file, and a writer that lets no NaN through."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.errors import RiskpipeError
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import ROW_GROUP_ROWS, ParquetSink, Remnant, atomic_parquet, read_metadata
from riskpipe.store.table_schemas import OPEN, REPEATING, SCHEMAS
from riskpipe.store.written_files import WrittenFile

SCHEMA_VERSION = 1
LEAST_ROW_GROUP = 1024
PREFIX = "riskpipe."

# Bytes of a table below which a file of the run itself is not compressed.
_SMALL = 1 << 16


class ResultStatus(StrEnum):
    """Of a row of results: there is a value; there should be one; or there is none to compute."""

    OK = "ok"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class AttemptStatus(StrEnum):
    """Of a row of blocks.parquet: how an attempt ended; or that the block was cut in two, or never done.

    :cvar OUTRUN: another attempt at the block, which ran at the same time, came first.
    """

    OK = "ok"
    FAILED = "failed"
    RETRIED = "retried"
    OUTRUN = "outrun"
    SPLIT = "split"
    CANCELLED = "cancelled"


class InvalidResultError(RiskpipeError):
    """A result table breaks its own contract: a bug in riskpipe (exit 1), never the user's data."""


# Tables whose status is not that of a number.
_OTHER_STATUS = ("blocks", "limit_checks")


class Provenance(Struct, frozen=True):
    """What made a file; written to the footer of every result file.

    :param config_sha256: of the resolved configuration. :param inputs_sha256: of all inputs together.
    :param base_currency: of `value_base` and all other sums.
    """

    run_id: str
    as_of_date: date
    config_sha256: str
    inputs_sha256: str
    engine_version: str
    base_currency: str

    @staticmethod
    def of_footer(footer: Mapping[str, str], as_of: date) -> Provenance:
        """Of a file's `metadata`; files of earlier versions say nothing of the base currency."""
        return Provenance(
            footer["run_id"],
            as_of,
            footer["config_sha256"],
            footer["inputs_sha256"],
            footer["engine_version"],
            footer.get("base_currency", ""),
        )

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
            **({"riskpipe.base_currency": self.base_currency} if self.base_currency else {}),
        }


def metadata(store: Store, path: str, sha256: str | None = None) -> dict[str, str]:
    """The `riskpipe.*` keys of a file's footer, without the prefix. :param sha256: see `open_parquet`."""
    return {k.removeprefix(PREFIX): v for k, v in read_metadata(store, path, sha256).items() if k.startswith(PREFIX)}


def schema_of(table: str, *schemas: pa.Schema) -> pa.Schema:
    """The columns of a table, and of one that is open those that its data have beyond them."""
    own = SCHEMAS[table]
    if table not in OPEN:
        return own
    further = {field.name: field.type for schema in schemas for field in schema if field.name not in own.names}
    return pa.schema([*own, *(pa.field(name, plain_type(type_)) for name, type_ in further.items())])


def plain_type(type_: pa.DataType) -> pa.DataType:
    """Of the values, where they are coded as a dictionary."""
    return type_.value_type if pa.types.is_dictionary(type_) else type_


_VALUES = ("value", "pnl")  # there where the status is ok


def conform(table: str, data: pa.Table, *, plain: bool = True) -> pa.Table:
    """The columns of `table` in order and type, proven to keep the contract.

    :param data: at least the table's required columns; missing nullable ones become null, others are refused.
    :param plain: strings where `data` has dictionaries; else those stay.
    :raises InvalidResultError: a column too many or missing, a wrong type, a null in a required column, NaN
        or infinity in a number, an unknown status, a value without status ok or the reverse.
    """
    schema = schema_of(table, data.schema)
    names = set(data.column_names)
    unknown = names - set(schema.names)
    if unknown:
        raise InvalidResultError(f"{table} has no column {', '.join(sorted(unknown))}")
    columns = []
    for field in schema:
        if field.name in names:
            columns.append(_conform_column(table, field, data.column(field.name), plain))
        elif field.nullable:
            columns.append(pa.nulls(data.num_rows, field.type))
        else:
            raise InvalidResultError(f"{table}.{field.name} is missing")
    if not plain:
        schema = pa.schema([f.with_type(c.type) for f, c in zip(schema, columns, strict=True)])
    result = pa.table(columns, schema=schema)
    if "status" in schema.names and table not in _OTHER_STATUS:
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
    if pa.types.is_floating(numbers.type) and not _all_finite(numbers):
        raise InvalidResultError(
            f"{table}.{field.name} has NaN or infinity: a value is a number, or null with a status"
        )
    return column


def _all_finite(numbers: pa.ChunkedArray) -> bool:
    if numbers.null_count:
        return not pc.any(pc.invert(pc.is_finite(numbers))).as_py()
    return all(np.isfinite(chunk.to_numpy()).all() for chunk in numbers.chunks)


def _check_status(table: str, data: pa.Table) -> None:
    status = data.column("status")
    found = set(pc.unique(status).to_pylist())
    if found == {ResultStatus.OK} and not any(data[name].null_count for name in _VALUES if name in data.column_names):
        return  # nearly every small block: no row has to be looked at
    if unknown := found - set(ResultStatus):
        raise InvalidResultError(f"{table}.status has {', '.join(map(repr, sorted(unknown)))}")
    is_ok = pc.equal(status, ResultStatus.OK)
    for name in _VALUES:
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
    schema: pa.Schema | None = None,
) -> Iterator[TableSink]:
    """A result file in place, atomically, when the body ends without error; nothing after an error.

    :param schema: of a table that is open, with its further columns.
    :param before: what the file begins with; its size is the footer's key `riskpipe.begins_at`.
    :raises InvalidResultError: rows that break the table's contract (see `conform`).
    :raises StorageError: the file cannot be written.
    """
    footer = provenance.metadata(table)
    if before is not None:
        footer[f"{PREFIX}begins_at"] = str(os.path.getsize(before.path))
    columns, repeating = schema or SCHEMAS[table], REPEATING.get(table, ())
    with atomic_parquet(store, path, columns, footer, before, durable=durable, repeating=repeating) as sink:
        yield TableSink(table, sink)


def row_group_rows(rows: pa.Table, size: int) -> int:
    """How many such rows make a row group of about `size` bytes."""
    width = rows.nbytes // max(rows.num_rows, 1) + 1
    return int(min(ROW_GROUP_ROWS, max(size // width, LEAST_ROW_GROUP)))


def write_result(store: Store, path: str, table: str, data: pa.Table, provenance: Provenance) -> WrittenFile:
    """All rows of a file of the run itself at once: what publishing reads, and people look into."""
    checked = conform(table, data, plain=False)
    footer, compressed = provenance.metadata(table), checked.nbytes > _SMALL
    with atomic_parquet(store, path, checked.schema, footer, transient=True, compressed=compressed) as sink:
        sink.write(checked)
    return sink.written


def write_result_stream(
    store: Store, path: str, table: str, pieces: Iterable[pa.Table], provenance: Provenance
) -> WrittenFile:
    """As `write_result`, rows that come in pieces without dictionaries: a row group or more each."""
    checked = (conform(table, piece) for piece in pieces)
    begins = list(itertools.islice(checked, 1))
    footer, compressed = provenance.metadata(table), any(piece.nbytes > _SMALL for piece in begins)
    with atomic_parquet(store, path, SCHEMAS[table], footer, transient=True, compressed=compressed) as sink:
        for piece in itertools.chain(begins, checked):
            sink.write(piece)
    return sink.written
