"""`riskpipe publish`: make a finished run what readers see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import ReplaceDayOption, RunArgument, WaitOption
from riskpipe.cli.text import columns, count
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.workflows.publish import PublishReport


def publish(
    invocation: Invocation,
    run: RunArgument = "latest",
    replace_day: ReplaceDayOption = False,
    wait: WaitOption = 0.0,
    override: Annotated[
        str | None,
        typer.Option("--override", metavar="REASON", help="Publish in spite of gates; reason, user and time are kept."),
    ] = None,
) -> ExitCode:
    """Publish a run that has ended, all of its day's tables at once; failed trades are rows with reasons.

    \b
    Examples:
    riskpipe publish latest
    riskpipe publish 20261120-193055 --replace-day
    """
    from riskpipe.cli.progress import observer
    from riskpipe.workflows.publish import publish as workflow

    settings = invocation.settings()
    with observer(invocation) as watching:
        report = workflow(settings, run, watching, replace_day=replace_day, wait=wait, override=override)
    invocation.answer(report.to_json(), _lines(report, invocation))
    return ExitCode.DONE


def _lines(report: PublishReport, invocation: Invocation) -> list[str]:
    rows = [[table, count(number)] for table, number in report.tables.items()]
    return [
        f"run {report.run_id} stands for {report.as_of} already: nothing to do"
        if report.stood
        else f"published run {report.run_id} as {report.as_of}",
        *columns(["table", "rows"], rows, [1]),
        f"next: {invocation.next_command('runs show ' + report.run_id)}",
    ]
