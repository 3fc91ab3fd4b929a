"""Bonds and their forwards, capped notes, indexed legs, deposits and repos, as trades here and as instruments there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.bond_cases import bonds, floating_rate_notes
from benchmarks.cases import (
    COUNTS,
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
from benchmarks.swap_cases import as_date
from riskpipe.market.calendars import adjust

_INSTALMENTS = 4
_TERMS = ("notionals", "notional_dates")


def amortising_bonds(random: np.random.Generator, n: int) -> Case:
    """A fifth of the face is redeemed in each of the last years."""
    case = bonds(random, n)
    lists: dict[str, list[list[object]]] = {name: [] for name in _TERMS}
    for maturity, issue in zip(case.columns["maturity_date"], case.columns["issue_date"], strict=True):
        falls = _falls(maturity, issue)
        lists["notionals"].append([1000.0 * left for left, _ in falls])
        lists["notional_dates"].append([as_date(day) for _, day in falls])
    return case._replace(columns=case.columns | lists, build=_build_amortising_bonds)


def _falls(maturity: int, issue: int) -> list[tuple[float, int]]:
    """What is left of the face of one, and from when on."""
    years = range(_INSTALMENTS, 0, -1)
    days = [(ql_date(maturity) - ql.Period(year, ql.Years)).serialNumber() - 25569 for year in years]
    return [(year / 5.0, day) for year, day in zip(years, days, strict=True) if day > issue]


def _build_amortising_bonds(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine = ql.DiscountingBondEngine(market.curves["EUR.GOVT"])
    found = []
    for row in rows:
        dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        falls = _falls(row["maturity_date"], row["issue_date"])
        starts = [day.serialNumber() - 25569 for day in list(dates)[:-1]]
        faces = [1000.0 * min([1.0, *(left for left, day in falls if day <= start)]) for start in starts]
        terms = (dates, [float(row["coupon"])], COUNTS["30E/360"], RULE)
        found.append(ql.AmortizingFixedRateBond(0, faces, *terms))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["quantity"]) for row in rows])


def capped_notes(random: np.random.Generator, n: int) -> Case:
    """With a cap and a floor on every coupon, of normal rates."""
    case = floating_rate_notes(random, n)
    options = {
        "cap": random.uniform(0.03, 0.05, n),
        "floor": random.uniform(0.0, 0.02, n),
        "volatility": ["CAPS"] * n,
        "model": ["bachelier"] * n,
    }
    return case._replace(columns=case.columns | options, build=_build_capped_notes)


def _build_capped_notes(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, engine = euribor(market), ql.DiscountingBondEngine(market.curves["EUR.ESTR"])
    rules = (ql.NullCalendar(), ql.Following, ql.QuoteHandle(market.quotes["CAPS"]), ql.Actual365Fixed(), ql.Normal)
    flat = ql.ConstantOptionletVolatility(0, *rules)
    pricer = ql.BlackIborCouponPricer(ql.OptionletVolatilityStructureHandle(flat))
    found = []
    for row in rows:
        dates = schedule(row, "6M", "issue_date")
        spread, cap, floor = ([float(row[name])] for name in ("spread", "cap", "floor"))
        leg = ql.IborLeg([1000.0], dates, index, COUNTS["ACT/360"], RULE, spreads=spread, caps=cap, floors=floor)
        ql.setCouponPricer(leg, pricer)
        found.append(ql.Bond(0, ql.TARGET(), ql_date(row["issue_date"]), leg))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["quantity"]) for row in rows])


def forward_bonds(random: np.random.Generator, n: int) -> Case:
    """Of dirty prices, delivered within a year; the repo curve is the overnight one."""
    case = bonds(random, n)
    columns = {name: values for name, values in case.columns.items() if name != "settlement_days"} | {
        "issue_date": case.columns["issue_date"] - 400,
        "delivery_date": AS_OF + random.integers(5, 350, n),
        "price": random.uniform(90.0, 110.0, n),
        "price_type": ["dirty"] * n,
        "repo_curve": ["EUR.ESTR"] * n,
    }
    return Case(columns, _build_forward_bonds, case.size)


def _build_forward_bonds(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine, repo = ql.DiscountingBondEngine(market.curves["EUR.GOVT"]), market.curves["EUR.ESTR"]
    found = []
    for row in rows:
        dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        terms = ([float(row["coupon"])], COUNTS["30E/360"], RULE, 100.0, ql.Date(), ql.TARGET())
        bond = ql.FixedRateBond(0, 100.0, dates, *terms)
        bond.setPricingEngine(engine)
        agreed = (ql.Position.Long, float(row["price"]), 0, ql.Actual365Fixed(), ql.NullCalendar(), ql.Unadjusted)
        days = ql_date(AS_OF), ql_date(row["delivery_date"])
        found.append(ql.BondForward(*days, *agreed, bond, repo, repo))
    return npvs(found, [10.0 * float(row["quantity"]) for row in rows])


def total_return_swaps(random: np.random.Generator, n: int) -> Case:
    """Quarterly returns against an overnight rate over one to three years, from soon on."""
    case = bonds(random, n)
    start = adjust(AS_OF + random.integers(2, 30, n), "TARGET", "following")
    maturity = np.maximum(case.columns["maturity_date"], start + 1200)
    columns = {name: values for name, values in case.columns.items() if name != "settlement_days"} | {
        "issue_date": case.columns["issue_date"] - 400,
        "maturity_date": maturity,
        "direction": ["receive"] * n,
        "bond_curve": ["EUR.GOVT"] * n,
        "discount_curve": ["USD.SOFR"] * n,
        "start_date": start,
        "end_date": start + 365 * random.integers(1, 4, n),
        "return_frequency": ["3M"] * n,
        "initial_price": random.uniform(90.0, 110.0, n),
        "funding_index": ["USD.SOFR"] * n,
        "funding_spread": random.uniform(0.0, 0.01, n),
        "funding_day_count": ["ACT/360"] * n,
    }
    return Case(columns, _build_total_return_swaps, case.size)


def _build_total_return_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    """The prices are QuantLib's forwards on the bond; their differences are summed in Python."""
    curve, calendar = market.curves["USD.SOFR"], ql.TARGET()
    engine, swaps = ql.DiscountingBondEngine(market.curves["EUR.GOVT"]), ql.DiscountingSwapEngine(curve, False)
    index = ql.OvernightIndex("SOFR", 0, ql.USDCurrency(), calendar, COUNTS["ACT/360"], curve)
    terms = []
    for row in rows:
        dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
        bond = ql.FixedRateBond(
            0, 100.0, dates, [float(row["coupon"])], COUNTS["30E/360"], RULE, 100.0, ql.Date(), calendar
        )
        bond.setPricingEngine(engine)
        returns = schedule(row | {"maturity_date": row["end_date"]}, "3M")
        first, *ends = list(returns)
        agreed = (ql.Position.Long, 0.0, 0, ql.Actual365Fixed(), ql.NullCalendar(), ql.Unadjusted)
        forwards = [ql.BondForward(ql_date(AS_OF), end, *agreed, bond, curve, curve) for end in ends]
        paid = [(flow.date(), flow.amount()) for flow in bond.cashflows() if first < flow.date() <= ends[-1]]
        spread, initial = float(row["funding_spread"]), float(row["initial_price"])
        leg = ql.OvernightLeg([initial], returns, index, COUNTS["ACT/360"], RULE, spreads=[spread])
        funding = ql.Swap(leg, ql.Leg())
        funding.setPricingEngine(swaps)
        terms.append((10.0 * float(row["quantity"]), initial, forwards, ends, paid, funding))

    def value(initial: float, forwards: list[Any], ends: list[Any], paid: list[Any], funding: Any) -> float:
        prices = [initial, *(forward.forwardValue() for forward in forwards)]
        moved = sum((b - a) * curve.discount(day) for (a, b), day in zip(pairwise(prices), ends, strict=True))
        return float(moved + sum(amount * curve.discount(day) for day, amount in paid) + funding.NPV())

    return lambda: [held * value(*others) for held, *others in terms]


