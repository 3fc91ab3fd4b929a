"""Days for analyses: tables of vectors of books, whole or in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from explained_days import explained, market, pieces
from msgspec.structs import replace

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.limit_terms import Limit
from riskpipe.analyses.pnl_explain import PnlExplain
from riskpipe.analyses.risk_terms import LiquidityTerms, ReverseStress, RiskTerms, StressedWindow
from riskpipe.arrays import FloatArray
from riskpipe.market.covariance_directions import ALONG_COMPONENTS
from riskpipe.market.scenarios import ScenarioSet, ScenarioSetBuilder
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.store.layout import REVALUATIONS, TRADE_COMPONENTS
from riskpipe.store.revaluations import REVALUED
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.trade_components import COMPONENTS

AS_OF = date(2026, 11, 20)
STRESSES, DIRECTIONS = 7, 20
STEPS = [
    *(f"direction {k} {side}" for side in ("up", "down") for k in range(DIRECTIONS)),
    *(f"along components {k}" for k in range(ALONG_COMPONENTS)),
]
TERMS = RiskTerms(
    (),
    LiquidityTerms(0.975, 10, 1),
    (StressedWindow("worst", "", 100, 0.975, "historical"),),
    reverse_stresses=(ReverseStress("far", "", 1e6), ReverseStress("nobody", "not/there", 1.0)),
)
NO_CLASSES: Mapping[str, float] = {}
LIMITS = (
    Limit("", "pv", None, 1e3, 1e4, "absolute"),
    Limit("rates/*", "pv", None, None, 0.0, "lower"),
)
TAILS = (TailDefinition("var_99", "var", 0.99), TailDefinition("es_97_5", "es", 0.975))


def nodes(books: Mapping[str, FloatArray | None]) -> list[tuple[int, str, FloatArray | None, int, int]]:
    """Level, path, vector, trades and failed trades of every node; a vector that is None is of a trade that failed."""
    found: dict[str, list[FloatArray | None]] = {}
    for book, vector in books.items():
        parts = book.split("/") if book else []
        for level in range(len(parts) + 1):
            found.setdefault("/".join(parts[:level]), []).append(vector)
    rows = []
    for path, vectors in found.items():
        good = [vector for vector in vectors if vector is not None]
        total = np.sum(good, axis=0) if good else None
        rows.append((path.count("/") + 1 if path else 0, path, total, len(vectors), len(vectors) - len(good)))
    return sorted(rows, key=lambda row: row[:2])


def day(
    books: Mapping[str, FloatArray | None],
    tails: Sequence[TailDefinition] = TAILS,
    piece: int = 1000,
    scenarios: int = 0,
    classes: Mapping[str, float] = NO_CLASSES,
    terms: RiskTerms = TERMS,
    simulated: int = 0,
) -> Day:
    """
    :param classes: risk class -> which share of the history's vectors is it.
    :param terms: what is asked for beside `tails`.
    :param books: a vector each, of one trade, under the history; under the stresses it is what the vector begins with.
    :param scenarios: how many, where there is no book.
    :param simulated: how many of a vector are the simulated P&Ls, too; the steps of delta and gamma are its first.
    """
    rows = [
        (level, path, name, part, None if vector is None else share * vector[:until], *counts)
        for level, path, vector, *counts in nodes(books)
        for name, part, share, until in (
            ("delta_gamma", "all", 1.0, len(STEPS)),
            ("historical", "all", 1.0, None),
            *(("historical", part, share, None) for part, share in classes.items()),
            *((("monte_carlo", "all", 1.0, simulated),) if simulated else ()),
            ("stress", "all", 1.0, STRESSES),
        )
    ]
    n = next((len(row[4]) for row in rows if row[2] == "historical" and row[4] is not None), scenarios)
    vectors = pa.table(
        {
            "as_of_date": [AS_OF] * len(rows),
            "run_id": ["r"] * len(rows),
            "level": [row[0] for row in rows],
            "book": [row[1] for row in rows],
            "scenario_set": [row[2] for row in rows],
            "risk_class": [row[3] for row in rows],
            "pnl": [row[4] for row in rows],
            "trades": [row[5] for row in rows],
            "failed_trades": [row[6] for row in rows],
        },
        SCHEMAS["book_pnl"],
    )
    days = [AS_OF - timedelta(days=n - k) for k in range(n)]
    sets = {
        "historical": [each.isoformat() for each in days],
        "monte_carlo": [f"simulated {k}" for k in range(simulated)],
        "delta_gamma": STEPS if n else (),
        "stress": [f"stress {k}" for k in range(min(n, STRESSES))],
    }
    named = [(name, k, scenario) for name, found in sets.items() for k, scenario in enumerate(found)]
    names = pa.table(
        {
            "as_of_date": [AS_OF] * len(named),
            "run_id": ["r"] * len(named),
            "scenario_set": [name for name, _, _ in named],
            "index": [k for _, k, _ in named],
            "scenario": [scenario for _, _, scenario in named],
            "date": [days[k] if name == "historical" else None for name, k, _ in named],
        },
        SCHEMAS["scenarios"],
    )
    found = [(tail.text, "", f"T{k}", 1e3 / (k + 1)) for tail in tails for k in range(2) if books]
    trades = pa.Table.from_pylist([dict(zip(COMPONENTS.names, row, strict=True)) for row in sorted(found)], COMPONENTS)
    revalued = [dict(zip(REVALUED.names, ("far", "", 1e6, 0, -(2**8) * 900_000, 2**32, 3), strict=True))]
    terms = replace(terms, tails=tuple(tails), limits=LIMITS)
    tables, previous = explained(books, AS_OF, terms, piece)
    tables |= {
        TRADE_COMPONENTS: trades,
        REVALUATIONS: pa.Table.from_pylist(revalued if books else [], REVALUED),
        "book_pnl": vectors,
        "aggregates": _values(rows),
        "scenarios": pa.concat_tables([names, tables["scenarios"]]),
    }
    of_market = partial(market, AS_OF, 1)
    read = partial(pieces, tables, piece=piece)
    found = Day(AS_OF, "r", terms, read, of_market, previous, scenarios=steps_of_the_market)
    tables["pnl_explain"] = made(PnlExplain(), found)
    return found


def _values(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """The books' present values: the first P&L of each."""
    kept = [row for row in rows if row[2:4] == ("historical", "all")]
    columns: dict[str, list[Any]] = {
        "as_of_date": [AS_OF] * len(kept),
        "run_id": ["r"] * len(kept),
        "level": [row[0] for row in kept],
        "book": [row[1] for row in kept],
        "measure": ["pv"] * len(kept),
        "scenario_set": [None] * len(kept),
        "scenario": [None] * len(kept),
        "value_base": [None if row[4] is None else row[4][0] for row in kept],
        "trades": [row[5] for row in kept],
        "failed_trades": [row[6] for row in kept],
    }
    return pa.table(columns, SCHEMAS["aggregates"])


def steps_of_the_market() -> ScenarioSet:
    """Columns of the set `delta_gamma` over the days' market: prices by ratios, rates by differences."""
    snapshot = market(AS_OF, 1).snapshot
    builder, random = ScenarioSetBuilder(snapshot), np.random.default_rng(3)
    every = np.arange(len(snapshot), dtype=np.int32)
    for name in STEPS:
        moves = 0.01 * random.normal(size=len(snapshot))
        rates = np.array([kind.move == "absolute" for kind in snapshot.kind_of_factor])
        levels = np.where(rates, snapshot.x0 + 0.1 * moves, snapshot.x0 * np.exp(moves))
        builder.add(name, "delta_gamma", every, levels)
    return builder.build()


def made(analysis: Analysis, of: Day) -> pa.Table:
    """All rows that it makes."""
    schema = SCHEMAS[analysis.name]
    return pa.concat_tables([schema.empty_table(), *analysis.compute(of)]).combine_chunks()
