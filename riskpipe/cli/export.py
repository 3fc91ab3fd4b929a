"""`riskpipe export`: a published table as CSV, Excel or Arrow."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.rows import OutputOption, answer_rows, form_of
from riskpipe.cli.text import count
from riskpipe.errors import ExitCode


class Format(StrEnum):
    """As `riskpipe.results.row_files.RowFormat`, which imports pyarrow."""

    csv = "csv"
    xlsx = "xlsx"
    arrow = "arrow"


def export(
    invocation: Invocation,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A published table, such as aggregates.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="Else what FILE ends with, else csv; arrow is an IPC stream.")
    ] = None,
    output: OutputOption = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="CONDITION", help='Of the rows, in SQL, such as "level = 1".')
    ] = None,
) -> ExitCode:
    """Write a published table of the latest day (or of --as-of) for other programs.

    Example: riskpipe export aggregates -o var.xlsx --where "measure = 'var_99'"
    """
    from riskpipe.results.row_files import RowFormat
    from riskpipe.workflows.export import exported

    settings = invocation.settings()
    chosen = RowFormat(form_of(form, output, [*Format], Format.csv))
    as_of = settings.as_of if invocation.as_of else None
    with exported(settings, table, chosen, as_of, where) as (schema, batches):
        rows = answer_rows(chosen, schema, batches, output)
    if output is not None:
        invocation.answer({"table": table, "rows": rows, "path": str(output)}, [f"{count(rows)} rows: {output}"])
    return ExitCode.DONE
