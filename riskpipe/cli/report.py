"""`riskpipe report`: a run as a page to read and to print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import RunArgument
from riskpipe.cli.text import size
from riskpipe.errors import ExitCode


def report(
    invocation: Invocation,
    run: RunArgument = "latest",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write the page here; else report.html in the run."),
    ] = None,
) -> ExitCode:
    """Write a run's report: one HTML page with results, failures and where the time went.

    \b
    Examples:
    riskpipe report latest
    riskpipe report 20261120-193055 -o friday.html
    """
    from riskpipe.workflows.report import report as workflow

    written = workflow(invocation.settings(), run, None if output is None else str(output.absolute()))
    invocation.answer(written.to_json(), [f"{written.path}: report of run {written.run_id}, {size(written.bytes)}"])
    return ExitCode.DONE
