"""Rows of two streams are paired as a dictionary would pair them, however the streams are cut."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pyarrow as pa
import pytest
from selections import one_in

from riskpipe.results import alignment
from riskpipe.results.alignment import LeftOver, aligned
from riskpipe.results.comparison import Comparison
from riskpipe.results.differences import VALUATIONS, Bounds, TableDiff

Row = tuple[str, str, str, float]
"""Book, trade, measure, value."""

CODED = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("book", pa.string()), ("trade_id", pa.string()), ("measure", pa.string()),
                    ("product", pa.string()), ("status", pa.string()), ("reason", pa.string()),
                    ("value", pa.float64()), ("value_base", pa.float64()), ("currency", pa.string())])  # fmt: skip


def table(rows: list[Row]) -> pa.Table:
    columns = {
        "book": [row[0] for row in rows],
        "trade_id": [row[1] for row in rows],
        "measure": [row[2] for row in rows],
        "product": ["bond"] * len(rows),
        "status": ["ok"] * len(rows),
        "reason": [None] * len(rows),
        "value": [row[3] for row in rows],
        "value_base": [row[3] for row in rows],
        "currency": ["USD"] * len(rows),
    }
    made = pa.table({name: pa.array(columns[name], SCHEMA.field(name).type) for name in VALUATIONS.columns})
    for k, name in enumerate(made.column_names):
        if name not in ("trade_id", "value", "value_base"):
            made = made.set_column(k, name, made[name].dictionary_encode().cast(CODED))
    return made


def windows(rows: list[Row], chance: random.Random) -> Iterator[pa.Table]:
    """In order, cut anywhere between two trades."""
    waiting: list[Row] = []
    for row in sorted(rows):
        if waiting and waiting[-1][:2] != row[:2] and chance.random() < 0.3:
            yield table(waiting)
            waiting = []
        waiting.append(row)
    if waiting:
        yield table(waiting)


def compare(a: list[Row], b: list[Row], chance: random.Random) -> TableDiff:
    comparison = Comparison(VALUATIONS, Bounds(), 3)
    schema = pa.schema([SCHEMA.field(name) for name in VALUATIONS.columns])
    with LeftOver(schema, VALUATIONS.keys) as left_over:
        for pair in aligned(windows(a, chance), windows(b, chance), left_over.empty()):
            for side, rows in enumerate(comparison.compare(*pair)):
                left_over.put(side, rows)
        for pair in left_over.pairs(1):
            comparison.compare_moved(*pair)
    return comparison.finish()


@pytest.mark.parametrize("seed", one_in(3, range(12)))
def test_as_a_dictionary_would(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "LEFT_OVER_ROWS", 7)
    chance = random.Random(seed)
    measures = ("delta", "pv", "vega")[: 1 + seed % 3]
    a = [
        (f"desk{chance.randrange(4)}/é", f"T{k}", m, float(chance.randrange(100))) for k in range(60) for m in measures
    ]
    books = {trade: f"desk{chance.randrange(5)}/new" for _, trade, *_ in a if chance.random() < 0.2}
    b = [
        (books.get(trade, book), trade, m, value + (chance.random() < 0.1))
        for book, trade, m, value in a
        if chance.random() < 0.8
    ]
    b += [("desk9", f"U{k}", measures[0], 1.0) for k in range(chance.randrange(9))]
    if not seed:
        b = []
    in_a, in_b = ({row[1:3]: (row[0], row[3]) for row in rows} for rows in (a, b))
    both = in_a.keys() & in_b.keys()

    found = compare(a, b, chance)

    assert (found.rows_a, found.rows_b) == (len(a), len(b))
    assert (found.only_a, found.only_b) == (len(in_a.keys() - both), len(in_b.keys() - both))
    assert found.moved == sum(in_a[key][0] != in_b[key][0] for key in both)
    assert found.changed == sum(in_a[key][1] != in_b[key][1] for key in both)
    assert sum(t.changed for t in found.by_book.values()) == found.changed
    assert sum(t.rows_b for t in found.by_product.values()) == len(b)
    pv = found.by_product.get(("bond", "pv"))
    if pv is not None:
        assert pv.a == sum(row[3] for row in a if row[2] == "pv")
    assert len(found.largest) == min(found.changed, 3)


def test_a_trade_that_is_there_twice_meets_itself() -> None:
    twice = [("desk", "T1", "pv", 1.0), ("desk", "T1", "pv", 2.0)]
    found = compare([*twice, ("desk", "T2", "pv", 1.0)], [*twice, ("desk", "T3", "pv", 1.0)], random.Random(0))
    assert (found.only_a, found.only_b, found.moved, found.changed) == (1, 1, 0, 0)
    found = compare([*twice, ("desk", "T2", "pv", 1.0)], [twice[0]], random.Random(0))
    assert (found.only_a, found.only_b, found.moved, found.changed) == (2, 0, 0, 0)
