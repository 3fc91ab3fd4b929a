"""`riskpipe sql`: a question to the published tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.rows import OutputOption, answer_rows, form_of
from riskpipe.cli.text import columns, count
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 1_000
"""Rows of a table for people."""


class Format(StrEnum):
    """How the answer is written; with --json, as JSON."""

    table = "table"
    csv = "csv"
    xlsx = "xlsx"
    arrow = "arrow"


def sql(
    invocation: Invocation,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT, as DuckDB has it.")],
    form: Annotated[Format | None, typer.Option("--format", help="Else what FILE ends with, else a table.")] = None,
    output: OutputOption = None,
) -> ExitCode:
    """Ask the published tables of the latest day (or of --as-of); all_days.TABLE has those of every day.

    Example: riskpipe sql "select book, value_base from aggregates where measure = 'var_99' and level = 1"
    """
    from riskpipe.workflows.sql import asked

    settings = invocation.settings()
    default = Format.table if output is None else Format.csv
    chosen = form_of(form, output, [*Format], default)
    with asked(settings, query, settings.as_of if invocation.as_of else None) as reader:
        if chosen != Format.table:
            answer_rows(chosen, reader.schema, reader, output)
        elif invocation.json:
            rows = [row for batch in reader for row in batch.to_pylist()]
            invocation.answer({"columns": reader.schema.names, "rows": rows}, [])
        else:
            _show(invocation, reader)
    return ExitCode.DONE


def _show(invocation: Invocation, reader: pa.RecordBatchReader) -> None:
    import pyarrow as pa

    rows: Iterator[dict[str, Any]] = (row for batch in reader for row in batch.to_pylist())
    shown = list(itertools.islice(rows, SHOWN))
    names = reader.schema.names
    numbers = [k for k, field in enumerate(reader.schema) if pa.types.is_primitive(field.type)]
    cells = [[_cell(row[name]) for name in names] for row in shown]
    invocation.answer({}, columns(names, cells, numbers))
    if next(rows, None) is not None:
        text = f"the first {count(SHOWN)} rows are shown: --format csv gives all, `limit` fewer"
        invocation.messages.write("warning", text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return (
        f"{value:,.6g}"
        if isinstance(value, float) and abs(value) < 1000
        else (f"{value:,.2f}" if isinstance(value, float) else str(value))
    )
