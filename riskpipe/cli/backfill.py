"""`riskpipe backfill`: the business days of a span, those that are not done."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import WaitOption
from riskpipe.cli.text import columns, duration, plural
from riskpipe.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from riskpipe.workflows.backfill import BackfillReport

MOST_AT_ONCE = 16


def backfill(
    invocation: Invocation,
    first: Annotated[str, typer.Argument(metavar="FROM", help="First day: YYYY-MM-DD.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last day: YYYY-MM-DD, today or previous-business-day.")],
    parallel: Annotated[
        int,
        typer.Option(
            "--parallel", min=1, max=MOST_AT_ONCE, metavar="N", help="Days at once, each with its own workers."
        ),
    ] = 1,
    wait: WaitOption = 0.0,
) -> ExitCode:
    """Run every business day from FROM to TO that is not published; exits with the worst day's code.

    \b
    Examples:
    riskpipe backfill 2026-11-02 2026-11-20
    riskpipe backfill 2026-11-02 previous-business-day --parallel 2
    """
    from riskpipe.cli.progress import observer
    from riskpipe.workflows.backfill import DayRequest
    from riskpipe.workflows.backfill import backfill as workflow

    begin, end = (replace(invocation, as_of=day).settings() for day in (first, last))
    if end.as_of < begin.as_of:
        raise UsageError(f"TO ({end.as_of}) is before FROM ({begin.as_of})")
    days = begin.dates.business_days(begin.as_of, end.as_of)
    settings = {day: replace(invocation, as_of=day.isoformat()).settings() for day in days}
    request = partial(DayRequest, config=invocation.config, assignments=invocation.assignments)
    with observer(invocation) as watching:
        report = workflow(settings, request, parallel=parallel, observer=watching, patience=wait)
    invocation.answer(report.to_json(), _lines(report, invocation, f"backfill {first} {last}"))
    return report.exit_code


def _lines(report: BackfillReport, invocation: Invocation, words: str) -> list[str]:
    rows = [
        [
            day.as_of,
            day.run_id or "-",
            day.state,
            "yes" if day.published else "no",
            str(int(day.exit_code)),
            duration(day.elapsed_seconds),
            day.message,
        ]
        for day in report.days
    ]
    header = ["day", "run", "state", "published", "exit code", "elapsed", ""]
    lines = columns(header, rows, (4, 5)) if rows else []
    lines.append(f"{plural(sum(day.published for day in report.days), 'day')} of {len(rows)} published")
    if report.exit_code is not ExitCode.DONE:
        lines.append(f"next: {replace(invocation, as_of=None).next_command(words)}")
    return lines
