"""Total return swaps on bonds against forward prices of QuantLib's bonds, period by period: 1e-10 of face."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.products.bond_total_return_swap import BondTotalReturnSwap
from riskpipe.products.forward_bond import ForwardBond

PRODUCT = BondTotalReturnSwap()
CONVENTIONS = Conventions(indices=EURO_INDICES)
TOLERANCE = 1e-10
EX_DAYS = 7


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    slope = np.linspace(0.0, 0.01, len(pillars))
    levels = {"EUR.OIS": 0.02, "EUR.6M": 0.022, "GOVT": 0.025}
    return rates.Market(
        as_of,
        {("zero_rate", name): (pillars, (level + slope).tolist()) for name, level in levels.items()},
        fixings={name: {int(day): 0.02 + 0.01 * np.sin(day / 40) for day in days} for name in EURO_INDICES},
    )


def random_book(rates: Any, seed: int, as_of: int, size: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, size, as_of)
    issue, maturity = np.minimum(issue, as_of - 800), np.maximum(maturity, as_of + 200)
    start = as_of + random.integers(-700, 150, size)
    end = np.minimum(np.maximum(start + random.integers(60, 1500, size), as_of + 1), maturity)
    start[:3], end[:3] = as_of, maturity[:3]  # to the bond's maturity
    choose = rates.chooser(random, size)
    floats = random.random(size) < 0.8
    return {
        "currency": ["EUR"] * size,
        "direction": choose(["pay", "receive"]),
        "discount_curve": ["EUR.OIS"] * size,
        "bond_curve": [name or None for name in choose(["GOVT", ""])],
        "quantity": np.round(random.uniform(10.0, 1000.0, size)),
        "face": [1000.0] * size,
        "coupon": random.uniform(0.0, 0.07, size),
        "frequency": choose(["6M", "1Y"]),
        "day_count": choose(["30E/360", "ACT/365F", "ACT/ACT ICMA"]),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * size,
        "business_day_convention": ["following"] * size,
        "ex_coupon_days": [float(EX_DAYS) if ex else None for ex in (random.random(size) < 0.5).tolist()],
        "start_date": start,
        "end_date": end,
        "return_frequency": choose(["3M", "6M", "1T"]),
        "initial_price": random.uniform(85.0, 115.0, size),
        "last_price": [float(price) if price > 95.0 else None for price in random.uniform(85.0, 115.0, size)],
        "funding_index": [
            str(name) if floating else None for name, floating in zip(choose(["ESTR", "TERM"]), floats, strict=True)
        ],
        "funding_fixed_rate": [None if floating else 0.03 for floating in floats.tolist()],
        "funding_spread": [0.004 if floating else None for floating in floats.tolist()],
        "funding_frequency": [name or None for name in choose(["6M", ""])],
        "funding_day_count": choose(["ACT/360", "ACT/365F"]),
    }


class QuantLibSwaps:
    def __init__(self, rates: Any, market: Any) -> None:
        self.rates, self.today = rates, rates.ql_date(market.as_of)
        ql.Settings.instance().evaluationDate = self.today
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        self.swap = self.curves["EUR.OIS"]
        euro, count, target = ql.EURCurrency(), ql.Actual360(), ql.TARGET()
        term = (ql.Period(6, ql.Months), 2, euro, target, ql.Following, False, count)
        self.indices = {
            "TERM": ql.IborIndex("TERM", *term, self.curves["EUR.6M"]),
            "ESTR": ql.OvernightIndex("ESTR", 0, euro, target, count, self.swap),
        }
        for name, index in self.indices.items():
            known = market.fixings[name]
            index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def schedule(self, row: dict[str, Any], frequency: str) -> Any:
        return self.rates.schedule(row["start_date"], row["end_date"], frequency, "TARGET", "following")

    def value(self, row: dict[str, Any]) -> float:
        held = row["quantity"] * row["face"] / 100.0
        value = held * self.returns(row) - held * row["initial_price"] * self.funding(row)
        return float(value if row["direction"] == "receive" else -value)

    def funding(self, row: dict[str, Any]) -> float:
        """On a notional of one, of a price of one."""
        schedule = self.schedule(row, row["funding_frequency"] or row["return_frequency"])
        rolls = (self.rates.day_counts[row["funding_day_count"]], ql.Following)
        if row["funding_index"] is None:
            leg = ql.FixedRateLeg(schedule, rolls[0], [1.0], [row["funding_fixed_rate"]], ql.Following)
        else:
            make = ql.OvernightLeg if row["funding_index"] == "ESTR" else ql.IborLeg
            leg = make([1.0], schedule, self.indices[row["funding_index"]], *rolls, spreads=[row["funding_spread"]])
        return float(ql.CashFlows.npv(leg, self.swap, False))

    def returns(self, row: dict[str, Any]) -> float:
        """Of 100 of face."""
        terms = (row["issue_date"], row["maturity_date"], row["frequency"], "TARGET", "unadjusted")
        count = self.rates.coupon_day_counts[row["day_count"]]
        ex = (ql.Period(int(row["ex_coupon_days"] or 0), ql.Days), ql.NullCalendar())
        paid = (ql.Following, 100.0, self.rates.ql_date(row["issue_date"]), ql.TARGET(), *ex)
        bond = ql.FixedRateBond(0, 100.0, self.rates.schedule(*terms), [float(row["coupon"])], count, *paid)
        flows = []
        for flow in bond.cashflows():
            coupon = ql.as_fixed_rate_coupon(flow)
            last = coupon.exCouponDate() if coupon is not None and row["ex_coupon_days"] else flow.date()
            flows.append((flow.date(), last, flow.amount()))
        curve = self.curves[row["bond_curve"] or "EUR.OIS"]
        value = 0.0
        for begin, end in pairwise(self.schedule(row, row["return_frequency"])):
            if end <= self.today:
                continue
            opening = self.forward(flows, curve, begin)
            if begin == self.schedule(row, row["return_frequency"])[0]:
                opening = row["initial_price"]
            elif begin <= self.today:
                opening = row["last_price"] or row["initial_price"]
            value += (self.forward(flows, curve, end) - opening) * self.swap.discount(end)
            # What goes ex within the period is paid on, be it after its end.
            for day, last, amount in flows:
                if begin < last <= end and day > self.today:
                    value += amount * self.swap.discount(day)
        return value

    def forward(self, flows: list[Any], curve: Any, day: Any) -> float:
        """The bond's dirty price: who buys it today and sells it then has what goes ex until then."""
        if day <= self.today:
            return float("nan")
        held = [(paid, last, amount) for paid, last, amount in flows if last > self.today]
        spot = sum(amount * curve.discount(paid) for paid, _, amount in held)
        kept = sum(amount * self.swap.discount(paid) for paid, last, amount in held if last <= day)
        return float((spot - kept) / self.swap.discount(day))


