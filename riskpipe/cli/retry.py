"""`riskpipe retry`: what failed, from the stored plan."""

from __future__ import annotations

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import (
    AcceptEngineOption,
    FailFastOption,
    PublishOption,
    ReplaceDayOption,
    RunArgument,
    SelectOption,
    WaitOption,
)
from riskpipe.errors import ExitCode


def retry(
    invocation: Invocation,
    run: RunArgument = "latest",
    select: SelectOption = None,
    fail_fast: FailFastOption = False,
    publish: PublishOption = None,
    replace_day: ReplaceDayOption = False,
    wait: WaitOption = 0.0,
    accept_engine: AcceptEngineOption = False,
) -> ExitCode:
    """Price again only what failed in a run, from its stored plan.

    \b
    Examples:
    riskpipe retry latest
    riskpipe retry latest --select product:swaption
    """
    from riskpipe.cli.progress import observer
    from riskpipe.cli.summary import summary
    from riskpipe.plan.selection import parse_selection
    from riskpipe.runs.publication import Publication
    from riskpipe.workflows.retry import retry as workflow

    selection = parse_selection(select or [])
    settings = invocation.settings()
    with observer(invocation) as watching:
        status = workflow(
            settings,
            run,
            selection,
            watching,
            fail_fast=fail_fast,
            publication=Publication(None if publish is None else publish.value, replace_day),
            wait=wait,
            accept_engine=accept_engine,
        )
    invocation.answer(status.to_json(), summary(status, invocation))
    return status.exit_code
