"""What swaps, bonds and credit default swaps have in common: independence of trades, horizon, faults."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.interest_rate_swap import InterestRateSwap

AS_OF = (date(2026, 11, 19) - date(1970, 1, 1)).days  # a Thursday
INDICES = {"SOFR": IndexConvention("SOFR", "SOFR", overnight=True, day_count="ACT/360", calendar="USNY")}
CASES = ["interest_rate_swap", "bond", "credit_default_swap midpoint", "credit_default_swap isda"]
PRODUCTS: dict[str, Product] = {p.name: p for p in (InterestRateSwap(), Bond(), CreditDefaultSwap())}
TRADES = 200


def product_of(case: str) -> Product:
    return PRODUCTS[case.split()[0]]


def conventions_of(case: str) -> Conventions:
    return Conventions(indices=INDICES, credit_model=case.split()[-1] if " " in case else "midpoint")


def make_market(rates: Any, as_of: int = AS_OF) -> Any:
    pillars = [AS_OF + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    days = [int(day) for day in np.arange(AS_OF - 1600, AS_OF)]
    fixings = {name: {day: 0.03 + 0.01 * np.sin(day / 50) for day in days} for name in ("SOFR", "EURIBOR")}
    return rates.Market(
        as_of,
        {
            ("zero_rate", "SOFR"): (pillars, [0.043, 0.042, 0.041, 0.04, 0.038, 0.037, 0.036, 0.037, 0.038]),
            ("zero_rate", "EURIBOR"): (pillars, [0.02, 0.02, 0.021, 0.021, 0.022, 0.023, 0.025, 0.027, 0.028]),
            ("hazard_rate", "ACME"): (pillars[4:], [0.01, 0.012, 0.02, 0.022, 0.025]),
        },
        recoveries={"ACME": 0.35},
        fixings=fixings,
    )


def make_book(rates: Any, case: str, size: int = TRADES, earliest: int | None = None) -> dict[str, Any]:
    random = np.random.default_rng(5)
    start, maturity = rates.random_dates(random, size, AS_OF)
    if earliest is not None:
        start, maturity = np.maximum(start, earliest), np.maximum(maturity, earliest + 50)

    def choose(*values: str | None) -> list[Any]:
        return [values[k] for k in random.integers(0, len(values), size)]

    shared = {
        "currency": ["USD"] * size,
        "discount_curve": choose("SOFR", "EURIBOR"),
        "start_date": start,
        "maturity_date": maturity,
        "calendar": choose("USNY", "TARGET+USNY"),
        "business_day_convention": choose("following", "modified_following", "preceding"),
        "frequency": choose(*rates.periods),
        "day_count": choose(*rates.day_counts),
        "notional": random.normal(0.0, 1e6, size),
    }
    if case == "interest_rate_swap":
        return shared | {
            "index": choose("SOFR", "EURIBOR"),
            "direction": choose("pay", "receive"),
            "fixed_rate": random.normal(0.03, 0.01, size),
            "float_spread": random.normal(0.0, 0.001, size),
            "fixed_frequency": shared["frequency"],
            "fixed_day_count": shared["day_count"],
            "float_frequency": choose("3M", "1Y"),
            "float_day_count": choose(*rates.day_counts),
        }
    if case == "bond":
        return shared | {
            "issue_date": start,
            "quantity": random.normal(0.0, 100.0, size),
            "face": np.full(size, 1000.0),
            "coupon": random.uniform(0.0, 0.05, size),
            "credit_curve": choose("ACME", None),
        }
    return shared | {
        "reference_entity": ["ACME"] * size,
        "protection": choose("buy", "sell"),
        "spread": random.uniform(0.0, 0.05, size),
        "upfront": random.normal(0.0, 0.02, size),
        "recovery": random.uniform(0.0, 0.6, size),
    }


def prepared(rates: Any, case: str, book: dict[str, Any], market: Any | None = None, horizon: int = 0) -> Any:
    product = product_of(case)
    model = (market or make_market(rates)).model(conventions_of(case), horizon)
    trades = rates.trades(product, book)
    assert product.missing_points(trades, model) == []
    return product.prepare(trades, model)


def levels(rates: Any, scenarios: int) -> np.ndarray:
    x0 = make_market(rates).snapshot().x0
    return np.asarray(x0[:, None] * (1.0 + 0.1 * np.random.default_rng(6).standard_normal((len(x0), scenarios))))


def base(rates: Any) -> np.ndarray:
    return make_market(rates).snapshot().x0[:, None].copy()


ALL = np.arange(TRADES, dtype=np.int32)


@pytest.mark.parametrize("case", CASES)
def test_every_price_is_its_own(rates: Any, case: str) -> None:
    """The same bits in another order, in other tiles and in other blocks."""
    book = make_book(rates, case)
    x = levels(rates, 77)
    whole = prepared(rates, case, book)
    values = whole.price(ALL, x)
    assert np.isfinite(values).all()
    assert len(np.unique(values)) > 0.9 * values.size
    order = np.random.default_rng(8).permutation(ALL).astype(np.int32)
    assert np.array_equal(whole.price(order, x), values[order])
    for columns in (slice(0, 1), slice(3, 36), slice(70, 77)):
        part = np.ascontiguousarray(x[:, columns])
        assert np.array_equal(whole.price(order[:20], part), values[order[:20], columns])
    rows = np.sort(order[:70])
    block = {name: [column[k] for k in rows[::-1]] for name, column in book.items()}
    assert np.array_equal(prepared(rates, case, block).price(ALL[:70], x), values[rows[::-1]])


@pytest.mark.parametrize("case", CASES)
def test_the_other_side_has_the_opposite_value(rates: Any, case: str) -> None:
    book = make_book(rates, case)
    x = levels(rates, 5)
    values = prepared(rates, case, book).price(ALL, x)
    other = {"pay": "receive", "receive": "pay", "buy": "sell", "sell": "buy"}
    for column in ("direction", "protection"):
        if column in book:
            turned = book | {column: [other[side] for side in book[column]]}
            assert np.array_equal(prepared(rates, case, turned).price(ALL, x), -values)
    size = "quantity" if case == "bond" else "notional"
    assert np.array_equal(prepared(rates, case, book | {size: -book[size]}).price(ALL, x), -values)
    doubled = prepared(rates, case, book | {size: 2.0 * book[size]}).price(ALL, x)
    assert np.array_equal(doubled, 2.0 * values)


@pytest.mark.parametrize("case", CASES)
def test_a_day_later_with_the_same_levels(rates: Any, case: str) -> None:
    """Theta's model is tomorrow's market; flows of tomorrow have been received, and count in full."""
    tomorrow = AS_OF + 1
    # no fixing may become known in between
    book = make_book(rates, case, earliest=AS_OF + 5 if case == "interest_rate_swap" else None)
    trades = rates.trades(product_of(case), book)
    model = make_market(rates).model(conventions_of(case), 1)
    later = product_of(case).prepare(trades, model)
    values = later.price(ALL, base(rates))[:, 0]
    market = make_market(rates, tomorrow)
    oracle = prepared(rates, case, book, market).price(ALL, market.snapshot().x0[:, None].copy())[:, 0]
    paid = np.flatnonzero(np.abs(values - oracle) > 1e-9 * np.abs(values))
    today = prepared(rates, case, book).price(ALL, base(rates))[:, 0]
    assert np.count_nonzero(np.abs(values - today) > 1e-6 * np.abs(values)) > 0.9 * TRADES
    ends_tomorrow = {
        k
        for k in range(TRADES)
        if any(
            abs(rates.ql_date(tomorrow) - date) <= 3
            for date in rates.schedule(
                trades.days("issue_date" if case == "bond" else "start_date")[k], book["maturity_date"][k],
                book["frequency"][k], book["calendar"][k], "following",
            )
        )
    }  # fmt: skip
    assert set(paid.tolist()) <= ends_tomorrow


def test_flows_of_tomorrow_are_received_in_full(rates: Any) -> None:
    columns = make_book(rates, "bond", 3)
    columns |= {
        "maturity_date": [AS_OF + 1, AS_OF, AS_OF + 1],
        "issue_date": [AS_OF - 364, AS_OF - 365, AS_OF - 364],
        "quantity": [2.0, 2.0, 2.0],
        "coupon": [0.1] * 3,
        "frequency": ["1T"] * 3,
        "day_count": ["ACT/365F"] * 3,
        "calendar": ["weekends"] * 3,
        "credit_curve": [None, None, "ACME"],
    }
    values = prepared(rates, "bond", columns, horizon=1).price(ALL[:3], base(rates))[:, 0]
    assert values.tolist() == [2200.0, 0.0, 2200.0]


@pytest.mark.parametrize("case", CASES)
def test_no_trades(rates: Any, case: str) -> None:
    nothing = {name: column[:0] for name, column in make_book(rates, case).items()}
    trades = rates.trades(product_of(case), make_book(rates, case, 4)).slice(0, 0)
    assert product_of(case).validate(trades, AS_OF) == []
    model = make_market(rates).model(conventions_of(case))
    assert product_of(case).missing_points(trades, model) == []
    assert product_of(case).weight(trades, AS_OF).shape == (0,)
    assert product_of(case).prepare(trades, model).price(ALL[:0], base(rates)).shape == (0, 1)
    assert len(nothing["currency"]) == 0


@pytest.mark.parametrize("case", CASES)
def test_a_scenario_without_a_number_spoils_only_itself(rates: Any, case: str) -> None:
    x = levels(rates, 40)
    book = prepared(rates, case, make_book(rates, case))
    values = book.price(ALL, x)
    x[:, 7] = np.nan
    spoilt = book.price(ALL, x)
    keep = np.arange(40) != 7
    assert np.array_equal(spoilt[:, keep], values[:, keep])
    assert np.isnan(spoilt[:, 7]).sum() > 0.9 * TRADES


@pytest.mark.parametrize("case", CASES)
def test_needs_and_costs(rates: Any, case: str) -> None:
    product = product_of(case)
    trades = rates.trades(product, make_book(rates, case))
    roles = [need.role for need in product.requirements(trades, conventions_of(case))]
    assert (
        roles
        == {
            "interest_rate_swap": ["discount", "projection"],
            "bond": ["discount", "credit", "credit"],
            "credit_default_swap": ["discount", "credit"],
        }[product.name]
    )
    weight = product.weight(trades, AS_OF)
    assert np.all(weight > 0.0)
    long, short = np.argmax(trades.days("maturity_date")), np.argmin(trades.days("maturity_date"))
    monthly = rates.trades(product, make_book(rates, case) | dict.fromkeys(
        ("frequency", "fixed_frequency", "float_frequency"), ["1M"] * TRADES))  # fmt: skip
    assert product.weight(monthly, AS_OF)[long] > product.weight(monthly, AS_OF)[short]
    assert product.currency(trades).to_list() == ["USD"] * TRADES


def test_one_curve_is_the_limit_of_two(rates: Any) -> None:
    """A projection curve with the discount curve's levels gives the value of the telescoped flows."""
    book = make_book(rates, "interest_rate_swap") | {"index": ["TWIN"] * TRADES, "discount_curve": ["SOFR"] * TRADES}
    market = make_market(rates)
    market.curves["zero_rate", "TWIN"] = market.curves["zero_rate", "SOFR"]
    market.fixings["TWIN"] = market.fixings["SOFR"]
    product, values = InterestRateSwap(), []
    for curve in ("SOFR", "TWIN"):
        conventions = Conventions(indices={"TWIN": IndexConvention("TWIN", curve)})
        made = product.prepare(rates.trades(product, book), market.model(conventions))
        values.append(made.price(ALL, market.snapshot().x0[:, None].copy())[:, 0])
    np.testing.assert_allclose(values[0], values[1], rtol=0.0, atol=1e-13 * np.abs(book["notional"]).max())


