"""`riskpipe retry`: what failed, from the stored plan."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.selection import SelectOption
from riskpipe.cli.session import Session


def retry(
    session: Session,
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="An id, a unique prefix, or latest.")
    ] = "latest",
    select: SelectOption = None,
) -> int:
    """Price again only what failed in a run, from its stored plan."""
    from riskpipe.cli.progress import observer
    from riskpipe.cli.summary import summary
    from riskpipe.plan.selection import parse_selection
    from riskpipe.workflows.retry import retry as workflow

    selection = parse_selection(select or [])
    settings = session.settings()
    with observer(session) as watching:
        status = workflow(settings, run, selection, watching)
    session.answer(status.to_json(), summary(status, session))
    return status.exit_code
