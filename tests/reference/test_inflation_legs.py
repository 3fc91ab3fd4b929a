"""Legs of swaps on price indices against QuantLib's: 1e-10 of notional, base and shocked curves."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from inflation_market import AS_OF, CONVENTIONS, INDICES, QuantLibMarket, random_market, snapshot_of

from riskpipe.market.model import MarketModel
from riskpipe.products.swap import Swap

PRODUCT = Swap()
TOLERANCE = 1e-10
KINDS = ("year_on_year", "indexed", "zero_coupon")
_NO_OPTIONS = ql.YoYOptionletVolatilitySurfaceHandle()


def random_legs(rates: Any, seed: int, count: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    starts, maturities = rates.random_dates(random, count, AS_OF)

    def pick(values: Any) -> Any:
        return list(values)[random.integers(len(list(values)))]

    legs = []
    for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
        kind, notional = pick(KINDS), float(np.exp(random.normal(14.0, 0.5)))
        frequency = "1T" if kind == "zero_coupon" else pick(["3M", "6M", "1Y"])
        days = [d.serialNumber() - 25569 for d in rates.schedule(start, maturity, frequency, "TARGET", "following")]
        stepped = len(days) > 4 and random.random() < 0.5
        legs.append(
            {
                "direction": pick(["pay", "receive"]),
                "leg_type": "inflation",
                "inflation_kind": kind,
                "currency": "EUR",
                "discount_curve": "OIS",
                "notional": notional,
                "notionals": [0.7 * notional, 0.5 * notional] if stepped else None,
                "notional_dates": [days[1], days[3]] if stepped else None,
                "index": pick(INDICES),
                "base_index": None if kind == "year_on_year" else pick([None, 110.0]),
                "observation": pick([None, "flat", "linear"]),
                "observation_lag": pick([None, 1.0, 4.0]),
                "fixed_rate": float(random.normal(0.01, 0.01)) if kind == "indexed" else None,
                "gearing": pick([None, 0.8, -1.2]) if kind == "year_on_year" else None,
                "spread": pick([None, 0.002]) if kind == "year_on_year" else None,
                "exchange_interim": pick([None, True]),
                "exchange_final": pick([None, True]),
                "start_date": start,
                "maturity_date": maturity,
                "frequency": frequency,
                "day_count": pick(rates.day_counts),
                "calendar": "TARGET",
                "business_day_convention": "following",
            }
        )
    return legs


def table_of(rates: Any, legs: list[dict[str, Any]]) -> Any:
    def dated(value: Any) -> Any:
        return [dated(day) for day in value] if isinstance(value, list) else date.fromisoformat(rates.iso(value))

    rows = [{name: dated(v) if v is not None and "date" in name else v for name, v in leg.items()} for leg in legs]
    return rates.trades(PRODUCT, {"currency": ["EUR"] * len(legs), "legs": [[row] for row in rows]})


class QuantLibLegs(QuantLibMarket):
    def __init__(self, rates: Any, curves: dict[str, list[float]], discount: list[float]) -> None:
        super().__init__(curves, discount)
        self.rates, self.today = rates, rates.ql_date(AS_OF)
        self.yearly = {name: self.year_on_year(index) for name, index in self.indices.items()}

    def year_on_year(self, index: Any) -> Any:
        """QuantLib projects year-on-year rates from a curve of their own: this one is that of the index's ratios."""
        first = self.first(self.today - ql.Period(5, ql.Months))
        months = [first + ql.Period(k, ql.Months) for k in range(12 * 52)]
        rates = [index.fixing(day) / index.fixing(day - ql.Period(1, ql.Years)) - 1.0 for day in months]
        curve = ql.YoYInflationCurve(self.today, months, rates, ql.Monthly, self.count)
        return ql.YoYInflationIndex(index, ql.YoYInflationTermStructureHandle(curve))

    def value(self, leg: dict[str, Any]) -> float:
        dates = (leg["start_date"], leg["maturity_date"], leg["frequency"])
        schedule = self.rates.schedule(*dates, "TARGET", "following")
        days = list(schedule)
        steps = list(zip(leg["notional_dates"] or [], leg["notionals"] or [], strict=True))
        notionals = [
            [leg["notional"], *(v for day, v in steps if self.rates.ql_date(day) <= start)][-1] for start in days[:-1]
        ]
        value = self.coupons(leg, schedule, notionals)
        for k, repaid in enumerate([*(a - b for a, b in pairwise(notionals)), notionals[-1]]):
            if leg["exchange_final"] if k == len(notionals) - 1 else leg["exchange_interim"]:
                growth = self.growth(leg, days[k + 1]) if leg["inflation_kind"] == "indexed" else 1.0
                value += repaid * growth * self.paid(days[k + 1])
        return value if leg["direction"] == "receive" else -value

    def coupons(self, leg: dict[str, Any], schedule: Any, notionals: list[float]) -> float:
        index, terms = self.indices[leg["index"]], self.terms(leg)
        count, days = self.rates.day_counts[leg["day_count"]], list(schedule)
        if leg["inflation_kind"] == "zero_coupon":
            return notionals[0] * (self.growth(leg, days[-1]) - 1.0) * self.paid(days[-1])
        if leg["inflation_kind"] == "indexed":
            flows = ql.CPILeg(
                notionals, schedule, index, self.base(leg), terms[0], count, ql.Following,
                [leg["fixed_rate"]] * len(notionals), paymentCalendar=ql.TARGET(), observationInterpolation=terms[1],
            )  # fmt: skip
            # The last flow is the notional, which legs have where they say so.
            return float(ql.CashFlows.npv(list(flows)[:-1], self.discount, False))
        gearing, spread = leg["gearing"] or 1.0, leg["spread"] or 0.0
        if terms[1] == ql.CPI.Flat:
            coupons = ql.yoyInflationLeg(
                schedule, ql.TARGET(), self.yearly[leg["index"]], *terms, notionals, count, ql.Following,
                0, [gearing] * len(notionals), [spread] * len(notionals),
            )  # fmt: skip
            ql.setCouponPricer(coupons, ql.BlackYoYInflationCouponPricer(_NO_OPTIONS, self.discount))
            return float(ql.CashFlows.npv(coupons, self.discount, False))
        # QuantLib interpolates rates where contracts divide interpolated indices.
        value = 0.0
        for notional, start, end in zip(notionals, days, days[1:], strict=False):
            before = ql.CPI.laggedFixing(index, end - ql.Period(1, ql.Years), *terms)
            rate = gearing * (ql.CPI.laggedFixing(index, end, *terms) / before - 1.0) + spread if self.paid(end) else 0
            value += notional * count.yearFraction(start, end) * rate * self.paid(end)
        return float(value)

    def terms(self, leg: dict[str, Any]) -> tuple[Any, Any]:
        convention = INDICES[leg["index"]]
        lag = ql.Period(int(leg["observation_lag"] or convention.observation_lag), ql.Months)
        linear = (leg["observation"] or convention.observation) == "linear"
        return lag, ql.CPI.Linear if linear else ql.CPI.Flat

    def base(self, leg: dict[str, Any]) -> float:
        start = self.rates.ql_date(leg["start_date"])
        return float(leg["base_index"] or ql.CPI.laggedFixing(self.indices[leg["index"]], start, *self.terms(leg)))

    def growth(self, leg: dict[str, Any], day: Any) -> float:
        return float(ql.CPI.laggedFixing(self.indices[leg["index"]], day, *self.terms(leg)) / self.base(leg))

    def paid(self, day: Any) -> float:
        return float(self.discount.discount(day)) if day > self.today else 0.0