# --- faults ---


def test_a_missing_fixing_is_named(rates: Any) -> None:
    book = make_book(rates, "interest_rate_swap", 4)
    book |= {
        "index": ["SOFR", "EURIBOR", "EURIBOR", "SOFR"],
        "start_date": [AS_OF - 30, AS_OF - 30, AS_OF + 30, AS_OF - 2],
        "maturity_date": [AS_OF + 800] * 4,
        "float_frequency": ["1T"] * 4,
        "calendar": ["USNY"] * 4,
    }
    market = make_market(rates)
    for gone in range(AS_OF - 10, AS_OF - 2):  # a week, too long for holidays
        del market.fixings["SOFR"][gone]
    del market.fixings["EURIBOR"][AS_OF - 30]
    product = InterestRateSwap()
    model = market.model(conventions_of("interest_rate_swap"))
    faults = product.missing_points(rates.trades(product, book), model)
    assert [(fault.rows.tolist(), fault.reason) for fault in faults] == [
        ([0], Reason.MISSING_MARKET_DATA),
        ([1], Reason.MISSING_MARKET_DATA),
    ]
    assert "fixing:SOFR:2026-11-09" in faults[0].message
    assert "fixing:EURIBOR:2026-10-20" in faults[1].message
    values = product.prepare(rates.trades(product, book), model).price(ALL[:4], market.snapshot().x0[:, None].copy())
    assert np.isnan(values[:, 0]).tolist() == [True, True, False, False]


