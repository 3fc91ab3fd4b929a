"""Bonds, notes and forward rate agreements, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import (
    COUNTS,
    PERIODS,
    RULE,
    Case,
    Columns,
    Row,
    Values,
    euribor,
    fixed,
    npvs,
    price_index,
    schedule,
)
from benchmarks.market import AS_OF, QuantLibMarket, ql_date


def _bond_terms(random: np.random.Generator, n: int) -> Columns:
    terms = fixed(random, n)
    return {name: terms[name] for name in ("currency", "maturity_date", "calendar", "business_day_convention")} | {
        "issue_date": AS_OF + random.integers(2, 30, n),
        "quantity": random.uniform(10.0, 1e4, n),
        "face": [1000.0] * n,
        "settlement_days": [0.0] * n,
    }


def bonds(random: np.random.Generator, n: int) -> Case:
    columns = _bond_terms(random, n) | {
        "discount_curve": ["EUR.GOVT"] * n,
        "coupon": random.uniform(0.0, 0.05, n),
        "frequency": ["1Y"] * n,
        "day_count": ["30E/360"] * n,
    }
    return Case(columns, _build_bonds, 1000.0 * columns["quantity"])


def _build_bonds(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine = ql.DiscountingBondEngine(market.curves["EUR.GOVT"])
    found = []
    for row in rows:
        dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        terms = ([float(row["coupon"])], COUNTS["30E/360"], RULE, 100.0, ql.Date(), ql.TARGET())
        found.append(ql.FixedRateBond(0, 1000.0, dates, *terms))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["quantity"]) for row in rows])


def floating_rate_notes(random: np.random.Generator, n: int) -> Case:
    columns = _bond_terms(random, n) | {
        "index": ["EUR.EURIBOR6M"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "spread": random.uniform(0.0, 0.01, n),
        "frequency": ["6M"] * n,
        "day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_notes, 1000.0 * columns["quantity"])


def _build_notes(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, engine = euribor(market), ql.DiscountingBondEngine(market.curves["EUR.ESTR"])
    found = []
    for row in rows:
        dates = schedule(row, "6M", "issue_date")
        leg = ql.IborLeg([1000.0], dates, index, COUNTS["ACT/360"], RULE, spreads=[float(row["spread"])])
        found.append(ql.Bond(0, ql.TARGET(), ql_date(row["issue_date"]), leg))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["quantity"]) for row in rows])


def inflation_bonds(random: np.random.Generator, n: int) -> Case:
    columns = {name: values for name, values in _bond_terms(random, n).items() if name != "issue_date"} | {
        "issue_date": np.full(n, AS_OF),
        "index": ["HICP"] * n,
        "base_index": np.full(n, 100.0),
        "discount_curve": ["EUR.GOVT"] * n,
        "coupon": random.uniform(0.0, 0.02, n),
        "frequency": ["1Y"] * n,
        "day_count": ["30E/360"] * n,
    }
    return Case(columns, _build_inflation_bonds, 1000.0 * columns["quantity"])


def _build_inflation_bonds(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine, lag = ql.DiscountingBondEngine(market.curves["EUR.GOVT"]), ql.Period(3, ql.Months)
    index = price_index(market)
    found = []
    for row in rows:
        dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        terms = (dates, [float(row["coupon"])], COUNTS["30E/360"], RULE)
        found.append(ql.CPIBond(0, 1000.0, False, float(row["base_index"]), lag, index, ql.CPI.Flat, *terms))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["quantity"]) for row in rows])


def rate_agreements(random: np.random.Generator, n: int) -> Case:
    start = AS_OF + random.integers(10, 1000, n)
    columns = {
        "currency": ["EUR"] * n,
        "index": ["EUR.EURIBOR6M"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "direction": ["pay"] * n,
        "rate": random.normal(0.02, 0.01, n),
        "start_date": start,
        "maturity_date": start + 182,
        "day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_rate_agreements, columns["notional"])


def _build_rate_agreements(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    curve, free = market.curves["EUR.EURIBOR6M"], ql.NullCalendar()
    period, euro, count = PERIODS["6M"], ql.EURCurrency(), COUNTS["ACT/360"]
    index = ql.IborIndex("FREE", period, 0, euro, free, ql.Unadjusted, False, count, curve)
    found = []
    for row in rows:
        days = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        terms = (ql.Position.Long, float(row["rate"]), 1.0, market.curves["EUR.ESTR"])
        found.append(ql.ForwardRateAgreement(index, *days, *terms))
    return npvs(found, [float(row["notional"]) for row in rows])
