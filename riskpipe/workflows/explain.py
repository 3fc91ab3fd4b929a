"""`riskpipe explain`: a trade, or a figure of a book, taken apart; and valued once more from the run's files alone."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode, InfrastructureError, UsageError
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.results.explained_figure import FigureExplained, explain_figure, rows_of_book
from riskpipe.results.explained_trade import TradeExplained, explain_trade, rows_of_trade
from riskpipe.results.find import Results, find_results
from riskpipe.results.priced_trades import TradesOfRun
from riskpipe.results.provenance import provenance
from riskpipe.results.recomputed import Comparison, book_again, trade_again
from riskpipe.runs.freed import Left, refuse_freed
from riskpipe.runs.recorded_files import RecordedFiles, planned_files
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.structs import asdict

AGGREGATED = {
    "var_99": TailDefinition("var_99", "var", 0.99),
    "es_97_5": TailDefinition("es_97_5", "es", 0.975),
}
"""The figures of the tail that `aggregates` has, as the table `var` would define them."""


class Asked(Struct, frozen=True):
    """What is to be explained.

    :param target: a trade's id, BOOK:MEASURE or TRADE:MEASURE[:FACTOR]; None: a book.
    :param book: the root is empty. :param run: an id, a unique prefix, latest, published or published:DATE.
    """

    target: str | None
    measure: str | None
    book: str | None
    run: str
    verify: bool


class Explanation(Struct, frozen=True):
    """:param rows: of the figure, as published, by table. :param comparisons: None: not asked for."""

    run_id: str
    as_of: str
    subject: str
    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    trade: TradeExplained | None
    figure: FigureExplained | None
    provenance: Mapping[str, Any]
    comparisons: tuple[Comparison, ...] | None

    @property
    def different(self) -> tuple[Comparison, ...]:
        return tuple(each for each in self.comparisons or () if not each.same)

    @property
    def exit_code(self) -> ExitCode:
        return InfrastructureError.exit_code if self.different else ExitCode.DONE

    def to_json(self) -> dict[str, Any]:
        return {
            "schema_version": 1,
            "run_id": self.run_id,
            "as_of": self.as_of,
            "subject": self.subject,
            "rows": {table: [dict(row) for row in rows] for table, rows in self.rows.items()},
            "trade": None if self.trade is None else asdict(self.trade),
            "figure": None if self.figure is None else asdict(self.figure),
            "provenance": dict(self.provenance),
            "verified": None if self.comparisons is None else [each.to_json() for each in self.comparisons],
            "exit_code": self.exit_code,
        }


def explain(settings: Settings, asked: Asked) -> Explanation:
    """Take a trade or a figure apart.

    :raises UsageError: there is no such run, trade, book or measure. :raises StorageError: a file is not what was
        written. :raises InputChangedError: a trade file is not the planned one any more.
    """
    results = find_results(open_store(settings.output), asked.run, settings.as_of)
    if results.folder is None:
        raise UsageError(f"run {results.run_id} was cleared away, and with it what its numbers are made of")
    refuse_freed(results.folder, "explained", Left.INPUTS)
    if asked.book is not None:
        if asked.target is not None:
            raise UsageError("give a trade, or --book, not both")
        return _of_book(results.folder, results, asked, asked.book, asked.measure)
    if asked.target is None:
        raise UsageError("give a trade's id, BOOK:MEASURE, TRADE:MEASURE[:FACTOR], or --book")
    return _of_target(results.folder, results, asked, asked.target)


def _of_target(folder: RunFolder, results: Results, asked: Asked, target: str) -> Explanation:
    """A trade by its id; else what is before the first colon from the right that makes a trade or a book of it."""
    words = target.split(":")
    for stop in range(len(words), 0, -1):
        name, rest = ":".join(words[:stop]), words[stop:]
        numbers = rows_of_trade(results, "valuations", name)
        if numbers:
            measure = rest[0] if rest else asked.measure
            return _of_trade(folder, results, asked, numbers, measure, ":".join(rest[1:]) or None)
    book, _, measure = target.rpartition(":")
    if ":" in target and rows_of_book(results, "aggregates", book):
        return _of_book(folder, results, asked, book, measure)
    raise UsageError(f"run {results.run_id} has no trade {target!r}; of a book: `riskpipe explain --book BOOK`")


def _of_trade(
    folder: RunFolder,
    results: Results,
    asked: Asked,
    numbers: list[dict[str, Any]],
    measure: str | None,
    factor: str | None,
) -> Explanation:
    trade_id, product, block = numbers[0]["trade_id"], numbers[0]["product"], numbers[0]["block_id"]
    trades = TradesOfRun(folder)
    told = explain_trade(trades, results, numbers, measure)
    sensitivities = [row for row in told.sensitivities if factor in (None, row["factor"])]
    if measure is not None and not sensitivities and (factor is not None or not told.numbers):
        every = (*numbers, *rows_of_trade(results, "sensitivities", trade_id))
        known = ", ".join(sorted({row["measure"] for row in every}))
        what = f"{measure} of {factor}" if factor else measure
        raise UsageError(f"{trade_id} has no {what}; its measures are {known}")
    rows = {"valuations": [] if factor else list(told.numbers), "sensitivities": sensitivities}
    rows = {table: found for table, found in rows.items() if found}
    comparisons = tuple(_one_factor(trade_again(trades, product, trade_id, rows), factor)) if asked.verify else None
    table = next(iter(rows), "valuations")
    return Explanation(
        run_id=results.run_id,
        as_of=results.as_of,
        subject=trade_id,
        rows=rows,
        trade=told,
        figure=None,
        provenance=provenance(folder, results, table, told.file, block),
        comparisons=comparisons,
    )


def _one_factor(found: list[Comparison], factor: str | None) -> list[Comparison]:
    return [each for each in found if factor in (None, each.key.get("factor"))]


def _of_book(folder: RunFolder, results: Results, asked: Asked, book: str, measure: str | None) -> Explanation:
    aggregates = rows_of_book(results, "aggregates", book)
    if not aggregates:
        raise UsageError(f"run {results.run_id} has no book {book!r}")
    figures = rows_of_book(results, "var", book)
    rows: dict[str, list[dict[str, Any]]] = {"aggregates": aggregates, "var": figures}
    if measure is not None:
        rows = {
            "aggregates": [row for row in aggregates if row["measure"] == measure],
            "var": [row for row in figures if row["name"] == measure],
        }
    rows = {table: found for table, found in rows.items() if found}
    if not rows:
        known = sorted({row["measure"] for row in aggregates} | {row["name"] for row in figures})
        raise UsageError(f"the book {book!r} has no {measure}; its measures are {', '.join(known)}")
    configured = _definitions(folder)
    definitions = {**AGGREGATED, **configured} if figures else AGGREGATED
    trades = TradesOfRun(folder)
    told = None
    if measure in definitions:
        row = _whole(rows)
        told = explain_figure(trades, results, book, row, definitions[measure])
    comparisons = tuple(book_again(trades, book, rows, definitions)) if asked.verify else None
    return Explanation(
        run_id=results.run_id,
        as_of=results.as_of,
        subject=book or "the root",
        rows=rows,
        trade=None,
        figure=told,
        provenance=provenance(folder, results, next(iter(rows)), None, None),
        comparisons=comparisons,
    )


def _whole(rows: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """The figure's row that is of all risk classes and of the first set."""
    whole = [row for row in rows.get("var", ()) if row["risk_class"] == "all"]
    return (whole or list(rows["aggregates"]))[0]


def _definitions(folder: RunFolder) -> dict[str, TailDefinition]:
    """Figures of `risk.var`, as the run was configured."""
    content = RecordedFiles(folder, planned_files(folder)).read(folder.config)
    if content is None:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "config.yaml"
        file.write_bytes(content)
        return {each.name: each for each in load_settings(file, environment={}).risk.terms().tails}
