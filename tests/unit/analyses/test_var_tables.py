"""Tables `var` and `var_components` against plain NumPy over the vectors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from analysed_days import TAILS, day, made, nodes
from msgspec.structs import replace

from riskpipe.analyses.analysis import Day
from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.store.table_schemas import SCHEMAS

N = 250
BOOKS = {
    book: np.random.default_rng(k).standard_t(4, N) * 1e4
    for k, book in enumerate(("fx", "fx/spot", "fx-2/x", "rates/eur/long", "rates/eur/short", "rates/usd"))
}
FURTHER = (
    TailDefinition("aged", "var", 0.95, weighting="age", decay=0.97),
    TailDefinition("aged_es", "es", 0.95, weighting="age", decay=0.97),
    TailDefinition("filtered", "es", 0.9, weighting="volatility", decay=0.94),
    TailDefinition("smooth", "var", 0.95, quantile="harrell_davis"),
    TailDefinition("ten_days", "es", 0.9, window=200, horizon_days=10),
    TailDefinition("rooted", "var", 0.99, horizon_days=10, horizon="square_root"),
)


def plain(pnl: np.ndarray, figure: str) -> float:
    losses = np.sort(-pnl)
    if figure == "var_99":
        return float(losses[math.ceil(0.99 * N) - 1])
    worst, count = losses[::-1], 0.025 * N
    whole = int(count)
    return float((worst[:whole].sum() + (count - whole) * worst[whole]) / count)


def test_figures_of_every_book() -> None:
    rows = made(ANALYSES["var"], day(BOOKS)).to_pylist()
    paths = [(level, path) for level, path, *_ in nodes(BOOKS)]
    assert [(row["level"], row["book"], row["name"]) for row in rows] == [
        (*path, name) for path in paths for name in ("es_97_5", "var_99")
    ]
    vectors = {path: vector for _, path, vector, _, _ in nodes(BOOKS)}
    for row in rows:
        pnl = vectors[row["book"]]
        assert row["value_base"] == pytest.approx(plain(pnl, row["name"]), rel=1e-12)
        assert row["scenario"] == row["scenario_date"].isoformat()
        if row["kind"] == "var":
            place = np.flatnonzero(-pnl == row["value_base"])[0]
            assert row["scenario"] == made_scenarios()[place]


@pytest.mark.parametrize("tail", [*TAILS, *FURTHER], ids=lambda tail: tail.name)
def test_a_book_s_figures_are_the_same_bits_whatever_others_are_made_with_them(
    tail: TailDefinition,
) -> None:
    together, apart = (made(ANALYSES["var"], day(BOOKS, tails=[tail], piece=piece)) for piece in (1000, 2))
    assert apart.equals(together)


def made_scenarios() -> list[str]:
    (table,) = day(BOOKS).read("scenarios")
    names: list[str] = table["scenario"].to_pylist()
    return names


def components(of: Day, kind: str) -> list[dict[str, Any]]:
    rows = made(ANALYSES["var_components"], of).to_pylist()
    return [row for row in rows if row["component_kind"] == kind]


@pytest.mark.parametrize("tail", [*TAILS, *FURTHER], ids=lambda tail: tail.name)
def test_components_add_up_at_every_level(tail: TailDefinition) -> None:
    of = day(BOOKS, tails=[tail])
    figures = {row["book"]: row["value_base"] for row in made(ANALYSES["var"], of).to_pylist()}
    rows = components(of, "book")
    parts: dict[str, list[float]] = {}
    for row in rows:
        parts.setdefault(row["book"], []).append(row["component_base"])
    assert set(parts) == {"", "fx", "fx-2", "rates", "rates/eur"}
    for book, found in parts.items():
        assert math.fsum(found) == pytest.approx(figures[book], rel=1e-12)


def test_components_are_those_of_the_scenarios() -> None:
    vectors = {path: vector for _, path, vector, _, _ in nodes(BOOKS)}
    rows = components(day(BOOKS), "book")
    own = vectors["fx"] - vectors["fx/spot"]
    for row in rows:
        whole, name = vectors[row["book"]], row["name"]
        part = own if row["component"] == row["book"] else vectors[row["component"]]
        order = np.argsort(-whole)[::-1]
        if name == "var_99":
            expected = -part[order[N - math.ceil(0.99 * N)]]
        else:
            expected = (-part[order[:6]].sum() - 0.25 * part[order[6]]) / 6.25
        assert row["component_base"] == pytest.approx(expected, rel=1e-9, abs=1e-6)
        assert row["incremental_base"] == pytest.approx(
            plain(whole, name) - plain(whole - part, name), rel=1e-9, abs=1e-6
        )
        grown = plain(whole + 0.01 * part, name) - plain(whole, name)
        assert row["marginal_base"] == pytest.approx(grown, rel=1e-9, abs=1e-6)
    assert [row["component"] for row in rows if row["book"] == "fx" and row["name"] == "var_99"] == ["fx", "fx/spot"]


def test_rows_of_trades_follow_those_of_books() -> None:
    rows = made(ANALYSES["var_components"], day(BOOKS)).to_pylist()
    root = [(row["name"], row["component_kind"], row["component"]) for row in rows if row["book"] == ""]
    assert root[-5:] == [
        ("var_99", "book", "fx"),
        ("var_99", "book", "fx-2"),
        ("var_99", "book", "rates"),
        ("var_99", "trade", "T0"),
        ("var_99", "trade", "T1"),
    ]
    assert {row["marginal_base"] for row in components(day(BOOKS), "trade")} == {None}


def test_steps_of_explained_pnl_are_no_history() -> None:
    """They have a date, that of the day that they begin at."""
    of = day(BOOKS)
    before = made(ANALYSES["var"], of)

    def read(name: str) -> Iterator[pa.Table]:
        for piece in of.read(name):
            yield piece
            if name == "book_pnl":
                steps = pa.nulls(piece.num_rows, piece.schema.field("pnl").type)
                explain = pa.repeat(pa.scalar("explain"), piece.num_rows)
                yield piece.set_column(4, piece.schema.field(4), explain).set_column(6, piece.schema.field(6), steps)

    assert "explain" in pa.concat_tables(of.read("scenarios"))["scenario_set"].to_pylist()
    assert SCHEMAS["book_pnl"].names[4:7:2] == ["scenario_set", "pnl"]
    assert made(ANALYSES["var"], replace(of, read=read)).equals(before)
