"""`riskpipe run`: plan, price, publish."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import (
    AcceptEngineOption,
    FailFastOption,
    PublishOption,
    ReplaceDayOption,
    SelectOption,
    SinceOption,
    WaitOption,
)
from riskpipe.errors import ExitCode


def run(
    invocation: Invocation,
    select: SelectOption = None,
    resume: Annotated[
        str,
        typer.Option(
            "--resume",
            metavar="auto|never|RUN",
            help="auto resumes an interrupted run of the same plan; never starts a new one.",
        ),
    ] = "auto",
    since: SinceOption = None,
    fail_fast: FailFastOption = False,
    publish: PublishOption = None,
    replace_day: ReplaceDayOption = False,
    wait: WaitOption = 0.0,
    accept_engine: AcceptEngineOption = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write the run's page at the end, and tell its path.")
    ] = False,
) -> ExitCode:
    """Price the book and publish the results; ends with what became of every planned number.

    \b
    Examples:
    riskpipe run --report
    riskpipe run --select 'book:rates/*,product:swaption' --publish never
    riskpipe run --as-of previous-business-day --set cluster.workers=4
    """
    from riskpipe.cli.progress import observer
    from riskpipe.cli.summary import summary
    from riskpipe.plan.selection import parse_selection
    from riskpipe.runs.publication import Publication
    from riskpipe.workflows.run import run as workflow

    selection = parse_selection(select or [])
    settings = invocation.settings()
    with observer(invocation) as watching:
        status = workflow(
            settings,
            selection,
            resume=resume,
            since=since,
            fail_fast=fail_fast,
            publication=Publication(None if publish is None else publish.value, replace_day),
            wait=wait,
            accept_engine=accept_engine,
            observer=watching,
        )
    page = None
    if report:
        from riskpipe.workflows.report import report as write_report  # templates, which a run needs else not

        page = write_report(settings, status.run_id).path
    answer = status.to_json() if page is None else {**status.to_json(), "report": page}
    invocation.answer(answer, summary(status, invocation, page))
    return status.exit_code
