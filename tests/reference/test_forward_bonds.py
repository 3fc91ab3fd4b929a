"""Forwards on bonds against QuantLib's BondForward, and its bonds and curves put together: 1e-10 of face."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.products.forward_bond import ForwardBond

PRODUCT = ForwardBond()
TOLERANCE = 1e-10
EX_DAYS = 7


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 183, 365, 730, 1826, 3652, 5479)]
    return rates.Market(
        as_of,
        {
            ("zero_rate", "GOVT"): (pillars, [0.019, 0.02, 0.0215, 0.022, 0.023, 0.025, 0.027, 0.028]),
            ("zero_rate", "REPO"): (pillars, [0.031, 0.03, 0.029, 0.028, 0.027, 0.026, 0.025, 0.025]),
            ("hazard_rate", "ACME"): (pillars[4:], [0.01, 0.012, 0.02, 0.022]),
        },
        recoveries={"ACME": 0.25},
    )


def random_book(rates: Any, seed: int, as_of: int, size: int) -> dict[str, Any]:
    """A third are delivered shortly before a coupon, so that some trade ex coupon; some are delivered today."""
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, size, as_of)
    issue = np.minimum(issue, as_of - 1)
    maturity = np.maximum(maturity, as_of + 60)
    delivery = as_of + (random.random(size) * np.minimum(maturity - as_of - 45, 800)).astype(int)
    soon = random.random(size) < 0.33
    before = maturity - 365 - random.integers(0, 10, size)
    delivery = np.where(soon & (before > as_of), before, delivery)
    delivery[:2] = as_of
    risky = random.random(size) < 0.3
    return {
        "currency": ["EUR"] * size,
        "discount_curve": ["GOVT"] * size,
        "quantity": np.round(random.normal(0.0, 1000.0, size)) + 0.5,
        "face": random.choice([100.0, 1000.0], size),
        "coupon": random.uniform(0.0, 0.07, size),
        "frequency": rates.chooser(random, size)(["3M", "6M", "1Y"]),
        "day_count": rates.chooser(random, size)(["30E/360", "ACT/365F", "ACT/ACT ICMA"]),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * size,
        "business_day_convention": ["following"] * size,
        "credit_curve": [name or None for name in np.where(risky, "ACME", "").tolist()],
        "ex_coupon_days": [None if default else float(EX_DAYS) for default in risky.tolist()],
        "delivery_date": delivery,
        "price": random.uniform(80.0, 120.0, size),
        "price_type": rates.chooser(random, size)(["clean", "dirty"]),
        "repo_curve": [name or None for name in rates.chooser(random, size)(["REPO", ""])],
    }


def bond_of(rates: Any, row: dict[str, Any]) -> Any:
    terms = (row["issue_date"], row["maturity_date"], row["frequency"], "TARGET", "unadjusted")
    ex = (ql.Period(int(row["ex_coupon_days"] or 0), ql.Days), ql.NullCalendar())
    count = rates.coupon_day_counts[row["day_count"]]
    paid = (ql.Following, 100.0, rates.ql_date(row["issue_date"]), ql.TARGET())
    return ql.FixedRateBond(0, 100.0, rates.schedule(*terms), [float(row["coupon"])], count, *paid, *ex)


def expected_value(rates: Any, market: Any, row: dict[str, Any]) -> tuple[float, bool]:
    """For 100 of face; whether the bond trades ex coupon at delivery."""
    today, delivery = rates.ql_date(market.as_of), rates.ql_date(row["delivery_date"])
    if delivery <= today:
        return 0.0, False
    bond, curve = bond_of(rates, row), market.discount("GOVT")
    repo = market.discount(row["repo_curve"] or "GOVT")
    issuer = (market.survival("ACME"), market.recoveries["ACME"]) if row["credit_curve"] else ()
    value = rates.bond_value(bond, curve, *issuer)
    strike = float(row["price"])
    if row["price_type"] == "clean":
        strike += ql.BondFunctions.accruedAmount(bond, delivery)
    ex, gone_today = False, False
    for flow in bond.cashflows():
        coupon = ql.as_fixed_rate_coupon(flow)
        gone = coupon is not None and bool(row["ex_coupon_days"]) and coupon.exCouponDate() <= today
        gone_today |= gone and flow.date() > today
        if flow.date() <= today or gone:
            continue
        survival = issuer[0].survivalProbability(flow.date()) if issuer else 1.0
        if flow.date() <= delivery:
            value -= flow.amount() * survival * repo.discount(flow.date())
        elif coupon is not None and row["ex_coupon_days"] and coupon.exCouponDate() <= delivery:
            value -= flow.amount() * repo.discount(flow.date())
            ex = True
    value -= strike * repo.discount(delivery)
    if not (issuer or ex or gone_today):  # coupons that are not the holder's are income in BondForward
        terms = (ql.Position.Long, strike, 0, ql.Actual365Fixed(), ql.NullCalendar(), ql.Unadjusted)
        forward = ql.BondForward(today, delivery, *terms, bond, repo, repo)
        assert abs(forward.NPV() - value) < TOLERANCE
    return value, ex


@pytest.mark.parametrize(
    ("day", "size"),
    [(date(2026, 11, 20), 500), (date(2025, 3, 3), 500)],
)
def test_forwards(rates: Any, day: date, size: int) -> None:
    as_of = rates.day_number(day)
    market, book = make_market(rates, as_of), random_book(rates, as_of, as_of, size)
    trades, model = rates.trades(PRODUCT, book), market.model()
    assert PRODUCT.validate(trades, as_of) == []
    shocked = market.shocked(np.random.default_rng(3))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = PRODUCT.prepare(trades, model).price(np.arange(size, dtype=np.int32), x)
    ql.Settings.instance().evaluationDate = rates.ql_date(as_of)
    without = 0
    for column, oracle in enumerate((market, shocked)):
        for k in range(size):
            row = {name: column_[k] for name, column_ in book.items()}
            expected, ex = expected_value(rates, oracle, row)
            without += ex
            error = abs(values[k, column] / (row["quantity"] * row["face"]) - expected / 100.0)
            assert error < TOLERANCE, (k, error, row)
    assert without > 4, "some trade ex coupon at delivery"


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"delivery_date": [20_000]}, "delivery_date", "delivery in the past"),
        ({"delivery_date": [24_000]}, "delivery_date", "delivery_date is not before the bond's maturity_date"),
        (
            {"issue_date": [20_950], "delivery_date": [20_900]},
            "delivery_date",
            "delivery_date is before the bond's issue_date",
        ),
    ],
)
def test_forwards_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    row = {name: values[:1] for name, values in random_book(rates, 0, 20_777, 3).items()}
    row |= {"issue_date": [19_000], "maturity_date": [24_000], "delivery_date": [20_800]}
    faults = PRODUCT.validate(rates.trades(PRODUCT, row | change), 20_777)
    assert (column, message) in [(fault.column, fault.message) for fault in faults]