def _loans(random: np.random.Generator, n: int, direction: str) -> Columns:
    start = adjust(AS_OF + random.integers(2, 30, n), "TARGET", "following")
    return {
        "currency": ["EUR"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "direction": [direction] * n,
        "rate": random.normal(0.02, 0.01, n),
        "day_count": ["ACT/360"] * n,
        "start_date": start,
        "maturity_date": adjust(start + random.integers(1, 365, n), "TARGET", "following"),
    }


def deposits(random: np.random.Generator, n: int) -> Case:
    columns = _loans(random, n, "lend")
    return Case(columns, _build_deposits, columns["notional"])


def _build_deposits(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    """QuantLib has no deposit but as a quote of a curve: a line of Python on its curves."""
    rates, count = market.curves["EUR.ESTR"], COUNTS["ACT/360"]
    terms = []
    for row in rows:
        start, end = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        back = 1.0 + float(row["rate"]) * count.yearFraction(start, end)
        terms.append((start, end, float(row["notional"]), back))

    def values() -> list[float]:
        return [lent * (back * rates.discount(end) - rates.discount(start)) for start, end, lent, back in terms]

    return values


def overnight_repos(random: np.random.Generator, n: int) -> Case:
    """At the overnight rate and a spread, discounted on another curve."""
    terms = _loans(random, n, "reverse_repo")
    rate = terms.pop("rate")
    overnight = {"index": ["USD.SOFR"] * n, "spread": 0.1 * rate, "discount_curve": ["EUR.ESTR"] * n}
    return Case(terms | overnight, _build_repos, terms["notional"])


def _build_repos(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    curve = market.curves["USD.SOFR"]
    index = ql.OvernightIndex("SOFR", 0, ql.USDCurrency(), ql.TARGET(), COUNTS["ACT/360"], curve)
    engine = ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    found = []
    for row in rows:
        start, end = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        interest = ql.OvernightIndexedCoupon(end, 1.0, start, end, index, 1.0, float(row["spread"]))
        paid = ql.Leg([ql.SimpleCashFlow(1.0, start)])
        found.append(ql.Swap(paid, ql.Leg([interest, ql.SimpleCashFlow(1.0, end)])))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["notional"]) for row in rows])


