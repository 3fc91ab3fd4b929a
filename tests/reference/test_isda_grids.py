"""`credit_model: isda` against published values of the ISDA CDS Standard Model (isda_grids.csv): 1e-4 on 10 million."""

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


def coupon_of_tomorrow(row: dict[str, str]) -> float:
    """The model leaves it to the seller of a trade; riskpipe, which values what is held, counts it."""
    today, start, maturity = (day(row, name) for name in ("today", "start", "maturity"))
    contract = Contract(start, maturity, float(row["spread_bp"]) / 1e4, RECOVERY, weekends)
    tomorrow = today + timedelta(days=1)
    return sum(contract.spread * (end - begin).days / 360.0 for begin, end, _ in contract.periods() if end == tomorrow)


def value_of(rates: Any, row: dict[str, str]) -> float:
    """Of the trade, by riskpipe."""
    points = {
        ("zero_rate", "USD"): ([rates.day_number(FAR)], [float(row["rate"])]),
        ("hazard_rate", "NAME"): (
            [rates.day_number(node) for node in NODES],
            [float(row[node.isoformat()]) / (node - day(row, "today")).days * 365.0 for node in NODES],
        ),
    }
    market = rates.Market(rates.day_number(day(row, "today")), points).model(Conventions(credit_model="isda"))
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
    value = value_of(rates, row) + NOTIONAL * coupon_of_tomorrow(row) * discount.factor(
        day(row, "today") + timedelta(1)
    )
    protection, coupons, on_default = published(row)
    expected = protection - coupons - on_default
    assert value / discount.factor(settled(day(row, "today"))) == pytest.approx(expected, abs=TOLERANCE)
