"""`credit_model: isda`, `credit_step_in: next_day` against published values of the ISDA CDS Standard Model: all rows of
isda_grids.csv, to 1e-4 on 10 million."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from isda_model import Contract, Curve, legs, weekends

from riskpipe.market.conventions import Conventions
from riskpipe.products.credit_default_swap import CreditDefaultSwap

NOTIONAL, RECOVERY, TOLERANCE = 1e7, 0.4, 1e-4
NODES = [date(2013, 6, 20), date(2013, 9, 20), *(date(year, 3, 20) for year in (2014, 2015, 2016, 2018, 2023))]
FAR = date(2043, 5, 27)
PRODUCT = CreditDefaultSwap()

with Path(__file__).with_name("isda_grids.csv").open(encoding="utf-8") as lines:
    ROWS = list(csv.DictReader(line for line in lines if not line.startswith("#")))


def day(row: dict[str, str], name: str) -> date:
    return date.fromisoformat(row[name])


def settled(today: date) -> date:
    """The third weekday after."""
    for _ in range(3):
        today = weekends(today + timedelta(days=1))
    return today


def curves(row: dict[str, str]) -> tuple[Curve, Curve]:
    today, rate = day(row, "today"), float(row["rate"])
    rates = Curve(today, [FAR], [rate * (FAR - today).days / 365.0])
    return rates, Curve(today, NODES, [float(row[node.isoformat()]) for node in NODES])


def published(row: dict[str, str]) -> np.ndarray:
    premium, protection, on_default, accrued = (
        float(row[name]) for name in ("premium", "protection", "on_default", "accrued")
    )
    return np.array([protection, premium + accrued - on_default, on_default])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['today']} {row['maturity']} {row['rate']}")
def test_the_plain_model_of_the_tests_is_the_published_one(row: dict[str, str]) -> None:
    contract = Contract(day(row, "start"), day(row, "maturity"), float(row["spread_bp"]) / 1e4, RECOVERY, weekends)
    rates, hazards = curves(row)
    found = np.array(legs(contract, day(row, "today"), rates, hazards))
    found *= NOTIONAL / rates.factor(settled(day(row, "today")))
    assert found == pytest.approx(published(row), abs=TOLERANCE)


def value_of(rates: Any, row: dict[str, str], step_in: str = "next_day", model: str = "isda") -> float:
    """Of the trade, by riskpipe."""
    points = {
        ("zero_rate", "USD"): ([rates.day_number(FAR)], [float(row["rate"])]),
        ("hazard_rate", "NAME"): (
            [rates.day_number(node) for node in NODES],
            [float(row[node.isoformat()]) / (node - day(row, "today")).days * 365.0 for node in NODES],
        ),
    }
    conventions = Conventions(credit_model=model, credit_step_in=step_in)
    market = rates.Market(rates.day_number(day(row, "today")), points).model(conventions)
    terms = {
        "reference_entity": ["NAME"], "currency": ["USD"], "discount_curve": ["USD"], "notional": [NOTIONAL],
        "protection": ["buy"], "spread": [float(row["spread_bp"]) / 1e4], "upfront": [0.0], "recovery": [RECOVERY],
        "start_date": [rates.day_number(day(row, "start"))],
        "maturity_date": [rates.day_number(day(row, "maturity"))], "frequency": ["3M"], "day_count": ["ACT/360"],
        "calendar": ["weekends"], "accrual_includes_maturity": [True], "start_convention": ["unadjusted"],
    }  # fmt: skip
    prepared = PRODUCT.prepare(rates.trades(PRODUCT, terms), market)
    return float(prepared.price(np.zeros(1, np.int32), market.snapshot.x0[:, None])[0, 0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['today']} {row['maturity']} {row['rate']}")
def test_the_product_is_the_published_model(rates: Any, row: dict[str, str]) -> None:
    if row["maturity"] < row["today"]:
        assert not published(row).any()
        return
    discount, _ = curves(row)
    protection, coupons, on_default = published(row)
    expected = protection - coupons - on_default
    value = value_of(rates, row)
    assert value / discount.factor(settled(day(row, "today"))) == pytest.approx(expected, abs=TOLERANCE)


def unpaid_before_step_in(row: dict[str, str]) -> float:
    """Value of the coupons that are still to be paid and whose accrual ends by tomorrow."""
    today, start, maturity = (day(row, name) for name in ("today", "start", "maturity"))
    discount, _ = curves(row)
    contract = Contract(start, maturity, float(row["spread_bp"]) / 1e4, RECOVERY, weekends)
    return NOTIONAL * sum(
        contract.spread * (end - begin).days / 360.0 * discount.factor(paid)
        for begin, end, paid in contract.periods()
        if end <= today + timedelta(days=1) and paid > today
    )


@pytest.mark.parametrize("each", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_what_is_held_has_the_coupons_that_are_still_to_be_paid(rates: Any, each: int) -> None:
    """They are certain, and all that the two step-ins differ by; one published row lies on the eve of a coupon."""
    differing = []
    for row in (row for k, row in enumerate(ROWS) if k % each == 0 or row["today"] == "2012-11-05"):
        if row["maturity"] < row["today"]:
            continue
        unpaid = unpaid_before_step_in(row)
        held, bought = (value_of(rates, row, step_in) for step_in in ("none", "next_day"))
        assert bought - held == pytest.approx(unpaid, abs=1e-6)
        differing += [row["today"]] if unpaid else []
    assert differing == ["2012-11-05"]


def test_step_in_by_the_midpoint_model(rates: Any) -> None:
    """The same coupon; on default within the day its premium is not owed either, protection is."""
    (eve,) = (row for row in ROWS if row["today"] == "2012-11-05")
    held, bought = (value_of(rates, eve, step_in, "midpoint") for step_in in ("none", "next_day"))
    assert bought - held == pytest.approx(unpaid_before_step_in(eve), rel=1e-4)
    (other,) = (row for row in ROWS if row["today"] == "2012-11-28")
    assert value_of(rates, other, "none", "midpoint") == value_of(rates, other, "next_day", "midpoint")