@pytest.mark.parametrize(
    ("seed", "day", "size"),
    [(0, date(2026, 11, 20), 150), pytest.param(1, date(2025, 3, 3), 500, marks=pytest.mark.slow)],
)
def test_swaps(rates: Any, seed: int, day: date, size: int) -> None:
    as_of = rates.day_number(day)
    market, book = make_market(rates, as_of), random_book(rates, seed, as_of, size)
    trades, model = rates.trades(PRODUCT, book), market.model(CONVENTIONS)
    assert PRODUCT.validate(trades, as_of) == []
    assert PRODUCT.missing_points(trades, model) == []
    shocked = market.shocked(np.random.default_rng(seed))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = PRODUCT.prepare(trades, model).price(np.arange(size, dtype=np.int32), x)
    for column, oracle in enumerate((market, shocked)):
        quantlib = QuantLibSwaps(rates, oracle)
        for k in range(size):
            row = {name: column_[k] for name, column_ in book.items()}
            error = abs(values[k, column] - quantlib.value(row)) / (row["quantity"] * row["face"])
            assert error < TOLERANCE, (k, error, row)


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"end_date": [24_100]}, "end_date", "end_date is after the bond's maturity_date"),
        ({"start_date": [18_900]}, "start_date", "start_date is before the bond's issue_date"),
        ({"start_date": [21_300]}, "end_date", "end_date is not after start_date"),
        ({"end_date": [20_770]}, "end_date", "end in the past"),
        ({"funding_fixed_rate": [None]}, "funding_fixed_rate", "funding without an index needs a fixed_rate"),
    ],
)
def test_swaps_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    row = {name: values[:1] for name, values in random_book(rates, 0, 20_777, 3).items()}
    row |= {"issue_date": [19_000], "maturity_date": [24_000], "start_date": [20_700], "end_date": [21_200]}
    row |= {"funding_index": [None], "funding_fixed_rate": [0.03], "funding_spread": [None]}
    assert PRODUCT.validate(rates.trades(PRODUCT, row), 20_777) == []
    faults = PRODUCT.validate(rates.trades(PRODUCT, row | change), 20_777)
    assert [(fault.column, fault.message) for fault in faults] == [(column, message)]


def test_at_the_curve_a_swap_that_begins_at_the_bonds_price_is_worth_nothing(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market, book = make_market(rates, as_of), random_book(rates, 0, as_of, 40)
    book |= {"start_date": np.full(40, as_of), "return_frequency": ["1T"] * 40}
    book |= {"funding_index": ["ESTR"] * 40, "funding_fixed_rate": [None] * 40, "funding_spread": [0.0] * 40}
    book |= {"funding_day_count": ["ACT/360"] * 40, "ex_coupon_days": [None] * 40, "initial_price": np.full(40, 1.0)}
    model, rows = market.model(CONVENTIONS), np.arange(40, dtype=np.int32)

    def value(prices: Any) -> Any:
        trades = rates.trades(PRODUCT, book | {"initial_price": prices, "last_price": [None] * 40})
        return PRODUCT.prepare(trades, model).price(rows, model.base)[:, 0] / (book["quantity"] * 10.0)

    low, high = value(np.full(40, 50.0)), value(np.full(40, 100.0))
    fair = 50.0 - low * 50.0 / (high - low)
    bonds = ForwardBond()
    own = [curve or "EUR.OIS" for curve in book["bond_curve"]]
    columns = {name: book[name] for name in book if name in {column.name for column in bonds.columns}}
    columns |= {"discount_curve": own, "delivery_date": np.full(40, as_of + 1), "price": np.zeros(40)}
    columns |= {"price_type": ["dirty"] * 40, "repo_curve": ["EUR.OIS"] * 40}
    spot = bonds.prepare(rates.trades(bonds, columns), model).price(rows, model.base)[:, 0] / (book["quantity"] * 10.0)
    np.testing.assert_allclose(fair, spot, rtol=1e-12)
