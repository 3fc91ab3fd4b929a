"""Swaps, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import COUNTS, RULE, Case, Row, Values, euribor, fixed, npvs, schedule
from benchmarks.market import AS_OF, QuantLibMarket, ql_date


def interest_rate_swaps(random: np.random.Generator, n: int) -> Case:
    columns = fixed(random, n) | {
        "index": ["EUR.EURIBOR6M"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "direction": ["pay"] * n,
        "fixed_rate": random.normal(0.025, 0.005, n),
        "float_spread": [0.0] * n,
        "fixed_frequency": ["1Y"] * n,
        "fixed_day_count": ["30E/360"] * n,
        "float_frequency": ["6M"] * n,
        "float_day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_swaps, columns["notional"])


def vanilla_swap(row: Row, index: Any) -> Any:
    fixed, floating = schedule(row, "1Y"), schedule(row, "6M")
    kind = ql.Swap.Payer if row["direction"] == "pay" else ql.Swap.Receiver
    counts = COUNTS["30E/360"], COUNTS["ACT/360"]
    return ql.VanillaSwap(kind, 1.0, fixed, float(row["fixed_rate"]), counts[0], floating, index, 0.0, counts[1], RULE)


def _build_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, engine = euribor(market), ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    swaps = [vanilla_swap(row, index) for row in rows]
    for swap in swaps:
        swap.setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])


def cross_currency_swaps(random: np.random.Generator, n: int) -> Case:
    """Fixed dollars against floating euro, notionals exchanged."""
    terms = fixed(random, n)
    notional = random.uniform(1e6, 1e8, n)
    columns = {name: terms[name] for name in ("start_date", "maturity_date", "calendar", "business_day_convention")} | {
        "receive_currency": ["USD"] * n,
        "receive_notional": 1.16 * notional,
        "receive_index": [None] * n,
        "receive_fixed_rate": random.normal(0.04, 0.005, n),
        "receive_spread": [None] * n,
        "receive_discount_curve": ["USD.SOFR"] * n,
        "receive_frequency": ["6M"] * n,
        "receive_day_count": ["30E/360"] * n,
        "pay_currency": ["EUR"] * n,
        "pay_notional": notional,
        "pay_index": ["EUR.EURIBOR6M"] * n,
        "pay_fixed_rate": [None] * n,
        "pay_spread": [0.001] * n,
        "pay_discount_curve": ["EUR.ESTR"] * n,
        "pay_frequency": ["6M"] * n,
        "pay_day_count": ["ACT/360"] * n,
        "exchange_notionals": [True] * n,
    }
    return Case(columns, _build_cross_currency_swaps, notional)


def _build_cross_currency_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index = euribor(market)
    legs = []
    for row in rows:
        dates = schedule(row, "6M")
        dollars = float(row["receive_notional"])
        fixed = ql.FixedRateLeg(dates, COUNTS["30E/360"], [dollars], [float(row["receive_fixed_rate"])], RULE)
        floating = ql.IborLeg([float(row["pay_notional"])], dates, index, COUNTS["ACT/360"], RULE, spreads=[0.001])
        for leg, amount in ((fixed, dollars), (floating, float(row["pay_notional"]))):
            flows = (ql.SimpleCashFlow(-amount, dates[0]), ql.SimpleCashFlow(amount, dates[len(dates) - 1]))
            legs.append(ql.Leg([*leg, *flows]))
    dollar, euro, spot = market.curves["USD.SOFR"], market.curves["EUR.ESTR"], market.quotes["EURUSD"]

    def values() -> list[float]:
        rate = 1.0 / spot.value()
        return [
            rate * ql.CashFlows.npv(fixed, dollar, False) - ql.CashFlows.npv(floating, euro, False)
            for fixed, floating in zip(legs[::2], legs[1::2], strict=True)
        ]

    return values


def inflation_swaps(random: np.random.Generator, n: int) -> Case:
    start, years = np.full(n, AS_OF), random.choice([1, 2, 5, 10, 20, 30], n)
    month = start.astype("datetime64[D]").astype("datetime64[M]")
    day = start - month.astype("datetime64[D]").astype(int)
    columns = {
        "currency": ["EUR"] * n,
        "index": ["HICP"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "direction": ["pay"] * n,
        "fixed_rate": random.normal(0.02, 0.005, n),
        "base_index": [130.0] * n,
        "start_date": start,
        "maturity_date": (month + 12 * years).astype("datetime64[D]").astype(int) + day,
    }
    return Case(columns, _build_inflation_swaps, columns["notional"])


def _build_inflation_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    lag, region = ql.Period(3, ql.Months), ql.CustomRegion("EUR", "EU")
    index = ql.ZeroInflationIndex("HICP", region, False, ql.Monthly, lag, ql.EURCurrency(), market.inflation)
    for k in range(60):
        index.addFixing(ql.Date(1, 12 - (k + 3) % 12, 2026 - (k + 3) // 12), 130.0, True)
    engine = ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    count, calendar = ql.Thirty360(ql.Thirty360.BondBasis), ql.NullCalendar()
    swaps = []
    for row in rows:
        days = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        terms = (calendar, ql.Unadjusted, count, float(row["fixed_rate"]), index, lag, ql.CPI.Flat)
        swaps.append(ql.ZeroCouponInflationSwap(ql.Swap.Receiver, 1.0, *days, *terms))
        swaps[-1].setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])
