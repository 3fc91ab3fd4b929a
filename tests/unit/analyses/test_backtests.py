"""Backtests over many published days, against counts by hand and `vetted`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache, partial
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from analysed_days import made
from explained_days import market, of_schema, pieces
from msgspec.structs import replace
from vetted import frtb
from vetted import var as coverage

from riskpipe.analyses.analysis import Day
from riskpipe.analyses.backtests import Backtests
from riskpipe.analyses.risk_terms import BacktestTerms, RiskTerms
from riskpipe.measures.tail_definition import TailDefinition

BEGIN, DAYS = date(2026, 1, 5), 300
TAILS = (TailDefinition("var_99", "var", 0.99), TailDefinition("var_95", "var", 0.95))
OTHERS = (TailDefinition("es", "es", 0.975), TailDefinition("ten", "var", 0.99, horizon_days=10))
RNG = np.random.default_rng(4)
HYPOTHETICAL = RNG.standard_t(4, DAYS) * 100.0
THEORETICAL = HYPOTHETICAL + RNG.standard_normal(DAYS) * 30.0
ACTUAL = HYPOTHETICAL - 80.0
LIMITS = {"var_99": np.full(DAYS, 230.0), "var_95": 150.0 + 20.0 * np.cos(np.arange(DAYS))}


def book_lines(k: int, book: str) -> list[dict[str, Any]]:
    values = {
        "rates": HYPOTHETICAL[k] - 5.0,
        "fx_translation": 5.0,
        "total": ACTUAL[k],
        "sensitivity_rates": THEORETICAL[k],
        "sensitivity_carry": 1e6,
        **dict.fromkeys(("inflation", "credit", "fx", "equity", "commodity", "volatility"), 0.0),
    }
    level = book.count("/") + 1 if book else 0
    previous = {"previous_date": BEGIN + timedelta(days=k - 1), "previous_run_id": f"r{k - 1}"}
    return [{**previous, "level": level, "book": book, "line": line, "value_base": x} for line, x in values.items()]


@cache
def tables(k: int) -> dict[str, pa.Table]:
    """Of the k-th day; the first has no explained P&L, and the book b is there from day 290 on."""
    as_of, run_id = BEGIN + timedelta(days=k), f"r{k}"
    books = ("", "b") if k >= 290 else ("",)
    lines = [line for book in books for line in book_lines(k, book)] if k else []
    trade = [{**lines[0], "book": "", "trade_id": "T", "value_base": 1e9}] if k else []
    shared = {"scenario_set": "historical", "risk_class": "all", "horizon_days": 1, "kind": "var", "confidence": 0.99}
    tails = [
        {**shared, "level": 0, "book": book, "name": name, "value_base": float(limit[k])}
        for book in books
        for name, limit in LIMITS.items()
    ]
    return {
        "pnl_explain": of_schema("pnl_explain", as_of, run_id, [*lines, *trade]),
        "var": of_schema(
            "var", as_of, run_id, [*tails, *({**row, "risk_class": "rates", "value_base": 0.0} for row in tails)]
        ),
    }


def days(
    pnl: Literal["hypothetical", "actual"], most: int, tails: Sequence[TailDefinition] = TAILS, piece: int = 5
) -> Day:
    terms = RiskTerms(tuple(tails), backtests=BacktestTerms(most, pnl))

    def day(k: int) -> Day:
        of_market = partial(market, BEGIN, 0)
        of = tables(k)
        return Day(BEGIN + timedelta(days=k), f"r{k}", terms, lambda name: pieces(of, name, piece), of_market)

    def earlier() -> Iterator[Day]:
        return (day(k) for k in range(DAYS - 2, -1, -1))

    return replace(day(DAYS - 1), earlier=earlier)


@pytest.mark.parametrize(("pnl", "series"), [("hypothetical", HYPOTHETICAL), ("actual", ACTUAL)])
def test_the_last_days_count(pnl: Literal["hypothetical", "actual"], series: np.ndarray) -> None:
    found = {(row["book"], row["name"]): row for row in made(Backtests(), days(pnl, 250)).to_pylist()}
    assert list(found) == [("", "var_95"), ("", "var_99"), ("b", "var_95"), ("b", "var_99")]
    for name, probability in (("var_99", 0.01), ("var_95", 0.05)):
        against, limit = series[-250:], LIMITS[name][-251:-1]
        expected = coverage.christoffersen(against, limit, probability)
        row = found["", name]
        assert (row["days"], row["exceptions"]) == (250, int((against < -limit).sum()))
        assert row["exceptions"] > 2
        assert row["christoffersen_p"] == pytest.approx(expected.p_value, rel=1e-9)
        assert row["kupiec_p"] == pytest.approx(coverage.kupiec(against, limit, probability).p_value, rel=1e-9)
        zone = frtb.traffic_light(limit, against, alpha=probability).detail["zone"]
        assert row["zone"] == {"amber": "yellow"}.get(zone, zone)
        attribution = frtb.pla_test(THEORETICAL[-250:], HYPOTHETICAL[-250:])
        assert row["spearman"] == pytest.approx(attribution.statistic, abs=1e-12)
        assert row["kolmogorov_smirnov"] == pytest.approx(attribution.detail["ks"], abs=1e-12)
        assert row["pla_zone"] == {"amber": "yellow"}.get(attribution.detail["zone"], attribution.detail["zone"])


def test_a_book_counts_from_its_first_day_with_both() -> None:
    found = {(row["book"], row["name"]): row for row in made(Backtests(), days("hypothetical", 250)).to_pylist()}
    assert found["b", "var_99"]["days"] == DAYS - 291


def test_days_that_there_are() -> None:
    """The first has no P&L; the second is the first that counts."""
    found = made(Backtests(), days("hypothetical", 10_000)).to_pylist()
    assert found[0]["days"] == DAYS - 1


def test_expected_shortfall_and_longer_horizons_are_not_tested() -> None:
    assert made(Backtests(), days("hypothetical", 250, OTHERS)).num_rows == 0
    names = made(Backtests(), days("hypothetical", 250, (*OTHERS, *TAILS)))["name"].to_pylist()
    assert set(names) == {"var_95", "var_99"}


def test_bits_do_not_depend_on_the_pieces() -> None:
    assert made(Backtests(), days("actual", 250, piece=1)).equals(made(Backtests(), days("actual", 250, piece=1000)))