@pytest.mark.parametrize(("seed", "count"), [(0, 90), pytest.param(1, 500, marks=pytest.mark.slow)])
def test_legs(rates: Any, seed: int, count: int) -> None:
    legs = random_legs(rates, seed, count)
    trades = table_of(rates, legs)
    assert PRODUCT.validate(trades, AS_OF) == []
    markets = [random_market(seed) for seed in (1, 2)]
    snapshots = [snapshot_of(*market) for market in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(count, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, market in enumerate(markets):
        quantlib = QuantLibLegs(rates, *market)
        for k, leg in enumerate(legs):
            assert abs(values[k, column] - quantlib.value(leg)) < TOLERANCE * leg["notional"], (k, leg)


LEG = {
    "direction": "receive",
    "leg_type": "inflation",
    "inflation_kind": "indexed",
    "currency": "EUR",
    "discount_curve": "OIS",
    "notional": 1e6,
    "fixed_rate": 0.01,
    "index": "HICP",
    "start_date": date(2026, 1, 5),
    "maturity_date": date(2030, 1, 5),
    "frequency": "1Y",
    "day_count": "ACT/360",
    "calendar": "TARGET",
    "business_day_convention": "following",
}


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"inflation_kind": None}, "inflation_kind", "an inflation leg needs an inflation_kind"),
        ({"index": None}, "index", "a floating or inflation leg needs an index"),
        ({"fixed_rate": None}, "fixed_rate", "an indexed leg needs a fixed_rate"),
        ({"inflation_kind": "zero_coupon"}, "frequency", "a zero_coupon leg pays once: its frequency is 1T"),
        ({"inflation_kind": "year_on_year", "base_index": 1.0}, "base_index", "base_index is of indexed and zero_cou"),
        (
            {"leg_type": "fixed", "inflation_kind": None, "observation": "flat"},
            "observation",
            "observation is of inflation legs",
        ),
        ({"observation_lag": 2.5}, "observation_lag", "observation_lag is not a whole number of months up to 24"),
        ({"observation_lag": 25.0}, "observation_lag", "observation_lag is not a whole number of months up to 24"),
        ({"reset_currency": "USD", "reset_notional": 1.0}, "reset_currency", "an inflation leg has no reset_currency"),
    ],
)
def test_a_leg_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    legs = [LEG, LEG | change]
    names = {name for leg in legs for name in leg}
    table = {"currency": ["EUR"] * 2, "legs": [[{name: leg.get(name) for name in names}] for leg in legs]}
    (fault,) = PRODUCT.validate(rates.trades(PRODUCT, table), AS_OF)
    assert (fault.column, fault.rows.tolist()) == (f"legs.{column}", [1])
    assert fault.message.startswith(f"legs: {message}")


def test_indices_that_are_missing(rates: Any) -> None:
    """Of the base, and of the month that projections start from."""
    given = LEG | {"base_index": 110.0}
    table = {"currency": ["EUR"] * 3, "legs": [[LEG], [given], [LEG | {"index": "RPI"}]]}
    trades = rates.trades(PRODUCT, table)
    for month, rows in (("2025-10", [[0]]), ("2026-08", [[0, 1]])):
        model = MarketModel(snapshot_of(*random_market(1), drop=f"index_fixing:HICP:{month}-01"), CONVENTIONS)
        faults = PRODUCT.missing_points(trades, model)
        assert [fault.rows.tolist() for fault in faults] == rows
        assert faults[0].message == f"legs: the market has no index_fixing:HICP:{month}-01"
        assert faults[0].column == "legs.index"
