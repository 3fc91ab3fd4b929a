"""Swaptions settled in cash, between expiry and payment: by the swap rate fixed at expiry, and QuantLib's periods."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.products.dependencies import dependencies
from riskpipe.products.swaption import Swaption

PRODUCT = Swaption()
TRADES = 200
EXPIRY = (date(2026, 11, 18) - date(1970, 1, 1)).days  # a Wednesday
RATE = 0.03
CONVENTIONS = Conventions(indices={"TERM": IndexConvention("TERM", "EUR.6M", day_count="ACT/360", fixing_lag=2)})
ROW = {
    "currency": "EUR", "index": "TERM", "discount_curve": "EUR.OIS", "notional": 1e7, "direction": "pay",
    "fixed_rate": 0.02, "float_spread": 0.0, "start_date": EXPIRY + 2, "maturity_date": EXPIRY + 2 + 1826,
    "fixed_frequency": "1Y", "fixed_day_count": "30/360", "float_frequency": "6M", "float_day_count": "ACT/360",
    "calendar": "TARGET", "business_day_convention": "modified_following", "expiry_date": EXPIRY,
    "settlement": "cash", "volatility": "VOLS", "model": "bachelier", "shift": 0.0,
}  # fmt: skip


def market(rates: Any, as_of: int, fixings: dict[str, float], zero_rates: tuple[float, ...] = (RATE, RATE)) -> Any:
    pillars = [EXPIRY + 30, EXPIRY + 9000]
    points = {("zero_rate", name): (pillars, list(zero_rates)) for name in ("EUR.OIS", "EUR.6M")}
    points["normal_vol", "VOLS"] = ([EXPIRY + 365], [0.01])
    fixed = {name: {EXPIRY: rate} for name, rate in fixings.items()}
    return rates.Market(as_of, points, fixings=fixed).model(CONVENTIONS)


def book(rates: Any, *rows: dict[str, Any]) -> Any:
    return rates.trades(PRODUCT, {name: [{**ROW, **row}[name] for row in rows] for name in ROW})


def values(rates: Any, model: Any, *rows: dict[str, Any]) -> np.ndarray:
    trades = book(rates, *rows)
    assert PRODUCT.validate(trades, model.as_of) == []
    assert dependencies(PRODUCT, trades, model, "EUR").faults == ()
    prepared = PRODUCT.prepare(trades, model)
    return np.asarray(prepared.price(np.arange(len(rows), dtype=np.int32), model.snapshot.x0[:, None].copy())[:, 0])


def random_rows(seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(TRADES):
        start = EXPIRY + int(random.integers(2, 9))
        rows.append(
            {
                "notional": random.normal(0.0, 1e7),
                "direction": str(random.choice(["pay", "receive"])),
                "fixed_rate": random.normal(0.03, 0.01),
                "start_date": start,
                "maturity_date": start + int(random.integers(20, 9000)),
                "fixed_frequency": str(random.choice(["3M", "6M", "1Y", "1T"])),
                "fixed_day_count": str(random.choice(["ACT/360", "ACT/ACT", "30/360", "30E/360"])),
                "business_day_convention": str(random.choice(["following", "modified_following", "unadjusted"])),
            }
        )
    return rows


def fixing_name(row: dict[str, Any]) -> str:
    months = round((row["maturity_date"] - row["start_date"]) / 365.25 * 12.0)
    return "TERM.SWAP." + (f"{months // 12}Y" if months and months % 12 == 0 else f"{months}M")


def annuity(rates: Any, row: dict[str, Any], rate: float) -> float:
    row = {**ROW, **row}
    terms = (row["fixed_frequency"], row["calendar"], row["business_day_convention"])
    schedule = rates.schedule(row["start_date"], row["maturity_date"], *terms)
    factor, total = 1.0, 0.0
    for flow in ql.FixedRateLeg(schedule, rates.day_counts[row["fixed_day_count"]], [1.0], [1.0]):
        factor /= 1.0 + rate * flow.amount()
        total += flow.amount() * factor
    return total


def test_what_is_paid_is_the_par_yield_annuity_times_what_the_rate_is_beyond_the_strike(rates: Any) -> None:
    rows, random = random_rows(3), np.random.default_rng(4)
    names = sorted({fixing_name(row) for row in rows})
    fixings = dict(zip(names, random.normal(0.03, 0.01, len(names)).tolist(), strict=True))
    found = values(rates, market(rates, EXPIRY + 1, fixings), *rows)
    for value, row in zip(found, rows, strict=True):
        rate, side = fixings[fixing_name(row)], 1.0 if row["direction"] == "pay" else -1.0
        rule = rates.conventions[row["business_day_convention"]]
        paid = ql.TARGET().adjust(rates.ql_date(row["start_date"]), rule) - rates.ql_date(EXPIRY + 1)
        intrinsic = max(side * (rate - row["fixed_rate"]), 0.0)
        expected = row["notional"] * annuity(rates, row, rate) * intrinsic * np.exp(-RATE * paid / 365.0)
        assert abs(value - expected) < 1e-10 * abs(row["notional"])
    assert (found != 0.0).mean() > 0.3


@pytest.mark.parametrize("spread", [0.0, 0.002, -0.005])
def test_the_day_after_goes_on_from_the_day_of_expiry(rates: Any, spread: float) -> None:
    """But for a day's discounting. What a spread is off by is a quarter of a fixing's rounding (230)."""
    steep, rows = (0.01, 0.04), [{"float_spread": spread, "direction": side} for side in ("pay", "receive")]
    rows += [{**row, "float_frequency": "3M", "fixed_day_count": "ACT/365F", "fixed_rate": 0.01} for row in rows]
    living = market(rates, EXPIRY, {}, steep)
    before = values(rates, living, *rows)
    assert (before > 0.0).sum() == 2
    for row, value in zip(rows, before.tolist(), strict=True):
        rate = fair_rate(rates, living, row)
        after = values(rates, market(rates, EXPIRY + 1, {"TERM.SWAP.5Y": rate}, steep), row)[0]
        assert after == pytest.approx(value * np.exp(0.01 / 365.0), abs=(1e-3 if spread == 0.0 else 60.0))


def fair_rate(rates: Any, model: Any, row: dict[str, Any]) -> float:
    """Of the swap without spread, from the curve's discount factors."""
    row = {**ROW, **row}
    schedule = rates.schedule(
        row["start_date"], row["maturity_date"], row["fixed_frequency"], "TARGET", "modified_following"
    )
    pillars = {name: model.snapshot.x0[model.snapshot.group("zero_rate", name).start :] for name in ("EUR.OIS",)}
    near, far = pillars["EUR.OIS"][:2]

    def factor(day: Any) -> float:
        days = day - rates.ql_date(EXPIRY)
        logarithm = np.interp(days, [30.0, 9000.0], [near * 30.0, far * 9000.0]) if days > 30 else near * days
        return float(np.exp(-logarithm / 365.0))

    leg = ql.FixedRateLeg(schedule, rates.day_counts[row["fixed_day_count"]], [1.0], [1.0])
    paid = sum(flow.amount() * factor(flow.date()) for flow in leg)
    return (factor(schedule.startDate()) - factor(schedule.endDate())) / paid


