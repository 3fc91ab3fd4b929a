"""Rows written as CSV, as an Arrow IPC file or as an Excel sheet, in pieces: memory does not grow with the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from riskpipe.errors import InfrastructureError, UsageError

SHEET_ROWS = 1_048_576
"""Of an Excel sheet, its header among them."""
CELL_CHARACTERS = 32_767
"""Of a text in a cell of Excel."""

Batches = Iterable[pa.RecordBatch]


class RowFormat(StrEnum):
    """How rows are written."""

    CSV = "csv"
    XLSX = "xlsx"
    ARROW = "arrow"


def write_rows(form: RowFormat, schema: pa.Schema, batches: Batches, sink: IO[bytes]) -> int:
    """Rows written to a binary file; returns how many.

    Lists become texts such as `[1.5,-2]` in CSV and Excel. Numbers are written so that they are read back to the same
    bits; Excel has 15 digits.

    :raises UsageError: more rows, or longer lists, than a sheet takes.
    :raises InfrastructureError: the library that writes Excel files is not installed.
    """
    return _WRITERS[form](schema, batches, sink)


def _write_arrow(schema: pa.Schema, batches: Batches, sink: IO[bytes]) -> int:
    rows = 0
    # A stream, which needs no seeking: it goes through a pipe, too.
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_csv(schema: pa.Schema, batches: Batches, sink: IO[bytes]) -> int:
    rows, flat = 0, _flat_schema(schema)
    options = pacsv.WriteOptions(quoting_style="needed")
    with pacsv.CSVWriter(sink, flat, write_options=options) as writer:
        for batch in batches:
            writer.write_batch(_flat(batch, flat))
            rows += batch.num_rows
    return rows


def _write_xlsx(schema: pa.Schema, batches: Batches, sink: IO[bytes]) -> int:
    try:
        import xlsxwriter
    except ImportError as error:
        raise InfrastructureError("Excel files need XlsxWriter: pip install 'riskpipe[xlsx]'") from error
    # Row by row into a temporary file: nothing of the sheet stays in memory. What begins with = is text, no formula.
    options: dict[str, Any] = dict.fromkeys(("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False)
    options |= {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}
    flat, row = _flat_schema(schema), 1
    with xlsxwriter.Workbook(
        sink, {**options, "strings_to_numbers": False, "default_date_format": "yyyy-mm-dd"}
    ) as book:
        sheet = book.add_worksheet("rows")
        sheet.write_row(0, 0, flat.names, book.add_format({"bold": True}))
        sheet.freeze_panes(1, 0)
        for batch in batches:
            if row + batch.num_rows > SHEET_ROWS:
                raise UsageError(too_many(None))
            columns = [_cells(column) for column in _flat(batch, flat).columns]
            for values in zip(*columns, strict=True):
                sheet.write_row(row, 0, values)
                row += 1
    return row - 1


def too_many(rows: int | None) -> str:
    """Why rows are no Excel sheet."""
    have = "there are more rows" if rows is None else f"{rows:,} rows are more"
    return f"{have} than the {SHEET_ROWS - 1:,} that a sheet takes: --where fewer of them, or --format csv"


def _cells(column: pa.Array) -> list[Any]:
    if pa.types.is_string(column.type):
        longest = pc.max(pc.utf8_length(column)).as_py() or 0
        if longest > CELL_CHARACTERS:
            raise UsageError(
                f"a text of {longest:,} characters, a cell takes {CELL_CHARACTERS:,}: --format csv, or arrow"
            )
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us"))  # Excel knows no time zones: UTC
    return list(column.to_pylist())


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, pa.string() if pa.types.is_nested(f.type) else f.type) for f in schema])


def _flat(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_text(c) if pa.types.is_nested(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _text(column: pa.Array) -> pa.Array:
    if not pa.types.is_list(column.type):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
    joined = pc.binary_join(column.cast(pa.list_(pa.string())), ",")
    return pc.binary_join_element_wise("[", joined, "]", "")


_WRITERS: Mapping[RowFormat, Callable[[pa.Schema, Batches, IO[bytes]], int]] = MappingProxyType(
    {RowFormat.CSV: _write_csv, RowFormat.ARROW: _write_arrow, RowFormat.XLSX: _write_xlsx}
)
