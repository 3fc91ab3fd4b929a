"""Floating-rate notes with caps and floors, and prices of notes: QuantLib's bonds within 1e-10 of face."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.floating_rate_note import FloatingRateNote

PRODUCT = FloatingRateNote()
CONVENTIONS = Conventions(indices=EURO_INDICES)
TRADES = 500
TOLERANCE = 1e-10
SHIFT = 0.05
VOLATILITIES = {"black": ("black_vol", 0.25), "bachelier": ("normal_vol", 0.008)}
DAYS = [date(2026, 11, 20), date(2025, 3, 3)]
TARGET = ql.TARGET()


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    slope = np.linspace(0.0, 0.015, len(pillars))
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (pillars, slope.tolist()),
            ("zero_rate", "EUR.6M"): (pillars, (0.01 + slope).tolist()),
            ("hazard_rate", "ACME"): (pillars[4:], [0.01, 0.012, 0.02, 0.022, 0.025]),
        },
        recoveries={"ACME": 0.25},
        fixings={name: {int(day): 0.015 + 0.01 * np.sin(day / 40) for day in days} for name in EURO_INDICES},
    )


def snapshot_of(rates: Any, market: Any, scale: float) -> MarketSnapshot:
    """With volatilities that are the same at all dates, as QuantLib has them."""
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows = [
        {"factor": f"{kind}:CAPS", "kind": kind, "name": "CAPS", "tenor": "1Y", "value": scale * level}
        for kind, level in VOLATILITIES.values()
    ]
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(rows, table.schema)]), market.as_of)


def random_book(rates: Any, seed: int, as_of: int) -> dict[str, Any]:
    """Options are of term rates; a third of the notes pay soon, so that some trade ex coupon."""
    random = np.random.default_rng(seed)
    issue, maturity = rates.random_dates(random, TRADES, as_of)
    soon = random.random(TRADES) < 0.33
    later = (as_of + random.integers(1, 12, TRADES)).astype("datetime64[D]")
    day = np.minimum(later - later.astype("datetime64[M]"), np.timedelta64(27, "D"))
    far = (later.astype("datetime64[M]") + 12 * random.integers(1, 8, TRADES)).astype("datetime64[D]") + day
    maturity = np.where(soon, far.astype(int), maturity)
    issue = np.where(soon, np.minimum(issue, as_of - 40), issue)
    choose = rates.chooser(random, TRADES)
    index = np.array(choose(["TERM", "TERM", "ESTR"]))
    term = index == "TERM"
    gearing = np.where(term, random.choice([1.0, 0.7, 2.0, -1.5], TRADES), 1.0)
    floor = np.where(term & (random.random(TRADES) < 0.6), gearing * 0.02 + random.normal(0.0, 0.01, TRADES), np.nan)
    cap = np.where(np.isnan(floor), gearing * 0.02, floor) + np.abs(random.normal(0.0, 0.02, TRADES))
    cap = np.where(term & (random.random(TRADES) < 0.6), cap, np.nan)

    def optional(values: Any) -> list[float | None]:
        return [None if np.isnan(value) else float(value) for value in values]

    return {
        "currency": ["EUR"] * TRADES,
        "index": index.tolist(),
        "discount_curve": choose(["EUR.OIS", "EUR.6M"]),
        "quantity": np.round(random.normal(0.0, 1000.0, TRADES)) + 0.5,
        "face": random.choice([100.0, 1000.0], TRADES),
        "spread": random.normal(0.0, 0.005, TRADES),
        "frequency": choose(["3M", "6M", "1Y"]),
        "day_count": choose(["ACT/360", "ACT/365F", "30E/360"]),
        "issue_date": issue,
        "maturity_date": maturity,
        "calendar": ["TARGET"] * TRADES,
        "business_day_convention": ["following"] * TRADES,
        "settlement_days": [2.0] * TRADES,
        "credit_curve": [name or None for name in choose(["ACME", "", ""])],
        "gearing": optional(np.where(gearing == 1.0, np.nan, gearing)),
        "cap": optional(cap),
        "floor": optional(floor),
        "volatility": ["CAPS"] * TRADES,
        "model": choose(VOLATILITIES),
        "shift": [SHIFT] * TRADES,
        "ex_coupon_days": optional(random.choice([np.nan, 5.0], TRADES)),
        "ex_coupon_calendar": ["TARGET"] * TRADES,
    }


class QuantLibNotes:
    def __init__(self, rates: Any, market: Any, scale: float) -> None:
        self.rates, self.market, self.scale = rates, market, scale
        ql.Settings.instance().evaluationDate = rates.ql_date(market.as_of)
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for kind, name in market.curves if kind == "zero_rate"}
        self.survival = market.survival("ACME")
        count, months, euro = ql.Actual360(), ql.Period(6, ql.Months), ql.EURCurrency()
        self.term = ql.IborIndex("TERM", months, 2, euro, TARGET, ql.Following, False, count, self.curves["EUR.6M"])
        self.estr = ql.OvernightIndex("ESTR", 0, euro, TARGET, count, self.curves["EUR.OIS"])
        for index, name in ((self.term, "TERM"), (self.estr, "ESTR")):
            known = market.fixings[name]
            index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def pricer(self, model: str) -> Any:
        quote, none, count = self.scale * VOLATILITIES[model][1], ql.NullCalendar(), ql.Actual365Fixed()
        terms = (ql.Normal,) if model == "bachelier" else (ql.ShiftedLognormal, SHIFT)
        flat = ql.ConstantOptionletVolatility(0, none, ql.Following, quote, count, *terms)
        return ql.BlackIborCouponPricer(ql.OptionletVolatilityStructureHandle(flat))

    def bond(self, row: dict[str, Any]) -> Any:
        rates = self.rates
        schedule = rates.schedule(row["issue_date"], row["maturity_date"], row["frequency"], "TARGET", "following")
        terms = ([100.0], schedule, self.term if row["index"] == "TERM" else self.estr)
        rolls = (rates.day_counts[row["day_count"]], ql.Following)
        n = len(list(schedule)) - 1
        if row["index"] == "TERM":
            caps, floors = ([] if row[name] is None else [row[name]] * n for name in ("cap", "floor"))
            ex = ql.Period(int(row["ex_coupon_days"] or 0), ql.Days)
            gearings, spreads = [row["gearing"] or 1.0] * n, [float(row["spread"])] * n
            leg = ql.IborLeg(*terms, *rolls, [], gearings, spreads, caps, floors, False, ex, TARGET)
            ql.setCouponPricer(leg, self.pricer(row["model"]))
        else:
            leg = ql.OvernightLeg(*terms, *rolls, spreads=[float(row["spread"])])
        bond = ql.Bond(2, TARGET, rates.ql_date(row["issue_date"]), leg)
        curve = self.curves[row["discount_curve"]]
        issuer = (self.survival, self.market.recoveries["ACME"]) if row["credit_curve"] else ()
        engine = ql.RiskyBondEngine(*issuer, curve) if issuer else ql.DiscountingBondEngine(curve)
        bond.setPricingEngine(engine)
        return bond


def without_ex(book: dict[str, Any]) -> dict[str, Any]:
    """QuantLib's overnight legs have no ex-coupon days, and its engine of risky bonds none either."""
    kept = [index == "TERM" and not risky for index, risky in zip(book["index"], book["credit_curve"], strict=True)]
    days = [day if keep else None for day, keep in zip(book["ex_coupon_days"], kept, strict=True)]
    return book | {"ex_coupon_days": days}


