"""`riskpipe publish`: make a finished run what readers see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from riskpipe.cli.parameters import ReplaceDayOption, RunArgument, WaitOption
from riskpipe.cli.session import Session
from riskpipe.cli.text import columns, count
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.workflows.publish import PublishReport


def publish(
    session: Session, run: RunArgument = "latest", replace_day: ReplaceDayOption = False, wait: WaitOption = 0.0
) -> ExitCode:
    """Publish a run that has ended, all of its day's tables at once; failed trades are rows with reasons."""
    from riskpipe.cli.progress import observer
    from riskpipe.workflows.publish import publish as workflow

    settings = session.settings()
    with observer(session) as watching:
        report = workflow(settings, run, watching, replace_day=replace_day, wait=wait)
    session.answer(report.to_json(), _lines(report, session))
    return ExitCode.DONE


def _lines(report: PublishReport, session: Session) -> list[str]:
    rows = [[table, count(number)] for table, number in report.tables.items()]
    return [
        f"run {report.run_id} stands for {report.as_of} already: nothing to do"
        if report.stood
        else f"published run {report.run_id} as {report.as_of}",
        *columns(["table", "rows"], rows, [1]),
        f"next: {session.next_command('runs show ' + report.run_id)}",
    ]
