"""Swaps, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import COUNTS, PERIODS, RULE, Case, Row, Values, euribor, fixed, npvs, price_index, schedule
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


def basis_swaps(random: np.random.Generator, n: int) -> Case:
    """Half-yearly against quarterly on one index, for there is one; the quarters' rates are of three months."""
    columns = fixed(random, n) | {
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "receive_index": ["EUR.EURIBOR6M"] * n,
        "receive_frequency": ["6M"] * n,
        "receive_day_count": ["ACT/360"] * n,
        "pay_index": ["EUR.EURIBOR6M"] * n,
        "pay_spread": [0.001] * n,
        "pay_frequency": ["3M"] * n,
        "pay_day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_basis_swaps, columns["notional"])


def _build_basis_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine, curve, euro = ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False), "EUR.EURIBOR6M", ql.EURCurrency()
    indices = [
        ql.IborIndex(
            months, PERIODS[months], 0, euro, ql.TARGET(), RULE, False, COUNTS["ACT/360"], market.curves[curve]
        )
        for months in ("6M", "3M")
    ]
    swaps = []
    for row in rows:
        received = ql.IborLeg([1.0], schedule(row, "6M"), indices[0], COUNTS["ACT/360"], RULE)
        paid = ql.IborLeg([1.0], schedule(row, "3M"), indices[1], COUNTS["ACT/360"], RULE, spreads=[0.001])
        swaps.append(ql.Swap(paid, received))
        swaps[-1].setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])


_YEARLY_STEPS = 4


def leg_swaps(random: np.random.Generator, n: int) -> Case:
    """Fixed against floating, both amortising by a tenth a year for some years."""
    terms = fixed(random, n)
    notional, rate = random.uniform(1e6, 1e8, n), random.normal(0.025, 0.005, n)
    shared = ("start_date", "maturity_date", "calendar", "business_day_convention")
    legs = []
    for k in range(n):
        days = {name: as_date(terms[name][k]) for name in ("start_date", "maturity_date")}
        steps = [as_date(day) for day in _anniversaries(terms["start_date"][k])]
        leg = {name: days.get(name, terms[name][k]) for name in shared} | {
            "currency": "EUR",
            "discount_curve": "EUR.ESTR",
            "notional": notional[k],
            "notionals": [notional[k] * (1.0 - 0.1 * year) for year in range(1, _YEARLY_STEPS + 1)],
            "notional_dates": steps,
        }
        pay = {"direction": "receive", "leg_type": "fixed", "frequency": "1Y", "day_count": "30E/360"}
        get = {"direction": "pay", "leg_type": "floating", "frequency": "6M", "day_count": "ACT/360"}
        legs.append([leg | pay | {"fixed_rate": rate[k]}, leg | get | {"index": "EUR.EURIBOR6M"}])
    columns = {name: terms[name] for name in shared} | {"currency": ["EUR"] * n, "legs": legs, "rate": rate}
    return Case(columns | {"notional": notional}, _build_leg_swaps, notional)


def equity_swaps(random: np.random.Generator, n: int) -> Case:
    """Price returns of quarters on a notional against an overnight rate, over one to five years."""
    start = AS_OF + random.integers(2, 30, n)
    columns = {
        "underlying": ["SPX"] * n,
        "currency": ["USD"] * n,
        "direction": ["receive"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "return_type": ["price"] * n,
        "start_date": start,
        "maturity_date": start + (365.25 * random.choice([1, 2, 5], n)).astype(int),
        "frequency": ["3M"] * n,
        "calendar": ["TARGET"] * n,
        "business_day_convention": ["modified_following"] * n,
        "funding_index": ["USD.SOFR"] * n,
        "funding_spread": random.uniform(0.0, 0.01, n),
        "funding_day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_equity_swaps, columns["notional"])


def _build_equity_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    curve, dollar, calendar = market.curves["USD.SOFR"], ql.USDCurrency(), ql.TARGET()
    equity = ql.EquityIndex(
        "SPX", calendar, dollar, curve, market.flat("dividend"), ql.QuoteHandle(market.quotes["SPX"])
    )
    sofr = ql.OvernightIndex("SOFR", 0, dollar, calendar, COUNTS["ACT/360"], curve)
    engine = ql.DiscountingSwapEngine(curve, False)
    swaps = []
    for row in rows:
        dates, spread = schedule(row, "3M"), float(row["funding_spread"])
        returns = [ql.EquityCashFlow(1.0, equity, begin, end, end, True) for begin, end in pairwise(dates)]
        funding = ql.OvernightLeg([1.0], dates, sofr, COUNTS["ACT/360"], RULE, spreads=[spread])
        swaps.append(ql.Swap(funding, ql.Leg(returns)))
        swaps[-1].setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])


def as_date(days: int) -> Any:
    return np.datetime64(int(days), "D").item()


def _anniversaries(start: int) -> list[int]:
    day = ql_date(start)
    return [(day + ql.Period(year, ql.Years)).serialNumber() - 25569 for year in range(1, _YEARLY_STEPS + 1)]


def _build_leg_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, engine = euribor(market), ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    swaps = []
    for row in rows:
        fixed_dates, floating_dates = schedule(row, "1Y"), schedule(row, "6M")
        steps = _anniversaries(row["start_date"])
        amounts = [
            [1.0 - 0.1 * sum(step <= day.serialNumber() - 25569 for step in steps) for day in list(dates)[:-1]]
            for dates in (fixed_dates, floating_dates)
        ]
        received = ql.FixedRateLeg(fixed_dates, COUNTS["30E/360"], amounts[0], [float(row["rate"])], RULE)
        swaps.append(ql.Swap(ql.IborLeg(amounts[1], floating_dates, index, COUNTS["ACT/360"], RULE), received))
        swaps[-1].setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])


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
    lag, index = ql.Period(3, ql.Months), price_index(market)
    engine = ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    count, calendar = ql.Thirty360(ql.Thirty360.BondBasis), ql.NullCalendar()
    swaps = []
    for row in rows:
        days = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        terms = (calendar, ql.Unadjusted, count, float(row["fixed_rate"]), index, lag, ql.CPI.Flat)
        swaps.append(ql.ZeroCouponInflationSwap(ql.Swap.Receiver, 1.0, *days, *terms))
        swaps[-1].setPricingEngine(engine)
    return npvs(swaps, [float(row["notional"]) for row in rows])
