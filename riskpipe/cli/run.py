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
    fail_fast: FailFastOption = False,
    publish: PublishOption = None,
    replace_day: ReplaceDayOption = False,
    wait: WaitOption = 0.0,
    accept_engine: AcceptEngineOption = False,
) -> ExitCode:
    """Price the book and publish the results; ends with what became of every planned number."""
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
            fail_fast=fail_fast,
            publication=Publication(None if publish is None else publish.value, replace_day),
            wait=wait,
            accept_engine=accept_engine,
            observer=watching,
        )
    invocation.answer(status.to_json(), summary(status, invocation))
    return status.exit_code
