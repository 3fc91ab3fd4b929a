"""`riskpipe compact`: few large files in place of many small ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, count, plural, size
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.workflows.compact import CompactReport


def compact(
    invocation: Invocation,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A published table, such as valuations.")],
) -> ExitCode:
    """Put the small files of a published table together, day by day (all days, or that of --as-of).

    \b
    Examples:
    riskpipe compact valuations
    riskpipe compact scenario_pnl --as-of 2026-11-20
    """
    from riskpipe.workflows.compact import compact as workflow

    settings = invocation.settings()
    report = workflow(settings, table, settings.as_of if invocation.as_of else None)
    invocation.answer(report.to_json(), _lines(report))
    return ExitCode.DONE


def _lines(report: CompactReport) -> list[str]:
    lines = [f"{day}: brought up to date in CURRENT.json" for day in report.described]
    if not report.compacted:
        return [*lines, f"nothing to do: {plural(report.days, 'day')} of {report.table} in few files already"]
    rows = [
        [day.as_of, count(day.rows), count(day.files_before), count(day.files_after),
         size(day.bytes_before), size(day.bytes_after)]
        for day in report.compacted
    ]  # fmt: skip
    header = [report.table, "rows", "files before", "after", "size before", "after"]
    return [*lines, *columns(header, rows, range(1, 6))]
