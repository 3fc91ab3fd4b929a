"""`backtests`: P&L of published days against the value at risk of the day before each, and against sensitivities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import chain, islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.explained_trades import SENSITIVITY, TOTAL, TRANSLATION
from riskpipe.arrays import FloatArray
from riskpipe.market.factors import RISK_CLASSES
from riskpipe.measures.backtest_statistics import (
    christoffersen_p,
    kolmogorov_smirnov,
    kupiec_p,
    pla_zone,
    spearman,
    traffic_light,
)
from riskpipe.measures.measure_names import EXPLAIN, PNL_SETS, WHOLE_RISK
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.store.table_schemas import SCHEMAS

HISTORICAL = PNL_SETS["historical_var"]
MOVES = (*RISK_CLASSES, TRANSLATION)
"""Lines of the market's moves: hypothetical P&L."""


class Backtests(Analysis):
    """Of today's books, by level and path, and each value at risk over one day of `risk.var`.

    A day counts where its P&L was explained and the day that it was explained from has the book's value at risk. The
    P&L of sensitivities is the risk-theoretical one of P&L attribution, whatever the P&L that exceptions are of.
    """

    name = "backtests"
    version = 1
    measure = EXPLAIN
    reads = ("pnl_explain",)

    def compute(self, day: Day) -> Iterator[pa.Table]:
        wanted = [each for each in day.terms.tails if each.kind == "var" and each.horizon_days == 1]
        observed = list(islice(_observations(day, wanted), day.terms.backtests.days))[::-1]
        if not observed or not wanted:
            return
        books = sorted(observed[-1].pnl, key=lambda book: (book.count("/") + 1 if book else 0, book))
        rows = [row for book in books for row in _of_book(day, book, observed, wanted)]
        yield pa.Table.from_pylist(rows, SCHEMAS["backtests"])


class _Observation(Struct, frozen=True):
    """One day. :param pnl: book -> hypothetical, risk-theoretical (NaN: none) and actual P&L.

    :param tails: (book, name of the figure) -> value at risk of the day before.
    """

    pnl: Mapping[str, tuple[float, float, float]]
    tails: Mapping[tuple[str, str], float]


def _observations(day: Day, wanted: Sequence[TailDefinition]) -> Iterator[_Observation]:
    """The latest first."""
    before: dict[date, Day] = {each.as_of: each for each in day.earlier()}
    for each in chain([day], before.values()):
        rows = _of_books(each)
        if rows is None:
            continue
        previous = before.get(rows["previous_date"][0].as_py())
        yield _Observation(_pnl(rows), {} if previous is None else _tails(previous, wanted))


def _of_books(day: Day) -> pa.Table | None:
    """Rows of books of the day's explained P&L, which come first; None: it has none."""
    pieces = []
    for piece in day.read("pnl_explain"):
        rows = piece.filter(pc.is_null(piece["trade_id"]))
        pieces.append(rows)
        if rows.num_rows < piece.num_rows:
            break
    found = pa.concat_tables(pieces) if pieces else None
    return found if found is not None and found.num_rows else None


def _pnl(rows: pa.Table) -> dict[str, tuple[float, float, float]]:
    lines: dict[str, dict[str, float]] = {}
    for book, line, value in zip(*(rows[name].to_pylist() for name in ("book", "line", "value_base")), strict=True):
        lines.setdefault(book, {})[line] = value
    found = {}
    for book, of in lines.items():
        told = [of[SENSITIVITY + line] for line in MOVES if SENSITIVITY + line in of]
        moved = math.fsum(of[line] for line in MOVES)
        found[book] = (moved, math.fsum(told) if told else math.nan, of[TOTAL])
    return found


def _tails(day: Day, wanted: Sequence[TailDefinition]) -> dict[tuple[str, str], float]:
    names = pa.array([each.name for each in wanted], pa.string())

    def of_day(rows: pa.Table) -> pa.Array:
        whole = pc.and_(pc.equal(rows["scenario_set"], HISTORICAL), pc.equal(rows["risk_class"], WHOLE_RISK))
        asked = pc.and_(pc.is_in(rows["name"], names), pc.equal(rows["horizon_days"], 1))
        return pc.and_(pc.and_(whole, asked), pc.is_valid(rows["value_base"]))

    rows = day.table("var", ["book", "name", "value_base"], of_day)
    columns = (rows[name].to_pylist() for name in rows.column_names)
    return {(book, name): value for book, name, value in zip(*columns, strict=True)}


def _of_book(
    day: Day, book: str, observed: Sequence[_Observation], wanted: Sequence[TailDefinition]
) -> Iterator[dict[str, Any]]:
    pnl = np.array([each.pnl.get(book, (math.nan,) * 3) for each in observed])
    attribution = _attribution(pnl[:, 0], pnl[:, 1])
    against = pnl[:, 0] if day.terms.backtests.pnl == "hypothetical" else pnl[:, 2]
    for figure in sorted(wanted, key=lambda each: each.name):
        limit = np.array([each.tails.get((book, figure.name), math.nan) for each in observed])
        counts = np.isfinite(against) & np.isfinite(limit)
        yield {
            "as_of_date": day.as_of,
            "level": book.count("/") + 1 if book else 0,
            "book": book,
            "name": figure.name,
            **_coverage(against[counts], limit[counts], 1.0 - figure.confidence),
            **attribution,
        }


def _coverage(pnl: FloatArray, limit: FloatArray, probability: float) -> dict[str, Any]:
    is_exception = pnl < -limit
    days, exceptions = len(pnl), int(is_exception.sum())
    return {
        "days": days,
        "exceptions": exceptions,
        "kupiec_p": kupiec_p(exceptions, days, probability) if days else None,
        "christoffersen_p": christoffersen_p(is_exception, probability) if days > 1 else None,
        "zone": traffic_light(exceptions, days, probability) if days else None,
    }


def _attribution(hypothetical: FloatArray, theoretical: FloatArray) -> dict[str, Any]:
    known = np.isfinite(hypothetical) & np.isfinite(theoretical)
    if known.sum() < 2:
        return {}
    correlation = spearman(hypothetical[known], theoretical[known])
    distance = kolmogorov_smirnov(hypothetical[known], theoretical[known])
    if math.isnan(correlation):
        return {"kolmogorov_smirnov": distance}
    return {"spearman": correlation, "kolmogorov_smirnov": distance, "pla_zone": pla_zone(correlation, distance)}
