"""`riskpipe runs`: list, show and clear away runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import RunArgument
from riskpipe.cli.text import columns, count, duration, plural
from riskpipe.errors import ExitCode
from riskpipe.plan.accounting import RunLifecycle

if TYPE_CHECKING:
    from riskpipe.plan.accounting import RunStatus

WATCH_SECONDS = 2.0


def list_(invocation: Invocation) -> ExitCode:
    """List the runs of the output, oldest first."""
    from riskpipe.workflows.runs import list_runs

    statuses = list_runs(invocation.settings())
    lines = _table(statuses) if statuses else [f"no runs yet; next: {invocation.next_command('run')}"]
    invocation.answer({"runs": [status.to_json() for status in statuses]}, lines)
    return ExitCode.DONE


def show(
    invocation: Invocation,
    run: RunArgument = "latest",
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run until it ends.")] = False,
) -> ExitCode:
    """Show one run: what became of every planned number. Exits 0 however the run went."""
    from riskpipe.cli.progress import observer
    from riskpipe.cli.summary import summary
    from riskpipe.workflows.runs import show as workflow

    settings = invocation.settings()
    status = workflow(settings, run)
    if watch and status.state is RunLifecycle.RUNNING:
        with observer(invocation) as watching:
            while status.state is RunLifecycle.RUNNING:
                watching.update(status)
                time.sleep(WATCH_SECONDS)
                status = workflow(settings, status.run_id)
    invocation.answer(status.to_json(), summary(status, invocation))
    return ExitCode.DONE


def collect(
    invocation: Invocation,
    keep: Annotated[int, typer.Option("--keep", min=1, metavar="N", help="Runs to keep, the newest.")],
) -> ExitCode:
    """Delete the oldest runs; what is published stays, and so does a run that goes on."""
    from riskpipe.workflows.runs import collect as workflow

    removed = workflow(invocation.settings(), keep)
    invocation.answer({"removed": removed}, [*removed, f"{plural(len(removed), 'run')} deleted"])
    return ExitCode.DONE


def _table(statuses: list[RunStatus]) -> list[str]:
    header = ["run", "as of", "state", "blocks", "numbers", "failed", "published", "elapsed"]
    rows = [
        [
            status.run_id,
            status.as_of,
            status.state,
            f"{count(status.blocks.settled - status.blocks.cancelled)}/{count(status.blocks.planned)}",
            count(status.numbers.planned),
            count(status.numbers.failed),
            "yes" if status.published else "no" if status.superseded_by is None else "superseded",
            duration(status.elapsed_seconds),
        ]
        for status in statuses
    ]
    return columns(header, rows, (3, 4, 5, 7))
