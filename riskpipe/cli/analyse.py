"""`riskpipe analyse`: an analysis over a published day, again."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import count
from riskpipe.errors import ExitCode


def analyse(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An analysis, such as var: its table is made anew.")],
    day: Annotated[
        str, typer.Argument(metavar="[RUN|DATE]", help="A published day (YYYY-MM-DD), or the run that it is from.")
    ] = "latest",
) -> ExitCode:
    """Make an analysis of a published day again, as the configuration asks for it now; nothing is priced.

    \b
    Examples:
    riskpipe analyse var
    riskpipe analyse var_components latest
    """
    from riskpipe.workflows.analyse import analyse as workflow

    report = workflow(invocation.settings(), name, day)
    line = f"{report.table} of {report.as_of} (run {report.run_id}): {count(report.rows)} rows"
    invocation.answer(report.to_json(), [line])
    return ExitCode.DONE
