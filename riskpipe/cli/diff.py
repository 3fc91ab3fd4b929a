"""`riskpipe diff`: whether two runs have the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, count, plural
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.results.differences import TableDiff, Total
    from riskpipe.workflows.diff import Difference, DiffReport

SHOWN = 10
RUN_HELP = "An id, a unique prefix, latest, published (of --as-of) or published:DATE."


def diff(
    invocation: Invocation,
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help=RUN_HELP)],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="As RUN_A.")],
    output_b: Annotated[
        str | None, typer.Option("--output-b", metavar="DIR", help="Where RUN_B is, if not in the same output.")
    ] = None,
    absolute: Annotated[float, typer.Option("--abs", metavar="X", help="Changes up to X are none.")] = 0.0,
    relative: Annotated[
        float, typer.Option("--rel", metavar="X", help="Ignore changes up to X times the larger number.")
    ] = 0.0,
    tolerances: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance",
            metavar="MEASURE[@BOOK]=abs:X,rel:X",
            help="Of some measures and books, by globs, such as 'var_*@rates/*=rel:0.01'; the last that fits counts.",
        ),
    ] = None,
    largest: Annotated[int, typer.Option("--largest", min=0, metavar="N", help="Changes to show of a table.")] = SHOWN,
) -> ExitCode:
    """Compare the results of two runs, to the last bit unless told otherwise; exits 5 if they differ.

    \b
    Examples:
    riskpipe diff published:2026-11-20 latest
    riskpipe diff 20261120 20261123 --rel 1e-9
    """
    from riskpipe.results.differences import Bounds, Tolerance, ToleranceRule
    from riskpipe.workflows.diff import diff as workflow

    tolerance = Bounds(Tolerance(absolute, relative), tuple(map(ToleranceRule.parse, tolerances or ())))
    report = workflow(invocation.settings(), run_a, run_b, output_b=output_b, tolerance=tolerance, largest=largest)
    invocation.answer(report.to_json(), _lines(report))
    return report.exit_code


def _lines(report: DiffReport) -> list[str]:
    lines = [f"{name}: run {side['run_id']} of {side['as_of']} ({side['origin']}), {side['output']}"
             for name, side in (("a", report.a), ("b", report.b))]  # fmt: skip
    for what, found in (("run", report.facts), ("config", report.config), ("input", report.inputs)):
        lines += _made_of(what, found)
    header = ["", "rows a", "rows b", "only a", "only b", "moved", "status", "changed"]
    rows = [
        [name, *(count(n) for n in (t.rows_a, t.rows_b, t.only_a, t.only_b, t.moved, t.status, t.changed))]
        for name, t in report.tables.items()
    ]
    lines += ["", *columns(header, rows, range(1, 8))]
    for name, table in report.tables.items():
        lines += _table(name, table)
    tolerance = report.tolerance.default
    how = f"within {tolerance.absolute:g} or {tolerance.relative:g} of the larger"
    if not tolerance.absolute and not tolerance.relative:
        how = "to the last bit"
    if report.tolerance.rules:
        how += ", or the tolerances of measures and books"
    return [*lines, "", f"{'equal' if report.equal else 'different'} {how}"]


def _made_of(what: str, found: Sequence[Difference]) -> Iterator[str]:
    for difference in found[:SHOWN]:
        yield f"{what}: {difference.name}: {_short(difference.a)} -> {_short(difference.b)}"
    if len(found) > SHOWN:
        yield f"{what}: and {len(found) - SHOWN} more"


def _short(value: str | None) -> str:
    if value is None:
        return "none"
    return value if len(value) <= 40 else f"{value[:12]}..."


def _table(name: str, table: TableDiff) -> Iterator[str]:
    if table.equal:
        return
    yield ""
    for (before, after), rows in table.statuses.most_common(SHOWN):
        yield f"{name}: {plural(rows, 'row')} {before} -> {after}"
    for what, text in (("status", "status"), ("only_a", "only in a"), ("only_b", "only in b"), ("moved", "moved")):
        for row in table.samples.get(what, []):
            yield f"{name}: {text}: {' '.join(filter(None, (_cell(key, value) for key, value in row.items())))}"
    if table.largest:
        yield f"{name}: largest changes, in base currency"
        yield from _changes(table.largest)
    for title, totals in (("product", table.by_product), ("book", table.by_book)):
        yield from _totals(f"{name} by {title}", totals)


def _changes(largest: Sequence[dict[str, Any]]) -> list[str]:
    numbers = [key.removesuffix("_a") for key in largest[0] if key.endswith("_a")][-1]
    named = [key for key in largest[0] if not key.endswith(("_a", "_b")) and key not in ("change", "also")]
    header = [*named, "a", "b", "change", ""]
    rows = []
    for row in largest:
        also = ", ".join(f"{name} {before} -> {after}" for name, (before, after) in row["also"].items())
        values = [_number(row[key]) for key in (f"{numbers}_a", f"{numbers}_b", "change")]
        rows.append([*(_cell(key, row[key]) for key in named), *values, also])
    return [f"  {line}" for line in columns(header, rows, range(len(named), len(named) + 3))]


def _cell(key: str, value: object) -> str:
    if key == "book" and value == "":
        return "(all books)"
    return "" if value is None else str(value)


def _totals(title: str, totals: dict[tuple[str, str], Total]) -> Iterator[str]:
    """Groups in which something differs, those with the largest change of their sums first."""
    other = [(k, t) for k, t in totals.items() if t.changed or t.rows_a != t.rows_b or t.a != t.b]
    if not other:
        return
    other.sort(key=lambda item: (-abs((item[1].b or 0.0) - (item[1].a or 0.0)), item[0]))
    rows = [
        [name, measure, count(t.rows_a), count(t.rows_b), count(t.changed), _number(t.a), _number(t.b),
         _number(None if t.a is None and t.b is None else (t.b or 0.0) - (t.a or 0.0))]
        for (name, measure), t in other[:SHOWN]
    ]  # fmt: skip
    yield title
    for line in columns(["", "measure", "rows a", "rows b", "changed", "sum a", "sum b", "change"], rows, range(2, 8)):
        yield f"  {line}"
    if len(other) > SHOWN:
        yield f"  and {len(other) - SHOWN} more, in --json"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.6g}" if abs(value) < 1000 else f"{value:,.2f}"