@pytest.mark.parametrize(("seed", "day"), list(enumerate(DAYS)))
def test_notes_with_options_and_their_prices(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    market, book = make_market(rates, as_of), without_ex(random_book(rates, seed, as_of))
    shocked = market.shocked(np.random.default_rng(seed))
    trades, rows = rates.trades(PRODUCT, book), np.arange(TRADES, dtype=np.int32)
    assert PRODUCT.validate(trades, as_of) == []
    scales = ((market, 1.0), (shocked, 1.3))
    snapshots = [snapshot_of(rates, *each) for each in scales]
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    values = PRODUCT.prepare(trades, model).price(rows, x)
    ex = 0
    for column, each in enumerate(scales):
        oracle, model = QuantLibNotes(rates, *each), MarketModel(snapshots[column], CONVENTIONS)
        found = PRODUCT.figure_values(trades, model, values[:, column], PRODUCT.figures)
        for k in range(TRADES):
            row = {name: column_[k] for name, column_ in book.items()}
            bond = oracle.bond(row)
            error = abs(values[k, column] / (row["quantity"] * row["face"]) - bond.NPV() / 100.0)
            assert error < TOLERANCE, (k, error, row)
            settled = bond.settlementDate()
            if bond.notional(settled) == 0.0:
                assert np.isnan([found[name][k] for name in found]).all()
                continue
            accrued = ql.BondFunctions.accruedAmount(bond, settled)
            ex += accrued < 0.0
            assert abs(found["accrued"][k] - accrued) < 100.0 * TOLERANCE, (k, found["accrued"][k], accrued, row)
            if not row["credit_curve"]:  # QuantLib's is the value of what defaults leave from settlement on
                assert abs(found["dirty_price"][k] - bond.dirtyPrice()) < 100.0 * TOLERANCE, (k, row)
            assert found["clean_price"][k] == found["dirty_price"][k] - found["accrued"][k]
    assert ex > 10


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"volatility": [None]}, "volatility", "coupons with a cap or a floor need volatility"),
        ({"floor": [0.06]}, "cap", "cap is below floor"),
        ({"gearing": [0.0]}, "gearing", "coupons with a cap or a floor need a gearing but 0"),
        ({"ex_coupon_days": [400.0]}, "ex_coupon_days", "ex_coupon_days is a whole number, at most 366"),
    ],
)
def test_options_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    as_of = rates.day_number(DAYS[0])
    row = {name: values[:1] for name, values in random_book(rates, 0, as_of).items()}
    row |= {"cap": [0.05], "floor": [None], "gearing": [None]} | change
    faults = PRODUCT.validate(rates.trades(PRODUCT, row), as_of)
    assert (column, message) in [(fault.column, fault.message) for fault in faults]
