"""Caps and floors against QuantLib's engines and formulas: 1e-10 of notional, base and shocked market."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES

from riskpipe.errors import Reason
from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.cap_floor import CapFloor

PRODUCT = CapFloor()
TRADES = 500
TOLERANCE = 1e-10
CONVENTIONS = Conventions(indices=EURO_INDICES)
SHIFT = 0.03
EXPIRIES = (30, 365, 1826, 3652)
STRIKES = (-0.01, 0.0, 0.02, 0.05)


def make_market(rates: Any, as_of: int) -> Any:
    pillars = [as_of + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    days = np.arange(as_of - 1600, as_of, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    return rates.Market(
        as_of,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [-0.019, -0.012, -0.01, -0.005, 0.0, 0.003, 0.005, 0.007, 0.008]),
            ("zero_rate", "EUR.6M"): (pillars, [-0.005, -0.005, -0.004, -0.003, 0.001, 0.006, 0.014, 0.02, 0.022]),
        },
        fixings={name: {int(day): 0.005 + 0.01 * np.sin(day / 40) for day in days} for name in EURO_INDICES},
    )


class Vols:
    """A surface of each kind: level, slope in time and smile in strike."""

    def __init__(self, as_of: int, flat: bool, scale: float = 1.0) -> None:
        self.as_of = as_of
        bend = 0.0 if flat else 1.0
        self.values = {
            (kind, days, strike): scale * level * (1.0 + bend * (0.1 * i - 0.05 * j + 3.0 * strike))
            for kind, level in (("black_vol", 0.25), ("normal_vol", 0.007))
            for i, days in enumerate(EXPIRIES)
            for j, strike in enumerate(STRIKES)
        }

    def at(self, kind: str, day: int, strike: float) -> float:
        """Total variance over time: linear in strike, then linear in time in total variance, flat beyond."""
        smiles = [float(np.interp(strike, STRIKES, [self.values[kind, d, k] for k in STRIKES])) for d in EXPIRIES]
        days = float(day - self.as_of)
        if days <= EXPIRIES[0] or days >= EXPIRIES[-1]:
            return smiles[0] if days <= EXPIRIES[0] else smiles[-1]
        return float(np.sqrt(np.interp(days, EXPIRIES, np.square(smiles) * EXPIRIES) / days))

    def rows(self, rates: Any) -> list[dict[str, Any]]:
        return [
            {
                "factor": f"{kind}:CAPS:{days}:{strike}", "kind": kind, "name": "CAPS", "value": value,
                "tenor": rates.iso(self.as_of + days), "strike": strike, "strike_type": "absolute",
            }
            for (kind, days, strike), value in self.values.items()
        ]  # fmt: skip


def snapshot_of(rates: Any, market: Any, vols: Vols) -> MarketSnapshot:
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows = pa.Table.from_pylist(vols.rows(rates), table.schema)
    return MarketSnapshot.from_table(pa.concat_tables([table, rows]), market.as_of)


def random_book(rates: Any, seed: int, as_of: int, indices: tuple[str, ...]) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    start, maturity = rates.random_dates(random, TRADES, as_of)
    start[:2], maturity[:2] = as_of - 100, as_of + 50 * 365
    start[2:8], maturity[2:8] = as_of - 200, as_of + np.arange(6)
    start[8:14], maturity[8:14] = as_of + np.arange(6), as_of + 90

    choose = rates.chooser(random, TRADES)

    return {
        "currency": ["EUR"] * TRADES,
        "index": choose(indices),
        "discount_curve": choose(["EUR.OIS", "EUR.6M"]),
        "notional": random.normal(0.0, 1e7, TRADES),
        "option_type": choose(["cap", "floor"]),
        "strike": random.normal(0.01, 0.01, TRADES),
        "start_date": start,
        "maturity_date": maturity,
        "frequency": choose(["3M", "6M", "1Y", "1T"]),
        "day_count": choose(rates.day_counts),
        "calendar": ["TARGET"] * TRADES,
        "volatility": ["CAPS"] * TRADES,
        "model": choose(["black", "bachelier"]),
        "shift": [SHIFT] * TRADES,
    }


class QuantLibCaps:
    def __init__(self, rates: Any, market: Any, vols: Vols) -> None:
        self.rates, self.market, self.vols = rates, market, vols
        self.today = rates.ql_date(market.as_of)
        ql.Settings.instance().evaluationDate = self.today
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        target, count, euro = ql.TARGET(), ql.Actual360(), ql.EURCurrency()
        term = ql.IborIndex(
            "TERM", ql.Period(6, ql.Months), 2, euro, target, ql.ModifiedFollowing, False, count, self.curves["EUR.6M"]
        )
        overnight = ql.OvernightIndex("ESTR", 0, euro, target, count, self.curves["EUR.OIS"])
        late = ql.OvernightIndex("LATE", 0, euro, target, count, self.curves["EUR.OIS"])
        self.indices = {"TERM": term, "ESTR": overnight, "LATE": late}
        for name, index in self.indices.items():
            known = market.fixings[name]
            index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def leg(self, row: dict[str, Any]) -> Any:
        rates, dates = self.rates, (row["start_date"], row["maturity_date"])
        schedule = rates.schedule(*dates, row["frequency"], row["calendar"], "modified_following")
        make = ql.OvernightLeg if EURO_INDICES[row["index"]].overnight else ql.IborLeg
        count = rates.day_counts[row["day_count"]]
        lookback = {"lookbackDays": 2} if row["index"] == "LATE" else {}
        return make([1.0], schedule, self.indices[row["index"]], count, ql.ModifiedFollowing, **lookback)

    def by_engine(self, row: dict[str, Any]) -> float:
        """With flat volatilities."""
        curve = self.curves[row["discount_curve"]]
        kind = "normal_vol" if row["model"] == "bachelier" else "black_vol"
        quote = ql.QuoteHandle(ql.SimpleQuote(self.vols.at(kind, self.market.as_of + 500, 0.0)))
        make = ql.Cap if row["option_type"] == "cap" else ql.Floor
        cap = make(self.leg(row), [float(row["strike"])])
        count = ql.Actual365Fixed()
        if row["model"] == "bachelier":
            cap.setPricingEngine(ql.BachelierCapFloorEngine(curve, quote))
        else:
            cap.setPricingEngine(ql.BlackCapFloorEngine(curve, quote, count, SHIFT))
        return float(row["notional"] * cap.NPV())

    def by_formula(self, row: dict[str, Any]) -> float:
        return float(row["notional"] * sum(self.caplet(row, coupon) for coupon in self.leg(row)))

    def caplet(self, row: dict[str, Any], flow: Any) -> float:
        if flow.date() <= self.today:
            return 0.0
        coupon = ql.as_floating_rate_coupon(flow)
        start, end = (self.days(d) for d in (coupon.accrualStartDate(), coupon.accrualEndDate()))
        kind = "normal_vol" if row["model"] == "bachelier" else "black_vol"
        today, strike = self.market.as_of, float(row["strike"])
        if EURO_INDICES[row["index"]].overnight:
            if row["index"] == "LATE":
                start, end = (self.days(ql.TARGET().advance(self.rates.ql_date(d), -2, ql.Days)) for d in (start, end))
            read = max(start, today + 1)
            begin, finish = max(start - today, 0) / 365.0, max(end - today, 0) / 365.0
            time = begin + (finish - begin) ** 3 / (3.0 * ((end - start) / 365.0) ** 2)
        else:
            read = self.days(coupon.fixingDate())
            time = max(read - today, 0) / 365.0
        deviation = self.vols.at(kind, read, strike) * np.sqrt(time)
        rate, discount = coupon.rate(), self.curves[row["discount_curve"]].discount(flow.date())
        side = ql.Option.Call if row["option_type"] == "cap" else ql.Option.Put
        if EURO_INDICES[row["index"]].overnight and self.is_over(end):
            deviation = 0.0
        if kind == "normal_vol":
            option = ql.bachelierBlackFormula(side, strike, rate, deviation, discount)
        elif rate + SHIFT <= 0.0:  # decided, and out of what QuantLib takes
            option = discount * max((rate - strike) * (1.0 if side == ql.Option.Call else -1.0), 0.0)
        else:
            option = ql.blackFormula(side, strike, rate, deviation, discount, SHIFT)
        return float(option * coupon.accrualPeriod())

    def is_over(self, end: int) -> bool:
        """Every overnight rate of the period is known: the last is that of the business day before its end."""
        last = ql.TARGET().advance(self.rates.ql_date(end), -1, ql.Days)
        return bool(last < self.today)

    @staticmethod
    def days(day: Any) -> int:
        return int(day.serialNumber() - 25569)


def assert_prices(rates: Any, book: dict[str, Any], market: Any, flat: bool) -> None:
    as_of = market.as_of
    trades = rates.trades(PRODUCT, book)
    assert PRODUCT.validate(trades, as_of) == []
    shocked = market.shocked(np.random.default_rng(8))
    markets = [(market, Vols(as_of, flat)), (shocked, Vols(as_of, flat, 1.3))]
    snapshots = [snapshot_of(rates, *each) for each in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    for column, each in enumerate(markets):
        quantlib = QuantLibCaps(rates, *each)
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            expected = quantlib.by_engine(row) if flat else quantlib.by_formula(row)
            error = abs(values[k, column] - expected) / abs(row["notional"])
            assert error < TOLERANCE, (error, k, row)


@pytest.mark.parametrize(("seed", "day"), list(enumerate([date(2026, 11, 20), date(2025, 3, 3)])))
def test_flat_volatilities(rates: Any, seed: int, day: date) -> None:
    as_of = rates.day_number(day)
    assert_prices(rates, random_book(rates, seed, as_of, ("TERM",)), make_market(rates, as_of), flat=True)


@pytest.mark.parametrize("index", ["TERM", "ESTR", "LATE"])
def test_smiles(rates: Any, index: str) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    assert_prices(rates, random_book(rates, 3, as_of, (index,)), make_market(rates, as_of), flat=False)


def test_a_cap_less_a_floor_is_a_swap(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market = make_market(rates, as_of)
    book = random_book(rates, 5, as_of, ("TERM", "ESTR", "LATE"))
    x = snapshot_of(rates, market, Vols(as_of, flat=False)).x0[:, None].copy()
    model = MarketModel(snapshot_of(rates, market, Vols(as_of, flat=False)), CONVENTIONS)
    rows = np.arange(TRADES, dtype=np.int32)
    cap, floor = (
        PRODUCT.prepare(rates.trades(PRODUCT, book | {"option_type": [kind] * TRADES}), model).price(rows, x)
        for kind in ("cap", "floor")
    )
    quantlib = QuantLibCaps(rates, market, Vols(as_of, flat=False))
    for k in range(0, TRADES, 5):
        row = {name: values_[k] for name, values_ in book.items()}
        curve = quantlib.curves[row["discount_curve"]]
        swap = ql.CashFlows.npv(quantlib.leg(row), curve, False)
        swap -= row["strike"] * ql.CashFlows.bps(quantlib.leg(row), curve, False) * 1e4
        assert abs(cap[k, 0] - floor[k, 0] - row["notional"] * swap) < TOLERANCE * abs(row["notional"])


def test_faults(rates: Any) -> None:
    as_of = rates.day_number(date(2026, 11, 20))
    market = make_market(rates, as_of)
    book = {name: values[:3] for name, values in random_book(rates, 5, as_of, ("TERM",)).items()}
    book |= {"strike": [-0.04, -0.04, 0.02], "model": ["black", "bachelier", "black"], "shift": [SHIFT, None, None]}
    book |= {"start_date": [as_of - 10] * 3, "maturity_date": [as_of + 700] * 3, "frequency": ["1Y"] * 3}
    trades = rates.trades(PRODUCT, book)
    (fault,) = PRODUCT.validate(trades, as_of)
    assert (fault.column, fault.rows.tolist(), fault.reason) == ("strike", [0], Reason.INVALID_TRADE)
    market.fixings = {"TERM": {as_of - 1: 0.01}}
    faults = PRODUCT.missing_points(trades, MarketModel(market.snapshot(), CONVENTIONS))
    assert sorted(row for fault in faults for row in fault.rows.tolist()) == [0, 1, 2]
    assert {fault.reason for fault in faults} == {Reason.MISSING_MARKET_DATA}
    assert all("fixing:TERM:2026-11-06" in fault.message for fault in faults)


@pytest.mark.parametrize("index", ["TERM", "ESTR"])
def test_a_day_later_with_the_same_levels(rates: Any, index: str) -> None:
    """Theta's model is tomorrow's market, for caps that do not fix in between."""
    as_of = rates.day_number(date(2026, 11, 18))
    market, book = make_market(rates, as_of), random_book(rates, 6, as_of, (index,))
    book["start_date"] = np.maximum(book["start_date"], as_of + 10)
    book["maturity_date"] = np.maximum(book["maturity_date"], book["start_date"] + 40)
    trades, rows = rates.trades(PRODUCT, book), np.arange(TRADES, dtype=np.int32)
    tomorrow = rates.Market(as_of + 1, market.curves, fixings=market.fixings)
    today, later = (snapshot_of(rates, each, Vols(as_of, flat=False)) for each in (market, tomorrow))
    x = today.x0[:, None].copy()
    assert x[:, 0].tolist() == later.x0.tolist()
    now, found, expected = (
        PRODUCT.prepare(trades, MarketModel(snapshot, CONVENTIONS, horizon)).price(rows, x)[:, 0]
        for snapshot, horizon in ((today, 0), (today, 1), (later, 0))
    )
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * np.abs(book["notional"]).max())
    assert np.abs(found - now).max() > 10.0
