"""Swaptions against QuantLib's engines and formulas: 1e-10 of notional, base and shocked market."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.dependencies import dependencies
from riskpipe.products.swaption import Swaption

PRODUCT = Swaption()
AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
TRADES = 500
TOLERANCE = 1e-10
INDICES = {
    "TERM": IndexConvention("TERM", "EUR.6M", day_count="ACT/360", fixing_lag=0, calendar="TARGET"),
    "FREE": IndexConvention("FREE", "EUR.6M", day_count="ACT/360"),
    "ESTR": IndexConvention("ESTR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
}
CONVENTIONS = Conventions(indices=INDICES)
SHIFT = 0.03
EXPIRIES = (30, 365, 1826, 3652)
TENORS = {"1Y": 12, "5Y": 60, "10Y": 120}
OFFSETS = (-0.01, 0.0, 0.01)


def make_market(rates: Any) -> Any:
    pillars = [AS_OF + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 5479)]
    return rates.Market(
        AS_OF,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [-0.019, -0.012, -0.01, -0.005, 0.0, 0.003, 0.005, 0.007, 0.008]),
            ("zero_rate", "EUR.6M"): (pillars, [-0.005, -0.005, -0.004, -0.003, 0.001, 0.006, 0.014, 0.02, 0.022]),
        },
        fixings={name: {AS_OF - 1: 0.001} for name in INDICES},
    )


class Cube:
    """Of each kind: offsets from the forward at most points, one flat volatility at others."""

    def __init__(self, flat: bool, scale: float = 1.0) -> None:
        bend = 0.0 if flat else 1.0
        self.values = {
            (kind, days, tenor, offset): scale * level * (1.0 + bend * (0.1 * i - 0.1 * j + 8.0 * offset))
            for kind, level in (("black_vol", 0.2), ("normal_vol", 0.006))
            for i, days in enumerate(EXPIRIES)
            for j, tenor in enumerate(TENORS)
            for offset in OFFSETS
            # One expiry lacks a tenor, and one slice has a single flat point.
            if not (days == 365 and tenor == "5Y") and not (days == 1826 and tenor == "10Y" and offset != 0.0)
        }

    def at(self, kind: str, day: int, months: float, offset: float) -> float:
        """Linear in strike and in tenor at each expiry, then in time in total variance; flat beyond the ends."""
        planes = []
        for expiry in EXPIRIES:
            tenors, vols = [], []
            for tenor, length in TENORS.items():
                points = [(o, v) for (k, d, t, o), v in self.values.items() if (k, d, t) == (kind, expiry, tenor)]
                if points:
                    tenors.append(length)
                    vols.append(np.interp(offset, *zip(*points, strict=True)))
            planes.append(float(np.interp(months, tenors, vols)))
        days = float(day - AS_OF)
        if days <= EXPIRIES[0] or days >= EXPIRIES[-1]:
            return planes[0] if days <= EXPIRIES[0] else planes[-1]
        return float(np.sqrt(np.interp(days, EXPIRIES, np.square(planes) * EXPIRIES) / days))

    def rows(self, rates: Any) -> list[dict[str, Any]]:
        return [
            {
                "factor": f"{kind}:CUBE:{days}:{tenor}:{offset}", "kind": kind, "name": "CUBE", "value": value,
                "tenor": rates.iso(AS_OF + days), "underlying_tenor": tenor, "strike": offset or None,
                "strike_type": "offset" if offset else "atm",
            }
            for (kind, days, tenor, offset), value in self.values.items()
        ]  # fmt: skip


def snapshot_of(rates: Any, market: Any, cube: Cube) -> MarketSnapshot:
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows = pa.Table.from_pylist(cube.rows(rates), table.schema)
    return MarketSnapshot.from_table(pa.concat_tables([table, rows]), AS_OF)


def random_book(rates: Any, seed: int, indices: tuple[str, ...] = ("TERM",)) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    expiry = AS_OF + (5000 * random.random(TRADES) ** 2).astype(int)
    expiry[:10] = AS_OF + np.arange(10) // 4
    start = expiry + random.integers(0, 10, TRADES)
    whole = np.array([rates.ql_date(day + 40).serialNumber() - 25569 for day in start])
    months = whole.astype("datetime64[D]").astype("datetime64[M]")
    regular = (months + 12 * random.integers(1, 16, TRADES)).astype("datetime64[D]").astype(int)
    maturity = np.where(random.random(TRADES) < 0.5, regular, start + random.integers(40, 5000, TRADES))
    maturity = np.maximum(maturity, start + 40)
    maturity[10:12] = start[10:12] + 50 * 365

    choose = rates.chooser(random, TRADES)

    return {
        "currency": ["EUR"] * TRADES,
        "index": choose(indices),
        "discount_curve": choose(["EUR.OIS", "EUR.6M"]),
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": choose(["pay", "receive"]),
        "fixed_rate": random.normal(0.015, 0.01, TRADES),
        "float_spread": np.where(random.random(TRADES) < 0.5, random.normal(0.0, 0.002, TRADES), 0.0),
        "start_date": start,
        "maturity_date": maturity,
        "fixed_frequency": choose(["6M", "1Y", "1T"]),
        "fixed_day_count": choose(rates.day_counts),
        "float_frequency": choose(["3M", "6M", "1Y"]),
        "float_day_count": choose(rates.day_counts),
        "calendar": ["TARGET"] * TRADES,
        "business_day_convention": choose(["following", "modified_following"]),
        "expiry_date": expiry,
        "settlement": ["physical"] * TRADES,
        "volatility": ["CUBE"] * TRADES,
        "model": choose(["black", "bachelier"]),
        "shift": [SHIFT] * TRADES,
    }


class QuantLibSwaptions:
    def __init__(self, rates: Any, market: Any, cube: Cube, base: QuantLibSwaptions | None = None) -> None:
        self.rates, self.cube = rates, cube
        self.base = self if base is None else base
        self.today = rates.ql_date(AS_OF)
        ql.Settings.instance().evaluationDate = self.today
        self.curves = {name: market.discount(name) for _, name in market.curves}
        target, count, euro = ql.TARGET(), ql.Actual360(), ql.EURCurrency()
        months, rule = ql.Period(6, ql.Months), ql.ModifiedFollowing
        term = ql.IborIndex("TERM", months, 0, euro, target, rule, False, count, self.curves["EUR.6M"])
        overnight = ql.OvernightIndex("ESTR", 0, euro, target, count, self.curves["EUR.OIS"])
        free = ql.IborIndex("FREE", months, 0, euro, ql.NullCalendar(), rule, False, count, self.curves["EUR.6M"])
        self.indices = {"TERM": term, "FREE": free, "ESTR": overnight}

    def schedules(self, row: dict[str, Any]) -> tuple[Any, Any]:
        dates, rolls = (row["start_date"], row["maturity_date"]), (row["calendar"], row["business_day_convention"])
        return tuple(self.rates.schedule(*dates, row[f"{leg}_frequency"], *rolls) for leg in ("fixed", "float"))

    def takes(self, row: dict[str, Any]) -> bool:
        """To QuantLib an option is over on its last day, and its swap may not be adjusted to before."""
        expiry = self.rates.ql_date(row["expiry_date"])
        return bool(expiry > self.today and self.schedules(row)[0][0] >= expiry)

    def by_engine(self, row: dict[str, Any]) -> float:
        """With flat volatilities."""
        rates, curve = self.rates, self.curves[row["discount_curve"]]
        kind = ql.Swap.Payer if row["direction"] == "pay" else ql.Swap.Receiver
        fixed, floating = self.schedules(row)
        convention = rates.conventions[row["business_day_convention"]]
        swap = ql.VanillaSwap(
            kind, 1.0, fixed, float(row["fixed_rate"]), rates.day_counts[row["fixed_day_count"]],
            floating, self.indices[row["index"]], float(row["float_spread"]), rates.day_counts[row["float_day_count"]],
            convention,
        )  # fmt: skip
        method = ql.Settlement.ParYieldCurve if row["settlement"] == "cash" else ql.Settlement.PhysicalOTC
        settlement = ql.Settlement.Cash if row["settlement"] == "cash" else ql.Settlement.Physical
        exercise = ql.EuropeanExercise(rates.ql_date(row["expiry_date"]))
        swaption = ql.Swaption(swap, exercise, settlement, method)
        normal = row["model"] == "bachelier"
        quote = ql.QuoteHandle(ql.SimpleQuote(self.cube.values["normal_vol" if normal else "black_vol", 30, "1Y", 0.0]))
        count = ql.Actual365Fixed()
        if normal:
            engine = ql.BachelierSwaptionEngine(curve, quote, count)
        else:
            engine = ql.BlackSwaptionEngine(curve, quote, count, SHIFT)
        swaption.setPricingEngine(engine)
        return float(row["notional"] * swaption.NPV())

    def rates_of(self, row: dict[str, Any]) -> tuple[float, float, float, Any]:
        """Forward, strike less spread, physical annuity and the fixed leg."""
        rates, curve = self.rates, self.curves[row["discount_curve"]]
        fixed, floating = self.schedules(row)
        convention = rates.conventions[row["business_day_convention"]]
        make = ql.OvernightLeg if row["index"] == "ESTR" else ql.IborLeg
        count = rates.day_counts[row["float_day_count"]]
        leg = make([1.0], floating, self.indices[row["index"]], count, convention)
        fixed_leg = ql.FixedRateLeg(fixed, rates.day_counts[row["fixed_day_count"]], [1.0], [1.0], convention)
        annuity = ql.CashFlows.npv(fixed_leg, curve, False)
        spread = row["float_spread"] * ql.CashFlows.bps(leg, curve, False) * 1e4
        return ql.CashFlows.npv(leg, curve, False) / annuity, row["fixed_rate"] - spread / annuity, annuity, fixed_leg

    def by_formula(self, row: dict[str, Any]) -> float:
        forward, strike, annuity, leg = self.rates_of(row)
        forward0, strike0 = self.base.rates_of(row)[:2]
        kind = "normal_vol" if row["model"] == "bachelier" else "black_vol"
        months = float(np.round((row["maturity_date"] - row["start_date"]) / 365.25 * 12.0))
        vol = self.cube.at(kind, int(row["expiry_date"]), months, strike0 - forward0)
        deviation = vol * np.sqrt((row["expiry_date"] - AS_OF) / 365.0)
        if row["settlement"] == "cash":
            factor, annuity = 1.0, 0.0
            for flow in leg:
                factor /= 1.0 + forward * flow.amount()
                annuity += flow.amount() * factor
            annuity *= self.curves[row["discount_curve"]].discount(ql.as_coupon(leg[0]).accrualStartDate())
        side = ql.Option.Call if row["direction"] == "pay" else ql.Option.Put
        if kind == "normal_vol":
            option = ql.bachelierBlackFormula(side, strike, forward, deviation)
        else:
            option = ql.blackFormula(side, strike, forward, deviation, 1.0, SHIFT)
        return float(row["notional"] * annuity * option)


def assert_prices(rates: Any, book: dict[str, Any], flat: bool) -> None:
    trades, market = rates.trades(PRODUCT, book), make_market(rates)
    assert PRODUCT.validate(trades, AS_OF) == []
    shocked = market.shocked(np.random.default_rng(8))
    markets = [(market, Cube(flat)), (shocked, Cube(flat, 1.3))]
    snapshots = [snapshot_of(rates, *each) for each in markets]
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    assert dependencies(PRODUCT, trades, model, "EUR").faults == ()
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    values = PRODUCT.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert np.abs(values[:, 1] - values[:, 0]).max() > 1e4
    base = None
    for column, each in enumerate(markets):
        quantlib = QuantLibSwaptions(rates, *each, base)
        base = base or quantlib
        for k in range(TRADES):
            row = {name: values_[k] for name, values_ in book.items()}
            expected = quantlib.by_engine(row) if flat and quantlib.takes(row) else quantlib.by_formula(row)
            error = abs(values[k, column] - expected) / abs(row["notional"])
            assert error < TOLERANCE, (error, k, row)


def test_flat_volatilities(rates: Any) -> None:
    assert_prices(rates, random_book(rates, 1), flat=True)


def test_par_yield_cash_settlement_of_whole_years(rates: Any) -> None:
    """QuantLib's par yield annuity compounds annually, which is the market's where coupons are annual."""
    book = random_book(rates, 2, ("FREE",))
    # Unadjusted days that every month has, thirty days a month: all lengths are one.
    start = book["expiry_date"].astype("datetime64[D]").astype("datetime64[M]") + 1
    years = np.random.default_rng(3).integers(1, 20, TRADES)
    book |= {
        "start_date": start.astype("datetime64[D]").astype(int) + 4,
        "maturity_date": (start + 12 * years).astype("datetime64[D]").astype(int) + 4,
        "fixed_frequency": ["1Y"] * TRADES,
        "fixed_day_count": ["30E/360"] * TRADES,
        "business_day_convention": ["unadjusted"] * TRADES,
        "settlement": ["cash"] * TRADES,
    }
    assert_prices(rates, book, flat=True)


@pytest.mark.parametrize("settlement", ["physical", "cash"])
def test_cubes(rates: Any, settlement: str) -> None:
    book = random_book(rates, 4, ("TERM", "ESTR")) | {"settlement": [settlement] * TRADES}
    assert_prices(rates, book, flat=False)


def test_a_surface_without_tenors_serves_all_swaps_alike_and_a_cube_no_cap(rates: Any) -> None:
    market, book = make_market(rates), random_book(rates, 4)
    table = snapshot_of(rates, market, Cube(flat=True)).factors.drop_columns(["days", "underlying_days"])
    flat = [
        {"factor": f"{kind}:FLAT:1Y", "kind": kind, "name": "FLAT", "tenor": "1Y", "value": value}
        for kind, value in (("black_vol", 0.2), ("normal_vol", 0.006))
    ]
    snapshot = MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(flat, table.schema)]), AS_OF)
    model, rows = MarketModel(snapshot, CONVENTIONS), np.arange(TRADES, dtype=np.int32)
    x = snapshot.x0[:, None].copy()
    cube, plain = (
        PRODUCT.prepare(rates.trades(PRODUCT, book | {"volatility": [name] * TRADES}), model).price(rows, x)
        for name in ("CUBE", "FLAT")
    )
    assert np.abs(cube - plain).max() < 1e-7
    assert model.resolve(("normal_vol",), "CUBE") is None
    cap = {
        "currency": ["EUR"], "index": ["TERM"], "discount_curve": ["EUR.OIS"], "notional": [1.0],
        "option_type": ["cap"], "strike": [0.01], "start_date": [AS_OF + 5], "maturity_date": [AS_OF + 900],
        "frequency": ["6M"], "day_count": ["ACT/360"], "calendar": ["TARGET"], "volatility": ["CUBE"],
        "model": ["bachelier"],
    }  # fmt: skip
    (fault,) = dependencies(CapFloor(), rates.trades(CapFloor(), cap), model, "EUR").faults
    assert fault.reason is Reason.UNSUPPORTED
    assert "underlying tenor" in fault.message


def test_payer_less_receiver_is_a_swap(rates: Any) -> None:
    market, book = make_market(rates), random_book(rates, 6, ("TERM", "ESTR"))
    snapshot = snapshot_of(rates, market, Cube(flat=False))
    model, rows = MarketModel(snapshot, CONVENTIONS), np.arange(TRADES, dtype=np.int32)
    payer, receiver = (
        PRODUCT.prepare(rates.trades(PRODUCT, book | {"direction": [side] * TRADES}), model).price(
            rows, snapshot.x0[:, None].copy()
        )
        for side in ("pay", "receive")
    )
    quantlib = QuantLibSwaptions(rates, market, Cube(flat=False))
    for k in range(0, TRADES, 5):
        row = {name: values_[k] for name, values_ in book.items()}
        forward, strike, annuity, _ = quantlib.rates_of(row)
        swap = row["notional"] * annuity * (forward - strike)
        assert abs(payer[k, 0] - receiver[k, 0] - swap) < TOLERANCE * abs(row["notional"])


def test_rules(rates: Any) -> None:
    book = {name: values[:4] for name, values in random_book(rates, 6).items()}
    book |= {
        "expiry_date": [AS_OF - 1, AS_OF + 30, AS_OF + 30, AS_OF + 30],
        "start_date": [AS_OF + 20] + [AS_OF + 40] * 3,
    }
    book |= {"maturity_date": [AS_OF + 900] * 4, "fixed_rate": [0.01, -0.03, -0.03, 0.01], "shift": [SHIFT] * 4}
    book |= {"model": ["bachelier", "black", "bachelier", "black"]}
    faults = PRODUCT.validate(rates.trades(PRODUCT, book), AS_OF)
    assert {(fault.column, tuple(fault.rows.tolist())) for fault in faults} == {
        ("expiry_date", (0,)),
        ("fixed_rate", (1,)),
    }
    book["start_date"] = [AS_OF + 20] * 4
    faults = PRODUCT.validate(rates.trades(PRODUCT, book), AS_OF)
    assert ("start_date", (1, 2, 3)) in {(fault.column, tuple(fault.rows.tolist())) for fault in faults}


def test_a_day_later_with_the_same_levels(rates: Any) -> None:
    """Theta's model is tomorrow's market, for swaptions that do not expire in between."""
    market, book = make_market(rates), random_book(rates, 9, ("TERM", "ESTR"))
    for name in ("expiry_date", "start_date", "maturity_date"):
        book[name] = book[name] + 5
    trades, rows = rates.trades(PRODUCT, book), np.arange(TRADES, dtype=np.int32)
    tomorrow = rates.Market(AS_OF + 1, market.curves, fixings=market.fixings)
    today = snapshot_of(rates, market, Cube(flat=False))
    later = MarketSnapshot.from_table(today.factors.drop_columns(["days", "underlying_days"]), tomorrow.as_of)
    x = today.x0[:, None].copy()
    assert x[:, 0].tolist() == later.x0.tolist()
    now, found, expected = (
        PRODUCT.prepare(trades, MarketModel(snapshot, CONVENTIONS, horizon)).price(rows, x)[:, 0]
        for snapshot, horizon in ((today, 0), (today, 1), (later, 0))
    )
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-12 * np.abs(book["notional"]).max())
    assert np.abs(found - now).max() > 10.0
