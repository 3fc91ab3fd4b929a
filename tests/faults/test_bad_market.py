"""Market, history and stresses with errors: what hangs on a bad point fails by name, and nothing else moves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import published
from selections import one_in
from spoiled import NUMBERS, Book, assert_only_these_fail, ids_where, others, rewrite, rows_where, with_cells

MISSING = "MISSING_MARKET_DATA"
NAN = float("nan")


def spoil_point(book: Book, kind: str, name: str, value: float) -> str:
    """Another value at the first point of a curve, surface or spot; returns the factor's id."""
    path = book.input("market")
    row = rows_where(path, kind=kind, name=name)[0]
    rewrite(path, with_cells("value", {row: value}))
    factor: str = pq.read_table(path).column("factor")[row].as_py()
    return factor


def all_trades(book: Book, **values: object) -> set[str]:
    """Ids of the trades of all products whose rows have these values."""
    found: set[str] = set()
    for path in (book.directory / "data" / "portfolio").glob("*/*.parquet"):
        if set(values) <= set(pq.read_schema(path).names):
            found |= ids_where(path, **values)
    return found


def market_fault(book: Book) -> dict[str, object]:
    answer = book.check()
    assert answer.code == 3
    assert answer.json["blocking"] is False
    (fault,) = [fault for fault in answer.faults if fault["table"] == "market"]
    return fault


def test_negative_vol(spoilt: Book, clean: Path) -> None:
    factor = spoil_point(spoilt, "fx_vol", "EURUSD", -0.05)
    trades = ids_where(spoilt.trades("fx_option"), pair="EURUSD")
    assert trades
    fault = market_fault(spoilt)
    assert fault == {
        "level": "error",
        "table": "market",
        "file": str(spoilt.input("market")),
        "column": "value",
        "rule": "not positive",
        "rows": 1,
        "sample": [factor],
        "message": "fx_vol must be above zero",
    }
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    assert answer.json["failures_by_reason"] == {MISSING: len(trades)}
    why = "fx_vol:EURUSD is left out: `riskpipe check` tells the errors of its points"
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(trades, (MISSING, why)))


@pytest.mark.parametrize(
    ("kind", "name", "value", "rule"),
    one_in(
        3,
        [
            ("dividend_yield", "SPX", NAN, "not finite"),  # without it, the forward would be another one
            ("forward_price", "WTI", NAN, "not finite"),
            ("spot", "SPX", NAN, "not finite"),  # a stress names it
        ],
    ),
)
def test_no_substitute_is_taken(spoilt: Book, clean: Path, kind: str, name: str, value: float, rule: str) -> None:
    if kind == "forward_price":  # a spot that would do in its place
        rewrite(spoilt.input("market"), lambda table: pa.concat_tables([table, spot_like(table, name)]))
    spoil_point(spoilt, kind, name, value)
    assert market_fault(spoilt)["rule"] == rule
    trades = all_trades(spoilt, underlying=name)
    assert trades
    assert spoilt.riskpipe("run", "-q").code == 4
    why = f"{kind}:{name} is left out"
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(trades, (MISSING, why)))


def spot_like(table: pa.Table, name: str) -> pa.Table:
    point = {"factor": f"spot:{name}", "kind": "spot", "name": name, "currency": "USD", "value": 60.0}
    return pa.Table.from_pylist([point], table.schema)


@pytest.mark.slow
def test_no_other_cross_is_taken(spoilt: Book) -> None:
    """With EURUSD broken, EUR is not converted through EURGBP and GBPUSD."""
    cross = {"factor": "spot:EURGBP", "kind": "spot", "name": "EURGBP", "currency": "GBP", "value": 0.9}
    rewrite(spoilt.input("market"), lambda t: pa.concat_tables([t, pa.Table.from_pylist([cross], t.schema)]))
    spoil_point(spoilt, "spot", "EURUSD", NAN)
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    (run,) = (spoilt.output / "runs").iterdir()
    failed = {row["trade_id"]: row["message"] for row in pq.read_table(run / "failures.parquet").to_pylist()}
    assert failed.keys() >= all_trades(spoilt, currency="EUR")
    assert failed.keys() >= all_trades(spoilt, buy_currency="EUR", sell_currency="USD")
    assert not failed.keys() & all_trades(spoilt, currency="USD")
    assert all("left out" in message for message in failed.values())