BROKEN = {
    "currency": ("usd", "currency"),
    "calendar": ("NYSE", "calendar"),
    "maturity_date": (AS_OF - 1, "not_past"),
    "start_date": (AS_OF + 40_000, "date_order"),
    "issue_date": (AS_OF + 40_000, "date_order"),
}


@pytest.mark.parametrize("case", CASES[:3])
def test_rules_between_columns(rates: Any, case: str) -> None:
    product = product_of(case)
    for column, (value, rule) in BROKEN.items():
        if column in {c.name for c in product.columns}:
            book = make_book(rates, case)
            book[column] = [value if k == 3 else v for k, v in enumerate(book[column])]
            faults = product.validate(rates.trades(product, book), AS_OF)
            assert [3] in [fault.rows.tolist() for fault in faults if (fault.column, fault.rule)[1] == rule]
            assert {fault.reason for fault in faults} == {Reason.INVALID_TRADE}


def test_recovery_below_one(rates: Any) -> None:
    book = make_book(rates, "credit_default_swap midpoint")
    book["recovery"][5] = 1.0
    product = CreditDefaultSwap()
    faults = product.validate(rates.trades(product, book), AS_OF)
    assert [(fault.column, fault.rows.tolist()) for fault in faults] == [("recovery", [5])]


def test_unknown_credit_model(rates: Any) -> None:
    product = CreditDefaultSwap()
    trades = rates.trades(product, make_book(rates, "credit_default_swap midpoint"))
    with pytest.raises(ValueError, match=r"'markit'.*midpoint, isda"):
        product.prepare(trades, make_market(rates).model(Conventions(credit_model="markit")))
