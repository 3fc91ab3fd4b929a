"""`riskpipe runs`: list, show and clear away runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import JUnitOption, RunArgument
from riskpipe.cli.text import columns, count, duration, plural, size
from riskpipe.errors import ExitCode, UsageError
from riskpipe.plan.accounting import RunLifecycle
from riskpipe.structs import asdict

if TYPE_CHECKING:
    from riskpipe.plan.accounting import RunStatus

WATCH_SECONDS = 2.0


def list_(invocation: Invocation) -> ExitCode:
    """List the runs of the output, oldest first.

    \b
    Examples:
    riskpipe runs list --json
    """
    from riskpipe.workflows.runs import list_runs

    statuses = list_runs(invocation.settings())
    lines = _table(statuses) if statuses else [f"no runs yet; next: {invocation.next_command('run')}"]
    invocation.answer({"runs": [status.to_json() for status in statuses]}, lines)
    return ExitCode.DONE


def show(
    invocation: Invocation,
    run: RunArgument = "latest",
    watch: Annotated[bool, typer.Option("--watch", help="Follow the run until it ends.")] = False,
    junit: JUnitOption = None,
) -> ExitCode:
    """Show one run: what became of every planned number, and where the time went. Exits 0 however the run went.

    \b
    Examples:
    riskpipe runs show latest --watch
    """
    from riskpipe.cli.progress import observer
    from riskpipe.cli.summary import summary
    from riskpipe.cli.time_lines import time_lines
    from riskpipe.workflows.runs import show as workflow
    from riskpipe.workflows.runs import time_of

    settings = invocation.settings()
    status = workflow(settings, run)
    if watch and status.state is RunLifecycle.RUNNING:
        with observer(invocation) as watching:
            while status.state is RunLifecycle.RUNNING:
                watching.update(status)
                time.sleep(WATCH_SECONDS)
                status = workflow(settings, status.run_id)
    if junit is not None:
        from riskpipe.workflows.junit import write_junit  # pyarrow and a parser of XML, which few ask for
        from riskpipe.workflows.runs import checks_of

        write_junit(junit, status.as_of, checks_of(settings, status.run_id), status.gates)
    spent = time_of(settings, status)
    lines = summary(status, invocation)
    if spent is not None:  # what to do next stands last
        lines[-1:] = ["", *time_lines(spent, settings.cluster.price_per_core_hour), "", lines[-1]]
    invocation.answer({**status.to_json(), "time": None if spent is None else spent.to_json()}, lines)
    return ExitCode.DONE


def stop(invocation: Invocation, run: RunArgument = "latest") -> ExitCode:
    """Ask a run that is at work, on this machine or another, to drain as on a SIGTERM; what is done is kept."""
    from riskpipe.workflows.runs import stop as workflow

    settings = invocation.settings()
    run_id = workflow(settings, run)
    line = f"run {run_id} is asked to stop: within {settings.lease_seconds / 12:g} s it starts no further block"
    invocation.answer({"run_id": run_id}, [line, f"next: {invocation.next_command(f'runs show {run_id} --watch')}"])
    return ExitCode.DONE


def collect(
    invocation: Invocation,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, metavar="N", help="Keep the newest N runs whole.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option("--keep-days", min=0.0, metavar="D", help="Keep runs of the last D days whole.")
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Then the oldest go until runs take at most this: 20GiB."),
    ] = None,
    keep_accounts: Annotated[
        int, typer.Option("--keep-accounts", min=0, metavar="N", help="Of freed runs, the newest N keep their account.")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> ExitCode:
    """Free what old runs left: those that a day is published from keep their account, others are deleted.

    \b
    Examples:
    riskpipe runs gc --keep 7 --keep-days 10 --dry-run
    riskpipe runs gc --keep 7 --max-size 20GiB
    """
    from riskpipe.workflows.gc import DELETED, Retention
    from riskpipe.workflows.gc import collect as workflow

    if keep is None and keep_days is None and max_size is None:
        raise UsageError("runs gc wants a rule: --keep, --keep-days or --max-size")
    most = None if max_size is None else _bytes(max_size)
    found = workflow(invocation.settings(), Retention(keep, keep_days, most, keep_accounts), dry_run=dry_run)
    freed = sum(fate.frees for fate in found)
    rows = [
        [fate.run_id, fate.as_of, fate.action, size(fate.frees), size(fate.left), ", ".join(fate.can) or "-", fate.why]
        for fate in found
    ]
    lines = columns(["run", "as of", "", "frees", "leaves", "can still", ""], rows, (3, 4)) if rows else []
    removed = [fate.run_id for fate in found if fate.action == DELETED]
    lines.append(f"{plural(len(removed), 'run')} {'would be ' if dry_run else ''}deleted, {size(freed)} freed")
    content = {"dry_run": dry_run, "removed": removed, "freed": freed, "runs": [asdict(fate) for fate in found]}
    invocation.answer(content, lines)
    return ExitCode.DONE


def _bytes(text: str) -> int:
    """:raises UsageError: it is no size."""
    from riskpipe.config.values import parse_size

    try:
        return parse_size(text)
    except ValueError as error:
        raise UsageError(f"--max-size {text!r}: a size such as 20GiB is wanted") from error


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
