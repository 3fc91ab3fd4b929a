"""Swaps as lists of legs against QuantLib's legs, and resetting ones against their definition: 1e-10 of notional."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from selections import one_in

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.basis_swap import BasisSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swap import Swap

PRODUCT = Swap()
TOLERANCE = 1e-10
CALENDAR = "TARGET+USNY"
INDICES = {
    "EUR.6M": IndexConvention("EUR.6M", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar=CALENDAR),
    "EUR.ESTR": IndexConvention("EUR.ESTR", "EUR.ESTR", overnight=True, day_count="ACT/360", calendar=CALENDAR),
    "USD.SOFR": IndexConvention("USD.SOFR", "USD.SOFR", overnight=True, day_count="ACT/360", calendar=CALENDAR),
}
CURRENCY_CURVES = {"EUR": "EUR.ESTR", "USD": "USD.SOFR"}
CONVENTIONS = Conventions(indices=INDICES, discount_curves=CURRENCY_CURVES)
FLOATING_INDICES = {"EUR": ("EUR.6M", "EUR.ESTR"), "USD": ("USD.SOFR",)}
SPOT = 1.16
OBSERVED = ("averaging", "lookback", "observation_shift", "lockout", "fixed_in", "rate_period")
CONVENTION_NAMES = ("following", "modified_following", "preceding")


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 10957)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, CALENDAR)]
    slope = np.linspace(0.0, 0.01, len(pillars))
    levels = {"EUR.ESTR": 0.019, "EUR.6M": 0.021, "EUR.XCCY": 0.017, "USD.SOFR": 0.04}
    fixings = {name: {int(day): 0.02 + 0.01 * np.sin(day / 40) for day in days} for name in INDICES}
    fixings["EURUSD"] = {int(day): 1.1 + 0.05 * np.sin(day / 30) for day in days}
    curves = {("zero_rate", name): (pillars, (level + slope).tolist()) for name, level in levels.items()}
    return rates.Market(as_of, curves, fixings=fixings)


def snapshot_of(market: Any, spot: float) -> MarketSnapshot:
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    row = {"factor": "spot:EURUSD", "kind": "spot", "name": "EURUSD", "currency": "USD", "value": spot}
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist([row], table.schema)]), market.as_of)


class Oracle:
    """One market's prices by QuantLib's cash flows."""

    def __init__(self, rates: Any, market: Any, spot: float) -> None:
        self.rates, self.market, self.spot = rates, market, spot
        ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        calendar, count, euro = rates.calendars[CALENDAR], ql.Actual360(), ql.EURCurrency()
        self.indices = {
            name: ql.OvernightIndex(name, 0, euro, calendar, count, self.curves[name])
            for name, convention in INDICES.items()
            if convention.overnight
        }
        months, rule = ql.Period(6, ql.Months), ql.ModifiedFollowing
        self.indices["EUR.6M"] = ql.IborIndex(
            "EUR", months, 2, euro, calendar, rule, False, count, self.curves["EUR.6M"]
        )
        for name, index in self.indices.items():
            known = market.fixings[name]
            index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def schedule(self, leg: dict[str, Any]) -> Any:
        terms = (leg["frequency"], leg["calendar"], leg["business_day_convention"])
        return self.rates.schedule(leg["start_date"], leg["maturity_date"], *terms)

    def stepped(self, leg: dict[str, Any], name: str, first: str) -> list[float]:
        """By period, the last value whose date is not after the period's start."""
        starts = [d.serialNumber() - 25569 for d in list(self.schedule(leg))[:-1]]
        steps = list(zip(leg[f"{first}_dates"] or [], leg[name] or [], strict=True))
        return [([leg[first], *(v for day, v in steps if day <= start)])[-1] for start in starts]

    def coupons(self, leg: dict[str, Any], notionals: list[float]) -> Any:
        schedule, count = self.schedule(leg), self.rates.day_counts[leg["day_count"]]
        convention = self.rates.conventions[leg["business_day_convention"]]
        if leg["leg_type"] == "fixed":
            rates = self.stepped(leg, "fixed_rates", "fixed_rate")
            if leg["rate_compounding"] == "annual":
                flows = []
                for notional, rate, (begin, end) in zip(notionals, rates, pairwise(schedule), strict=True):
                    growth = ql.InterestRate(rate, count, ql.Compounded, ql.Annual).compoundFactor(begin, end)
                    flows.append(ql.SimpleCashFlow(notional * (growth - 1.0), end))
                return ql.Leg(flows)
            return ql.FixedRateLeg(schedule, count, notionals, rates, convention)
        make = ql.OvernightLeg if INDICES[leg["index"]].overnight else ql.IborLeg
        spreads = self.stepped(leg, "spreads", "spread")
        gearings = [leg["gearing"] or 1.0] * len(spreads)
        index = self.indices[leg["index"]]
        if INDICES[leg["index"]].overnight:
            simple = leg["averaging"] == "averaged"
            return ql.OvernightLeg(
                notionals,
                schedule,
                index,
                count,
                convention,
                spreads=spreads,
                gearings=gearings,
                averagingMethod=ql.RateAveraging.Simple if simple else ql.RateAveraging.Compound,
                lookbackDays=int(leg["lookback"] or 0),
                lockoutDays=int(leg["lockout"] or 0),
                applyObservationShift=bool(leg["observation_shift"]),
            )
        if leg["fixed_in"] == "arrears":
            late = ql.IborLeg(notionals, schedule, index, count, convention, [], gearings, spreads, [], [], True)
            nothing = ql.ConstantOptionletVolatility(0, ql.NullCalendar(), ql.Following, 0.0, ql.Actual365Fixed())
            ql.setCouponPricer(late, ql.BlackIborCouponPricer(ql.OptionletVolatilityStructureHandle(nothing)))
            return late
        return make(notionals, schedule, index, count, convention, spreads=spreads, gearings=gearings)

    def leg(self, leg: dict[str, Any]) -> float:
        """In its own currency, signed."""
        curve = self.curves[leg["discount_curve"] or CURRENCY_CURVES[leg["currency"]]]
        value = 0.0
        if leg["leg_type"] != "cashflows":
            value = self.resetting(leg, curve) if leg["reset_currency"] else self.plain(leg, curve)
        for day, amount in zip(leg["amount_dates"] or [], leg["amounts"] or [], strict=True):
            value += amount * self.discount(curve, day)
        return value if leg["direction"] == "receive" else -value

    def discount(self, curve: Any, day: int) -> float:
        return float(curve.discount(self.rates.ql_date(day))) if day > self.market.as_of else 0.0

    def plain(self, leg: dict[str, Any], curve: Any) -> float:
        notionals = self.stepped(leg, "notionals", "notional")
        if leg["rate_period"] == "index":
            ql.IborCoupon.createIndexedCoupons()
        value = float(ql.CashFlows.npv(self.coupons(leg, notionals), curve, False))
        ql.IborCoupon.createAtParCoupons()
        days = [d.serialNumber() - 25569 for d in self.schedule(leg)]
        if leg["exchange_initial"]:
            value -= notionals[0] * self.discount(curve, days[0])
        if leg["exchange_interim"]:
            for k in range(1, len(notionals)):
                value += (notionals[k - 1] - notionals[k]) * self.discount(curve, days[k])
        if leg["exchange_final"]:
            value += notionals[-1] * self.discount(curve, days[-1])
        return value

    def resetting(self, leg: dict[str, Any], curve: Any) -> float:
        days = [d.serialNumber() - 25569 for d in self.schedule(leg)]
        value, last = 0.0, len(days) - 2
        coupons = self.coupons(leg, [1.0] * (last + 1))
        for k, coupon in enumerate(coupons):
            agreed = k == 0 and leg["notional"] is not None
            notional = leg["notional"] if agreed else leg["reset_notional"] * self.rate_at(leg, days[k])
            if days[k + 1] > self.market.as_of:
                value += notional * coupon.amount() * self.discount(curve, days[k + 1])
            if leg["exchange_initial"] if k == 0 else leg["exchange_interim"]:
                value -= notional * self.discount(curve, days[k])
            if leg["exchange_final"] if k == last else leg["exchange_interim"]:
                value += notional * self.discount(curve, days[k + 1])
        return value

    def rate_at(self, leg: dict[str, Any], start: int) -> float:
        """Of reset_currency in the leg's currency; the dollar's holidays do not count on the way to the spot date."""
        both, euro = self.rates.calendars[CALENDAR], ql.TARGET()
        day = both.advance(self.rates.ql_date(start), -1, ql.Days)
        while both.adjust(euro.advance(day, 2, ql.Days)) > self.rates.ql_date(start):
            day = both.advance(day, -1, ql.Days)
        fixed = day.serialNumber() - 25569
        if fixed < self.market.as_of:
            rate = self.market.fixings["EURUSD"][fixed]
        else:
            date_ = self.rates.ql_date(max(start, self.market.as_of))
            rate = self.spot * self.curves["EUR.ESTR"].discount(date_) / self.curves["USD.SOFR"].discount(date_)
        return float(rate if leg["reset_currency"] == "EUR" else 1.0 / rate)

    def value(self, trade: dict[str, Any]) -> float:
        in_dollars = {"USD": 1.0, "EUR": self.spot}
        return sum(in_dollars[leg["currency"]] / in_dollars[trade["currency"]] * self.leg(leg) for leg in trade["legs"])


