"""`riskpipe check`: every fault of the inputs at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import JUnitOption
from riskpipe.cli.text import count, plural
from riskpipe.errors import ExitCode
from riskpipe.structs import asdict

if TYPE_CHECKING:
    from riskpipe.plan.fault import Fault
    from riskpipe.workflows.check import CheckReport


def check(
    invocation: Invocation,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write the faults here (Parquet); else meta/checks.parquet in the output.",
        ),
    ] = None,
    junit: JUnitOption = None,
) -> ExitCode:
    """Check portfolio, market, history and scenarios: every fault at once; nothing is priced.

    \b
    Examples:
    riskpipe check
    riskpipe check -c desks/rates.yaml --json
    """
    from riskpipe.workflows.check import check as workflow

    settings = invocation.settings()
    report = workflow(settings, None if output is None else str(output.absolute()))
    if junit is not None:
        from riskpipe.workflows.junit import write_junit  # a parser of XML, which few ask for

        write_junit(junit, settings.as_of.isoformat(), [asdict(fault) for fault in report.faults], ())
    invocation.answer(report.to_json(), _lines(report, invocation))
    return report.exit_code


def _lines(report: CheckReport, invocation: Invocation) -> list[str]:
    ordered = sorted(report.faults, key=lambda fault: (fault.level, fault.table, fault.file, fault.column))
    lines = [line for fault in ordered for line in _fault(fault)]
    counts = f"{plural(report.errors, 'error')}, {plural(report.warnings, 'warning')}"
    lines.append(f"{plural(report.trades, 'trade')}, {count(report.quarantined)} quarantined; {counts}")
    if report.faults and report.path:
        lines.append(f"all of them: {report.path}")
    if report.blocking:
        level = "warnings" if report.gated else "errors"
        lines.append(f"nothing can be priced: mend the {level}, then {invocation.next_command('check')}")
    else:
        lines.append(f"next: {invocation.next_command('plan')}")
    return lines


def _fault(fault: Fault) -> list[str]:
    where = " ".join(filter(None, (fault.table, fault.file, fault.column)))
    rows = f" ({plural(fault.rows, 'row')})" if fault.rows else ""
    lines = [f"{fault.level}: {where}: {fault.rule}{rows}: {fault.message}"]
    if fault.sample:
        lines.append(f"    such as {', '.join(fault.sample)}")
    return lines
