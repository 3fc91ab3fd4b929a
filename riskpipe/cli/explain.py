"""`riskpipe explain`: a trade, or a figure of a book, taken apart."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, count, plural
from riskpipe.errors import ExitCode

if TYPE_CHECKING:
    from riskpipe.results.explained_figure import FigureExplained
    from riskpipe.results.explained_trade import TradeExplained
    from riskpipe.workflows.explain import Explanation

SHOWN = 12
_POSITION = re.compile(r"(.*)\.(\w+)\[(\d+)\]")
_RUN_HELP = "An id, a unique prefix, latest, published (of --as-of) or published:DATE."

TargetArgument = Annotated[
    str | None, typer.Argument(metavar="[TRADE|FIGURE]", help="A trade's id, TRADE:MEASURE[:FACTOR], or BOOK:MEASURE.")
]
RunOption = Annotated[str, typer.Option("--run", metavar="RUN", help=_RUN_HELP)]
MeasureOption = Annotated[str | None, typer.Option("--measure", metavar="MEASURE", help="This one alone.")]
BookOption = Annotated[str | None, typer.Option("--book", metavar="BOOK", help='A book\'s path; "" is all of them.')]
VerifyOption = Annotated[
    bool, typer.Option("--verify", help="Value it once more from the run's files alone; exits 6 if a bit differs.")
]


def explain(
    invocation: Invocation,
    target: TargetArgument = None,
    run: RunOption = "latest",
    measure: MeasureOption = None,
    book: BookOption = None,
    verify: VerifyOption = False,
) -> ExitCode:
    """Show what a number is made of: inputs, flows, factors and their effect; of VaR the scenario, trades and moves."""
    from riskpipe.workflows.explain import Asked
    from riskpipe.workflows.explain import explain as workflow

    found = workflow(invocation.settings(), Asked(target, measure, book, run, verify))
    invocation.answer(found.to_json(), [_fitting(line) for line in lines(found)])
    return found.exit_code


def _fitting(line: str) -> str:
    """Cut at the terminal's width; JSON has all of it."""
    width = shutil.get_terminal_size((120, 24)).columns
    return line if len(line) <= width else f"{line[: width - 1]}…"


def lines(found: Explanation) -> Iterator[str]:
    """All of it as text, of any width."""
    yield f"{found.subject}, run {found.run_id} of {found.as_of}"
    if found.trade is not None:
        yield from _trade(found.trade)
    else:
        for table, rows in found.rows.items():
            yield from _section(table, [_cells(row, ("as_of_date", "run_id", "book", "level")) for row in rows])
    if found.figure is not None:
        yield from _figure(found.figure)
    yield from _provenance(found.provenance)
    yield from _verified(found)


def _trade(told: TradeExplained) -> Iterator[str]:
    yield f"{told.product}: {told.model}"
    inputs = [{"column": name, "value": value} for name, value in told.inputs.items()]
    yield from _section(f"inputs: {told.file}, row {told.row}", inputs, 99)
    names = ("measure", "value", "currency", "value_base", "status", "reason", "message")
    yield from _section("numbers", [{name: row[name] for name in names} for row in told.numbers], 99)
    yield from _section("cash flows", told.flows, 99)
    if told.flows:
        yield f"  sum of the values: {_text(sum(row['value'] for row in told.flows))}"
    yield from _section("fixings of its indices, the latest", told.fixings)
    yield from _inside(told.inside)
    yield from _section(f"factors, bumped one by one ({told.without_effect} more have no effect)", told.factors)
    names = ("measure", "factor", "shift", "shift_type", "value", "currency", "value_base")
    yield from _section("sensitivities", [{name: row[name] for name in names} for row in told.sensitivities])


def _inside(known: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Values that stand alone; and those that go together (the terms of a leg), a row for each position."""
    alone: list[Mapping[str, Any]] = []
    together: dict[str, dict[int, dict[str, Any]]] = {}
    for each in known:
        found = _POSITION.fullmatch(each["name"])
        if found is None:
            alone.append({"date": None, **each})
            continue
        row = together.setdefault(found[1], {}).setdefault(int(found[3]), {"date": None})
        row[found[2]] = each["value"]
        row["date"] = each.get("date", row["date"])
    yield from _section("what the price is made of", alone, 40)
    for leg, rows in together.items():
        names = list(dict.fromkeys(name for row in rows.values() for name in row))
        yield from _section(leg, [{name: row.get(name) for name in names} for row in rows.values()], 99)


def _figure(told: FigureExplained) -> Iterator[str]:
    yield ""
    yield f"{told.measure}: scenario {told.scenario}, P&L {_text(told.pnl_of_scenario)}"
    yield from _section("losses in order", told.around)
    yield from _section("scenarios that count", told.scenarios)
    yield from _section(f"trades, of {count(told.trades_in_all)}: their parts of the figure", told.trades)
    yield f"  sum of all parts: {_text(told.sum_of_trades)}"
    title = f"moves of the market alone, on the {plural(told.moved_trades, 'trade')} with the largest parts"
    yield from _section(title, told.moves)
    yield f"  all of them together: {_text(told.pnl_of_moves)}"


def _provenance(told: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"where it is from: table {told['table']} ({told['origin']}), planned by riskpipe {told['planned_by']}"
    block = told["block"]
    if block is not None:
        known = [name for name in ("engine_version", "session", "attempt", "worker") if name in block]
        said = ["block " + block["block_id"], *(f"{name.replace('_', ' ')} {block[name]}" for name in known)]
        yield f"  {', '.join(said)}"
    for name, sha256 in (("configuration", told["config_sha256"]), *told["inputs"].items(), *told["files"].items()):
        yield f"  {sha256}  {name}"


def _verified(found: Explanation) -> Iterator[str]:
    if found.comparisons is None:
        return
    yield ""
    if not found.different:
        yield f"verified: {plural(len(found.comparisons), 'value')}, valued once more, the same to the last bit"
        return
    yield f"{len(found.different)} of {plural(len(found.comparisons), 'value')} are not what the run's files give:"
    rows = [
        {"table": each.table, **each.key, "column": each.column, "published": each.published, "now": each.recomputed}
        for each in found.different
    ]
    for row in rows:
        yield "  " + " ".join(f"{name}={value!r}" for name, value in row.items() if value is not None)


def _cells(row: Mapping[str, Any], without: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in without}


def _section(title: str, rows: Sequence[Mapping[str, Any]], most: int = SHOWN) -> Iterator[str]:
    """A title and a table; columns that are empty throughout are left out."""
    if not rows:
        return
    yield ""
    yield title
    names = [name for name in rows[0] if any(row.get(name) is not None for row in rows)]
    right = [k for k, name in enumerate(names) if all(isinstance(row.get(name), int | float | None) for row in rows)]
    for line in columns(names, [[_text(row.get(name)) for name in names] for row in rows[:most]], right):
        yield f"  {line}"
    if len(rows) > most:
        yield f"  and {count(len(rows) - most)} more, in --json"


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1e5 else f"{value:,.6g}"
    return "" if value is None else str(value)