def test_beside_living_ones(rates: Any) -> None:
    """In one block, in any order, under several scenarios, to the last bit; a fixed amount moves with discounting."""
    later = {"start_date": EXPIRY + 9, "maturity_date": EXPIRY + 2000}
    living = [{**later, "expiry_date": EXPIRY + days} for days in (1, 2)]
    rows = [{}, living[0], {"direction": "receive"}, living[1], {"notional": -1.0}]
    model = market(rates, EXPIRY + 1, {"TERM.SWAP.5Y": 0.025})
    prepared = PRODUCT.prepare(book(rates, *rows), model)
    x = model.snapshot.x0[:, None] * np.array([1.0, 2.0, 0.5])
    found = prepared.price(np.arange(5, dtype=np.int32), x)
    assert np.isfinite(found).all()
    assert not found[2].any()
    for k in range(5):
        assert np.array_equal(prepared.price(np.array([k], np.int32), x)[0], found[k])
        alone = PRODUCT.prepare(book(rates, rows[k]), model).price(np.zeros(1, np.int32), x)
        assert np.array_equal(alone[0], found[k])
    assert found[0, 1] < found[0, 0] < found[0, 2]
    assert prepared.why_not(np.array([3, 0], np.int32), x[:, :1].copy()) == ["", ""]


def test_without_the_fixing(rates: Any) -> None:
    """Named, with what to do; the living, the paid and those that have theirs are none of it."""
    rows = [
        {},
        {"maturity_date": EXPIRY + 2 + 550},
        {"expiry_date": EXPIRY + 1},
        {"expiry_date": EXPIRY - 2, "start_date": EXPIRY + 1},
        {"expiry_date": EXPIRY - 2},
        {"maturity_date": EXPIRY + 2 + 3653},
    ]
    trades, model = book(rates, *rows), market(rates, EXPIRY + 1, {"TERM.SWAP.10Y": 0.03, "TERM": 0.02})
    assert PRODUCT.validate(trades, EXPIRY + 1) == []
    faults = PRODUCT.missing_points(trades, model)
    assert {(fault.message.split(",")[0], *fault.rows.tolist()) for fault in faults} == {
        ("the market has no fixing:TERM.SWAP.5Y:2026-11-18", 0),
        ("the market has no fixing:TERM.SWAP.18M:2026-11-18", 1),
        ("the market has no fixing:TERM.SWAP.5Y:2026-11-16", 4),
    }
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}
    assert all("add it as a point of the kind fixing" in fault.message for fault in faults)


def test_alive_to_the_day_of_payment_and_no_longer(rates: Any) -> None:
    """The start on Saturday is paid on Monday; what was exercised physically is a swap, to be booked."""
    saturday = EXPIRY + 3
    row = {"start_date": saturday, "maturity_date": saturday + 1826, "business_day_convention": "following"}
    for day in range(EXPIRY + 1, EXPIRY + 5):
        assert values(rates, market(rates, day, {"TERM.SWAP.5Y": RATE}), row)[0] > 4e5
    assert values(rates, market(rates, saturday + 2, {}), row)[0] == 0.0
    (fault,) = PRODUCT.validate(book(rates, row), saturday + 3)
    assert (fault.column, fault.rule, fault.reason) == ("start_date", "not_past", Reason.INVALID_TRADE)
    (fault,) = PRODUCT.validate(book(rates, {**row, "settlement": "physical"}), EXPIRY + 1)
    assert (fault.column, fault.rule) == ("expiry_date", "not_past")
    assert "interest_rate_swap" in fault.message