@pytest.mark.slow
def test_a_bad_fixing_fails_the_trades_that_need_it(spoilt: Book, clean: Path) -> None:
    """Facts stand each for itself: the other fixings of the index stay."""
    path = spoilt.input("market")
    whole = path.read_bytes()
    rows = {row: NAN for name in ("EUR.EURIBOR6M", "JPY.TIBOR6M") for row in rows_where(path, kind="fixing", name=name)}
    rewrite(path, with_cells("value", rows))
    needed = {fault["message"]: fault for fault in spoilt.check().faults if fault["table"] == "portfolio"}
    assert len(needed) > 1
    message, fault = min(needed.items(), key=lambda item: item[1]["rows"])
    assert fault["rule"] == "fixing"
    factor = message.removeprefix("the market has no ").partition(";")[0]
    path.write_bytes(whole)
    rewrite(path, with_cells("value", {rows_where(path, factor=factor)[0]: NAN}))
    assert market_fault(spoilt)["sample"] == [factor]
    assert spoilt.riskpipe("run", "-q").code == 4
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(fault["sample"], (MISSING, message)))


@pytest.mark.parametrize(("value", "rule"), one_in(2, [(-37.63, "not positive"), (float("inf"), "not finite")]))
def test_a_bad_price_of_the_history_fails_what_depends_on_it(
    spoilt: Book, clean: Path, value: float, rule: str
) -> None:
    """As filed, a price below zero on one day stopped all; every other number is what it was, bit by bit."""
    path = spoilt.input("history")
    row = rows_where(path, factor="spot:SPX")[30]
    day = pq.read_table(path).column("date")[row].as_py()
    rewrite(path, with_cells("value", {row: value}))
    answer = spoilt.check()
    assert (answer.code, answer.json["blocking"]) == (3, False)
    (fault,) = answer.faults
    assert (fault["table"], fault["rule"], fault["sample"]) == ("history", rule, ["spot:SPX"])
    assert f"first on {day}" in fault["message"]
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    assert answer.json["published"] is True
    trades = all_trades(spoilt, underlying="SPX")
    rows = published(spoilt.output, "scenario_pnl").to_pylist()
    failed = {(row["trade_id"], row["scenario_set"]) for row in rows if row["status"] == "failed"}
    assert failed == {(trade, "historical") for trade in trades}
    assert "failed" not in published(spoilt.output, "valuations").column("status").to_pylist()
    assert stresses(spoilt.output) == stresses(clean)
    (run,) = (spoilt.output / "runs").iterdir()
    said = pq.read_table(run / "failures.parquet").to_pylist()
    assert {(row["trade_id"], row["reason"]) for row in said} == {(trade, "NUMERICAL") for trade in trades}
    assert all(str(day) in row["message"] and "spot:SPX" in row["message"] for row in said), said[0]["message"]
    assert_others_are_the_same(spoilt.output, clean, trades)


def assert_others_are_the_same(output: Path, clean: Path, trades: set[str]) -> None:
    for table, key in NUMBERS.items():
        assert others(output, table, key, trades).equals(others(clean, table, key, trades)), table


@pytest.mark.slow
def test_later_days_of_the_history_are_left_out(spoilt: Book, clean: Path) -> None:
    path = spoilt.input("history")
    days = pq.read_table(path).column("date").to_pylist()
    first = min(days)
    rewrite(path, with_cells("date", {k: date(2026, 12, 1) for k, day in enumerate(days) if day == first}))
    whole = len(set(days))
    answer = spoilt.check()
    assert answer.code == 0
    assert [(f["level"], f["rule"]) for f in answer.faults] == [("warning", "after as_of")]
    assert spoilt.riskpipe("run", "-q").code == 0
    names = [row for row in published(spoilt.output, "scenarios").to_pylist() if row["scenario_set"] == "historical"]
    assert len(names) == whole - 2
    assert stresses(spoilt.output) == stresses(clean)


@pytest.mark.parametrize("rows", one_in(2, [0, 1]))
def test_a_history_without_moves_stops_its_measure_alone(spoilt: Book, rows: int) -> None:
    rewrite(spoilt.input("history"), lambda table: table.slice(0, rows) if rows else pa.table({}))
    (fault,) = [f for f in spoilt.check().faults if f["level"] == "error"]
    assert fault["rule"] == ("too short" if rows else "empty")
    answer = spoilt.riskpipe("run", "--json", "--set", "measures=[pv, historical_var]")
    assert answer.code == 4, answer.stderr
    assert answer.json["messages"] == [f"history: {fault['message']}"]
    assert {row["measure"] for row in published(spoilt.output, "valuations").to_pylist()} == {"pv"}


