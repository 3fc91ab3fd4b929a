"""`var_components`: what the books right below a book contribute to each of its figures of the tail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.book_vectors import HISTORICAL, BookVectors
from riskpipe.arrays import FloatArray
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed
from riskpipe.measures.tail_risk import tail_figures, tail_weights
from riskpipe.store.layout import TRADE_COMPONENTS
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.trade_components import COMPONENTS

ROWS_AT_A_TIME = 20_000
# By how much of itself a component grows for `marginal_base`.
GROWTH = 0.01


class VarComponents(Analysis):
    """Components by Euler's allocation, which add up to the book's figure; marginal and incremental figures by
    revaluation of the tail of the sums.

    A book's own trades, beside the books below it, are a component under its own path. A book with nothing below it is
    its own and only component, and is left out.
    """

    name = "var_components"
    version = 1
    reads = ("book_pnl",)

    def compute(self, day: Day) -> Iterator[pa.Table]:
        vectors = BookVectors(day)
        wanted = sorted(day.terms.tails, key=lambda each: each.name)
        definitions = [
            each for each in wanted if each.applies_to(HISTORICAL) and scenarios_needed(each) <= vectors.scenarios
        ]
        of_trades = _of_trades(day, {each.text: each.name for each in definitions})
        rows: list[_Components] = []
        for book, below in vectors.families():
            of_books = {each.figure: each for each in _of_book(vectors, book, below, definitions)} if below else {}
            for figure in (each.name for each in definitions):
                if figure in of_books:
                    rows.append(of_books[figure])
                found = of_trades.get((figure, vectors.books[book]))
                if found is not None:
                    rows.append(_trades_of(figure, vectors.levels[book], vectors.books[book], found))
            if sum(len(each.names) for each in rows) >= ROWS_AT_A_TIME:
                yield _table(day, rows)
                rows = []
        if rows:
            yield _table(day, rows)


class _Components(Struct, frozen=True):
    """Of one book and figure. :param names: of the components; arrays float64[k], NaN: not known."""

    figure: str
    level: int
    book: str
    kind: str
    names: Sequence[str]
    component: FloatArray
    marginal: FloatArray
    incremental: FloatArray


def _of_book(
    vectors: BookVectors, book: int, below: list[int], definitions: Sequence[TailDefinition]
) -> Iterator[_Components]:
    names = [vectors.books[row] for row in below]
    found = vectors.take([book, *below])
    whole, parts = found[:1], found[1:]
    if vectors.trades[book] > vectors.trades[below].sum():
        names = [vectors.books[book], *names]
        parts = np.concatenate([whole - parts.sum(axis=0), parts])
    for definition in definitions:
        weights = tail_weights(whole, definition)
        figures = tail_figures(np.concatenate([whole, whole + GROWTH * parts, whole - parts]), definition).value
        value, grown, without = figures[:1], *np.split(figures[1:], 2)
        yield _Components(
            definition.name,
            vectors.levels[book],
            vectors.books[book],
            "book",
            names,
            -np.sum(weights * parts, axis=1),
            grown - value,
            value - without,
        )


def _of_trades(day: Day, names: Mapping[str, str]) -> dict[tuple[str, str], pa.Table]:
    """The rows of trades of each figure and book, by size. :param names: of figures, by their definitions."""
    table = pa.concat_tables([COMPONENTS.empty_table(), *day.read(TRADE_COMPONENTS)]).combine_chunks()
    texts, books = table["definition"].to_pylist(), table["book"].to_pylist()
    found: dict[tuple[str, str], pa.Table] = {}
    start = 0
    for (text, book), group in itertools.groupby(zip(texts, books, strict=True)):
        size = sum(1 for _ in group)
        if text in names:
            found[names[text], book] = table.slice(start, size)
        start += size
    return found


def _trades_of(figure: str, level: int, book: str, found: pa.Table) -> _Components:
    unknown = np.full(found.num_rows, np.nan)
    component = found["component_base"].to_numpy()
    return _Components(figure, level, book, "trade", found["trade_id"].to_pylist(), component, unknown, unknown)


def _table(day: Day, rows: Sequence[_Components]) -> pa.Table:
    sizes = [len(each.names) for each in rows]
    which = pa.array(np.repeat(np.arange(len(rows)), sizes))
    n = len(which)
    columns = {
        **day.constants(n),
        "name": pa.array([each.figure for each in rows], pa.string()).take(which),
        "level": pa.array([each.level for each in rows], pa.int32()).take(which),
        "book": pa.array([each.book for each in rows], pa.string()).take(which),
        "component_kind": pa.array([each.kind for each in rows], pa.string()).take(which),
        "component": pa.array([name for each in rows for name in each.names], pa.string()),
        "component_base": pa.array(np.concatenate([each.component for each in rows])),
        "marginal_base": pa.array(np.concatenate([each.marginal for each in rows]), from_pandas=True),
        "incremental_base": pa.array(np.concatenate([each.incremental for each in rows]), from_pandas=True),
    }
    schema = SCHEMAS["var_components"]
    return pa.table([columns[field.name] for field in schema], schema)
