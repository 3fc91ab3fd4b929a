"""Deposits and repos against sums over QuantLib's curves, day counts and overnight coupons: 1e-10 of the notional."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES

from riskpipe.errors import Reason
from riskpipe.market.calendars import adjust, is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.products.deposit import Deposit
from riskpipe.products.repo import Repo

TRADES = 500
TOLERANCE = 1e-10
DAYS = [date(2026, 11, 20), date(2025, 3, 3)]
CONVENTIONS = Conventions(indices=EURO_INDICES)


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826)]
    days = np.arange(as_of - 700, as_of, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    curves = {
        ("zero_rate", "EUR.OIS"): (pillars, [-0.019, -0.02, -0.01, -0.005, 0.0, 0.003, 0.005]),
        ("zero_rate", "REPO"): (pillars, [0.021, 0.022, 0.023, 0.024, 0.024, 0.025, 0.027]),
    }
    return rates.Market(as_of, curves, fixings={"ESTR": {int(day): 0.02 + 0.01 * np.sin(day / 40) for day in days}})


def random_book(rates: Any, seed: int, as_of: int, sides: tuple[str, str]) -> dict[str, Any]:
    """Overnight to two years; some mature today."""
    random = np.random.default_rng(seed)
    start = as_of + random.integers(-400, 200, TRADES)
    maturity = np.maximum(start + random.integers(1, 730, TRADES), as_of)
    start[:4], maturity[:4] = (as_of, as_of - 1, as_of - 30, as_of + 1), (as_of + 1, as_of + 1, as_of, as_of + 2)
    choose = rates.chooser(random, TRADES)
    return {
        "currency": ["EUR"] * TRADES,
        "discount_curve": choose(["EUR.OIS", "REPO"]),
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": choose(sides),
        "rate": random.normal(0.02, 0.02, TRADES),
        "day_count": choose(rates.day_counts),
        "start_date": start,
        "maturity_date": maturity,
    }


def floating_terms(seed: int, book: dict[str, Any]) -> dict[str, Any]:
    """A third at the overnight rate, between business days as QuantLib's coupons are."""
    random = np.random.default_rng(seed)
    floats = random.random(TRADES) < 0.33
    start = np.where(floats, adjust(book["start_date"], "TARGET", "following"), book["start_date"])
    maturity = np.maximum(book["maturity_date"], start + 1)
    maturity = np.where(floats, adjust(maturity, "TARGET", "following"), maturity)
    return {
        "start_date": start,
        "maturity_date": maturity,
        "rate": [None if floating else float(rate) for floating, rate in zip(floats, book["rate"], strict=True)],
        "index": ["ESTR" if floating else None for floating in floats],
        "spread": [float(random.normal(0.0, 0.002)) if floating else None for floating in floats],
    }


def interest(rates: Any, row: dict[str, Any], estr: Any) -> float:
    days, count = [rates.ql_date(row[name]) for name in ("start_date", "maturity_date")], row["day_count"]
    if not row.get("index"):
        return float(row["rate"] * rates.day_counts[count].yearFraction(*days))
    terms = (days[1], 1.0, *days, estr, 1.0, row["spread"], ql.Date(), ql.Date(), rates.day_counts[count])
    return float(ql.OvernightIndexedCoupon(*terms).amount())


def expected_values(rates: Any, market: Any, book: dict[str, Any], lends: str) -> list[float]:
    ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
    ql.IndexManager.instance().clearHistories()
    curves = {name: market.discount(name) for _, name in market.curves}
    estr = ql.OvernightIndex("ESTR", 0, ql.EURCurrency(), ql.TARGET(), ql.Actual360(), curves["EUR.OIS"])
    known = market.fixings["ESTR"]
    estr.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)
    values = []
    for k in range(TRADES):
        row = {name: column[k] for name, column in book.items()}
        curve, lent = curves[row["discount_curve"]], row["notional"] * (1.0 if row["direction"] == lends else -1.0)
        value = 0.0
        if row["start_date"] > market.as_of:
            value -= lent * curve.discount(rates.ql_date(row["start_date"]))
        if row["maturity_date"] > market.as_of:
            back = lent * (1.0 + interest(rates, row, estr))
            value += back * curve.discount(rates.ql_date(row["maturity_date"]))
        values.append(float(value))
    return values


def compare(rates: Any, product: Any, lends: str, book: dict[str, Any], market: Any) -> None:
    trades, model = rates.trades(product, book), market.model(CONVENTIONS)
    assert product.validate(trades, market.as_of) == []
    assert product.missing_points(trades, model) == []
    shocked = market.shocked(np.random.default_rng(market.as_of))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    for column, oracle in enumerate((market, shocked)):
        errors = np.abs(values[:, column] - expected_values(rates, oracle, book, lends)) / np.abs(book["notional"])
        worst = int(np.argmax(errors))
        assert errors[worst] < TOLERANCE, (errors[worst], {name: c[worst] for name, c in book.items()})


@pytest.mark.parametrize(("seed", "day"), list(enumerate(DAYS)))
def test_deposits(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    book = random_book(rates, seed, as_of, ("lend", "borrow"))
    compare(rates, Deposit(), "lend", book, make_market(rates, as_of))


@pytest.mark.parametrize(("seed", "day"), list(enumerate(DAYS)))
def test_repos(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    book = random_book(rates, seed, as_of, ("repo", "reverse_repo"))
    compare(rates, Repo(), "reverse_repo", book | floating_terms(seed, book), make_market(rates, as_of))


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"rate": [None]}, "rate", "rate and index are both null: one of them says the interest"),
        ({"index": ["ESTR"]}, "rate", "rate and index are both given: one of them says the interest"),
        ({"spread": [0.01]}, "spread", "spread is added to an index, and there is none"),
        ({"maturity_date": [20_500]}, "maturity_date", "maturity_date is not after start_date"),
    ],
)
def test_repos_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    row = {"currency": "EUR", "discount_curve": "REPO", "notional": 1e6, "direction": "repo", "rate": 0.02,
           "day_count": "ACT/360", "start_date": 20_500, "maturity_date": 20_600}  # fmt: skip
    trades = rates.trades(Repo(), {name: [value] for name, value in row.items()} | change)
    assert [(fault.column, fault.message) for fault in Repo().validate(trades, 20_450)] == [(column, message)]


def test_a_repo_lacks_the_fixing_of_its_running_interest(rates: Any) -> None:
    as_of = rates.day_number(DAYS[0])
    market, book = make_market(rates, as_of), random_book(rates, 0, as_of, ("repo", "repo"))
    book |= {"rate": [None] * TRADES, "index": ["ESTR"] * TRADES}
    market.fixings = {"ESTR": {as_of - 1: 0.02}}
    faults = Repo().missing_points(rates.trades(Repo(), book), market.model(CONVENTIONS))
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}
