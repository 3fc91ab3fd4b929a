"""The pass over the portfolio: every fault of every row, what is quarantined, what each trade will cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from desk import Desk, desk_book
from valuations import settings_at, trades_of

from riskpipe.config import Settings
from riskpipe.inputs.opened import OpenedInputs, open_inputs
from riskpipe.plan import survey_piece as module
from riskpipe.plan.costs import CostModel
from riskpipe.plan.partition import ScenarioRange, scenario_ranges
from riskpipe.plan.piece_files import PieceFiles, SurveyedRows
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import parse_selection
from riskpipe.plan.survey import Survey
from riskpipe.plan.survey_piece import Portfolio, Pricing
from riskpipe.products.catalogue import Catalogue
from riskpipe.store.location import open_store

ROWS = [
    {"trade_id": "A", "book": "x"},
    {"trade_id": "B", "book": "x", "quantity": None},
    {"trade_id": None, "book": "y"},
    {"trade_id": "D", "book": None},
    {"trade_id": "E", "book": "y", "currency": "CHF"},
    {"trade_id": "A", "book": "z"},
    {"trade_id": "G", "book": "z", "quantity": float("nan")},
    {"trade_id": "H", "book": "z"},
]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[dict[str, Any]]], OpenedInputs]:
    products = Catalogue()
    products["desk"] = Desk()
    monkeypatch.setattr("riskpipe.inputs.opened.catalogue", lambda: products)

    def make(rows: Sequence[dict[str, Any]]) -> OpenedInputs:
        inputs = open_inputs(_settings(tmp_path, rows))
        assert isinstance(inputs, OpenedInputs)
        return inputs

    return make


def _settings(directory: Path, rows: Sequence[dict[str, Any]]) -> Settings:
    book = desk_book(directory / "book", rows)
    return settings_at(book, directory / "output", "measures=[pv, delta, vega, stress]")


def _survey(inputs: OpenedInputs, *select: str, **options: Any) -> tuple[Survey, list[SurveyedRows]]:
    found = Survey(
        Portfolio(inputs.files, inputs.portfolio, inputs.products),
        inputs.as_of,
        inputs.model,
        "USD",
        PieceFiles(open_store(inputs.settings.output), "pieces"),
        selection=parse_selection(select),
        pricing=Pricing(_ranges(inputs), **options),
    )
    return found, list(found.rows())


def _ranges(inputs: OpenedInputs) -> tuple[ScenarioRange, ...]:
    return scenario_ranges(inputs.scenarios.columns, inputs.snapshot, ("pv", "delta", "vega", "stress"), 1000)


Opened = Callable[[Sequence[dict[str, Any]]], OpenedInputs]


def test_every_fault_in_one_pass(opened: Opened) -> None:
    survey, _ = _survey(opened(ROWS))

    found = {(fault.column, fault.rule): (fault.level, fault.rows, fault.sample) for fault in survey.faults}
    assert found == {
        ("quantity", "not_null"): ("error", 1, ("B",)),
        ("quantity", "finite"): ("error", 1, ("G",)),
        ("trade_id", "not_null"): ("error", 1, ("desk/part-000.parquet#2",)),
        ("book", "not_null"): ("error", 1, ("D",)),
        ("conversion", "market_data"): ("error", 1, ("E",)),
        ("trade_id", "unique"): ("error", 2, ("A", "A")),
    }
    assert survey.trades == 8
    assert {fault.file for fault in survey.faults} == {"desk/part-000.parquet"}


def test_quarantine_has_each_bad_row_once_with_its_reason(opened: Opened) -> None:
    survey, _ = _survey(opened([*ROWS, {"trade_id": "Z", "book": None, "quantity": None}]))

    rows = {row["row"]: (row["reason"], row["message"]) for row in survey.quarantine.table().to_pylist()}
    assert sorted(rows) == [0, 1, 2, 3, 4, 5, 6, 8]
    assert rows[4][0] == "MISSING_MARKET_DATA"
    assert "CHFUSD" in rows[4][1]
    assert {rows[k][0] for k in (0, 1, 2, 3, 5, 6, 8)} == {"INVALID_TRADE"}
    assert rows[8][1] == "book is null", "of several reasons the first"


def test_batches_do_not_change_what_is_found(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = opened(ROWS)
    whole, (file,) = _survey(inputs)

    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    small, parts = _survey(inputs)

    assert [(part.start, part.stop) for rows in parts for part in rows.pieces] == [(0, 3), (3, 6), (6, 8)]
    assert {(f.column, f.rule, f.rows) for f in small.faults} == {(f.column, f.rule, f.rows) for f in whole.faults}
    assert small.quarantine.table().equals(whole.quarantine.table())
    np.testing.assert_array_equal(np.concatenate([rows.seconds for rows in parts], axis=1), file.seconds)
    np.testing.assert_array_equal(np.concatenate([rows.bytes_ for rows in parts]), file.bytes_)
    assert small.valuations == whole.valuations


def test_small_files_are_looked_at_together_and_their_faults_told_apart(opened: Opened, tmp_path: Path) -> None:
    whole, (file,) = _survey(opened(ROWS))
    directory = tmp_path / "book" / "portfolio" / "desk"
    trades = pq.read_table(directory / "part-000.parquet", partitioning=None)
    (directory / "part-000.parquet").unlink()
    for k in range(0, len(trades), 3):
        pq.write_table(trades.slice(k, 3), directory / f"part-{k:03}.parquet")

    inputs = open_inputs(settings_at(tmp_path / "book", tmp_path / "output", "measures=[pv, delta, vega, stress]"))
    assert isinstance(inputs, OpenedInputs)
    survey, (rows,) = _survey(inputs)

    assert [(piece.file.path[-11:], len(piece)) for piece in rows.pieces] == [
        ("000.parquet", 3), ("003.parquet", 3), ("006.parquet", 2)
    ]  # fmt: skip
    np.testing.assert_array_equal(rows.seconds, file.seconds)
    expected = [(row["row"], row["reason"], row["message"]) for row in whole.quarantine.table().to_pylist()]
    found = survey.quarantine.table().to_pylist()
    assert [(int(r["path"][-11:-8]) + r["row"], r["reason"], r["message"]) for r in found] == expected
    told = {(f.file[-11:], f.column, f.rule, f.rows, f.sample) for f in survey.faults}
    assert ("003.parquet", "book", "not_null", 1, ("D",)) in told
    assert ("000.parquet", "trade_id", "not_null", 1, ("desk/part-000.parquet#2",)) in told
    assert {(column, rule) for _, column, rule, _, _ in told} == {(f.column, f.rule) for f in whole.faults}


def test_ids_that_occur_in_two_files(opened: Opened, tmp_path: Path) -> None:
    inputs = opened([{"trade_id": name} for name in "ABC"])
    other = trades_of(Desk(), [{"trade_id": name, "currency": "EUR", "quantity": 1.0} for name in "CDA"])
    pq.write_table(other.table, tmp_path / "book" / "portfolio" / "desk" / "part-001.parquet")

    survey, _ = _survey(open_inputs(inputs.settings))

    found = [(fault.file[-11:], fault.rows, set(fault.sample)) for fault in survey.faults]
    assert found == [("000.parquet", 2, {"A", "C"}), ("001.parquet", 2, {"A", "C"})]
    assert survey.quarantine.table().column("row").to_pylist() == [0, 2, 0, 2]


def test_selection_by_trade_where_ids_are_missing(opened: Opened) -> None:
    survey, (file,) = _survey(opened(ROWS), "trade:[A-E]")

    assert file.selected.tolist() == [True, True, False, True, True, True, False, False]
    assert survey.selected == 5


def test_costs_of_what_is_selected_alone(opened: Opened) -> None:
    inputs = opened([{"trade_id": name, "book": book} for name, book in zip("ABCD", "xxyy", strict=True)])
    whole, (every,) = _survey(inputs)
    some, (half,) = _survey(inputs, "book:y")

    np.testing.assert_array_equal(half.selected, [False, False, True, True])
    np.testing.assert_array_equal(half.seconds[:, 2:], every.seconds[:, 2:])
    assert (half.seconds[:, :2] == 0.0).all()
    assert (half.bytes_[:2] == 0.0).all()
    # The base, a spot up and down, and the two stresses that move it.
    assert whole.valuations == 4 * (1 + 2 + 2)
    assert some.valuations == 2 * (1 + 2 + 2)


def test_learnt_costs_scale_the_seconds(opened: Opened) -> None:
    inputs = opened([{"trade_id": "A"}])

    _, (plain,) = _survey(inputs)
    _, (twice,) = _survey(inputs, costs=CostModel({"desk": 2.0}))

    np.testing.assert_allclose(twice.seconds, 2.0 * plain.seconds)
    np.testing.assert_array_equal(twice.bytes_, plain.bytes_)


def test_vectors_that_are_stored_take_memory(opened: Opened) -> None:
    inputs = opened([{"trade_id": "A"}])

    _, (stored,) = _survey(inputs, stored_pnl=True)
    _, (dropped,) = _survey(inputs, stored_pnl=False)

    assert stored.bytes_[0] > dropped.bytes_[0]


def test_empty_quarantine() -> None:
    assert Quarantine().table().num_rows == 0
    assert Quarantine().table().column_names == ["path", "row", "reason", "message", "doubled"]
