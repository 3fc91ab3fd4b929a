"""Caps and floors on legs of swaps against QuantLib's capped and floored coupons: 1e-10 of notional."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import EURO_INDICES
from numpy.typing import NDArray

from riskpipe.market.calendars import is_business_day
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.swap import Swap

PRODUCT = Swap()
TOLERANCE = 1e-10
CONVENTIONS = Conventions(indices=EURO_INDICES)
SHIFT = 0.04
VOLATILITIES = {"black": ("black_vol", 0.25), "bachelier": ("normal_vol", 0.008)}
AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days


def make_market(rates: Any) -> Any:
    pillars = [AS_OF + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652, 10957)]
    days = np.arange(AS_OF - 1600, AS_OF, dtype=np.int32)
    days = days[is_business_day(days, "TARGET")]
    slope, levels = np.linspace(0.0, 0.02, len(pillars)), {"EUR.OIS": 0.0, "EUR.6M": 0.01}
    return rates.Market(
        AS_OF,
        {("zero_rate", name): (pillars, (level + slope).tolist()) for name, level in levels.items()},
        fixings={name: {int(day): 0.005 + 0.01 * np.sin(day / 40) for day in days} for name in EURO_INDICES},
    )


def snapshot_of(market: Any, scale: float = 1.0, smile: float = 0.0) -> MarketSnapshot:
    table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
    rows = [
        {
            "factor": f"{kind}:CAPS:{tenor}:{strike}", "kind": kind, "name": "CAPS", "tenor": tenor,
            "strike": strike, "strike_type": "absolute", "value": scale * level * (1.0 + smile * (strike + k / 10)),
        }
        for kind, level in VOLATILITIES.values()
        for k, tenor in enumerate(("1Y", "10Y"))
        for strike in (0.0, 0.05)
    ]  # fmt: skip
    return MarketSnapshot.from_table(pa.concat_tables([table, pa.Table.from_pylist(rows, table.schema)]), AS_OF)


def random_legs(rates: Any, seed: int, count: int, indices: tuple[str, ...]) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    starts, maturities = rates.random_dates(random, count, AS_OF)

    def pick(values: Any) -> Any:
        return list(values)[random.integers(len(list(values)))]

    legs = []
    for start, maturity in zip(starts.tolist(), maturities.tolist(), strict=True):
        frequency, gearing = pick(["3M", "6M", "1Y"]), pick([None, 0.7, 2.0, -1.5])
        days = [d.serialNumber() - 25569 for d in rates.schedule(start, maturity, frequency, "TARGET", "following")]
        level = (gearing or 1.0) * 0.02
        floor, width = level + 0.01 * random.normal(), abs(0.02 * random.normal())
        leg = {
            "direction": pick(["pay", "receive"]),
            "leg_type": "floating",
            "currency": "EUR",
            "discount_curve": pick(["EUR.OIS", "EUR.6M"]),
            "notional": float(np.exp(random.normal(14.0, 0.5))),
            "index": pick(indices),
            "gearing": gearing,
            "spread": pick([None, 0.003]),
            "cap": pick([None, floor + width]),
            "floor": pick([None, floor]),
            "volatility": "CAPS",
            "model": pick(VOLATILITIES),
            "shift": SHIFT,
            "start_date": start,
            "maturity_date": maturity,
            "frequency": frequency,
            "day_count": pick(rates.day_counts),
            "calendar": "TARGET",
            "business_day_convention": "following",
        }
        leg["spreads"], leg["spread_dates"] = None, None
        if len(days) > 4 and random.random() < 0.5:
            leg |= {"spreads": [0.001, -0.002], "spread_dates": [days[1], days[3]]}
        legs.append(leg)
    return legs


def priced(rates: Any, legs: list[dict[str, Any]], snapshots: list[MarketSnapshot]) -> NDArray[np.float64]:
    """Of swaps of one leg each: float64[legs, snapshots]."""

    def dated(value: Any) -> Any:
        return [dated(day) for day in value] if isinstance(value, list) else date.fromisoformat(rates.iso(value))

    rows = [{name: dated(v) if v is not None and "date" in name else v for name, v in leg.items()} for leg in legs]
    trades = rates.trades(PRODUCT, {"currency": ["EUR"] * len(legs), "legs": [[row] for row in rows]})
    assert PRODUCT.validate(trades, AS_OF) == []
    model = MarketModel(snapshots[0], CONVENTIONS)
    assert PRODUCT.missing_points(trades, model) == []
    x = np.column_stack([snapshot.x0 for snapshot in snapshots])
    return np.asarray(PRODUCT.prepare(trades, model).price(np.arange(len(legs), dtype=np.int32), x))


class QuantLibLegs:
    def __init__(self, rates: Any, market: Any, scale: float) -> None:
        self.rates, self.scale = rates, scale
        ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
        ql.IndexManager.instance().clearHistories()
        self.curves = {name: market.discount(name) for _, name in market.curves}
        count, months = ql.Actual360(), ql.Period(6, ql.Months)
        self.index = ql.IborIndex(
            "TERM", months, 2, ql.EURCurrency(), ql.TARGET(), ql.ModifiedFollowing, False, count, self.curves["EUR.6M"]
        )
        known = market.fixings["TERM"]
        self.index.addFixings([rates.ql_date(day) for day in known], list(known.values()), True)

    def pricer(self, model: str) -> Any:
        quote, none, count = self.scale * VOLATILITIES[model][1], ql.NullCalendar(), ql.Actual365Fixed()
        terms = (ql.Normal,) if model == "bachelier" else (ql.ShiftedLognormal, SHIFT)
        flat = ql.ConstantOptionletVolatility(0, none, ql.Following, quote, count, *terms)
        return ql.BlackIborCouponPricer(ql.OptionletVolatilityStructureHandle(flat))

    def value(self, leg: dict[str, Any]) -> float:
        schedule = self.rates.schedule(leg["start_date"], leg["maturity_date"], leg["frequency"], "TARGET", "following")
        starts = [d.serialNumber() - 25569 for d in list(schedule)[:-1]]
        steps = list(zip(leg["spread_dates"] or [], leg["spreads"] or [], strict=True))
        spreads = [[leg["spread"] or 0.0, *(v for day, v in steps if day <= start)][-1] for start in starts]

        def each(value: float | None) -> list[float]:
            return [] if value is None else [value] * len(starts)

        coupons = ql.IborLeg(
            [leg["notional"]], schedule, self.index, self.rates.day_counts[leg["day_count"]], ql.Following,
            [], [leg["gearing"] or 1.0] * len(starts), spreads, each(leg["cap"]), each(leg["floor"]),
        )  # fmt: skip
        ql.setCouponPricer(coupons, self.pricer(leg["model"]))
        value = float(ql.CashFlows.npv(coupons, self.curves[leg["discount_curve"]], False))
        return value if leg["direction"] == "receive" else -value


@pytest.mark.parametrize(("seed", "count"), [(0, 80), pytest.param(1, 500, marks=pytest.mark.slow)])
def test_term_rates(rates: Any, seed: int, count: int) -> None:
    market, legs = make_market(rates), random_legs(rates, seed, count, ("TERM",))
    shocked = market.shocked(np.random.default_rng(seed))
    values = priced(rates, legs, [snapshot_of(market), snapshot_of(shocked, 1.3)])
    for column, each in enumerate([(market, 1.0), (shocked, 1.3)]):
        quantlib = QuantLibLegs(rates, *each)
        for k, leg in enumerate(legs):
            assert abs(values[k, column] - quantlib.value(leg)) < TOLERANCE * abs(leg["notional"]), (k, leg)


@pytest.mark.parametrize("index", ["TERM", "ESTR", "LATE"])
def test_a_capped_leg_is_one_without_and_a_cap(rates: Any, index: str) -> None:
    """With a smile, and on overnight rates, as `cap_floor` has them."""
    market = make_market(rates)
    plain = {
        "gearing": None,
        "spreads": None,
        "spread_dates": None,
        "spread": 0.002,
        "direction": "receive",
        "shift": 0.1,
    }
    legs = [leg | plain for leg in random_legs(rates, 5, 60, (index,))]
    legs = [leg | {"business_day_convention": "modified_following"} for leg in legs]
    snapshots = [snapshot_of(market, smile=3.0), snapshot_of(market.shocked(np.random.default_rng(5)), 1.2, smile=4.0)]
    total = priced(rates, legs, snapshots)
    total -= priced(rates, [leg | {"cap": None, "floor": None} for leg in legs], snapshots)
    product, model = CapFloor(), MarketModel(snapshots[0], CONVENTIONS)
    names = ("currency", "index", "discount_curve", "notional", "start_date", "maturity_date", "frequency")
    names += ("day_count", "calendar", "volatility", "model", "shift")
    for column, sign in (("cap", -1.0), ("floor", 1.0)):
        rows = [k for k, leg in enumerate(legs) if leg[column] is not None]
        book = {name: [legs[k][name] for k in rows] for name in names}
        book |= {"option_type": [column] * len(rows), "strike": [legs[k][column] - 0.002 for k in rows]}
        x = np.column_stack([snapshot.x0 for snapshot in snapshots])
        options = product.prepare(rates.trades(product, book), model)
        total[rows] -= sign * options.price(np.arange(len(rows), dtype=np.int32), x)
    assert np.abs(total).max() < 1e-12 * max(leg["notional"] for leg in legs)


LEG = {
    "direction": "receive",
    "leg_type": "floating",
    "currency": "EUR",
    "discount_curve": "EUR.OIS",
    "notional": 1e6,
    "index": "TERM",
    "cap": 0.03,
    "volatility": "CAPS",
    "model": "black",
    "start_date": date(2027, 1, 5),
    "maturity_date": date(2030, 1, 5),
    "frequency": "6M",
    "day_count": "ACT/360",
    "calendar": "TARGET",
    "business_day_convention": "following",
}


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"volatility": None}, "volatility", "coupons with a cap or a floor need volatility"),
        ({"model": None}, "model", "coupons with a cap or a floor need model"),
        ({"floor": 0.04}, "cap", "cap is below floor"),
        ({"gearing": 0.0}, "gearing", "coupons with a cap or a floor need a gearing but 0"),
        ({"cap": -0.01}, "cap", "(cap - spread) / gearing + shift must be above zero for the model black"),
        ({"spreads": [0.05], "spread_dates": [date(2028, 1, 5)]}, "cap", "(cap - spread) / gearing + shift must be"),
        ({"reset_currency": "USD", "reset_notional": 1.0}, "reset_currency", "a leg with a reset_currency has no cap"),
        ({"leg_type": "fixed", "fixed_rate": 0.02, "index": None}, "cap", "cap is of floating coupons, and these are"),
    ],
)
def test_options_that_cannot_be(rates: Any, change: dict[str, Any], column: str, message: str) -> None:
    legs = [LEG, LEG | change]
    names = {name for leg in legs for name in leg}
    table = {"currency": ["EUR"] * 2, "legs": [[{name: leg.get(name) for name in names}] for leg in legs]}
    (fault,) = PRODUCT.validate(rates.trades(PRODUCT, table), AS_OF)
    assert (fault.column, fault.rows.tolist()) == (f"legs.{column}", [1])
    assert fault.message.startswith(f"legs: {message}")


def test_a_rate_below_zero_is_told(rates: Any) -> None:
    market = make_market(rates)
    kind, name = "zero_rate", "EUR.6M"
    market.curves[kind, name] = (market.curves[kind, name][0], [-0.02] * len(market.curves[kind, name][0]))
    plain = LEG | {"cap": None}
    table = {"currency": ["EUR"] * 2, "legs": [[plain], [plain, LEG]]}
    snapshot = snapshot_of(market)
    prepared = PRODUCT.prepare(rates.trades(PRODUCT, table), MarketModel(snapshot, CONVENTIONS))
    x, rows = snapshot.x0[:, None], np.arange(2, dtype=np.int32)
    assert np.isnan(prepared.price(rows, x))[:, 0].tolist() == [False, True]
    first, second = prepared.why_not(rows, x)
    assert first == ""
    assert "a lognormal one cannot be negative: raise shift, or use the model bachelier" in second


def test_needs_of_options(rates: Any) -> None:
    table = {"currency": ["EUR"] * 2, "legs": [[LEG | {"cap": None, "volatility": "NONE"}], [LEG, LEG]]}
    needs = PRODUCT.requirements(rates.trades(PRODUCT, table), CONVENTIONS)
    wanted = [need for need in needs if need.role == "volatility" and (need.labels.codes >= 0).any()]
    assert [(need.kinds, need.labels.codes.tolist()) for need in wanted] == [(("black_vol",), [-1, 1])] * 2
    assert wanted[0].labels.names[1] == "CAPS"
