"""Interpolated odd periods against QuantLib's forecasts of two indices and a straight line between them: 1e-12."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import CurveMarket, day_number, ql_date
from dated_legs import AS_OF, QuantLibLegs, RandomLegs, Row, make_market, prefixed, trades_of

from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.products.base import Product
from riskpipe.products.basis_swap import BasisSwap
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swap import Swap
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

TOLERANCE = 1e-12
SIZE = 1e8
MONTHS = {"E1M": 1, "E3M": 3, "TERM": 6, "E12M": 12}
CURVES = {name: f"EUR.{months}M" for name, months in MONTHS.items()}
INDICES = {
    name: IndexConvention(name, curve, day_count="ACT/360", fixing_lag=2, calendar="TARGET")
    for name, curve in CURVES.items()
} | {"ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET")}
CONVENTIONS = Conventions(indices=INDICES, discount_curves={"EUR": "EUR.OIS"})
SIDES = ("front_stub", "back_stub")


def market_of() -> CurveMarket:
    market = make_market()
    pillars, levels = market.curves["zero_rate", "EUR.6M"]
    for name, months in MONTHS.items():
        market.curves["zero_rate", CURVES[name]] = (pillars, [level + 0.0004 * (months - 6) for level in levels])
        market.fixings[name] = {day: 0.02 + 0.0005 * months + 1e-6 * (day % 50) for day in range(AS_OF - 900, AS_OF)}
    return market


class Indices:
    """QuantLib's, and the rates of odd periods."""

    def __init__(self, market: CurveMarket) -> None:
        self.legs = QuantLibLegs(market)
        rules = (ql.EURCurrency(), ql.TARGET(), ql.ModifiedFollowing, False, ql.Actual360())
        self.indices = {
            name: ql.IborIndex(name, ql.Period(months, ql.Months), 2, *rules, self.legs.curves[CURVES[name]])
            for name, months in MONTHS.items()
        }
        for name, index in self.indices.items():
            days = [day for day in market.fixings[name] if ql.TARGET().isBusinessDay(ql_date(day))]
            index.addFixings([ql_date(day) for day in days], [market.fixings[name][day] for day in days], True)

    def rate(self, names: tuple[str | None, str | None], begin: Any, end: Any) -> float:
        fixed = ql.TARGET().advance(begin, -2, ql.Days)
        found = [
            (float(self.indices[name].maturityDate(begin) - end), self.indices[name].fixing(fixed))
            for name in names
            if name
        ]
        if len(found) == 1:
            return float(found[0][1])
        (first, short), (last, long) = found
        return float(short + (long - short) * first / (first - last))

    def floating(self, row: Row, terms: Row, spread: float, gearing: float = 1.0) -> float:
        schedule = self.legs.schedule(row, terms)
        dates, regular = list(schedule), list(schedule.isRegular())
        index = self.indices["TERM"]
        coupons = ql.IborLeg([SIZE], schedule, index, ql.Actual360(), ql.ModifiedFollowing, [], [gearing], [spread])
        value, last = 0.0, len(coupons) - 1
        for k, coupon in enumerate(coupons):
            side = None if regular[k] else SIDES[0] if k == 0 else SIDES[1] if k == last else None
            names = tuple(terms[f"{side}_{kind}_index"] for kind in ("short", "long")) if side else (None, None)
            amount = coupon.amount()
            if any(names):
                tau = ql.Actual360().yearFraction(dates[k], dates[k + 1])
                amount = SIZE * tau * (gearing * self.rate(names, dates[k], dates[k + 1]) + spread)
            value += self.legs.known(amount, coupon.date(), "EUR.OIS")
        return value


def later(day: int, months: int) -> int:
    at = np.datetime64(day, "D")
    month = at.astype("datetime64[M]")
    return int(((month + months).astype("datetime64[D]") + (at - month.astype("datetime64[D]"))).astype(int))