@pytest.mark.parametrize(
    ("column", "value", "rule", "said"),
    one_in(
        3,
        [
            ("shift", NAN, "not finite", "a shift is null, NaN or infinite"),
            ("shift_type", "percent", "unknown shift_type", "shift_type must be one of absolute, relative, log, set"),
            ("factor", "zero_rate:USD.SOFRR:5Y", "unknown factor", "did you mean 'zero_rate:USD.SOFR:5Y'?"),
        ],
    ),
)
def test_a_bad_row_of_a_stress_leaves_out_its_scenario(
    spoilt: Book, clean: Path, column: str, value: object, rule: str, said: str
) -> None:
    """The other stresses are what they were, bit by bit; the run is partial and says what it lacks."""
    rewrite(spoilt.input("scenarios"), with_cells(column, {3: value}))
    name = pq.read_table(spoilt.input("scenarios")).column("scenario")[3].as_py()
    answer = spoilt.check()
    assert (answer.code, answer.json["blocking"]) == (3, False)
    found = {fault["rule"]: fault for fault in answer.faults}
    assert set(found) == {rule, "left out"}
    assert said in found[rule]["message"]
    assert found["left out"]["sample"] == [name]
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    (message,) = answer.json["messages"]
    assert message.startswith("scenarios: 1 of ")
    assert answer.json["numbers"]["failed"] == 0
    assert answer.json["published"] is True
    before = [row for row in published(clean, "scenarios").to_pylist() if row["scenario_set"] == "stress"]
    places = [k for k, row in enumerate(before) if row["scenario"] != name]
    after = [row["scenario"] for row in published(spoilt.output, "scenarios").to_pylist()]
    assert after[: len(places)] == [before[k]["scenario"] for k in places]
    assert stresses(spoilt.output) == [[pnl[k] for k in places] for pnl in stresses(clean)]


def stresses(output: Path) -> list[list[float]]:
    rows = published(output, "scenario_pnl").sort_by("trade_id").to_pylist()
    return [row["pnl"] for row in rows if row["scenario_set"] == "stress"]


@pytest.mark.parametrize("table", one_in(2, [pa.table({}), "rows"]))
def test_a_file_of_stresses_without_rows(spoilt: Book, table: object) -> None:
    """An empty DataFrame's file stops the measure that needs it, and nothing else."""
    rewrite(spoilt.input("scenarios"), lambda whole: whole.slice(0, 0) if table == "rows" else table)
    (fault,) = spoilt.check().faults
    assert (fault["level"], fault["rule"], fault["message"]) == (
        "error",
        "empty",
        "the table has no rows: there is no stress",
    )
    of_file = ("--set", "stress={history: {}, ladders: {}, curves: {}}")
    answer = spoilt.riskpipe("run", "--json", "--set", "measures=[pv, stress]", *of_file)
    assert answer.code == 4, answer.stderr
    assert answer.json["messages"] == ["scenarios: the table has no rows: there is no stress"]
    assert {row["measure"] for row in published(spoilt.output, "valuations").to_pylist()} == {"pv"}
    answer = spoilt.riskpipe("run", "--set", "measures=[stress]", *of_file)
    assert answer.code == 3
    assert answer.errors[0].startswith("no scenario is left to price:")


# -- facts that exclude each other


def point_like(table: pa.Table, **values: object) -> pa.Table:
    """One more row of a market."""
    values["factor"] = f"{values['kind']}:{values['name']}"
    return pa.concat_tables([table, pa.Table.from_pylist([values], table.schema)])


