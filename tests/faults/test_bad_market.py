"""Market, history and stresses with errors: what hangs on a bad point fails by name, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from spoiled import Book, assert_only_these_fail, ids_where, rewrite, rows_where, with_cells

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
    [
        ("dividend_yield", "SPX", NAN, "not finite"),  # without it, the forward would be another one
        ("forward_price", "WTI", -3.0, "not positive"),
        ("spot", "SPX", NAN, "not finite"),  # a stress names it
    ],
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
    factor = message.removeprefix("the market has no ")
    path.write_bytes(whole)
    rewrite(path, with_cells("value", {rows_where(path, factor=factor)[0]: NAN}))
    assert market_fault(spoilt)["sample"] == [factor]
    assert spoilt.riskpipe("run", "-q").code == 4
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(fault["sample"], (MISSING, message)))


def test_nan_of_the_history(spoilt: Book) -> None:
    rewrite(spoilt.input("history"), with_cells("value", {100: NAN}))
    row = pq.read_table(spoilt.input("history")).to_pylist()[100]
    refused(spoilt, "history", "value", "not finite", row["factor"], "a value is null, NaN or infinite")


def test_nan_of_a_stress(spoilt: Book) -> None:
    rewrite(spoilt.input("scenarios"), with_cells("shift", {3: NAN}))
    row = pq.read_table(spoilt.input("scenarios")).to_pylist()[3]
    refused(spoilt, "scenarios", "shift", "not finite", row["scenario"], "a shift is null, NaN or infinite")


def test_unknown_factor_of_a_stress(spoilt: Book) -> None:
    rewrite(spoilt.input("scenarios"), with_cells("factor", {0: "zero_rate:USD.SOFRR:5Y"}))
    message = "'zero_rate:USD.SOFRR:5Y'; did you mean 'zero_rate:USD.SOFR:5Y'?"
    refused(spoilt, "scenarios", "factor", "unknown factor", "zero_rate:USD.SOFRR:5Y", message)


def refused(book: Book, table: str, column: str, rule: str, sample: str, message: str) -> None:
    answer = book.check()
    assert (answer.code, answer.json["blocking"]) == (3, True)
    (fault,) = answer.faults
    place = (fault["table"], fault["file"], fault["column"], fault["rule"], fault["rows"], fault["sample"])
    assert place == (table, str(book.input(table)), column, rule, 1, [sample])
    assert message in fault["message"]
    for command in ("plan", "run"):
        answer = book.riskpipe(command)
        assert answer.code == 3
        (line,) = answer.errors
        assert line == f"{table}: {book.input(table)}: {column}: 1 row, {rule}: {fault['message']} (such as {sample})"
    assert book.nothing_was_done()


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
