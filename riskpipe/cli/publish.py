"""`riskpipe publish`: make a finished run what readers see."""

from __future__ import annotations

from riskpipe.cli.parameters import RunArgument
from riskpipe.cli.session import Session


def publish(
    session: Session,
    run: RunArgument = "latest",
) -> int:
    """Publish the results of a run, all of its day's tables at once."""
    from riskpipe.workflows.publish import publish as workflow

    report = workflow(session.settings(), run)
    session.answer(report.to_json(), [])
    return 0
