"""`riskpipe import`: a book, its market and configuration from elsewhere."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, count, plural
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.workflows.import_ import Imported

REASONS = 10
FILES = (
    "Tables with a line of names: the market (factor, kind, name, value), the history (date, factor, value), "
    "stresses (scenario, factor, shift_type, shift); others are trades, of the product that the file is named as "
    "(fx_forward.csv) or whose columns they are."
)


OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="BOOK", help="The book: a new or empty directory.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an earlier book.")]


def ore(
    invocation: Invocation,
    place: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="ORE's main file (ore.xml), or the directory that it is in."),
    ],
    output: OutputOption,
    force: ForceOption = False,
) -> ExitCode:
    """Import Open Source Risk Engine's inputs: portfolio, quotes, curves, conventions and fixings.

    \b
    Examples:
    riskpipe import ore Examples/Example_1/Input -o book
    """
    from riskpipe.workflows.import_ import import_ore

    return _answer(invocation, import_ore(place, output, force=force))


def csv(
    invocation: Invocation,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help=FILES),
    ],
    output: OutputOption,
    base_currency: Annotated[str, typer.Option("--base-currency", metavar="CCY", help="Of the reports.")] = "USD",
    force: ForceOption = False,
) -> ExitCode:
    """Import CSV files by the names of their columns.

    \b
    Examples:
    riskpipe import csv swaps.csv bonds.csv -o book
    """
    from riskpipe.errors import UsageError
    from riskpipe.workflows.import_ import import_csv

    try:
        as_of = date.fromisoformat(invocation.as_of) if invocation.as_of else None
    except ValueError:
        raise UsageError(f"--as-of: a date (YYYY-MM-DD) is wanted, got {invocation.as_of!r}") from None
    return _answer(invocation, import_csv(files, output, as_of=as_of, base_currency=base_currency, force=force))


def _answer(invocation: Invocation, done: Imported) -> ExitCode:
    invocation.answer(done.to_json(), _lines(done))
    return done.exit_code


def _lines(done: Imported) -> list[str]:
    made = sum(done.products.values())
    rows = [[kind, *(count(number) for number in by.values())] for kind, by in done.counts.items()]
    lines = [
        f"{done.directory}: {plural(made, 'trade')} of {plural(len(done.products), 'product')}, "
        f"{plural(done.points, 'point')} of the market",
        *columns(["", "taken", "turned", "left out"], rows, right=(1, 2, 3)),
    ]
    reasons = Counter(f"{entry.kind}: {entry.reason}" for entry in done.left_out)
    if reasons:
        lines.append("left out, and why:")
        lines += [f"  {number:>6} x {reason}" for reason, number in reasons.most_common(REASONS)]
        if len(reasons) > REASONS:
            lines.append(f"  and {plural(len(reasons) - REASONS, 'other reason')}")
    lines.append(f"all of it: {done.report}")
    lines.append(f"next: riskpipe check -c {done.config}")
    return lines
