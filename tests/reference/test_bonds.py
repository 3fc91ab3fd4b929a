"""Bonds against QuantLib's DiscountingBondEngine and RiskyBondEngine: 1e-10 of face, base and shocked curves."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.products.bond import Bond

PRODUCT = Bond()
TRADES = 500
TOLERANCE = 1e-10
DAYS = [date(2026, 11, 20), date(2025, 3, 3)]


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [0.019, 0.02, 0.021, 0.0215, 0.022, 0.023, 0.025, 0.027, 0.028]),
            ("zero_rate", "EUR.GOVT"): (pillars, [0.03, 0.03, 0.028, 0.025, 0.02, 0.01, 0.0, -0.001, -0.002]),
            ("hazard_rate", "ACME"): (pillars[4:], [0.01, 0.012, 0.02, 0.022, 0.025]),
            ("hazard_rate", "RISKY"): (pillars[1:], [0.3, 0.25, 0.22, 0.2, 0.16, 0.1, 0.08, 0.07]),
        },
        recoveries={"RISKY": 0.25},
    )


def random_book(rates: Any, seed: int, as_of: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, TRADES, as_of, years=20)

    choose = rates.chooser(random, TRADES)

    frequency = choose(rates.periods)
    credit = choose(["ACME", "RISKY", ""])
    return {
        "currency": ["EUR"] * TRADES,
        "discount_curve": choose(["EUR.OIS", "EUR.GOVT"]),
        "quantity": np.round(random.normal(0.0, 1000.0, TRADES)) + 0.5,
        "face": random.choice([100.0, 1000.0], TRADES),
        "coupon": np.where(random.random(TRADES) < 0.1, 0.0, random.normal(0.03, 0.02, TRADES)),
        "frequency": frequency,
        "day_count": rates.fixed_day_counts(random, frequency),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": choose(rates.calendars),
        "business_day_convention": choose(rates.conventions),
        "settlement_days": [2.0] * TRADES,
        "credit_curve": [name or None for name in credit],
    }


def quantlib_values(rates: Any, market: Any, book: dict[str, Any]) -> list[float]:
    ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
    curves = {name: market.discount(name) for kind, name in market.curves if kind == "zero_rate"}
    credits = {name: market.survival(name) for kind, name in market.curves if kind == "hazard_rate"}
    values = []
    for k in range(TRADES):
        row = {name: column[k] for name, column in book.items()}
        schedule = rates.schedule(
            row["issue_date"], row["maturity_date"], row["frequency"], row["calendar"], "unadjusted"
        )
        bond = ql.FixedRateBond(
            0,
            float(row["face"]),
            schedule,
            [float(row["coupon"])],
            rates.coupon_day_counts[row["day_count"]],
            rates.conventions[row["business_day_convention"]],
            100.0,
            ql.Date(),
            rates.calendars[row["calendar"]],
        )
        credit = row["credit_curve"]
        issuer = () if credit is None else (credits[credit], market.recoveries.get(credit, 0.4))
        values.append(float(row["quantity"] * rates.bond_value(bond, curves[row["discount_curve"]], *issuer)))
    return values


@pytest.mark.parametrize(("seed", "day"), list(enumerate(DAYS)))
def test_bonds(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    market = make_market(rates, as_of)
    book = random_book(rates, seed, as_of)
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, as_of) == []
    prepared = PRODUCT.prepare(trades, market.model())
    shocked = market.shocked(np.random.default_rng(seed))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e2
    scale = np.abs(book["quantity"] * book["face"])
    for column, oracle in enumerate((market, shocked)):
        errors = np.abs(values[:, column] - quantlib_values(rates, oracle, book)) / scale
        worst = int(np.argmax(errors))
        assert errors[worst] < TOLERANCE, (worst, {name: c[worst] for name, c in book.items()})
