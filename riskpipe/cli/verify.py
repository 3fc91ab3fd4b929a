"""`riskpipe verify`: whether all that is stored of a run is what was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.parameters import RunArgument
from riskpipe.cli.text import count, plural, size
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.results.soundness import Damage
    from riskpipe.workflows.verify import VerifyReport

RowsOption = Annotated[
    Literal["sample", "all", "none"],
    typer.Option("--rows", help="Published rows to hold against the blocks': of some trades, all, or none."),
]


def verify(invocation: Invocation, run: RunArgument = "latest", rows: RowsOption = "sample") -> ExitCode:
    """Hold all that is stored of a run, and of the day that it published, against its checksums; exits 6 on damage."""
    from riskpipe.workflows.verify import Rows
    from riskpipe.workflows.verify import verify as workflow

    report = workflow(invocation.settings(), run, Rows(rows))
    invocation.answer(report.to_json(), _lines(report, invocation))
    return report.exit_code


def _lines(report: VerifyReport, invocation: Invocation) -> list[str]:
    lines = [f"run {report.run_id}: {plural(report.files, 'file')}, {size(report.bytes)}"]
    if report.numbers:
        lines.append(
            "numbers: " + ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in report.numbers.items())
        )
    if report.compared:
        lines.append("rows compared: " + ", ".join(f"{name} {count(n)}" for name, n in report.compared.items()))
    if report.recomputed:
        lines.append(f"made once more: {', '.join(report.recomputed)}")
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"damaged: {_place(damage)}" for damage in report.damages]
    if report.sound:
        return [*lines, "sound: all of it is what was written"]
    again = invocation.next_command(f"run --resume {report.run_id}")
    return [*lines, f"{plural(len(report.damages), 'place')} damaged; outputs of blocks are made again by: {again}"]


def _place(damage: Damage) -> str:
    place = [
        *([] if damage.row_group is None else [f"row group {damage.row_group}"]),
        *([] if damage.column is None else [f"column {damage.column}"]),
        *([] if damage.row is None else [f"row {damage.row}"]),
    ]
    where = damage.why if damage.path in damage.why else f"{damage.path}: {damage.why}"
    return f"{where} ({', '.join(place)})" if place else where