def random_leg(legs: RandomLegs) -> tuple[Row, Row]:
    """A leg with a short or a long odd period at one end."""
    start = later(AS_OF, int(legs.random.integers(-8, 10))) // 31 * 31
    start += (15 - int(str(np.datetime64(start, "D"))[-2:])) % 28  # a day that all months have
    whole, long, front = 6 * int(legs.random.integers(2, 12)), legs.pick([True, False]), legs.pick([True, False])
    odd = (6 if long else 0) + int(legs.random.integers(0, 6))
    days = int(legs.random.integers(5, 9))
    regular = later(start, odd) + days if front else later(start, whole)
    maturity = later(regular, whole) if front else later(regular, odd) + days
    row = {"start_date": start, "maturity_date": maturity, "calendar": "TARGET"}
    row |= {"business_day_convention": "modified_following"}
    terms: Row = dict.fromkeys(("roll_convention", "stub", "accrual_calendar", "payment_calendar"))
    terms |= dict.fromkeys(("accrual_convention", "maturity_convention", "payment_convention"))
    terms |= {"frequency": "6M", "date_generation": None if front else "forward", "payment_lag": None}
    terms |= {"first_regular_date": regular if front else None, "last_regular_date": None if front else regular}
    terms |= dict.fromkeys(f"{side}_{kind}_index" for side in SIDES for kind in ("short", "long"))
    pair = ("TERM", "E12M") if long else legs.pick([("E1M", "E3M"), ("E3M", "TERM"), ("E1M", "TERM")])
    pair = legs.pick([pair, pair, pair, (pair[0], None), (None, pair[1])])
    side = SIDES[0 if front else 1]
    return row, terms | dict(zip((f"{side}_short_index", f"{side}_long_index"), pair, strict=True))


def values_of(product: Product, rows: list[Row], markets: list[CurveMarket]) -> np.ndarray:
    trades, model = trades_of(product, rows), markets[0].model(CONVENTIONS)
    assert product.missing_points(trades, model) == []
    x = np.column_stack([market.snapshot().x0 for market in markets])
    return product.prepare(trades, model).price(np.arange(len(rows), dtype=np.int32), x)


