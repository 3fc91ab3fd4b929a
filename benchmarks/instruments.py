"""Trades of the product benchmarks as riskpipe's columns and as QuantLib's instruments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from benchmarks.market import AS_OF, QuantLibMarket, ql_date

Columns = dict[str, Any]
Row = dict[str, Any]
Values = Callable[[], list[float]]
Build = Callable[[QuantLibMarket, Sequence[Row]], Values]


class Case(NamedTuple):
    """Trades of one product.

    :param columns: by name, without those that all products have.
    :param build: makes QuantLib's instruments on a market; what it returns values them all in the present scenario.
    :param size: float64[n], what a difference of values is measured against.
    """

    columns: Columns
    build: Build
    size: NDArray[np.float64]


SHIFT = 0.03
PERIODS = {"3M": ql.Period(3, ql.Months), "6M": ql.Period(6, ql.Months), "1Y": ql.Period(1, ql.Years)}
COUNTS = {"ACT/360": ql.Actual360(), "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis)}
RULE = ql.ModifiedFollowing


def _dates(random: np.random.Generator, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts within a month and ends after one to thirty years, ten on average."""
    start = AS_OF + random.integers(2, 30, n)
    return start, start + (365.25 * random.choice([1, 2, 5, 10, 15, 30], n)).astype(int) + random.integers(0, 90, n)


def _fixed(random: np.random.Generator, n: int, currency: str = "EUR") -> Columns:
    start, maturity = _dates(random, n)
    return {
        "currency": [currency] * n,
        "start_date": start,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * n,
        "business_day_convention": ["modified_following"] * n,
    }


def _schedule(row: Row, frequency: str, start: str = "start_date", rule: Any = RULE) -> Any:
    dates = (ql_date(row[start]), ql_date(row["maturity_date"]))
    return ql.Schedule(*dates, PERIODS[frequency], ql.TARGET(), rule, rule, ql.DateGeneration.Backward, False)


def _euribor(market: QuantLibMarket) -> Any:
    curve, euro = market.curves["EUR.EURIBOR6M"], ql.EURCurrency()
    return ql.IborIndex("EURIBOR", PERIODS["6M"], 0, euro, ql.TARGET(), RULE, False, COUNTS["ACT/360"], curve)


def _npvs(instruments: list[Any], amounts: list[float]) -> Values:
    return lambda: [amount * each.NPV() for each, amount in zip(instruments, amounts, strict=True)]


