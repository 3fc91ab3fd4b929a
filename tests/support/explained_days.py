"""Two days of some books, a trade each, whose P&L is explained: tables of both, and their markets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from riskpipe.analyses.analysis import Day
from riskpipe.analyses.risk_terms import RiskTerms
from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import RISK_CLASSES, days_of
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.store.table_schemas import SCHEMAS

STEPS = ("carry", "roll_down", *RISK_CLASSES)
LEVELS = {"spot:EURUSD": (1.10, 1.12), "spot:ACME": (100.0, 103.0), "zero_rate:USD.OIS:1Y": (0.040, 0.041)}
Row = dict[str, Any]


def market(as_of: date, which: int) -> MarketModel:
    """:param which: 0 of the earlier day, 1 of the later one."""
    parts = [name.split(":") for name in LEVELS]
    table = pa.table(
        {
            "factor": list(LEVELS),
            "kind": [part[0] for part in parts],
            "name": [part[1] for part in parts],
            "currency": ["USD"] * len(parts),
            "tenor": pa.array([part[2] if len(part) > 2 else None for part in parts], pa.string()),
            "value": [levels[which] for levels in LEVELS.values()],
        }
    )
    return MarketModel(MarketSnapshot.from_table(table, days_of(as_of)), Conventions("USD"))


def of_schema(name: str, as_of: date, run_id: str, rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist([{"as_of_date": as_of, "run_id": run_id, **row} for row in rows], SCHEMAS[name])


def trade(book: str, **more: Any) -> Row:
    return {"book": book, "trade_id": f"T-{book}", "product": "p", **more}


def value(book: str, worth: float | None, currency: str = "USD", measure: str = "pv") -> Row:
    status = "ok" if worth is not None else "failed"
    return trade(book, measure=measure, value=worth, value_base=worth, currency=currency, status=status)


def pieces(tables: Mapping[str, pa.Table], name: str, piece: int) -> Iterator[pa.Table]:
    table = tables[name] if name in tables else SCHEMAS[name].empty_table()
    return (table.slice(k, piece) for k in range(0, table.num_rows, piece))


def explained(
    books: Mapping[str, FloatArray | None], as_of: date, terms: RiskTerms, piece: int
) -> tuple[dict[str, pa.Table], Day]:
    """Tables of the later day, and the earlier day. :param books: a trade each; None: one that failed."""
    before = as_of - timedelta(days=1)
    worth = {book: None if vector is None else abs(float(vector[0])) for book, vector in sorted(books.items())}
    steps = [
        trade(book, scenario_set="explain", status="ok", pnl=[-1.0 * k for k in range(9, 0, -1)]) for book in worth
    ]
    for row in steps:
        if worth[row["book"]] is None:
            row |= {"status": "failed", "pnl": None}
    first = {
        "valuations": [value(book, each) for book, each in worth.items()],
        "cashflows": [],
        "trade_terms": [trade(book, terms=7) for book in worth],
        "sensitivities": [
            trade(book, factor="spot:ACME", measure="delta", value=2.0, value_base=2.0, currency="USD", status="ok")
            for book, each in worth.items()
            if each is not None
        ],
    }
    names = [{"scenario_set": "explain", "index": k, "scenario": name, "date": before} for k, name in enumerate(STEPS)]
    second = {
        "valuations": [value(book, None if each is None else each + 10.0) for book, each in worth.items()],
        "trade_terms": first["trade_terms"],
        "scenario_pnl": steps,
        "scenarios": names if books else [],
    }
    earlier = {name: of_schema(name, before, "q", rows) for name, rows in first.items()}
    later = {name: of_schema(name, as_of, "r", rows) for name, rows in second.items()}
    previous = Day(before, "q", terms, lambda name: pieces(earlier, name, piece), lambda: market(before, 0))
    return later, previous