class Book:
    """Random swaps."""

    def __init__(self, rates: Any, seed: int, as_of: int) -> None:
        self.rates, self.as_of, self.random = rates, as_of, np.random.default_rng(seed)

    def pick(self, values: Any) -> Any:
        values = list(values)
        return values[self.random.integers(len(values))]

    def steps(self, days: list[int], level: float, size: float) -> tuple[list[float] | None, list[int] | None]:
        if self.random.random() < 0.5 or len(days) < 2:
            return None, None
        dates = sorted(self.random.choice(days[:-1], min(3, len(days) - 1), replace=False).tolist())
        return [level + size * self.random.normal() for _ in dates], dates

    def legs(self, start: int, maturity: int) -> Iterator[dict[str, Any]]:
        """Without end; each is drawn when it is asked for."""
        while True:
            yield self.leg(start, maturity)

    def leg(self, start: int, maturity: int) -> dict[str, Any]:
        random = self.random
        currency, kind = self.pick(FLOATING_INDICES), self.pick(["fixed", "floating", "floating"])
        leg = {
            "direction": self.pick(["pay", "receive"]),
            "leg_type": kind,
            "currency": currency,
            "discount_curve": self.pick([None, CURRENCY_CURVES[currency], "EUR.XCCY" if currency == "EUR" else None]),
            "start_date": start,
            "maturity_date": maturity,
            "frequency": self.pick(["3M", "6M", "1Y", "1T"]),
            "day_count": self.pick(self.rates.day_counts),
            "calendar": CALENDAR,
            "business_day_convention": self.pick(CONVENTION_NAMES),
            "reset_currency": None,
            "reset_notional": None,
        }
        days = [
            day.serialNumber() - 25569
            for day in self.rates.schedule(start, maturity, leg["frequency"], CALENDAR, leg["business_day_convention"])
        ]
        notional = float(np.exp(random.normal(14.0, 0.5)))
        leg["notional"] = notional
        leg["notionals"], leg["notional_dates"] = self.steps(days, notional, 0.3 * notional)
        fixed, spread = float(random.normal(0.02, 0.02)), float(random.normal(0.0, 0.002))
        leg["fixed_rate"] = fixed if kind == "fixed" else None
        leg["fixed_rates"], leg["fixed_rate_dates"] = self.steps(days, fixed, 0.01) if kind == "fixed" else (None, None)
        leg["rate_compounding"] = self.pick([None, "simple", "annual"]) if kind == "fixed" else None
        leg["index"] = self.pick(FLOATING_INDICES[currency]) if kind == "floating" else None
        overnight = leg["index"] is not None and INDICES[leg["index"]].overnight
        leg["averaging"] = self.pick([None, "compounded", "averaged"]) if overnight else None
        leg["lookback"] = self.pick([None, 0.0, 2.0, 5.0]) if overnight else None
        leg["observation_shift"] = self.pick([None, True, False]) if overnight and leg["lookback"] else None
        is_long = min(np.diff(days)) > 10  # QuantLib locks no whole period out
        leg["lockout"] = self.pick([None, 0.0, 2.0, 4.0]) if overnight and is_long else None
        if leg["averaging"] == "averaged":
            # QuantLib averages without these, and takes the coupon's day count for the index's.
            leg |= {"lookback": None, "lockout": None, "observation_shift": None, "day_count": "ACT/360"}
        leg["fixed_in"] = self.pick([None, "advance", "arrears"]) if leg["index"] == "EUR.6M" else None
        leg["rate_period"] = self.pick([None, "coupon", "index"]) if leg["index"] == "EUR.6M" else None
        leg["spread"] = spread
        leg["spreads"], leg["spread_dates"] = self.steps(days, spread, 0.001)
        leg["gearing"] = self.pick([None, 0.7, -1.5])
        for name in ("initial", "interim", "final"):
            leg[f"exchange_{name}"] = self.pick([None, True, False])
        leg["amounts"], leg["amount_dates"] = None, None
        if random.random() < 0.3:
            leg["amounts"] = random.normal(0.0, 1e5, 3).tolist()
            leg["amount_dates"] = [int(day) for day in self.as_of + random.integers(-50, 2000, 3)]
        if random.random() < 0.25:
            leg |= {"notional": self.pick([None, notional]), "notionals": None, "notional_dates": None}
            leg |= {"fixed_in": None, "rate_period": None}
            leg |= {"reset_currency": "USD" if currency == "EUR" else "EUR", "reset_notional": notional}
        return leg

    def trades(self, count: int) -> list[dict[str, Any]]:
        starts, maturities = self.rates.random_dates(self.random, count, self.as_of)
        swaps = []
        for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
            legs = [self.leg(start, maturity) for _ in range(self.random.integers(1, 5))]
            swaps.append({"currency": self.pick(FLOATING_INDICES), "legs": legs})
        return swaps