# --- swaps ---
def interest_rate_swaps(random: np.random.Generator, n: int) -> Case:
    columns = _fixed(random, n) | {
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


def _vanilla_swap(row: Row, index: Any) -> Any:
    fixed, floating = _schedule(row, "1Y"), _schedule(row, "6M")
    kind = ql.Swap.Payer if row["direction"] == "pay" else ql.Swap.Receiver
    counts = COUNTS["30E/360"], COUNTS["ACT/360"]
    return ql.VanillaSwap(kind, 1.0, fixed, float(row["fixed_rate"]), counts[0], floating, index, 0.0, counts[1], RULE)


def _build_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, engine = _euribor(market), ql.DiscountingSwapEngine(market.curves["EUR.ESTR"], False)
    swaps = [_vanilla_swap(row, index) for row in rows]
    for swap in swaps:
        swap.setPricingEngine(engine)
    return _npvs(swaps, [float(row["notional"]) for row in rows])


def cross_currency_swaps(random: np.random.Generator, n: int) -> Case:
    """Fixed dollars against floating euro, notionals exchanged."""
    terms = _fixed(random, n)
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
    index = _euribor(market)
    legs = []
    for row in rows:
        schedule = _schedule(row, "6M")
        dollars = float(row["receive_notional"])
        fixed = ql.FixedRateLeg(schedule, COUNTS["30E/360"], [dollars], [float(row["receive_fixed_rate"])], RULE)
        floating = ql.IborLeg([float(row["pay_notional"])], schedule, index, COUNTS["ACT/360"], RULE, spreads=[0.001])
        for leg, amount in ((fixed, dollars), (floating, float(row["pay_notional"]))):
            flows = (ql.SimpleCashFlow(-amount, schedule[0]), ql.SimpleCashFlow(amount, schedule[len(schedule) - 1]))
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
        dates = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        terms = (calendar, ql.Unadjusted, count, float(row["fixed_rate"]), index, lag, ql.CPI.Flat)
        swaps.append(ql.ZeroCouponInflationSwap(ql.Swap.Receiver, 1.0, *dates, *terms))
        swaps[-1].setPricingEngine(engine)
    return _npvs(swaps, [float(row["notional"]) for row in rows])


# --- bonds and rate agreements ---
def _bond_terms(random: np.random.Generator, n: int) -> Columns:
    terms = _fixed(random, n)
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
        schedule = _schedule(row, "1Y", "issue_date", ql.Unadjusted)
        terms = ([float(row["coupon"])], COUNTS["30E/360"], RULE, 100.0, ql.Date(), ql.TARGET())
        found.append(ql.FixedRateBond(0, 1000.0, schedule, *terms))
        found[-1].setPricingEngine(engine)
    return _npvs(found, [float(row["quantity"]) for row in rows])


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
    index, engine = _euribor(market), ql.DiscountingBondEngine(market.curves["EUR.ESTR"])
    found = []
    for row in rows:
        schedule = _schedule(row, "6M", "issue_date")
        leg = ql.IborLeg([1000.0], schedule, index, COUNTS["ACT/360"], RULE, spreads=[float(row["spread"])])
        found.append(ql.Bond(0, ql.TARGET(), ql_date(row["issue_date"]), leg))
        found[-1].setPricingEngine(engine)
    return _npvs(found, [float(row["quantity"]) for row in rows])


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
        dates = ql_date(row["start_date"]), ql_date(row["maturity_date"])
        terms = (ql.Position.Long, float(row["rate"]), 1.0, market.curves["EUR.ESTR"])
        found.append(ql.ForwardRateAgreement(index, *dates, *terms))
    return _npvs(found, [float(row["notional"]) for row in rows])


# --- forwards ---
def equity_forwards(random: np.random.Generator, n: int) -> Case:
    columns = {
        "underlying": ["SPX"] * n,
        "currency": ["USD"] * n,
        "quantity": random.uniform(1.0, 1e3, n),
        "strike": random.uniform(5000.0, 8000.0, n),
        "expiry_date": AS_OF + random.integers(1, 1800, n),
    }
    return Case(columns, _build_equity_forwards, 6700.0 * columns["quantity"])


def _build_equity_forwards(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    """QuantLib has no such instrument: its curves and quotes, and a line of Python."""
    rates, spot, count = market.curves["USD.SOFR"], market.quotes["SPX"], ql.Actual365Fixed()
    dividends = ql.FlatForward(ql_date(AS_OF), ql.QuoteHandle(market.quotes["dividend"]), count)
    terms = [(ql_date(row["expiry_date"]), float(row["strike"]), float(row["quantity"])) for row in rows]

    def values() -> list[float]:
        level = spot.value()
        return [q * (level * dividends.discount(day) - k * rates.discount(day)) for day, k, q in terms]

    return values


def commodity_forwards(random: np.random.Generator, n: int) -> Case:
    columns = {
        "underlying": ["WTI"] * n,
        "currency": ["USD"] * n,
        "quantity": random.uniform(1e3, 1e5, n),
        "strike": random.uniform(40.0, 80.0, n),
        "delivery_date": AS_OF + random.integers(1, 1000, n),
    }
    return Case(columns, _build_commodity_forwards, 61.0 * columns["quantity"])


def _build_commodity_forwards(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    rates, price = market.curves["USD.SOFR"], market.quotes["WTI"]
    terms = [(ql_date(row["delivery_date"]), float(row["strike"]), float(row["quantity"])) for row in rows]

    def values() -> list[float]:
        level = price.value()
        return [q * (level - k) * rates.discount(day) for day, k, q in terms]

    return values


# --- options on rates ---
def caps_and_floors(random: np.random.Generator, n: int) -> Case:
    terms = _fixed(random, n)
    del terms["business_day_convention"]
    columns = terms | {
        "index": ["EUR.EURIBOR6M"] * n,
        "discount_curve": ["EUR.ESTR"] * n,
        "notional": random.uniform(1e6, 1e8, n),
        "option_type": random.choice(["cap", "floor"], n).tolist(),
        "strike": random.normal(0.025, 0.01, n),
        "frequency": ["6M"] * n,
        "day_count": ["ACT/360"] * n,
        "volatility": ["CAPS"] * n,
        "model": ["bachelier"] * n,
        "shift": [0.0] * n,
    }
    return Case(columns, _build_caps, columns["notional"])


def _build_caps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, quote = _euribor(market), ql.QuoteHandle(market.quotes["CAPS"])
    engine = ql.BachelierCapFloorEngine(market.curves["EUR.ESTR"], quote)
    found = []
    for row in rows:
        leg = ql.IborLeg([1.0], _schedule(row, "6M"), index, COUNTS["ACT/360"], RULE)
        found.append((ql.Cap if row["option_type"] == "cap" else ql.Floor)(leg, [float(row["strike"])]))
        found[-1].setPricingEngine(engine)
    return _npvs(found, [float(row["notional"]) for row in rows])


def swaptions(random: np.random.Generator, n: int) -> Case:
    columns, _, notional = interest_rate_swaps(random, n)
    later = random.integers(30, 3000, n)
    columns |= {
        "start_date": columns["start_date"] + later + 5,
        "maturity_date": columns["maturity_date"] + later + 5,
        "expiry_date": columns["start_date"] + later,
        "direction": random.choice(["pay", "receive"], n).tolist(),
        "settlement": ["physical"] * n,
        "volatility": ["CUBE"] * n,
        "model": ["black"] * n,
        "shift": [SHIFT] * n,
    }
    return Case(columns, _build_swaptions, notional)


def _build_swaptions(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    index, quote = _euribor(market), ql.QuoteHandle(market.quotes["CUBE"])
    engine = ql.BlackSwaptionEngine(market.curves["EUR.ESTR"], quote, ql.Actual365Fixed(), SHIFT)
    found = []
    for row in rows:
        exercise = ql.EuropeanExercise(ql_date(row["expiry_date"]))
        found.append(ql.Swaption(_vanilla_swap(row, index), exercise))
        found[-1].setPricingEngine(engine)
    return _npvs(found, [float(row["notional"]) for row in rows])


CASES: dict[str, Callable[[np.random.Generator, int], Case]] = {
    "equity_forward": equity_forwards,
    "commodity_forward": commodity_forwards,
    "interest_rate_swap": interest_rate_swaps,
    "fra": rate_agreements,
    "bond": bonds,
    "floating_rate_note": floating_rate_notes,
    "cross_currency_swap": cross_currency_swaps,
    "inflation_swap": inflation_swaps,
    "cap_floor": caps_and_floors,
    "swaption": swaptions,
}