@pytest.mark.slow
def test_a_pair_and_a_mirror_that_exclude_each_other(spoilt: Book) -> None:
    """As filed: EURUSD 1.16 beside USDEUR 0.95; neither is taken, and no cross stands in."""
    rewrite(spoilt.input("market"), lambda t: point_like(t, kind="spot", name="USDEUR", currency="EUR", value=0.95))
    (fault,) = [fault for fault in spoilt.check().faults if fault["rule"] == "contradicting mirror"]
    assert (fault["level"], fault["sample"]) == ("error", ["spot:EURUSD", "spot:USDEUR"])
    assert spoilt.riskpipe("run", "-q").code == 4
    (run,) = (spoilt.output / "runs").iterdir()
    failed = {row["trade_id"]: row["message"] for row in pq.read_table(run / "failures.parquet").to_pylist()}
    assert failed.keys() >= all_trades(spoilt, currency="EUR")
    assert not failed.keys() & all_trades(spoilt, currency="USD")
    assert all("left out" in message for message in failed.values())


def test_a_triangle_that_cannot_be(spoilt: Book) -> None:
    """EURGBP a fifth off: of the three any may be wrong; a wider tolerance prices all the same."""
    market = pq.read_table(spoilt.input("market"))
    level = {name: market.column("value")[rows_where(spoilt.input("market"), kind="spot", name=name)[0]].as_py()
             for name in ("EURUSD", "GBPUSD")}  # fmt: skip
    cross = 1.2 * level["EURUSD"] / level["GBPUSD"]
    rewrite(spoilt.input("market"), lambda t: point_like(t, kind="spot", name="EURGBP", currency="GBP", value=cross))
    answer = spoilt.check()
    (fault,) = answer.faults[:1]
    assert (answer.code, fault["level"], fault["rule"]) == (3, "error", "contradicting cross")
    assert fault["sample"] == ["spot:EURGBP", "spot:EURUSD", "spot:GBPUSD"]
    wide = spoilt.check("--set", "check.tolerances.fx_cross=0.25")
    assert ("warning", "contradicting cross") in [(f["level"], f["rule"]) for f in wide.faults]
    assert wide.code == 0
    assert spoilt.riskpipe("run", "-q").code == 4
    (run,) = (spoilt.output / "runs").iterdir()
    failed = {row["trade_id"]: row["message"] for row in pq.read_table(run / "failures.parquet").to_pylist()}
    assert failed.keys() >= all_trades(spoilt, currency="GBP") | all_trades(spoilt, pair="EURUSD")
    assert not failed.keys() & all_trades(spoilt, currency="USD")
    assert all("left out" in message for message in failed.values())


def test_a_forward_price_in_pence_beside_a_spot_in_pounds(spoilt: Book) -> None:
    """As if it were in pounds: neither is taken. Beside the right one the spot is not used, and told."""
    (row,) = rows_where(spoilt.input("market"), kind="spot", name="SPX")
    spot = pq.read_table(spoilt.input("market")).column("value")[row].as_py()

    def forward(level: float) -> None:
        point = {"kind": "forward_price", "name": "SPX", "currency": "USD", "tenor": "1M", "value": level}
        rewrite(spoilt.input("market"), lambda t: point_like(t, **point))

    before = pq.read_table(spoilt.input("market"))
    forward(100.0 * spot)
    errors = [fault for fault in spoilt.check().faults if fault["level"] == "error"]
    assert errors[0]["rule"] == "contradicting forward"
    assert errors[0]["sample"] == ["spot:SPX", "forward_price:SPX"]
    rewrite(spoilt.input("market"), lambda _: before)
    forward(spot)
    answer = spoilt.check()
    assert (answer.code, [f["rule"] for f in answer.faults].count("not used")) == (0, 2)


@pytest.mark.slow
def test_prices_in_pence_are_prices_in_pounds(spoilt: Book, clean: Path) -> None:
    path = spoilt.input("market")
    rows = rows_where(path, kind="spot", currency="GBP")
    values = pq.read_table(path).column("value").to_pylist()
    assert any(all_trades(spoilt, underlying=pq.read_table(path).column("name")[k].as_py()) for k in rows)
    rewrite(path, with_cells("value", {k: 100.0 * values[k] for k in rows}))
    rewrite(path, with_cells("currency", dict.fromkeys(rows, "GBp")))
    assert spoilt.check().code == 0
    assert spoilt.riskpipe("run", "-q").code == 0
    assert_only_these_fail(clean, spoilt.output, {})


