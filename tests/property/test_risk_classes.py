"""P&L by risk class is that of a history in which nothing else moves, and its parts add up to the whole."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from published import bits, published

from riskpipe.inputs.opened import RefusedInputs, open_inputs
from riskpipe.plan.selection import parse_selection
from riskpipe.runs.publication import Publication
from riskpipe.workflows.run import run

OPTIONS = parse_selection(["product:fx_option", "product:fx_forward"])
ASKED = ("measures=[pv, historical_var]", "scenario_pnl.historical=false")


@pytest.fixture(scope="module")
def only_fx(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book's history, of exchange rates alone."""
    history = pq.read_table(small_book / "data" / "history.parquet")
    path = tmp_path_factory.mktemp("history") / "fx.parquet"
    pairs = pc.match_substring_regex(history["factor"], "^spot:[A-Z]{6}$")
    pq.write_table(history.filter(pairs), path)
    return path


def _vectors(output: Path, scenario_set: str, risk_class: str) -> pa.Table:
    rows = published(output, "book_pnl")
    mine = pc.and_(pc.equal(rows["scenario_set"], scenario_set), pc.equal(rows["risk_class"], risk_class))
    return rows.filter(mine).select(["level", "book", "pnl", "trades"])


def test_parts_and_histories(settings_of, only_fx, recorder, tmp_path) -> None:
    settings = settings_of(
        *ASKED,
        "risk.by_class=true",
        f"inputs.histories.only_fx.path={only_fx}",
        "inputs.histories.recent.first=2026-10-20",
        "risk.liquidity_horizons.days={'*': 40, 'spot:*': 20, '*_vol:*': 120}",
        "partition.max_scenarios=100",
    )
    run(settings, OPTIONS, publication=Publication("always"), observer=recorder)
    output = tmp_path / "output"

    plain = settings_of(*ASKED, output="plain")
    run(plain, OPTIONS, publication=Publication("always"), observer=recorder)
    for table in ("aggregates", "var_components"):
        assert (
            published(output, table)
            .drop_columns(["run_id"])
            .equals(published(tmp_path / "plain", table).drop_columns(["run_id"]))
        )
    whole = _vectors(output, "historical", "all")
    assert bits(whole["pnl"]).equals(bits(_vectors(tmp_path / "plain", "historical", "all")["pnl"]))

    # What moves alone moves as if the history had nothing else.
    alone = _vectors(output, "only_fx", "all")
    assert alone.select(["book", "trades"]).equals(whole.select(["book", "trades"]))
    assert bits(alone["pnl"]).equals(bits(_vectors(output, "historical", "fx")["pnl"]))
    assert set(_classes(output, "only_fx")) == {"all", "fx", "cross", "lh_20", "lh_120"}

    # A window's vectors are the end of the whole's, for every class.
    scenarios = published(output, "scenarios").to_pylist()
    days = sum(row["scenario_set"] == "recent" for row in scenarios)
    assert 0 < days < sum(row["scenario_set"] == "historical" for row in scenarios)
    for name in _classes(output, "historical"):
        ends = [row[-days:] for row in _vectors(output, "historical", name)["pnl"].to_pylist()]
        assert _vectors(output, "recent", name)["pnl"].to_pylist() == ends

    classes = [name for name in _classes(output, "historical") if not name.startswith(("all", "lh_"))]
    assert {"rates", "fx", "volatility", "cross"} < set(classes)
    parts = np.array([_vectors(output, "historical", name)["pnl"].to_pylist() for name in classes])
    expected = np.array(whole["pnl"].to_pylist())
    for book, vector in enumerate(expected):
        for day, pnl in enumerate(vector):
            assert math.fsum(parts[:, book, day]) == pytest.approx(pnl, rel=1e-12, abs=1e-12 * np.abs(vector).max())
    root = {name: np.abs(parts[k, 0]).max() for k, name in enumerate(classes)}
    assert min(root["rates"], root["fx"], root["volatility"], root["cross"]) > 0.0
    assert {root[name] for name in classes if name not in ("rates", "fx", "volatility", "cross")} == {0.0}

    nested = [_vectors(output, "historical", name)["pnl"] for name in ("lh_20", "lh_40", "lh_120")]
    assert bits(nested[0]).equals(bits(whole["pnl"]))  # no factor of ten days
    assert bits(nested[2]).equals(bits(_vectors(output, "historical", "volatility")["pnl"]))
    assert "lh_60" not in _classes(output, "historical")
    figures = {(row["scenario_set"], row["risk_class"]) for row in published(output, "var").to_pylist()}
    assert {("historical", name) for name in ("all", *classes)} <= figures
    assert {("recent", "all"), ("only_fx", "fx")} <= figures
    assert not {part for _, part in figures if part.startswith("lh_")}


def _classes(output: Path, scenario_set: str) -> list[str]:
    rows = published(output, "book_pnl").to_pylist()
    return [row["risk_class"] for row in rows if row["level"] == 0 and row["scenario_set"] == scenario_set]


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (
            ("risk.by_class=[inflation, rates]", "risk.classes={'inflation_zero:*': rates}"),
            "nothing of inflation moves under the historical scenarios: take it out of risk.by_class",
        ),
        (("inputs.histories.old.last=2001-01-01",), "it has no move that ends within the days of old"),
        (("inputs.histories.few.first=2026-11-10", "risk.stressed_windows=[{name: w, days: 20, scenario_set: few}]"),
         "risk.stressed_windows: w is of 20 days and the history few has 9"),
        (("inputs.histories.gone.path=gone.parquet",), "correct inputs.histories.gone.path in the configuration"),
        (("risk.liquidity_horizons.horizon_days=61",), "risk.liquidity_horizons is of 61 days and the history has 60"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_told_before_anything_is_priced(settings_of, assignments, message) -> None:
    inputs = open_inputs(settings_of(*ASKED, *assignments), OPTIONS)
    assert isinstance(inputs, RefusedInputs)
    (fault,) = inputs.blocking
    assert message in fault.message
