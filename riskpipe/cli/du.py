"""`riskpipe du`: what the output takes."""

from __future__ import annotations

from typing import Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, plural, size
from riskpipe.errors import ExitCode


def du(
    invocation: Invocation,
    keep: Annotated[
        int, typer.Option("--keep", min=1, metavar="N", help="Say what `runs gc --keep N` would free.")
    ] = 7,
) -> ExitCode:
    """Show what the output takes on the disk: published by table, runs by part, and what gc would free.

    \b
    Examples:
    riskpipe du
    riskpipe du --keep 30 --json
    """
    from riskpipe.workflows.gc import Retention, disk_usage

    report = disk_usage(invocation.settings(), Retention(keep=keep))
    rows = [["published", table, size(found)] for table, found in report.published.items()]
    rows += [["runs", part, size(found)] for part, found in report.parts.items()]
    rows += [["other", "", size(report.other)], ["total", "", size(report.total)]]
    lines = [
        *columns(["", "", "size"], rows, [2]),
        f"{plural(len(report.runs), 'run')}; `runs gc --keep {keep}` would free {size(report.freeable)}",
    ]
    if report.freeable:
        lines.append(f"next: {invocation.next_command(f'runs gc --keep {keep}')}")
    invocation.answer(report.to_json(), lines)
    return ExitCode.DONE