@pytest.mark.parametrize("size", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_interest_rate_swaps(size: int) -> None:
    legs, market = RandomLegs(21), market_of()
    made, rows = [random_leg(legs) for _ in range(size)], []
    for row, terms in made:
        fixed = dict.fromkeys(terms) | {"frequency": "1Y"}
        own = {"currency": "EUR", "index": "TERM", "discount_curve": "EUR.OIS", "notional": SIZE, "fixed_rate": 0.0}
        own |= {"fixed_day_count": "30/360", "float_day_count": "ACT/360", "float_spread": 0.001, "direction": "pay"}
        columns = {name: value for name, value in fixed.items() if "stub_" not in name}
        rows.append(row | own | prefixed("fixed_", columns) | prefixed("float_", terms))
    markets = [market, market.shocked(np.random.default_rng(3))]
    found = values_of(InterestRateSwap(), rows, markets)
    for column, state in enumerate(markets):
        indices = Indices(state)
        for k, (row, terms) in enumerate(made):
            assert abs(found[k, column] - indices.floating(row, terms, 0.001)) < TOLERANCE * SIZE, (k, row, terms)


@pytest.mark.parametrize("size", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_legs_of_swaps(size: int) -> None:
    """Two at a time, with gearing."""
    legs, market = RandomLegs(22), market_of()
    made = [[random_leg(legs) for _ in range(2)] for _ in range(size)]

    def leg(row: Row, terms: Row) -> Row:
        kind = {"direction": "receive", "leg_type": "floating", "currency": "EUR", "index": "TERM", "notional": SIZE}
        columns = row | terms | kind | {"gearing": 0.7, "spread": 0.002, "day_count": "ACT/360"}
        return {
            name: np.datetime64(each, "D").item() if name.endswith("_date") and each is not None else each
            for name, each in columns.items()
        }

    rows = [{"currency": "EUR", "legs": [leg(*each) for each in pair]} for pair in made]
    markets = [market, market.shocked(np.random.default_rng(3))]
    found = values_of(Swap(), rows, markets)
    for column, state in enumerate(markets):
        indices = Indices(state)
        for k, pair in enumerate(made):
            expected = sum(indices.floating(*each, 0.002, 0.7) for each in pair)
            assert abs(found[k, column] - expected) < 2.0 * TOLERANCE * SIZE, (k, pair)


def test_basis_swaps() -> None:
    """Two legs of one swap."""
    legs, market = RandomLegs(23), market_of()
    indices, rows, expected = Indices(market), [], []
    for _ in range(20):
        row, received = random_leg(legs)
        paid = received | dict.fromkeys(name for name in received if "stub_" in name)
        value = indices.floating(row, received, 0.002) - indices.floating(row, paid, 0.001)
        terms = {"index": "TERM", "day_count": "ACT/360"}
        rows.append(
            row
            | {"currency": "EUR", "discount_curve": "EUR.OIS", "notional": SIZE}
            | prefixed("receive_", received | terms | {"spread": 0.002})
            | prefixed("pay_", paid | terms | {"spread": 0.001})
        )
        expected.append(value)
    found = values_of(BasisSwap(), rows, [market])[:, 0]
    assert np.abs(found - expected).max() < 2.0 * TOLERANCE * SIZE


def a_swap(**said: Any) -> Row:
    leg = {"direction": "receive", "leg_type": "floating", "currency": "EUR", "index": "TERM", "notional": SIZE}
    leg |= {"day_count": "ACT/360", "frequency": "6M", "calendar": "TARGET", "business_day_convention": "following"}
    days = {"start_date": day_number(date(2026, 11, 24)), "maturity_date": day_number(date(2030, 1, 24))}
    return leg | {name: np.datetime64(day, "D").item() for name, day in days.items()} | said


@pytest.mark.parametrize(
    ("said", "column", "message"),
    [
        (
            {"back_stub_short_index": "E3M"},
            "legs.back_stub_short_index",
            "legs: back_stub_short_index: the schedule has no odd last period",
        ),
        (
            {"front_stub_long_index": "ESTR"},
            "legs.front_stub_long_index",
            "legs: front_stub_long_index is no term index with a tenor in months: name that by "
            "market.curves.<CURVE>.index_tenor",
        ),
        (
            {"index": "ESTR", "front_stub_long_index": "E3M"},
            "legs.front_stub_long_index",
            "legs: front_stub_long_index is of legs on term rates (market.indices)",
        ),
    ],
)
def test_indices_that_cannot_be(said: Row, column: str, message: str) -> None:
    trades = trades_of(Swap(), [{"currency": "EUR", "legs": [a_swap(), a_swap(**said)]}])
    (fault,) = Swap().missing_points(trades, market_of().model(CONVENTIONS))
    assert (fault.column, fault.message, fault.rows.tolist()) == (column, message, [0])


def test_odd_periods_of_legs_that_do_not_float() -> None:
    leg = a_swap(leg_type="fixed", fixed_rate=0.02, index=None, front_stub_short_index="E1M")
    columns = {"trade_id": ["T"], "book": ["rates"], "currency": ["EUR"], "legs": [[leg]]}
    trades = Trades(canonical(pa.table(columns), Swap()))
    (fault,) = Swap().validate(trades, AS_OF)
    assert fault.message == "legs: front_stub_short_index is of floating legs without reset_currency, cap and floor"


def test_fixings_of_odd_periods_are_named() -> None:
    market = market_of()
    row = {"currency": "EUR", "legs": [a_swap(start_date=date(2026, 10, 26), front_stub_short_index="E1M")]}
    trades = trades_of(Swap(), [row])
    del market.fixings["E1M"][day_number(date(2026, 10, 22))]
    (fault,) = Swap().missing_points(trades, market.model(CONVENTIONS))
    assert fault.column == "legs.front_stub_short_index"
    assert fault.message.startswith("legs: the market has no fixing:E1M:2026-10-22")