@pytest.mark.slow
def test_a_price_in_another_currency_is_not_the_trades(spoilt: Book, clean: Path) -> None:
    path = spoilt.input("market")
    rows = [k for kind in ("spot", "black_vol", "dividend_yield") for k in rows_where(path, kind=kind, name="SPX")]
    rewrite(path, with_cells("currency", dict.fromkeys(rows, "CHF")))
    trades = all_trades(spoilt, underlying="SPX")
    assert trades
    faults = [fault for fault in spoilt.check().faults if fault["level"] == "error"]
    assert sum(fault["rows"] for fault in faults) == len(trades)
    assert spoilt.riskpipe("run", "-q").code == 4
    why = "spot:SPX is in CHF, the trade takes it in USD: correct the currency of either"
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(trades, ("INVALID_TRADE", why)))


def test_a_curve_of_another_currency_is_told(spoilt: Book) -> None:
    path = spoilt.trades("bond")
    row = next(k for k, bond in enumerate(pq.read_table(path).to_pylist()) if bond["discount_curve"] == "USD.SOFR")
    rewrite(path, with_cells("discount_curve", {row: "EUR.ESTR"}))
    (fault,) = spoilt.check().faults
    assert (fault["level"], fault["column"], fault["rows"]) == ("warning", "currency", 1)
    assert fault["message"] == "zero_rate:EUR.ESTR is in EUR, the trade takes it in USD"


def test_a_glob_of_a_stress_that_matches_nothing_is_a_warning(spoilt: Book) -> None:
    rewrite(spoilt.input("scenarios"), with_cells("factor", {0: "spot:NOTHING*"}))
    answer = spoilt.check()
    assert answer.code == 0
    assert [(f["level"], f["rule"], f["sample"]) for f in answer.faults] == [
        ("warning", "unknown factor", ["spot:NOTHING*"])
    ]


def test_a_market_without_a_sound_point(spoilt: Book) -> None:
    path = spoilt.input("market")
    rewrite(path, with_cells("value", dict.fromkeys(range(pq.read_metadata(path).num_rows), NAN)))
    answer = spoilt.riskpipe("run")
    assert answer.code == 3
    assert any("no curve or surface of the market is without error" in line for line in answer.errors)
    assert spoilt.nothing_was_done()


def test_the_market_of_another_day(spoilt: Book) -> None:
    """As `riskpipe init` writes it, market and history say in their footers which day they are of."""
    answer = spoilt.check("--as-of", "2026-11-25")
    assert (answer.code, answer.json["blocking"]) == (3, True)
    found = {fault["table"]: fault for fault in answer.faults if fault["rule"] == "another day"}
    assert set(found) == {"market", "history"}
    for name, fault in found.items():
        assert f"the {name} says that it is of 2026-11-20, as_of is 2026-11-25" in fault["message"]
    for command in ("plan", "run"):
        answer = spoilt.riskpipe(command, "--as-of", "2026-11-25")
        assert answer.code == 3
        assert any("another day: the market says" in line for line in answer.errors)
    assert spoilt.nothing_was_done()
    wanted = spoilt.check("--as-of", "2026-11-25", "--set", "check.market_date=warning")
    assert wanted.json["blocking"] is False
    assert {f["rule"] for f in wanted.faults if f["level"] == "warning"} >= {"another day", "ends early"}


def test_odd_numbers_are_told_and_priced(spoilt: Book) -> None:
    """As filed: rates of 4.25, volatilities of 20 and a coupon of 5.0 went through without a word."""
    spoil_point(spoilt, "zero_rate", "USD.GOVT", 4.25)
    spoil_point(spoilt, "black_vol", "SPX", 20.0)
    rewrite(spoilt.trades("bond"), with_cells("coupon", {1: 5.0}))
    answer = spoilt.check()
    assert answer.code == 0
    odd = {(f["table"], f["column"]): f for f in answer.faults if f["rule"] == "odd value"}
    assert set(odd) == {("market", "value"), ("portfolio", "coupon")}
    messages = " ".join(f["message"] for f in answer.faults)
    for said in ("from 4.25 to 4.25", "from 20 to 20", "coupon is outside [-0.1, 0.5]"):
        assert said in messages
    ranges = "check.ranges={zero_rate: [-1, 9], black_vol: [0, 99], coupon: [0, 9]}"
    assert not [f for f in spoilt.check("--set", ranges).faults if f["rule"] == "odd value"]
    answer = spoilt.check("--set", "check.ranges={zero_rat: [0, 1]}")
    assert (answer.code, "did you mean 'zero_rate'?" in answer.stderr) == (2, True)
