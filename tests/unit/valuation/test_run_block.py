"""One block's files: every planned number a value or a reason, and the record of it adds up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from desk import EURUSD, SPOT, MendedDesk
from valuations import OpenRun

from riskpipe.errors import Failure, Reason
from riskpipe.store.parquet import read_parquet
from riskpipe.store.result_tables import metadata
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.run_block import BlockPayload, BlockResult, run_block, void_block

OpenDesk = Callable[..., OpenRun]
GOOD = [
    {"trade_id": "C", "book": "b/two", "quantity": 3.0},
    {"trade_id": "A", "book": "b/two", "quantity": -1.0, "currency": "USD"},
    {"trade_id": "B", "book": "b/one", "quantity": 2.0},
]
MEASURES = 7


def _value(run: OpenRun) -> tuple[BlockResult, dict[str, pa.Table]]:
    (block,) = run.blocks
    result = run_block(run.task(block))
    return result, {name: read_parquet(run.store, file.path) for name, file in _files(result).items()}


def _files(result: BlockResult) -> dict[str, WrittenFile]:
    """By table; of P&L vectors there is one file at most, too."""
    assert len(result.vectors) <= 1
    return {**result.outputs, **dict(zip(["scenario_pnl"], result.vectors, strict=False))}


def _row(table: pa.Table, trade_id: str, **columns: str) -> dict[str, Any]:
    (row,) = [
        row
        for row in table.to_pylist()
        if row["trade_id"] == trade_id and all(row[name] == value for name, value in columns.items())
    ]
    return row


def test_good_trades(open_desk: OpenDesk) -> None:
    result, tables = _value(open_desk(GOOD))

    assert set(tables) == {"valuations", "sensitivities", "scenario_pnl", "partials", "trades"}
    # pv, delta, gamma, theta, bucketed_delta, stress are numbers; nothing of it has volatility.
    assert (result.ok, result.failed, result.not_applicable) == (18, 0, 3)
    pv = _row(tables["valuations"], "C", measure="pv")
    assert (pv["value"], pv["currency"], pv["value_base"]) == (3 * SPOT, "EUR", 3 * SPOT * EURUSD)
    assert (pv["book"], pv["product"], pv["status"]) == ("b/two", "desk", "ok")
    assert (pv["reason"], pv["message"]) == (None, None)
    assert _row(tables["valuations"], "A", measure="pv")["value_base"] == -SPOT
    assert _row(tables["valuations"], "B", measure="delta")["value"] == pytest.approx(2.0, rel=1e-12)
    vega = _row(tables["valuations"], "B", measure="vega")
    assert (vega["value"], vega["value_base"], vega["status"]) == (None, None, "not_applicable")
    assert vega["reason"] == "NOT_APPLICABLE"
    assert "vega" in vega["message"]
    pnl = _row(tables["scenario_pnl"], "C")["pnl"]
    np.testing.assert_allclose(pnl, [-187.5, 0.0, 75.0, 37.5, 0.0], rtol=1e-12)
    assert pnl[1] == pnl[4] == 0.0


def test_rows_are_sorted_whole_and_never_nan(open_desk: OpenDesk) -> None:
    rows = [*GOOD, {"trade_id": "D", "book": "b/one", "behaviour": "is nan"}, {"trade_id": "E", "quantity": None}]
    _, tables = _value(open_desk(rows, "measures=[pv, theta, bucketed_delta, stress, cashflows, pnl_explain]"))

    assert set(SORT_KEYS) <= set(tables)
    for name, keys in ((name, SORT_KEYS[name]) for name in SORT_KEYS if name in tables):
        found = [tuple(row[key] for key in keys) for row in tables[name].to_pylist()]
        assert found == sorted(found), name
        assert len(set(found)) == len(found), name
    assert {row["trade_id"] for row in tables["valuations"].to_pylist()} == set("ABCDE")
    for name in ("valuations", "sensitivities"):
        for row in tables[name].to_pylist():
            number = row["value"]
            assert (number is None) == (row["status"] != "ok") == (row["value_base"] is None)
            assert number is None or np.isfinite(number)
    for row in tables["scenario_pnl"].to_pylist():
        assert (row["pnl"] is None) == (row["status"] != "ok")
        assert row["pnl"] is None or (len(row["pnl"]) == 5 and np.isfinite(row["pnl"]).all())
    for row in tables["valuations"].to_pylist():
        assert (row["reason"] is None) == (row["status"] == "ok") == (row["message"] is None)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("is nan", "the present value is not a finite number"),
        ("is infinite", "the present value is not a finite number"),
        ("is huge", "the present value is 1e+17, too large for exact sums, which end at 3.6e+16"),
        ("raises when prepared", "ValueError: cannot prepare this"),
        ("raises when priced", "ZeroDivisionError: cannot price this"),
    ],
)
def test_a_trade_without_value_fails_in_every_measure(behaviour: str, message: str, open_desk: OpenDesk) -> None:
    result, tables = _value(open_desk([*GOOD, {"trade_id": "D", "behaviour": behaviour}]))

    assert (result.ok, result.failed, result.not_applicable) == (18, MEASURES, 3)
    for measure in ("pv", "delta", "gamma", "theta", "vega"):
        row = _row(tables["valuations"], "D", measure=measure)
        assert (row["status"], row["message"]) == ("failed", message)
    assert _row(tables["scenario_pnl"], "D")["status"] == "failed"
    assert "D" not in tables["sensitivities"].column("trade_id").to_pylist()
    (failure,) = tables["trade_failures"].to_pylist()
    assert (failure["trade_id"], failure["row"], failure["stage"]) == ("D", 3, "price")
    assert (failure["ok"], failure["failed"], failure["not_applicable"]) == (0, MEASURES, 0)
    assert failure["retryable"] is True
    assert len(failure["measures"]) == MEASURES


def test_the_others_of_its_block_are_the_same(open_desk: OpenDesk, tmp_path: Any) -> None:
    bad = [{"trade_id": f"X{k}", "behaviour": what} for k, what in enumerate(("is nan", "raises when priced"))]
    _, tables = _value(open_desk([bad[0], *GOOD[:1], bad[1], *GOOD[1:]]))

    for trade in GOOD:
        expected = trade["quantity"] * SPOT
        assert _row(tables["valuations"], trade["trade_id"], measure="pv")["value"] == expected
        assert _row(tables["valuations"], trade["trade_id"], measure="theta")["value"] == 0.0


@pytest.mark.parametrize("behaviour", ["nan below 60", "nan above 115"])
def test_one_scenario_without_number_fails_the_vector_as_a_whole(behaviour: str, open_desk: OpenDesk) -> None:
    result, tables = _value(open_desk([*GOOD, {"trade_id": "D", "behaviour": behaviour}]))

    assert (result.ok, result.failed, result.not_applicable) == (18 + 5, 1, 4)
    row = _row(tables["scenario_pnl"], "D")
    assert (row["pnl"], row["status"]) == (None, "failed")
    assert _row(tables["valuations"], "D", measure="pv")["value"] == SPOT
    (failure,) = tables["trade_failures"].to_pylist()
    assert (failure["stage"], failure["reason"], failure["measures"]) == ("stress", "NUMERICAL", ["stress"])
    assert (failure["ok"], failure["failed"], failure["not_applicable"]) == (5, 1, 1)
    stress = [row for row in tables["partials"].to_pylist() if row["measure"] == "stress" and row["book"] == "desk/one"]
    assert [(row["trades"], row["failed_trades"]) for row in stress] == [(1, 1)]
    assert set(stress[0]["high"] + stress[0]["middle"] + stress[0]["low"]) == {0}


@pytest.mark.parametrize("behaviour", ["nan when bumped", "huge when bumped"])
def test_one_bump_without_number_fails_its_family_alone(behaviour: str, open_desk: OpenDesk) -> None:
    result, tables = _value(open_desk([*GOOD, {"trade_id": "D", "behaviour": behaviour}]))

    assert result.failed == 2
    for measure, status in {"delta": "failed", "gamma": "failed", "pv": "ok", "theta": "ok"}.items():
        assert _row(tables["valuations"], "D", measure=measure)["status"] == status
    assert _row(tables["scenario_pnl"], "D")["status"] == "ok"
    (failure,) = tables["trade_failures"].to_pylist()
    assert (failure["stage"], failure["reason"]) == ("spot", "NUMERICAL")
    assert sorted(failure["measures"]) == ["delta", "gamma"]
    if behaviour == "nan when bumped":
        # A row that says so: an absent one would mean an exact zero.
        row = _row(tables["sensitivities"], "D", measure="delta", factor="spot:ACME")
        assert (row["value"], row["value_base"], row["status"]) == (None, None, "failed")


def test_quarantined_rows_come_out_failed_with_their_reason(open_desk: OpenDesk) -> None:
    rows = [*GOOD, {"trade_id": "D", "quantity": None}, {"trade_id": "E", "quantity": float("inf")}]
    result, tables = _value(open_desk(rows))

    assert (result.ok, result.failed, result.not_applicable) == (18, 2 * MEASURES, 3)
    for trade_id, message in (("D", "quantity is null"), ("E", "quantity is not a finite number")):
        row = _row(tables["valuations"], trade_id, measure="pv")
        assert (row["status"], row["reason"], row["message"]) == ("failed", "INVALID_TRADE", message)
        assert row["currency"] is None
    stages = {(row["stage"], row["retryable"]) for row in tables["trade_failures"].to_pylist()}
    assert stages == {("check", False)}
    sums = {row["book"]: row for row in tables["partials"].to_pylist() if row["measure"] == "pv"}
    assert (sums["desk/one"]["trades"], sums["desk/one"]["failed_trades"]) == (2, 2)
    assert (sums["b/two"]["trades"], sums["b/two"]["failed_trades"]) == (2, 0)


def test_trades_without_id_or_book_have_a_place(open_desk: OpenDesk) -> None:
    rows = [*GOOD, {"trade_id": None}, {"trade_id": None, "book": "b/two"}, {"trade_id": "F", "book": None}]
    result, tables = _value(open_desk(rows))

    assert result.failed == 3 * MEASURES
    places = {(row["trade_id"], row["book"]) for row in tables["valuations"].to_pylist() if row["status"] == "failed"}
    assert places == {("desk/part-000.parquet#3", "desk/one"), ("desk/part-000.parquet#4", "b/two"), ("F", "")}
    sums = {row["book"]: row for row in tables["partials"].to_pylist() if row["measure"] == "pv"}
    assert {book: (row["trades"], row["failed_trades"]) for book, row in sums.items()} == {
        "": (1, 1), "b/one": (1, 0), "b/two": (3, 1), "desk/one": (1, 1),
    }  # fmt: skip


def test_a_missing_exchange_rate_fails_its_trades(open_desk: OpenDesk) -> None:
    _, tables = _value(open_desk([*GOOD, {"trade_id": "D", "currency": "CHF"}]))

    row = _row(tables["valuations"], "D", measure="pv")
    assert (row["status"], row["reason"]) == ("failed", "MISSING_MARKET_DATA")
    assert "CHFUSD" in row["message"]


def test_record_of_the_block(open_desk: OpenDesk) -> None:
    run = open_desk(GOOD)
    (block,) = run.blocks
    result, tables = _value(run)

    assert result.ok + result.failed + result.not_applicable == block.numbers
    published = ("valuations", "sensitivities", "scenario_pnl", "trades")
    assert result.rows == sum(tables[name].num_rows for name in published)
    assert result.bytes_out == sum(file.bytes for file in _files(result).values())
    assert result.bytes_in > 0
    assert result.peak_rss_bytes > 10 * 2**20
    assert result.ended_at >= result.started_at
    assert min(result.fetch_s, result.price_s, result.write_s, result.cpu_s) >= 0.0
    for name in ("valuations", "sensitivities", "scenario_pnl", "partials"):
        found = metadata(run.store, _files(result)[name].path)
        assert (found["table"], found["run_id"], found["as_of_date"]) == (name, run.folder.run_id, "2026-11-20")


def test_the_same_block_twice_is_the_same_bytes(open_desk: OpenDesk) -> None:
    run = open_desk([*GOOD, {"trade_id": "D", "behaviour": "nan below 60"}])
    (block,) = run.blocks

    first, second = run_block(run.task(block)), run_block(run.task(block))

    assert first.outputs == second.outputs


def test_block_that_failed_as_a_whole(open_desk: OpenDesk) -> None:
    run = open_desk([*GOOD, {"trade_id": "D", "quantity": None}])
    (block,) = run.blocks

    result = void_block(run.task(block), Failure(Reason.WORKER_LOST, "died"))

    assert (result.ok, result.failed, result.not_applicable) == (0, 4 * MEASURES, 0)
    valuations = read_parquet(run.store, result.outputs["valuations"].path)
    assert _row(valuations, "A", measure="pv")["reason"] == "WORKER_LOST"
    assert _row(valuations, "D", measure="pv")["reason"] == "INVALID_TRADE", "known before the worker was lost"
    partials = read_parquet(run.store, result.outputs["partials"].path).to_pylist()
    assert all(row["failed_trades"] == row["trades"] for row in partials)


def test_some_rows_of_a_block(open_desk: OpenDesk) -> None:
    run = open_desk([*GOOD, {"trade_id": "D", "behaviour": "is nan"}])
    (block,) = run.blocks

    result = run_block(run.task(block.part((1, 3))))

    valuations = read_parquet(run.store, result.outputs["valuations"].path)
    assert set(valuations.column("trade_id").to_pylist()) == {"A", "D"}
    assert (result.ok, result.failed, result.not_applicable) == (6, MEASURES, 1)
    (failure,) = read_parquet(run.store, result.outputs["trade_failures"].path).to_pylist()
    assert failure["row"] == 3, "rows are counted in the file, not in the part"


def test_a_selection_leaves_trades_out(open_desk: OpenDesk, tmp_path: Any) -> None:
    from valuations import open_run, settings_at

    from riskpipe.plan.selection import parse_selection

    whole = open_desk([*GOOD, {"trade_id": None}])
    settings = settings_at(tmp_path / "book", tmp_path / "other", "measures=[pv]")
    run = open_run(settings, parse_selection(["book:b/two"]))

    result, tables = _value(run)

    assert set(tables["valuations"].column("trade_id").to_pylist()) == {"A", "C"}
    assert run.blocks[0].trades == 2
    assert result.ok == 2
    assert whole.blocks[0].trades == 4


def test_mended_code_does_what_it_can(open_desk: OpenDesk) -> None:
    run = open_desk([*GOOD, {"trade_id": "D", "behaviour": "raises when priced"}])
    (block,) = run.blocks
    run_block(run.task(block))
    from riskpipe.valuation.context import open_context

    open_context(*run.folder.place).products["desk"] = MendedDesk()  # type: ignore[index]

    result = run_block(run.task(block.part((3,))))

    assert (result.ok, result.failed, result.not_applicable) == (6, 0, 1)


def test_a_block_of_other_trades_than_planned_is_a_bug_that_stops(open_desk: OpenDesk) -> None:
    from msgspec.structs import replace

    run = open_desk(GOOD)
    (block,) = run.blocks

    with pytest.raises(AssertionError, match="planned 14 numbers"):
        run_block(BlockPayload(*run.folder.place, replace(block, trades=2)))
