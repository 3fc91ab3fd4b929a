"""Commodity swaps against plain Python, day by day, with QuantLib's calendars, schedules and curves: 1e-10 of notional,
today and on a day of negative prices."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from commodity_market import (
    AS_OF,
    CURRENCY,
    ROLL,
    CommodityMarket,
    chosen,
    payment,
    periods,
    priced,
    pricing_days,
    random_periods,
    rows_of,
)
from curve_market import Rates, ql_date

from riskpipe.errors import Level, Reason
from riskpipe.products.commodity_swap import CommoditySwap

TOLERANCE = 1e-10
PRODUCT = CommoditySwap()


def book(size: int) -> dict[str, Any]:
    random = np.random.default_rng(11)
    columns = random_periods(random, 2 * size)
    columns = chosen(columns, priced(columns))
    columns = {name: values[:size] for name, values in columns.items()}
    underlying = random.choice(list(CURRENCY), size).tolist()
    other = {"USD": ["CL", "NG", "BRENT"], "EUR": ["TTF", "ORE"]}
    basis = [random.choice(other[CURRENCY[name]]) if random.random() < 0.4 else None for name in underlying]
    contracts = [name in ROLL and other in (*ROLL, None) for name, other in zip(underlying, basis, strict=True)]
    columns["nearby"] = [nearby if own else None for nearby, own in zip(columns["nearby"], contracts, strict=True)]
    columns |= {
        "underlying": underlying,
        "currency": [CURRENCY[name] for name in underlying],
        "quantity": random.normal(0.0, 1e4, size),
        "fixed_price": random.uniform(-10.0, 100.0, size),
        "quantity_per": random.choice(np.array([None, "period", "pricing_day", "calendar_day"], object), size).tolist(),
        "basis_underlying": basis,
        "basis_factor": [None if name is None or random.random() < 0.5 else 1.5 for name in basis],
        "period_starts": [None] * size,
        "quantities": [None] * size,
        "fixed_prices": [None] * size,
    }
    for k, row in enumerate(rows_of(columns)):
        spans = periods(row)
        if k % 5 == 0:
            columns["quantities"][k] = random.normal(0.0, 1e4, len(spans)).tolist()
        if k % 7 == 0:
            columns["fixed_prices"][k] = random.uniform(0.0, 90.0, len(spans)).tolist()
        if k % 11 == 0 and len(spans) > 2:  # the same periods, but for the second, which is one with the first
            columns["period_starts"][k] = [spans[0][0], *(first for first, _ in spans[2:])]
            columns["frequency"][k] = None
            columns["quantities"][k] = columns["fixed_prices"][k] = None
    return columns


def average(market: CommodityMarket, name: str, days: list[int], row: dict[str, Any], scenario: int) -> float:
    total = 0.0
    for day in days:
        nearby = int(row["nearby"] or 1)
        fixing = market.fixing(name, day, nearby) if day <= AS_OF else None
        total += market.forward(name, day, row["calendar"], nearby, scenario) if fixing is None else fixing
    return total / len(days)


def value(market: CommodityMarket, row: dict[str, Any], scenario: int) -> tuple[float, float]:
    """Of a swap, and its notional."""
    curve = market.discount(f"{row['currency']}.OIS", scenario)
    total, size = 0.0, 0.0
    for k, (first, last) in enumerate(periods(row)):
        paid = payment(last, row)
        if paid <= AS_OF:
            continue
        days = pricing_days(first, last, row["pricing_days"], row["calendar"])
        quantity = row["quantities"][k] if row["quantities"] else row["quantity"]
        price = row["fixed_prices"][k] if row["fixed_prices"] else row["fixed_price"]
        quantity *= {"pricing_day": len(days), "calendar_day": last - first + 1}.get(row["quantity_per"], 1)
        received = average(market, row["underlying"], days, row, scenario)
        if row["basis_underlying"]:
            other = average(market, row["basis_underlying"], days, row, scenario)
            received -= (row["basis_factor"] or 1.0) * other
        total += quantity * (received - price) * curve.discount(ql_date(paid))
        size += abs(quantity) * 60.0
    return total, size


def table(columns: dict[str, Any]) -> dict[str, Any]:
    """Lists as Arrow has them."""
    days = [None if starts is None else list(map(int, starts)) for starts in columns["period_starts"]]
    return columns | {"period_starts": pa.array(days, pa.list_(pa.int32())).cast(pa.list_(pa.date32()))}


@pytest.fixture(scope="module")
def market() -> CommodityMarket:
    return CommodityMarket(vols=False)


@pytest.mark.parametrize("size", [60, pytest.param(500, marks=pytest.mark.slow)])
def test_against_plain_python(size: int, market: CommodityMarket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("forward", "discount", "contract"):  # the oracle is asked the same again and again
        monkeypatch.setattr(market, name, cache(getattr(market, name)))
    ql.Settings.instance().evaluationDate = ql_date(AS_OF)
    columns = book(size)

    values = market.price(PRODUCT, table(columns))

    assert (values[:, 0] != 0.0).mean() > 0.9
    for k, row in enumerate(rows_of(columns)):
        for scenario in range(2):
            expected, notional = value(market, row, scenario)
            assert abs(values[k, scenario] - expected) <= TOLERANCE * notional, (k, scenario, row)


def one(**more: Any) -> dict[str, Any]:
    terms = {
        "underlying": "BRENT", "currency": "USD", "quantity": 1000.0, "fixed_price": 60.0, "start_date": AS_OF - 10,
        "maturity_date": AS_OF + 60, "calendar": "GBLO",
    }  # fmt: skip
    return {name: [each] for name, each in {**terms, **more}.items()}


def test_a_period_that_has_ended_and_is_still_to_be_paid_is_worth_its_fixings(market: CommodityMarket) -> None:
    terms = {"start_date": AS_OF - 30, "maturity_date": AS_OF - 2, "payment_lag": 5.0, "frequency": "1T"}
    row = rows_of(one(**terms, nearby=None, pricing_days=None))[0]
    days = pricing_days(AS_OF - 30, AS_OF - 2, None, "GBLO")
    mean = np.mean([market.fixing("BRENT", day) for day in days])
    expected = 1000.0 * (mean - 60.0) * market.discount("USD.OIS", 0).discount(ql_date(payment(AS_OF - 2, row)))
    found = market.price(PRODUCT, one(**terms))
    assert found[0, 0] == pytest.approx(expected, rel=1e-12)


def test_fixings_that_are_missing_are_named(market: CommodityMarket) -> None:
    trades = Rates.trades(PRODUCT, one(start_date=AS_OF - 204, frequency="1T"))
    faults = PRODUCT.missing_points(trades, market.model)
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}
    assert [fault.message.split(";")[0] for fault in faults] == [
        f"the market has no fixing:BRENT:{Rates.iso(AS_OF - k)}" for k in (204, 203)
    ]
    # What has been paid needs none.
    early = Rates.trades(PRODUCT, one(start_date=AS_OF - 204, frequency="1M"))
    assert PRODUCT.missing_points(early, market.model) == []


def test_a_later_contract_of_interpolated_prices(market: CommodityMarket) -> None:
    (fault,) = PRODUCT.missing_points(Rates.trades(PRODUCT, one(nearby=2.0, start_date=AS_OF + 5)), market.model)
    assert (fault.column, fault.level) == ("nearby", Level.ERROR)
    assert fault.message == "nearby is of contracts: market.commodities.BRENT.curve is interpolated; leave it null"


def test_days_after_the_last_contract_are_told(market: CommodityMarket) -> None:
    trades = Rates.trades(PRODUCT, one(underlying="CL", calendar="XNYS", maturity_date=AS_OF + 1300))
    (fault,) = PRODUCT.missing_points(trades, market.model)
    assert fault.level is Level.WARNING
    assert "no contract of CL (forward_price:CL) expires late enough for pricing days from 2029-" in fault.message


@pytest.mark.parametrize(
    ("terms", "column", "message"),
    [
        ({"calendar": "NOWHERE"}, "calendar", "unknown calendar"),
        ({"payment_calendar": "NOWHERE"}, "payment_calendar", "unknown payment_calendar"),
        ({"maturity_date": AS_OF - 11}, "maturity_date", "maturity_date is before start_date"),
        ({"start_date": AS_OF - 60, "maturity_date": AS_OF - 20}, "maturity_date", "maturity in the past"),
        ({"nearby": 1.5}, "nearby", "nearby must be a whole number from 1 up"),
        ({"nearby": 0.0}, "nearby", "nearby must be a whole number from 1 up"),
        ({"payment_lag": -1.0}, "payment_lag", "payment_lag must be a whole number from 0 up"),
        ({"basis_factor": 2.0}, "basis_factor", "basis_factor without a basis_underlying"),
        ({"quantities": [1.0, 2.0]}, "quantities", "quantities must have one element .* (here 2 for 3)"),
        ({"fixed_prices": [1.0]}, "fixed_prices", "fixed_prices must have one element .* (here 1 for 3)"),
        ({"start_date": AS_OF + 1, "maturity_date": AS_OF + 2}, "pricing_days", "has no pricing day"),
        ({"pricing_days": "month_ends", "start_date": AS_OF, "maturity_date": AS_OF + 5}, "pricing_days", "has no"),
        ({"period_starts": [AS_OF - 9]}, "period_starts", "period_starts are start_date, then later days"),
        ({"period_starts": [AS_OF - 10, AS_OF + 61]}, "period_starts", "period_starts are start_date, then later days"),
        ({"period_starts": [AS_OF - 10, AS_OF - 10]}, "period_starts", "period_starts are start_date, then later days"),
        ({"period_starts": [AS_OF - 10], "frequency": "1M"}, "period_starts", "both given"),
    ],
)  # fmt: skip
def test_rules(terms: dict[str, Any], column: str, message: str) -> None:
    columns = one(**{"period_starts": None, **terms})
    (fault,) = PRODUCT.validate(Rates.trades(PRODUCT, table(columns)), AS_OF)
    assert fault.column == column
    assert fault.rows.tolist() == [0]
    for part in message.split(" .* "):
        assert part in fault.message


def test_month_ends(market: CommodityMarket) -> None:
    """The average of the last days of three months is that of three bullets."""
    terms = {"start_date": Rates.day_number(np.datetime64("2027-01-01").item()), "frequency": None}
    terms["maturity_date"] = Rates.day_number(np.datetime64("2027-03-31").item())
    whole = market.price(PRODUCT, one(**{**terms, "frequency": "1T", "pricing_days": "month_ends"}))[0, 0]
    lagged = [
        market.forward("BRENT", pricing_days(*span, "last_business_day", "GBLO")[0], "GBLO", 1, 0)
        for span in periods({**terms, "frequency": "1M"})
    ]
    paid = payment(terms["maturity_date"], {"calendar": "GBLO"})
    expected = 1000.0 * (np.mean(lagged) - 60.0) * market.discount("USD.OIS", 0).discount(ql_date(paid))
    assert whole == pytest.approx(expected, rel=1e-12)
