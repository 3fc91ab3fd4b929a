"""Futures on rates and bonds, as riskpipe's trades and as QuantLib's curves and bonds make their prices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import COUNTS, Case, Row, Values, schedule
from benchmarks.market import AS_OF, QuantLibMarket, ql_date


def interest_rate_futures(random: np.random.Generator, n: int) -> Case:
    start = AS_OF + random.integers(5, 1800, n)
    columns = {
        "currency": ["EUR"] * n,
        "index": ["EUR.EURIBOR6M"] * n,
        "quantity": random.uniform(1.0, 100.0, n),
        "point_value": np.full(n, 2500.0),
        "reference_price": random.uniform(96.0, 99.0, n),
        "expiry_date": start - 2,
        "start_date": start,
        "maturity_date": start + 182,
        "day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_interest_rate_futures, 100.0 * 2500.0 * columns["quantity"])


def _build_interest_rate_futures(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    curve, count = market.curves["EUR.EURIBOR6M"], ql.Actual360()
    terms = []
    for row in rows:
        start, end = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        worth = float(row["quantity"]) * float(row["point_value"])
        terms.append((start, end, count.yearFraction(start, end), float(row["reference_price"]), worth))

    def values() -> list[float]:
        return [
            worth * (100.0 - 100.0 * (curve.discount(start) / curve.discount(end) - 1.0) / tau - reference)
            for start, end, tau, reference, worth in terms
        ]

    return values


def bond_futures(random: np.random.Generator, n: int) -> Case:
    issue, delivery = AS_OF - random.integers(10, 360, n), AS_OF + random.integers(5, 120, n)
    columns = {
        "currency": ["EUR"] * n,
        "quantity": random.uniform(1.0, 100.0, n),
        "contract_size": np.full(n, 1e5),
        "reference_price": random.uniform(90.0, 130.0, n),
        "expiry_date": delivery - 2,
        "delivery_date": delivery,
        "conversion_factor": random.uniform(0.6, 1.1, n),
        "discount_curve": ["EUR.GOVT"] * n,
        "repo_curve": ["EUR.ESTR"] * n,
        "coupon": random.uniform(0.0, 0.05, n),
        "frequency": ["1Y"] * n,
        "day_count": ["30E/360"] * n,
        "issue_date": issue,
        "maturity_date": issue + random.integers(8 * 365, 11 * 365, n),
        "calendar": ["TARGET"] * n,
        "business_day_convention": ["unadjusted"] * n,
    }
    return Case(columns, _build_bond_futures, 1e5 * columns["quantity"])


def _build_bond_futures(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine, repo = ql.DiscountingBondEngine(market.curves["EUR.GOVT"]), market.curves["EUR.ESTR"]
    terms = []
    for row in rows:
        days = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        bond = ql.FixedRateBond(0, 100.0, days, [float(row["coupon"])], COUNTS["30E/360"], ql.Unadjusted)
        bond.setPricingEngine(engine)
        delivery = ql_date(row["delivery_date"])
        income = [(flow.amount(), flow.date()) for flow in bond.cashflows() if ql_date(AS_OF) < flow.date() <= delivery]
        owed = bond.accruedAmount(delivery) + row["reference_price"] * row["conversion_factor"]
        worth = row["quantity"] * row["contract_size"] / 100.0 / row["conversion_factor"]
        terms.append((bond, income, delivery, float(owed), float(worth)))

    def values() -> list[float]:
        return [
            worth * ((bond.NPV() - sum(a * repo.discount(day) for a, day in income)) / repo.discount(delivery) - owed)
            for bond, income, delivery, owed, worth in terms
        ]

    return values
