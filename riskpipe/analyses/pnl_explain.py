"""`pnl_explain`: the P&L since an earlier day, line by line, of every book and trade."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.explained_trades import (
    CHANGES,
    LINES,
    SENSITIVITY,
    TOTAL,
    UNEXPLAINED,
    Rates,
    TradeLines,
    Trades,
    trades_of,
)
from riskpipe.analyses.sensitivity_lines import sensitivity_lines
from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import accumulate, to_floats, zeros
from riskpipe.measures.measure_names import EXPLAIN
from riskpipe.store.table_schemas import SCHEMAS

ROWS_AT_A_TIME = 100_000


class PnlExplain(Analysis):
    """Of books first, by level and path, then of trades, by book and id; trades have rows of the lines that are not
    zero, and books of all.

    The lines of a trade add up to its total, and so do those of a book, which are exact sums over trades. A trade that
    failed on either day has none.
    """

    name = "pnl_explain"
    version = 1
    measure = EXPLAIN
    reads = ("valuations", "scenarios", "scenario_pnl")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        previous = day.previous
        if previous is None:
            return
        rates = Rates(previous.market(), day.market())
        trades = trades_of(previous, day)
        found = TradeLines(day, previous, trades, rates)
        lines = dict(found.lines)
        by_sensitivity = sensitivity_lines(day, previous, trades, found, rates)
        if by_sensitivity:
            told = np.sum([lines[name] for name in CHANGES] + list(by_sensitivity.values()), axis=0)
            by_sensitivity[UNEXPLAINED] = lines[TOTAL] - told
        lines |= {SENSITIVITY + name: by_sensitivity[name] for name in LINES if name in by_sensitivity}
        values = np.where(found.known[:, None], np.stack(list(lines.values()), axis=1), 0.0)
        yield from _of_books(day, previous, trades, found.known, list(lines), values)
        yield from _of_trades(day, previous, trades, found.known, list(lines), values)


def _of_books(
    day: Day, previous: Day, trades: Trades, known: NDArray[np.bool_], lines: list[str], values: FloatArray
) -> Iterator[pa.Table]:
    coded = trades.books.filter(pa.array(known)).dictionary_encode()
    names = coded.dictionary.to_pylist()
    nodes = sorted({node for name in names for node in _ancestors(name)}, key=lambda node: (_level(node), node))
    place = {node: k for k, node in enumerate(nodes)}
    sums = zeros(len(names), len(lines))
    accumulate(np.ascontiguousarray(values[known]), coded.indices.to_numpy(), 0, sums)
    totals = zeros(len(nodes), len(lines))
    for k, name in enumerate(names):
        for node in _ancestors(name):
            totals[place[node]] += sums[k]
    step = max(ROWS_AT_A_TIME // len(lines), 1)
    for first in range(0, len(nodes), step):
        some = nodes[first : first + step]
        columns = {
            "level": pa.array(np.repeat([_level(node) for node in some], len(lines)), pa.int32()),
            "book": pa.array(np.repeat(some, len(lines)), pa.string()),
            "trade_id": pa.nulls(len(some) * len(lines), pa.string()),
            "line": pa.array(np.tile(lines, len(some)), pa.string()),
            "value_base": pa.array(to_floats(totals[first : first + step]).ravel()),
        }
        yield _table(day, previous, columns)


def _of_trades(
    day: Day, previous: Day, trades: Trades, known: NDArray[np.bool_], lines: list[str], values: FloatArray
) -> Iterator[pa.Table]:
    names = pa.array(lines, pa.string())
    always = np.array([line == TOTAL for line in lines], np.bool_)
    step = max(ROWS_AT_A_TIME // len(lines), 1)
    for first in range(0, len(trades), step):
        some = values[first : first + step]
        row, line = np.nonzero(((some != 0.0) | always) & known[first : first + step, None])
        books = trades.books.slice(first, step).take(pa.array(row))
        columns = {
            "level": pa.array([_level(book) for book in books.to_pylist()], pa.int32()),
            "book": books,
            "trade_id": trades.ids.slice(first, step).take(pa.array(row)),
            "line": names.take(pa.array(line)),
            "value_base": pa.array(some[row, line]),
        }
        if len(row):
            yield _table(day, previous, columns)


def _table(day: Day, previous: Day, columns: Mapping[str, pa.Array]) -> pa.Table:
    n = len(columns["line"])
    every = {
        **day.constants(n),
        "previous_date": pa.repeat(pa.scalar(previous.as_of, pa.date32()), n),
        "previous_run_id": pa.repeat(pa.scalar(previous.run_id, pa.string()), n),
        **columns,
    }
    schema = SCHEMAS["pnl_explain"]
    return pa.table([every[field.name] for field in schema], schema)


def _level(book: str) -> int:
    return book.count("/") + 1 if book else 0


def _ancestors(book: str) -> Iterator[str]:
    """The root, which is empty, and all nodes down to the book itself."""
    parts = book.split("/") if book else []
    return ("/".join(parts[:level]) for level in range(len(parts) + 1))