def table_of(rates: Any, swaps: list[dict[str, Any]]) -> Any:
    def dated(leg: dict[str, Any]) -> dict[str, Any]:
        def turned(name: str, value: Any) -> Any:
            if value is None or "date" not in name:
                return value
            if isinstance(value, list):
                return [date(1970, 1, 1).fromordinal(719163 + day) for day in value]
            return date(1970, 1, 1).fromordinal(719163 + value)

        return {name: turned(name, value) for name, value in leg.items()}

    columns = {"currency": [swap["currency"] for swap in swaps]}
    return rates.trades(PRODUCT, columns | {"legs": [[dated(leg) for leg in swap["legs"]] for swap in swaps]})


@pytest.mark.parametrize(
    ("seed", "day", "count"),
    [
        (0, date(2026, 11, 20), 60),
        (1, date(2025, 3, 3), 60),
        pytest.param(2, date(2026, 11, 20), 500, marks=pytest.mark.slow),
    ],
)
def test_swaps(rates: Any, seed: int, day: date, count: int) -> None:
    as_of = rates.day_number(day)
    market, swaps = make_market(rates, as_of), Book(rates, seed, as_of).trades(count)
    trades = table_of(rates, swaps)
    assert PRODUCT.validate(trades, as_of) == []
    shocked = market.shocked(np.random.default_rng(seed))
    snapshots = [snapshot_of(market, SPOT), snapshot_of(shocked, 1.1 * SPOT)]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(count, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, (oracle, spot) in enumerate([(market, SPOT), (shocked, 1.1 * SPOT)]):
        quantlib = Oracle(rates, oracle, spot)
        for k, swap in enumerate(swaps):
            size = sum(abs(leg["notional"] or leg["reset_notional"]) for leg in swap["legs"])
            assert abs(values[k, column] - quantlib.value(swap)) < TOLERANCE * size, (k, swap)


@pytest.mark.parametrize("averaging", ["compounded", "averaged"])
@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize(("lookback", "lockout"), [(0, 0), (0, 3), (5, 0), (5, 2), (2, 200)])
@pytest.mark.parametrize("began", one_in(3, [-40, 0, 30]))
def test_daily_rates_by_hand(rates: Any, averaging: str, shift: bool, lookback: int, lockout: int, began: int) -> None:
    """What QuantLib has not, too: averages with lookback and lockout, and of another day count than the index's."""
    as_of = rates.day_number(date(2026, 11, 20))
    market = make_market(rates, as_of)
    start = as_of + began
    leg = dict.fromkeys(("exchange_final", "notionals", "notional_dates")) | {
        "direction": "receive",
        "leg_type": "floating",
        "currency": "USD",
        "discount_curve": "USD.SOFR",
        "start_date": start,
        "maturity_date": start + 90,
        "frequency": "1T",
        "day_count": "ACT/365F",
        "calendar": CALENDAR,
        "business_day_convention": "following",
        "notional": 1e6,
        "index": "USD.SOFR",
        "averaging": averaging,
        "observation_shift": shift,
        "lookback": float(lookback),
        "lockout": float(lockout),
    }
    trades, snapshot = table_of(rates, [{"currency": "USD", "legs": [leg]}]), snapshot_of(market, SPOT)
    model = MarketModel(snapshot, CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    found = PRODUCT.prepare(trades, model).price(np.zeros(1, np.int32), snapshot.x0[:, None])[0, 0]
    calendar, curve = rates.calendars[CALENDAR], market.discount("USD.SOFR")
    begin, end = (calendar.adjust(rates.ql_date(day)) for day in (start, start + 90))
    days = [begin]
    while days[-1] < end:
        days.append(calendar.advance(days[-1], 1, ql.Days))
    seen = [calendar.advance(day, -lookback, ql.Days) for day in days]
    lengths = [(b - a) / 360.0 for a, b in pairwise(seen if shift else days)]
    growth = 1.0
    for k, length in enumerate(lengths):
        fixed = seen[min(k, max(len(lengths) - 1 - lockout, 0))]
        rate = market.fixings["USD.SOFR"].get(fixed.serialNumber() - 25569)
        if rate is None or fixed >= rates.ql_date(as_of):
            after = calendar.advance(fixed, 1, ql.Days)
            rate = (curve.discount(fixed) / curve.discount(after) - 1.0) / (after - fixed) * 360.0
        growth = growth + rate * length if averaging == "averaged" else growth * (1.0 + rate * length)
    over = seen if shift else days
    expected = 1e6 * (growth - 1.0) / ((over[-1] - over[0]) / 360.0) * (end - begin) / 365.0 * curve.discount(end)
    assert abs(found - expected) < 1e-6


def test_stepping_swaps_of_one_currency(rates: Any) -> None:
    """`interest_rate_swap` with the same lists."""
    as_of = rates.day_number(date(2026, 11, 20))
    market, book = make_market(rates, as_of), Book(rates, 4, as_of)
    starts, maturities = rates.random_dates(book.random, 60, as_of)
    swaps, columns = [], []
    for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
        fixed, floating = (
            next(leg for leg in book.legs(start, maturity) if leg["leg_type"] == kind and leg["notionals"])
            for kind in ("fixed", "floating")
        )
        shared = {name: fixed[name] for name in ("notional", "notionals", "notional_dates", "business_day_convention")}
        none = dict.fromkeys(("amounts", "amount_dates", "exchange_initial", "exchange_interim", "exchange_final"))
        fixed |= none | {"currency": "EUR", "discount_curve": "EUR.XCCY", "rate_compounding": None}
        floating |= none | shared | {"currency": "EUR", "discount_curve": "EUR.XCCY", "gearing": None}
        floating["direction"] = "pay" if fixed["direction"] == "receive" else "receive"
        swaps.append({"currency": "EUR", "legs": [fixed, floating]})
        columns.append(
            shared
            | {name: fixed[name] for name in ("currency", "discount_curve", "direction", "calendar")}
            | {name: fixed[name] for name in ("fixed_rate", "fixed_rates", "fixed_rate_dates")}
            | {f"float_{name}": floating[name] for name in ("spread", "spreads", "spread_dates", *OBSERVED)}
            | {"index": floating["index"], "start_date": start, "maturity_date": maturity}
            | {f"fixed_{name}": fixed[name] for name in ("frequency", "day_count")}
            | {f"float_{name}": floating[name] for name in ("frequency", "day_count")}
        )
    product = InterestRateSwap()
    trades = rates.trades(product, {name: [row[name] for row in columns] for name in columns[0]} | dates_of(columns))
    assert product.validate(trades, as_of) == []
    snapshot = snapshot_of(market, SPOT)
    prepared = product.prepare(trades, MarketModel(snapshot, CONVENTIONS))
    values = prepared.price(np.arange(len(swaps), dtype=np.int32), snapshot.x0[:, None])[:, 0]
    quantlib = Oracle(rates, market, SPOT)
    for k, swap in enumerate(swaps):
        assert abs(values[k] - quantlib.value(swap)) < TOLERANCE * abs(columns[k]["notional"]), (k, columns[k])


def test_basis_swaps(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market, book = make_market(rates, as_of), Book(rates, 6, as_of)
    starts, maturities = rates.random_dates(book.random, 80, as_of)
    swaps, columns = [], []
    for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
        drawn = (leg for leg in book.legs(start, maturity) if leg["leg_type"] == "floating")
        candidates = list(islice((leg for leg in drawn if leg["currency"] == "EUR" and leg["notional"]), 2))
        shared = {
            name: candidates[0][name] for name in ("notional", "notionals", "notional_dates", "business_day_convention")
        }
        none = dict.fromkeys(("amounts", "amount_dates", "exchange_initial", "exchange_interim", "exchange_final"))
        none |= {"gearing": None, "reset_currency": None, "discount_curve": "EUR.XCCY"}
        legs = [
            leg | shared | none | {"direction": side} for leg, side in zip(candidates, ("receive", "pay"), strict=True)
        ]
        swaps.append({"currency": "EUR", "legs": legs})
        own = ("index", "spread", "spreads", "spread_dates", "frequency", "day_count", *OBSERVED)
        columns.append(
            shared
            | {"currency": "EUR", "discount_curve": "EUR.XCCY", "start_date": start, "maturity_date": maturity}
            | {"calendar": CALENDAR}
            | {f"{leg['direction']}_{name}": leg[name] for leg in legs for name in own}
        )
    product = BasisSwap()
    trades = rates.trades(product, {name: [row[name] for row in columns] for name in columns[0]} | dates_of(columns))
    assert product.validate(trades, as_of) == []
    snapshot = snapshot_of(market, SPOT)
    model = MarketModel(snapshot, CONVENTIONS)
    assert product.missing_points(trades, model) == []
    values = product.prepare(trades, model).price(np.arange(len(swaps), dtype=np.int32), snapshot.x0[:, None])[:, 0]
    quantlib = Oracle(rates, market, SPOT)
    for k, swap in enumerate(swaps):
        assert abs(values[k] - quantlib.value(swap)) < TOLERANCE * abs(columns[k]["notional"]), (k, columns[k])
    market.fixings["EUR.6M"] = {as_of - 1: 0.02}
    lacking = product.missing_points(trades, MarketModel(snapshot_of(market, SPOT), CONVENTIONS))
    assert {fault.column for fault in lacking} == {"receive_index", "pay_index"}
    for fault in lacking:
        assert all(columns[row][fault.column] == "EUR.6M" for row in fault.rows)


def test_resetting_cross_currency_swaps(rates: Any) -> None:
    """`cross_currency_swap` whose one side follows the exchange rate, or neither."""
    as_of = rates.day_number(date(2026, 11, 20))
    market, book = make_market(rates, as_of), Book(rates, 8, as_of)
    starts, maturities = rates.random_dates(book.random, 80, as_of)
    swaps, columns = [], []
    for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
        rule, reset, exchanged = (
            book.pick(CONVENTION_NAMES),
            book.pick(["receive", "pay", None]),
            book.pick([True, False]),
        )
        plain = {"business_day_convention": rule, "gearing": None, "rate_compounding": None, "reset_currency": None}
        plain |= dict.fromkeys(("notionals", "notional_dates", "fixed_rates", "fixed_rate_dates", "amounts"))
        plain |= dict.fromkeys(("spreads", "spread_dates", "amount_dates"))
        legs = {}
        for side, currency in zip(("receive", "pay"), book.pick([("EUR", "USD"), ("USD", "EUR")]), strict=True):
            drawn = (leg for leg in book.legs(start, maturity) if leg["currency"] == currency and leg["notional"])
            leg = next(drawn) | plain | {"direction": side}
            leg["discount_curve"] = CURRENCY_CURVES[currency]
            legs[side] = leg | dict.fromkeys(("exchange_initial", "exchange_final"), exchanged)
        for side, other in (("receive", "pay"), ("pay", "receive")):
            if reset == side:
                changed = {"reset_currency": legs[other]["currency"], "reset_notional": legs[other]["notional"]}
                legs[side] |= changed | {"exchange_interim": exchanged, "rate_period": None}
            else:
                legs[side]["exchange_interim"] = False
        swaps.append({"currency": legs["pay"]["currency"], "legs": [*legs.values()]})
        own = ("currency", "notional", "index", "fixed_rate", "spread", "discount_curve", "frequency", "day_count")
        columns.append(
            {"start_date": start, "maturity_date": maturity, "calendar": CALENDAR, "business_day_convention": rule}
            | {"exchange_notionals": exchanged, "reset_side": reset}
            | {f"{side}_{name}": leg[name] for side, leg in legs.items() for name in (*own, *OBSERVED)}
        )
    product = CrossCurrencySwap()
    trades = rates.trades(product, {name: [row[name] for row in columns] for name in columns[0]})
    assert product.validate(trades, as_of) == []
    shocked = market.shocked(np.random.default_rng(1))
    model = MarketModel(snapshot_of(market, SPOT), CONVENTIONS)
    assert product.missing_points(trades, model) == []
    x = np.column_stack([snapshot_of(market, SPOT).x0, snapshot_of(shocked, 1.1 * SPOT).x0])
    values = product.prepare(trades, model).price(np.arange(len(swaps), dtype=np.int32), x)
    for column, quantlib in enumerate([Oracle(rates, market, SPOT), Oracle(rates, shocked, 1.1 * SPOT)]):
        ql.Settings.instance().evaluationDate = rates.ql_date(as_of)
        for k, swap in enumerate(swaps):
            size = sum(leg["notional"] for leg in swap["legs"])
            assert abs(values[k, column] - quantlib.value(swap)) < TOLERANCE * size, (k, columns[k])
    market.fixings["EURUSD"] = {as_of - 1: 1.1}
    faults = product.missing_points(trades, MarketModel(snapshot_of(market, SPOT), CONVENTIONS))
    assert {fault.column for fault in faults} == {"reset_side"}
    assert all(columns[row]["reset_side"] for fault in faults for row in fault.rows)


def dates_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of lists of dates."""
    names = [name for name in rows[0] if name.endswith("_dates")]

    def dated(days: list[int] | None) -> Any:
        return None if days is None else [np.datetime64(day, "D").item() for day in days]

    return {name: pa.array([dated(row[name]) for row in rows], pa.list_(pa.date32())) for name in names}


DAY = date(2026, 11, 20)
FIXED = {
    "direction": "pay",
    "leg_type": "fixed",
    "currency": "EUR",
    "notional": 1e6,
    "fixed_rate": 0.02,
    "start_date": date(2026, 1, 5),
    "maturity_date": date(2030, 1, 5),
    "frequency": "1Y",
    "day_count": "30/360",
    "calendar": "TARGET",
    "business_day_convention": "following",
}
FLOATING = FIXED | {"leg_type": "floating", "index": "EUR.6M", "fixed_rate": None}
PAST = FIXED | {"maturity_date": date(2026, 11, 6)}
FEE = {"direction": "pay", "leg_type": "cashflows", "currency": "EUR", "amounts": [1.0], "amount_dates": [DAY]}


@pytest.mark.parametrize(
    ("legs", "column", "message"),
    [
        ([FIXED, FIXED | {"frequency": None}], "legs.frequency", "legs: a leg with coupons needs frequency"),
        ([FIXED | {"maturity_date": None}], "legs.maturity_date", "legs: a leg with coupons needs maturity_date"),
        (
            [FIXED | {"start_date": date(2031, 1, 1)}],
            "legs.maturity_date",
            "legs: maturity_date is not after start_date",
        ),
        ([FIXED | {"fixed_rate": None}], "legs.fixed_rate", "legs: a fixed leg needs a fixed_rate"),
        ([FIXED | {"notional": None}], "legs.notional", "legs: a leg with coupons needs a notional"),
        ([FLOATING | {"index": None}], "legs.index", "legs: a floating or inflation leg needs an index"),
        ([FIXED | {"currency": "eur"}], "legs.currency", "legs: currency is not an ISO currency code"),
        ([FIXED | {"calendar": "MARS"}], "legs.calendar", "legs: unknown calendar"),
        ([FEE | {"amounts": None}], "legs.amounts", "legs: amounts and amount_dates are not as many"),
        (
            [FEE | {"amounts": None, "amount_dates": None}, FIXED],
            "legs.amounts",
            "legs: a leg of cashflows needs amounts",
        ),
        (
            [FIXED | {"notionals": [1.0], "notional_dates": [DAY, date(2027, 1, 5)]}],
            "legs.notionals",
            "legs: notionals and notional_dates are not as many",
        ),
        ([FLOATING | {"reset_currency": "USD"}], "legs.reset_notional", "legs: a leg with a reset_currency needs a"),
        (
            [FLOATING | {"reset_currency": "EUR", "reset_notional": 1.0}],
            "legs.reset_currency",
            "legs: reset_currency is the leg's own currency",
        ),
        ([PAST, PAST], "legs", "all legs are in the past"),
        ([PAST, FEE | {"amount_dates": [date(2026, 11, 19)]}], "legs", "all legs are in the past"),
    ],
)
def test_a_leg_that_cannot_be(rates: Any, legs: list[dict[str, Any]], column: str, message: str) -> None:
    good = [FIXED, FLOATING, PAST, FEE]
    names = {name for leg in (*legs, *good, FEE) for name in leg}
    every = [[{name: leg.get(name) for name in names} for leg in some] for some in (good, legs)]
    trades = rates.trades(PRODUCT, {"currency": ["EUR"] * 2, "legs": every})
    (fault,) = PRODUCT.validate(trades, rates.day_number(DAY))
    assert (fault.column, fault.rows.tolist()) == (column, [1])
    assert fault.message.startswith(message)


def test_terms_of_overnight_rates(rates: Any) -> None:
    as_of = rates.day_number(DAY)
    model = MarketModel(snapshot_of(make_market(rates, as_of), SPOT), CONVENTIONS)
    good = FLOATING | {"index": "EUR.ESTR", "lookback": 2.0, "averaging": "averaged"}
    legs = [good, good | {"lookback": 1.5}, FLOATING | {"lockout": 1.0}, FIXED | {"averaging": "averaged"}]
    legs.append(good | {"fixed_in": "arrears"})
    names = {name for leg in legs for name in leg}
    table = {"currency": ["EUR"] * 5, "legs": [[{name: leg.get(name) for name in names}] for leg in legs]}
    faults = PRODUCT.missing_points(rates.trades(PRODUCT, table), model)
    assert [(fault.column, fault.rows.tolist()) for fault in faults] == [
        ("legs.averaging", [3]),
        ("legs.lookback", [1]),
        ("legs.lockout", [2]),
        ("legs.fixed_in", [4]),
    ]
    assert faults[3].message == "legs: fixed_in is of term rates, and the index is none (market.indices)"
    assert faults[1].message == "legs: lookback is not a whole number of days"
    assert faults[2].message.startswith("legs: lockout is of overnight rates, and the index is none")


def test_what_a_leg_lacks_is_named(rates: Any) -> None:
    as_of = rates.day_number(DAY)
    market = make_market(rates, as_of)
    market.fixings["EURUSD"] = {as_of - 1: 1.1}
    market.fixings["EUR.6M"] = {as_of - 1: 0.02}
    reset = FLOATING | {"currency": "USD", "index": "USD.SOFR", "reset_currency": "EUR", "reset_notional": 1e6}
    reset |= {"notional": None}
    names = {name for leg in (FIXED, reset) for name in leg}
    legs = [[{name: leg.get(name) for name in names} for leg in some] for some in ([FIXED], [FIXED, reset], [FLOATING])]
    trades = rates.trades(PRODUCT, {"currency": ["EUR"] * 3, "legs": legs})
    faults = PRODUCT.missing_points(trades, MarketModel(snapshot_of(market, SPOT), CONVENTIONS))
    assert [(fault.column, fault.rows.tolist()) for fault in faults] == [
        ("legs.index", [2]),
        ("legs.reset_currency", [1]),
    ]
    assert faults[0].message.startswith("legs: the market has no fixing:EUR.6M:2025-12-31")
    assert faults[1].message.startswith("legs: the market has no fixing:EURUSD:2025-12-31")
