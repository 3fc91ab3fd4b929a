"""`liquidity_es`: expected shortfall of books, scaled by how long it takes to leave positions (MAR33.4 to 33.8)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.book_vectors import BookVectors
from riskpipe.analyses.risk_terms import LiquidityTerms
from riskpipe.arrays import FloatArray
from riskpipe.market.factors import LIQUIDITY_HORIZONS
from riskpipe.measures.measure_names import NESTED
from riskpipe.measures.tail_definition import scenarios_needed
from riskpipe.measures.tail_risk import tail_figures
from riskpipe.store.table_schemas import SCHEMAS

BOOKS_AT_A_TIME = 1_000


class LiquidityEs(Analysis):
    """ES = sqrt(sum over j of (ES_T(P, j) sqrt((LH_j - LH_(j-1)) / T))^2), LH_0 being 0.

    ES_T(P, j) is of the P&L with the factors moving alone whose liquidity horizon is LH_j or longer. A horizon that no
    factor has, has the factors of the next longer one. A row for each horizon, and one without, of all together.
    """

    name = "liquidity_es"
    version = 1
    key = "risk.liquidity_horizons, when the day is priced"
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        if day.terms.liquidity is None:
            return
        scenarios = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *day.read("scenarios")])
        dated = scenarios.filter(pc.is_valid(scenarios["date"]))
        for scenario_set in sorted(pc.unique(dated["scenario_set"]).to_pylist()):
            yield from _of_history(day, day.terms.liquidity, scenario_set)


def _of_history(day: Day, terms: LiquidityTerms, scenario_set: str) -> Iterator[pa.Table]:
    whole = BookVectors(day, scenario_set)
    nested = {days: BookVectors(day, scenario_set, name) for days, name in NESTED.items()}
    # Without the last one the day was priced for none of them.
    if whole.scenarios < scenarios_needed(terms.definition) or not nested[LIQUIDITY_HORIZONS[-1]].books:
        return
    for first in range(0, len(whole.books), BOOKS_AT_A_TIME):
        rows = list(range(first, min(first + BOOKS_AT_A_TIME, len(whole.books))))
        books = [whole.books[row] for row in rows]
        found = {days: _shortfall(vectors, books, terms) for days, vectors in nested.items() if vectors.books}
        found[LIQUIDITY_HORIZONS[0]] = tail_figures(whole.take(rows), terms.definition).value
        yield _table(day, terms, scenario_set, ([whole.levels[row] for row in rows], books), _by_horizon(found))


def _shortfall(vectors: BookVectors, books: list[str], terms: LiquidityTerms) -> FloatArray:
    """Of some books; NaN where a book has no P&L."""
    place = {book: row for row, book in enumerate(vectors.books)}
    known = [k for k, book in enumerate(books) if book in place]
    found = np.full(len(books), np.nan)
    if known:
        found[known] = tail_figures(vectors.take([place[books[k]] for k in known]), terms.definition).value
    return found


def _by_horizon(found: Mapping[int, FloatArray]) -> FloatArray:
    """float64[books, horizons]; none longer than a horizon has factors that move: zero."""
    following = np.zeros_like(found[LIQUIDITY_HORIZONS[0]])
    columns = []
    for days in reversed(LIQUIDITY_HORIZONS):
        following = found.get(days, following)
        columns.append(following)
    return np.stack(columns[::-1], axis=1)


def _table(
    day: Day, terms: LiquidityTerms, scenario_set: str, of: tuple[list[int], list[str]], shortfall: FloatArray
) -> pa.Table:
    levels, books = of
    lengths = np.diff(LIQUIDITY_HORIZONS, prepend=0)
    scaled = shortfall * np.array([math.sqrt(length / terms.base_days) for length in lengths])
    total = np.sqrt(np.sum(scaled**2, axis=1))
    width = len(LIQUIDITY_HORIZONS) + 1
    which = pa.array(np.repeat(np.arange(len(books)), width))
    es = np.concatenate([shortfall, np.full((len(books), 1), np.nan)], axis=1).ravel()
    values = np.concatenate([scaled, total[:, None]], axis=1).ravel()
    columns = {
        **day.constants(len(which)),
        "level": pa.array(levels, pa.int32()).take(which),
        "book": pa.array(books, pa.string()).take(which),
        "scenario_set": pa.repeat(pa.scalar(scenario_set, pa.string()), len(which)),
        "confidence": pa.repeat(pa.scalar(terms.confidence), len(which)),
        "base_days": pa.repeat(pa.scalar(terms.base_days, pa.int32()), len(which)),
        "liquidity_horizon": pa.array([*LIQUIDITY_HORIZONS, None] * len(books), pa.int32()),
        "es_base": pa.array(es, mask=np.isnan(es)),
        "value_base": pa.array(values, mask=np.isnan(values)),
    }
    schema = SCHEMAS["liquidity_es"]
    return pa.table([columns[field.name] for field in schema], schema)
