"""Swaps and bonds with roll days, stubs, calendars and lags of their own against QuantLib's legs: 1e-10 of notional."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from dated_legs import (
    CALENDARS,
    CONVENTIONS,
    RULES,
    QuantLibLegs,
    RandomLegs,
    Row,
    make_market,
    prefixed,
    trades_of,
)

from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.interest_rate_swap import InterestRateSwap

TOLERANCE = 1e-10
SIZES = [40, pytest.param(500, marks=pytest.mark.slow)]


def values_of(product: Product, rows: list[Row], market: Any) -> np.ndarray:
    trades, model = trades_of(product, rows), market.model(CONVENTIONS)
    assert product.missing_points(trades, model) == []
    prepared = product.prepare(trades, model)
    return prepared.price(np.arange(len(rows), dtype=np.int32), market.snapshot().x0[:, None])[:, 0]


def random_swap(legs: RandomLegs) -> tuple[Row, Row, Row]:
    """The terms of the swap, of its fixed and of its floating leg."""
    start, maturity = legs.life()
    index = legs.pick(["TERM", "ESTR"])
    row = {
        "currency": "EUR",
        "index": index,
        "discount_curve": legs.pick(["EUR.OIS", "EUR.6M"]),
        "notional": 1e8,
        "direction": "receive",
        "fixed_rate": 0.025,
        "float_spread": 0.001,
        "start_date": start,
        "maturity_date": maturity,
        "calendar": legs.pick(CALENDARS),
        "business_day_convention": legs.pick(RULES),
        "fixed_day_count": "30/360",
        "float_day_count": "ACT/360",
    }
    return row, legs.dates(start, maturity), legs.dates(start, maturity, index)


def quantlib_value(quantlib: QuantLibLegs, row: Row, fixed: Row, floating: Row) -> float:
    count = ql.Thirty360(ql.Thirty360.BondBasis)
    received = quantlib.fixed(row, fixed, [1e8], 0.025, count)
    paid = quantlib.floating(row, floating, row["index"], [1e8], 0.001)
    swap = ql.Swap(paid, received)
    swap.setPricingEngine(ql.DiscountingSwapEngine(quantlib.curves[row["discount_curve"]], False))
    return float(swap.NPV())


def whole(row: Row, fixed: Row, floating: Row) -> Row:
    return row | prefixed("fixed_", fixed) | prefixed("float_", floating)


@pytest.mark.parametrize("size", SIZES)
def test_swaps(size: int) -> None:
    market, legs = make_market(), RandomLegs(1)
    quantlib = QuantLibLegs(market)
    made = [random_swap(legs) for _ in range(size)]
    values = values_of(InterestRateSwap(), [whole(*terms) for terms in made], market)
    for k, terms in enumerate(made):
        assert abs(values[k] - quantlib_value(quantlib, *terms)) < TOLERANCE * 1e8, (k, terms)


@pytest.mark.parametrize("size", SIZES)
def test_bonds(size: int) -> None:
    market, legs = make_market(), RandomLegs(3)
    quantlib, rows, expected = QuantLibLegs(market), [], []
    for _ in range(size):
        start, maturity = legs.life()
        row = {"issue_date": start, "maturity_date": maturity, "currency": "EUR", "calendar": legs.pick(CALENDARS)}
        row |= {"business_day_convention": legs.pick(RULES), "discount_curve": "EUR.OIS"}
        row |= {"quantity": 1.0, "face": 1e8, "coupon": 0.03, "day_count": "ACT/365F"}
        terms = legs.dates(start, maturity)
        rows.append(row | terms)
        leg = quantlib.fixed(row, terms, [1e8], 0.03, ql.Actual365Fixed(), start="issue_date", accrual=ql.Unadjusted)
        redeemed = quantlib.known(1e8, leg[-1].date(), "EUR.OIS")
        expected.append(quantlib.value(leg, "EUR.OIS") + redeemed)
    values = values_of(Bond(), rows, market)
    worst = int(np.argmax(np.abs(values - expected)))
    assert abs(values[worst] - expected[worst]) < TOLERANCE * 1e8, rows[worst]
