"""What the report draws is what the tables say, and stays small whatever a day has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from riskpipe.config.risk_section import RiskSettings
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.results import book_map as maps
from riskpipe.results import sensitivity_ladders as ladders
from riskpipe.results.day_change import day_change, previous_results, worth_before
from riskpipe.results.find import Results, find_results
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.workflows.report import content
from riskpipe.workflows.report_charts import MOST_STEPS, charts


@pytest.fixture(scope="module")
def published(two_runs: Any) -> Results:
    return find_results(open_store(str(two_runs.path)), two_runs.published, date(2026, 11, 20))


@pytest.fixture(scope="module")
def shown(two_runs: Any) -> dict[str, Any]:
    return content(RunFolder(open_store(str(two_runs.path)), two_runs.published), two_runs.settings())[0]


def rows(results: Results, table: str) -> list[dict[str, Any]]:
    parts = [pq.read_table(results.store.full_path(source.path)) for source in results.files[table]]
    found: list[dict[str, Any]] = pa.concat_tables(parts).to_pylist()
    return found


def add_up(node: maps.Node) -> None:
    if node.below:
        assert sum(each.part for each in node.below) == pytest.approx(node.part, rel=1e-9, abs=1e-6)
        assert sum(each.trades for each in node.below) == node.trades
        for each in node.below:
            add_up(each)


def test_parts_of_books_are_the_components_and_add_up(shown: dict[str, Any], published: Results) -> None:
    found = shown["map"]
    (figure,) = (r for r in rows(published, "var") if r["level"] == 0 and r["name"] == found.figure)
    assert figure["kind"] == "var"
    assert found.root.part == pytest.approx(figure["value_base"], rel=1e-12)
    components = {
        row["component"]: row["component_base"]
        for row in rows(published, "var_components")
        if (row["level"], row["name"], row["component_kind"]) == (0, found.figure, "book")
    }
    assert {each.path: each.part for each in found.root.below} == pytest.approx(components, rel=1e-9, abs=1e-6)
    assert {node.kind for node in found.root.walk()} >= {"book", "trade"}
    add_up(found.root)


@pytest.mark.parametrize(("below", "nodes"), [(2, 1_000), (40, 6)])
def test_books_that_are_left_out_are_summed(
    shown: dict[str, Any], published: Results, monkeypatch: pytest.MonkeyPatch, below: int, nodes: int
) -> None:
    definition = next(each for each in _definitions(published) if each.name == shown["map"].figure)
    whole = maps.book_map(published, definition, (), {})
    monkeypatch.setattr(maps, "MOST_BELOW", below)
    monkeypatch.setattr(maps, "MOST_NODES", nodes)
    found = maps.book_map(published, definition, (), {})
    assert found is not None
    assert whole is not None
    assert found.books == whole.books == whole.shown
    assert found.shown == sum(node.kind == "book" for node in found.root.walk()) < found.books
    assert any("smaller books" in node.name for node in found.root.walk())
    add_up(found.root)


def _definitions(results: Results) -> Sequence[TailDefinition]:
    assert results.folder is not None
    configured = yaml.safe_load(results.store.read_bytes(results.folder.config))["risk"]
    return RiskSettings.model_validate(configured).terms().tails


def test_ladders_are_sums_of_the_sensitivities(shown: dict[str, Any], published: Results) -> None:
    given = [r for r in rows(published, "sensitivities") if r["measure"] == "bucketed_delta" and r["value_base"]]
    (bars,) = (each for each in shown["ladders"].bars if each.measure == "bucketed_delta")
    for name, value in zip(bars.names, bars.values, strict=True):
        mine = sum(r["value_base"] for r in given if ladders.name_of(r["factor"]) == name)
        assert value == pytest.approx(mine, rel=1e-9, abs=1e-6)
    (grid,) = (each for each in shown["ladders"].grids if each.measure == "bucketed_delta")
    for x, y, value in grid.cells:
        begin = f"{grid.rows[y]}:{grid.columns[x]}"
        mine = sum(r["value_base"] for r in given if r["factor"] == begin or r["factor"].startswith(f"{begin}:"))
        assert value == pytest.approx(mine, rel=1e-9, abs=1e-6)
    assert list(grid.columns).index("3M") < list(grid.columns).index("10Y")


def test_worst_days_are_taken_apart_by_desk(shown: dict[str, Any]) -> None:
    vector = shown["tail"].vector
    for at, k in enumerate(vector.worst):
        assert sum(values[at] for values in vector.desk_pnl) == pytest.approx(vector.pnl[k], rel=1e-9, abs=1e-3)
    assert vector.pnl[vector.worst[0]] == min(vector.pnl)


def test_change_by_book_and_its_waterfall(published: Results) -> None:
    aggregates = published.aggregates()
    assert previous_results(published.store, published.as_of) is None
    assert previous_results(published.store, "2026-11-23").as_of == published.as_of
    same = day_change(aggregates, published)
    assert {row.change(m) for row in same.books for m in range(len(same.measures))} == {0.0}
    doubled = pc.multiply(aggregates["value_base"], 2.0)
    place = aggregates.schema.get_field_index("value_base")
    found = day_change(aggregates.set_column(place, aggregates.schema.field(place), doubled), published)
    sizes = [abs(row.change(0)) for row in found.books[1:]]
    assert sizes == sorted(sizes, reverse=True)
    drawn = charts("USD", None, None, found, {}, None)["change"]
    assert len(drawn["names"]) <= MOST_STEPS + 1
    assert drawn["start"][1] + sum(drawn["values"]) == pytest.approx(drawn["end"][1], rel=1e-4)


def test_failed_trades_are_worth_what_they_were(published: Results) -> None:
    values = {r["trade_id"]: r["value_base"] for r in rows(published, "valuations") if r["measure"] == "pv"}
    a, b, c = list(values)[:3]
    failed = pa.table({"reason": ["X", "X", "Y", "X"], "trade_id": [a, b, c, "a new one"]})
    found = worth_before(failed, published)
    assert found == {
        "X": (2, pytest.approx(values[a] + values[b]), pytest.approx(abs(values[a]) + abs(values[b]))),
        "Y": (1, pytest.approx(values[c]), pytest.approx(abs(values[c]))),
    }
