"""Surfaces that make no smile fail the trades that need them, by name; arbitrage is a warning with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import published
from selections import one_in
from spoiled import Answer, Book, assert_only_these_fail, ids_where, rewrite, rows_where, with_cells
from valuations import trades_of, write_book

from riskpipe.products.variance_swap import VarianceSwap

MISSING = "MISSING_MARKET_DATA"
AS_OF = date(2026, 11, 20)


def cell(path: Path, factor: str, column: str, value: object) -> None:
    rewrite(path, with_cells(column, {rows_where(path, factor=factor)[0]: value}))


def without_point(path: Path, factor: str) -> None:
    rewrite(path, lambda table: table.filter(pa.array([f != factor for f in table.column("factor").to_pylist()])))


def market_fault(answer: Answer) -> Mapping[str, object]:
    (fault,) = [fault for fault in answer.faults if fault["table"] == "market"]
    return fault


BAD: dict[str, tuple[str, Callable[[Path], None], str, str]] = {
    "crossed smile": (
        "USDJPY",
        lambda path: cell(path, "fx_vol:USDJPY:1Y:10C", "value", 0.03),
        "no smile",
        "fx_vol:USDJPY: at 1Y crossed smile: the 0.25-delta call at 1",
    ),
    "volatility below zero": (
        "EURUSD",
        lambda path: cell(path, "fx_vol:EURUSD:2Y:25RR", "value", -0.3),
        "no smile",
        "fx_vol:EURUSD: at 2Y the volatility of the 0.25-delta call is -0.0",
    ),
    "delta without strike": (
        "USDJPY",
        lambda path: cell(path, "fx_vol:USDJPY:5Y:25C", "strike", 0.95),
        "no smile",
        "fx_vol:USDJPY: at 5Y the 0.95-delta call has no strike: a premium-adjusted call delta of 0.95 is above",
    ),
    "no butterfly": (
        "EURUSD",
        lambda path: without_point(path, "fx_vol:EURUSD:6M:10BF"),
        "incomplete smile",
        "an expiry needs an atm point, and a risk_reversal and a butterfly of each delta",
    ),
    "nothing at the money": (
        "EURUSD",
        lambda path: without_point(path, "fx_vol:EURUSD:6M:ATM"),
        "incomplete smile",
        "an expiry needs an atm point",
    ),
    "percent": (
        "USDJPY",
        lambda path: cell(path, "fx_vol:USDJPY:1M:25P", "strike", 25.0),
        "not a delta",
        "a delta must be a decimal between 0 and 1 such as 0.25, of puts too",
    ),
}


@pytest.mark.parametrize("case", one_in(len(BAD), BAD))
def test_bad_smile_fails_the_trades_that_need_it(spoilt: Book, clean: Path, case: str) -> None:
    pair, spoil, rule, words = BAD[case]
    spoil(spoilt.input("market"))
    trades = ids_where(spoilt.trades("fx_option"), pair=pair)
    assert trades
    answer = spoilt.check()
    assert (answer.code, answer.json["blocking"]) == (3, False)
    fault = market_fault(answer)
    assert (fault["level"], fault["rule"]) == ("error", rule)
    assert words in str(fault["message"])
    answer = spoilt.riskpipe("run", "--json")
    assert answer.code == 4, answer.stderr
    assert answer.json["failures_by_reason"] == {MISSING: len(trades)}
    why = f"fx_vol:{pair} is left out: `riskpipe check` tells the errors of its points"
    assert_only_these_fail(clean, spoilt.output, dict.fromkeys(trades, (MISSING, why)))


def test_arbitrage_is_a_warning_that_fails_nothing(spoilt: Book) -> None:
    cell(spoilt.input("market"), "fx_vol:EURUSD:1Y:ATM", "value", 0.045)
    answer = spoilt.check()
    assert answer.code == 0
    fault = market_fault(answer)
    assert (fault["level"], fault["rule"]) == ("warning", "calendar arbitrage")
    assert str(fault["message"]).startswith("fx_vol:EURUSD: total variance falls from the expiry before")
    assert all(str(place).startswith("smile_vol:fx_vol:EURUSD:1Y:1.") for place in fault["sample"])
    answer = spoilt.riskpipe("run", "--json")
    assert (answer.code, answer.json["failures_by_reason"]) == (0, {})


def test_market_strangle_convention_and_spline_reach_the_prices(sound: Book, clean: Path) -> None:
    config = sound.config.read_text()
    assert "\n  surfaces:" not in config
    for key, value in (("strangle", "market"), ("strike_interpolation", "cubic_spline")):
        book = Book(sound.directory, sound.output / key)
        answer = book.riskpipe("run", "-q", "--set", f"market.surfaces.EURUSD.{key}={value}")
        assert answer.code == 0, answer.stderr
        moved = changed(clean, book.output)
        assert moved
        assert moved <= ids_where(sound.trades("fx_option"), pair="EURUSD")


def changed(first: Path, second: Path) -> set[str]:
    """Trades whose present values differ."""
    values = []
    for output in (first, second):
        rows = published(output, "valuations").to_pylist()
        values.append({row["trade_id"]: row["value"] for row in rows if row["measure"] == "pv"})
    assert values[0].keys() == values[1].keys()
    return {trade for trade, value in values[0].items() if values[1][trade] != value}


def test_negative_forward_variance_fails_the_swap_across_it_and_no_other(tmp_path: Path) -> None:
    def swap(start: int, expiry: int) -> dict[str, object]:
        dates = {"start_date": AS_OF + timedelta(start), "expiry_date": AS_OF + timedelta(expiry)}
        return {"underlying": "X", "currency": "USD", "vega_notional": 1e4, "strike_vol": 0.2, **dates}

    swaps = trades_of(VarianceSwap(), [swap(365, 730), swap(0, 365), swap(0, 730), swap(730, 1095)])
    market = [
        {"kind": "spot", "name": "X", "currency": "USD", "value": 100.0},
        {"kind": "zero_rate", "name": "USD.OIS", "currency": "USD", "tenor": "1Y", "value": 0.03},
    ] + [
        {"kind": "black_vol", "name": "X", "tenor": tenor, "strike": strike, "strike_type": "moneyness", "value": vol}
        for tenor, vol in (("2027-11-20", 0.30), ("2028-11-19", 0.20), ("2029-11-19", 0.25))
        for strike in (0.8, 1.0, 1.2)
    ]
    directory = write_book(tmp_path / "book", {"variance_swap": swaps}, market)
    book = Book(directory, tmp_path / "out")
    answer = book.check()
    assert answer.code == 0
    fault = market_fault(answer)
    assert (fault["rule"], fault["sample"]) == (
        "calendar arbitrage",
        [f"black_vol:X:2028-11-19:{strike}" for strike in (0.8, 1.0, 1.2)],
    )
    answer = book.riskpipe("run", "--json", "--set", "measures=[pv]")
    assert answer.code == 4, answer.stderr
    assert answer.json["failures_by_reason"] == {"NUMERICAL": 1}
    rows = {row["trade_id"]: row["status"] for row in published(book.output, "valuations").to_pylist()}
    assert rows == {"T-0": "failed", "T-1": "ok", "T-2": "ok", "T-3": "ok"}
    assert pq.read_table(next((book.output / "runs").iterdir()) / "failures.parquet").num_rows == 1
