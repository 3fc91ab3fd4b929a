"""`riskpipe plan`: what a run would do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import SelectOption, SinceOption
from riskpipe.cli.text import columns, count, duration, plural, size
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.workflows.plan import PlanReport


def plan(
    invocation: Invocation,
    select: SelectOption = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the plan (Parquet).")
    ] = None,
    since: SinceOption = None,
) -> ExitCode:
    """Show blocks, projected cost, memory and bytes, and what is missing; needs no cluster.

    \b
    Examples:
    riskpipe plan
    riskpipe plan --select 'book:rates/*' -o plan.parquet
    """
    from riskpipe.plan.selection import parse_selection
    from riskpipe.workflows.plan import plan as workflow

    path = None if output is None else str(output.absolute())
    report = workflow(invocation.settings(), parse_selection(select or []), path, since)
    invocation.answer(report.to_json(), _lines(report, invocation))
    for warning in report.warnings:
        invocation.messages.write("warning", warning)
    return ExitCode.DONE


def _lines(report: PlanReport, invocation: Invocation) -> list[str]:
    rows = [
        [row.product, count(row.trades), count(row.blocks), duration(row.projected_seconds)]
        for row in report.by_product
    ]
    total = ["", count(report.trades), count(report.blocks), duration(report.projected_seconds)]
    lines = columns(["product", "trades", "blocks", "pricing"], [*rows, total], range(1, 4))
    lines += [
        "",
        f"{plural(report.scenarios, 'scenario')}, {plural(report.valuations, 'valuation')}, "
        f"{plural(report.numbers, 'number')} to report; {plural(report.quarantined, 'trade')} quarantined",
        f"cluster {report.cluster}",
        f"output about {size(report.projected_bytes_output)}, of it sums per book {size(report.projected_bytes_sums)}; "
        f"a worker at most {size(report.max_memory)}",
    ]
    if report.reuse is not None:
        lines += ["", *since_lines(report.reuse), ""]
    if report.path:
        lines.append(f"plan written to {report.path}")
    return [*lines, f"next: {invocation.next_command('run')}"]


def since_lines(reuse: dict[str, Any]) -> list[str]:
    """What is taken over, and a line for everything that is not what it was."""
    rows = [[each["what"], each["name"], each["why"], count(each["trades"])] for each in reuse["differences"]]
    told = columns(["what", "name", "why", "trades"], rows, [3]) if rows else ["nothing has changed since"]
    return [f"since run {reuse['since']}: {plural(reuse['taken_over'], 'trade')} taken over, "
            f"{count(reuse['priced'])} to price", *told]  # fmt: skip