def indexed_legs(random: np.random.Generator, n: int) -> Case:
    """A swap's leg whose coupons grow with a price index."""
    terms = fixed(random, n)
    notional, rate = random.uniform(1e6, 1e8, n), random.normal(0.01, 0.003, n)
    start = adjust(terms["start_date"], "TARGET", "following")
    legs = [
        [
            {
                "direction": "receive",
                "leg_type": "inflation",
                "inflation_kind": "indexed",
                "index": "HICP",
                "base_index": 100.0,
                "fixed_rate": rate[k],
                "currency": "EUR",
                "discount_curve": "EUR.ESTR",
                "notional": notional[k],
                "frequency": "1Y",
                "day_count": "30E/360",
                "start_date": as_date(start[k]),
                "maturity_date": as_date(terms["maturity_date"][k]),
                "calendar": "TARGET",
                "business_day_convention": "modified_following",
            }
        ]
        for k in range(n)
    ]
    columns = {"currency": ["EUR"] * n, "legs": legs, "start_date": start, "maturity_date": terms["maturity_date"]}
    return Case(columns | {"rate": rate, "notional": notional}, _build_indexed_legs, notional)


def _build_indexed_legs(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    engine, lag = ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False), ql.Period(3, ql.Months)
    index, found = price_index(market), []
    for row in rows:
        terms = (index, 100.0, lag, COUNTS["30E/360"], RULE, [float(row["rate"])])
        flows = ql.CPILeg([1.0], schedule(row, "1Y"), *terms, observationInterpolation=ql.CPI.Flat)
        # The last flow is the notional, which the leg does not exchange.
        found.append(ql.Swap(ql.Leg(), ql.Leg(list(flows)[:-1])))
        found[-1].setPricingEngine(engine)
    return npvs(found, [float(row["notional"]) for row in rows])
