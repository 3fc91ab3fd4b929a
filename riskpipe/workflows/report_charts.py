"""What the report's scripts draw, as JSON: bounded, whatever the day has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from riskpipe.results.book_map import BookMap
from riskpipe.results.day_change import DayChange
from riskpipe.results.risk_summary import RiskSummary
from riskpipe.results.sensitivity_ladders import Ladders

MOST_STEPS = 14
"""Bars of a waterfall between its ends."""


def charts(
    currency: str,
    tail: RiskSummary | None,
    books: BookMap | None,
    change: DayChange | None,
    stress: dict[str, Any],
    ladders: Ladders | None,
) -> dict[str, Any]:
    """Charts by the id of their place in the page; none where there is nothing to draw."""
    found: dict[str, Any] = {"currency": currency}
    if books is not None:
        found["map"] = books.root.to_json()
    if tail is not None and tail.vector is not None:
        found |= _vector(tail)
    if tail is not None and tail.explained:
        found["explained"] = _explained(tail.explained)
    if change is not None:
        found["change"] = _change(change)
    if stress.get("rows"):
        found["stress"] = _stress(stress)
    for k, bars in enumerate(ladders.bars if ladders else ()):
        found[f"bars-{k}"] = {"type": "bars", "names": list(bars.names), "values": _digits(bars.values)}
    for k, grid in enumerate(ladders.grids if ladders else ()):
        cells = [[x, y, *_digits([value])] for x, y, value in grid.cells]
        found[f"grid-{k}"] = {"type": "grid", "columns": list(grid.columns), "rows": list(grid.rows), "cells": cells}
    return found


def _digits(values: Iterable[float | None]) -> list[float | None]:
    """To more digits than can be seen, in half the bytes."""
    return [None if value is None else float(f"{value:.6g}") for value in values]


def _vector(tail: RiskSummary) -> dict[str, Any]:
    vector = tail.vector
    assert vector is not None
    of_a_day = [row for row in tail.figures if row["horizon_days"] == 1 and row["value_base"] is not None]
    marks = [{"name": row["name"], "value": row["value_base"]} for row in of_a_day if row["kind"] == "var"][:1]
    marks += [{"name": row["name"], "value": row["value_base"]} for row in of_a_day if row["kind"] == "es"][:1]
    return {
        "vector": {
            "type": "vector",
            "names": list(vector.scenarios),
            "values": _digits(vector.pnl),
            "worst": list(vector.worst),
            "marks": marks,
        },
        "histogram": {
            "type": "histogram",
            "edges": _digits(vector.edges),
            "counts": list(vector.counts),
            "marks": marks,
        },
    }


def _explained(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    steps = [(row["line"].replace("_", " "), row["value_base"]) for row in rows if row["line"] != "total"]
    total = [row["value_base"] for row in rows if row["line"] == "total"]
    return _waterfall(None, steps, ("P&L", total[0] if total else sum(value for _, value in steps)))


def _change(change: DayChange) -> dict[str, Any]:
    root, books = change.books[0], change.books[1:]
    steps = [(row.book, row.change(0) or 0.0) for row in books[:MOST_STEPS]]
    start, end = root.before[0] or 0.0, root.now[0] or 0.0
    left = end - start - sum(value for _, value in steps)
    if len(books) + change.more > MOST_STEPS:
        steps.append(("other books", left))
    return _waterfall((change.day, start), steps, ("today", end))


def _waterfall(
    start: tuple[str, float] | None, steps: Sequence[tuple[str, float]], end: tuple[str, float]
) -> dict[str, Any]:
    """:param start: what the steps are added to, shown as a bar; None: nothing."""
    return {
        "type": "waterfall",
        "start": None if start is None else [start[0], *_digits([start[1]])],
        "names": [name for name, _ in steps],
        "values": _digits(value for _, value in steps),
        "end": [end[0], *_digits([end[1]])],
    }


def _stress(stress: dict[str, Any]) -> dict[str, Any]:
    """Scenarios by the whole book's result, the worst first."""
    rows = sorted(stress["rows"], key=lambda row: row[1][0] or 0.0)
    desks = stress["desks"]
    series = [{"name": desk, "values": _digits(values[k + 1] for _, values in rows)} for k, desk in enumerate(desks)]
    if stress["more_desks"]:
        others = [(values[0] or 0.0) - sum(value or 0.0 for value in values[1:]) for _, values in rows]
        series.append({"name": "other books", "values": _digits(others)})
    return {
        "type": "stress",
        "names": [name for name, _ in rows],
        "totals": _digits(values[0] for _, values in rows),
        "series": series,
    }
