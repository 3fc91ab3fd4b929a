"""Options on averages of commodity prices: against sums over all pairs of days in plain Python, against QuantLib's
Turnbull-Wakeman engine, and what taking the average for lognormal is worth beside a simulation."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from commodity_market import (
    AS_OF,
    CONVENTIONS,
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
from flat_market import TODAY, FlatMarket, process, random_market

from riskpipe.products.commodity_average_option import CommodityAverageOption
from riskpipe.products.commodity_option import CommodityOption

PRODUCT = CommodityAverageOption()
PRICES = {"CL": 61.0, "NG": 3.6, "BRENT": 65.0, "TTF": 31.0, "ORE": 110.0}


@pytest.fixture(scope="module")
def market() -> CommodityMarket:
    return CommodityMarket()


@pytest.fixture(autouse=True)
def _today() -> None:
    ql.Settings.instance().evaluationDate = ql_date(AS_OF)


def book(size: int) -> dict[str, Any]:
    random = np.random.default_rng(21)
    columns = random_periods(random, 2 * size, longest=300)
    columns = chosen(columns, priced(columns))
    columns = {name: values[:size] for name, values in columns.items()}
    underlying = random.choice(list(CURRENCY), size).tolist()
    model = random.choice(np.array([None, "black", "bachelier"], object), size).tolist()
    strike = np.array([PRICES[name] for name in underlying]) * np.exp(random.normal(0.0, 0.2, size))
    # What is fixed of some averages is above their strikes.
    strike[::9] *= 0.3
    strike = np.where([each == "bachelier" for each in model], strike - 10.0 * (random.random(size) < 0.2), strike)
    nearby = [n if name in ROLL else None for n, name in zip(columns["nearby"], underlying, strict=True)]
    columns |= {
        "underlying": underlying,
        "currency": [CURRENCY[name] for name in underlying],
        "nearby": nearby,
        "quantity": random.normal(0.0, 1e3, size),
        "option_type": random.choice(["call", "put"], size).tolist(),
        "strike": strike,
        "model": model,
        "strikes": [None] * size,
        "quantities": [None] * size,
    }
    for k, row in enumerate(rows_of(columns)):
        if k % 6 == 0:
            columns["strikes"][k] = (strike[k] * random.uniform(0.8, 1.2, len(periods(row)))).tolist()
            columns["strikes"][k] = [abs(each) for each in columns["strikes"][k]]
            columns["quantities"][k] = random.normal(0.0, 1e3, len(periods(row))).tolist()
    return columns


def total_variance(market: CommodityMarket, kind: str, name: str, day: int, strike: float, scenario: int) -> float:
    """Volatility linear in strike, variance linear in time, both flat beyond the ends."""
    points: dict[int, list[tuple[float, float]]] = {}
    strikes = market.snapshot.factors.column("strike").to_pylist()
    for expiry, position in market.points[kind, name]:
        points.setdefault(expiry, []).append((strikes[position], float(market.x[position, scenario])))
    expiries = sorted(points)
    vols = [float(np.interp(strike, *zip(*sorted(points[expiry]), strict=True))) for expiry in expiries]
    years = (day - AS_OF) / 365.0
    if day <= expiries[0] or day >= expiries[-1]:
        return years * (vols[0] if day <= expiries[0] else vols[-1]) ** 2
    variances = [vol * vol * (expiry - AS_OF) for vol, expiry in zip(vols, expiries, strict=True)]
    return float(np.interp(day, expiries, variances)) / 365.0


def covariances(
    market: CommodityMarket, row: dict[str, Any], days: list[int], strike: float, scenario: int
) -> np.ndarray:
    """Of all pairs of days to come."""
    name, kind = row["underlying"], "normal_vol" if row["model"] == "bachelier" else "black_vol"
    found = np.zeros((len(days), len(days)))
    expiry = [market.contract(name, day, row["calendar"], int(row["nearby"] or 1)) for day in days]
    if name not in ROLL:
        variance = [total_variance(market, kind, name, day, strike, scenario) for day in days]
        for i in range(len(days)):
            for j in range(len(days)):
                found[i, j] = variance[min(i, j)]
        return found
    decay = CONVENTIONS.commodity(name).correlation_decay
    last = {e: max(d for d, of in zip(days, expiry, strict=True) if of == e) for e in expiry}
    sigma = {}
    for each, day in last.items():
        quoted = max(each, day)
        sigma[each] = math.sqrt(
            total_variance(market, kind, name, quoted, strike, scenario) / max((quoted - AS_OF) / 365.0, 1e-9)
        )
    for i, a in enumerate(expiry):
        for j, b in enumerate(expiry):
            rho = math.exp(-decay * abs(a - b) / 365.0)
            found[i, j] = rho * sigma[a] * sigma[b] * (min(days[i], days[j]) - AS_OF) / 365.0
    return found


def undiscounted(market: CommodityMarket, row: dict[str, Any], days: list[int], strike: float, scenario: int) -> float:
    name, nearby, fixed, left = row["underlying"], int(row["nearby"] or 1), 0.0, []
    for day in days:
        fixing = market.fixing(name, day, nearby) if day <= AS_OF else None
        if fixing is None:
            left.append(day)
        else:
            fixed += fixing
    strike_left = strike - fixed / len(days)
    kind = ql.Option.Call if row["option_type"] == "call" else ql.Option.Put
    sign = 1.0 if row["option_type"] == "call" else -1.0
    if not left:
        return max(-sign * strike_left, 0.0)
    forward = np.array([market.forward(name, day, row["calendar"], nearby, scenario) for day in left]) / len(days)
    pairs = covariances(market, row, left, strike, scenario)
    mean = float(forward.sum())
    if row["model"] == "bachelier":
        deviation = math.sqrt(pairs.sum()) / len(days)
        return float(ql.bachelierBlackFormula(kind, strike_left, mean, deviation, 1.0))
    if forward.min() < 0.0:
        return math.nan
    if strike_left <= 0.0:
        return max(sign * (mean - strike_left), 0.0)
    variance = math.log1p(float((np.outer(forward, forward) * np.expm1(pairs)).sum()) / mean**2)
    return float(ql.blackFormula(kind, strike_left, mean, math.sqrt(variance), 1.0))


def value(market: CommodityMarket, row: dict[str, Any], scenario: int) -> float:
    curve, total = market.discount(f"{row['currency']}.OIS", scenario), 0.0
    for k, (first, last) in enumerate(periods(row)):
        paid = payment(last, row)
        if paid <= AS_OF:
            continue
        days = pricing_days(first, last, row["pricing_days"], row["calendar"])
        quantity = row["quantities"][k] if row["quantities"] else row["quantity"]
        strike = row["strikes"][k] if row["strikes"] else row["strike"]
        total += quantity * undiscounted(market, row, days, float(strike), scenario) * curve.discount(ql_date(paid))
    return total


@pytest.mark.parametrize("size", [40, pytest.param(500, marks=pytest.mark.slow)])
def test_against_sums_over_all_pairs_of_days(
    size: int, market: CommodityMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("forward", "discount", "contract"):
        monkeypatch.setattr(market, name, cache(getattr(market, name)))
    columns = book(size)

    values = market.price(PRODUCT, columns)

    seen = np.zeros(2, int)
    for k, row in enumerate(rows_of(columns)):
        for scenario in range(2):
            expected, found = value(market, row, scenario), values[k, scenario]
            if math.isnan(expected):
                assert math.isnan(found), (k, row)
            else:
                scale = PRICES[row["underlying"]] * np.abs(row["quantities"] or [row["quantity"]]).max()
                assert abs(found - expected) <= 1e-10 * scale, (k, scenario, row)
            seen += (math.isnan(expected), found > 0.0)
    assert seen.min() > size / 20


def one(**more: Any) -> dict[str, Any]:
    terms = {
        "underlying": "BRENT", "currency": "USD", "quantity": 1.0, "option_type": "call", "strike": 65.0,
        "start_date": AS_OF + 40, "maturity_date": AS_OF + 70, "calendar": "GBLO", "frequency": "1T",
    }  # fmt: skip
    return {name: [each] for name, each in {**terms, **more}.items()}


def weekdays(first: int, last: int) -> list[int]:
    return [day for day in range(first, last + 1) if np.is_busday(np.datetime64(day, "D"))]


def quantlib(flat: FlatMarket, columns: dict[str, Any], k: int, which: int, scenario: int, engine: Any) -> float:
    days = [TODAY + day - AS_OF for day in weekdays(columns["start_date"][k], columns["maturity_date"][k])]
    kind = ql.Option.Call if columns["option_type"][k] == "call" else ql.Option.Put
    payoff, exercise = ql.PlainVanillaPayoff(kind, float(columns["strike"][k])), ql.EuropeanExercise(days[-1])
    option = ql.DiscreteAveragingAsianOption(ql.Average.Arithmetic, 0.0, 0, days, payoff, exercise)
    levels = (float(each[which, scenario]) for each in (flat.spot, flat.rate, flat.dividend, flat.vol))
    option.setPricingEngine(engine(process(*levels)))
    return float(option.NPV())


def flat_book(random: np.random.Generator, flat: FlatMarket, size: int) -> tuple[np.ndarray, dict[str, Any]]:
    which = random.integers(0, len(flat.spot), size)
    start = AS_OF + random.integers(0, 400, size)
    end = start + random.integers(1, 60, size)
    end = np.array([weekdays(first, last + 4)[-1] for first, last in zip(start, end, strict=True)])
    return which, {
        "underlying": [flat.equities[k] for k in which],
        "currency": [flat.currencies[k] for k in which],
        "quantity": np.ones(size),
        "option_type": random.choice(["call", "put"], size).tolist(),
        "strike": flat.spot[which, 0] * np.exp(random.normal(0.0, 0.15, size)),
        "start_date": start,
        "maturity_date": end,
        "calendar": ["weekends"] * size,
        "frequency": ["1T"] * size,
    }


@pytest.mark.parametrize("size", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_against_turnbull_and_wakeman(size: int) -> None:
    random = np.random.default_rng(71)
    flat = random_market(random, 30)
    which, columns = flat_book(random, flat, size)
    values = flat.price(PRODUCT, columns)
    for k in range(size):
        for scenario in range(3):
            expected = quantlib(flat, columns, k, which[k], scenario, ql.TurnbullWakemanAsianEngine)
            assert abs(values[k, scenario] - expected) < 1e-10 * flat.spot[which[k], scenario], (k, scenario)


def simulated(times: np.ndarray, vol: float, strikes: tuple[float, ...]) -> list[float]:
    """Undiscounted calls on averages of a price that is 100 now, with the geometric average as control."""
    random, steps = np.random.default_rng(1), np.sqrt(np.diff(times, prepend=0.0))
    spread = vol * vol * np.minimum.outer(times, times).mean()
    geometric = 100.0 * math.exp(0.5 * (spread - vol * vol * times.mean()))
    found = np.zeros(len(strikes))
    for _ in range(10):
        half = random.standard_normal((20_000, len(times)))
        logs = np.cumsum(np.vstack((half, -half)) * steps * vol, axis=1) - 0.5 * vol * vol * times
        mean, control = 100.0 * np.exp(logs).mean(axis=1), 100.0 * np.exp(logs.mean(axis=1))
        found += [(np.maximum(mean - k, 0.0) - np.maximum(control - k, 0.0)).mean() / 10.0 for k in strikes]
    call, deviation = ql.Option.Call, math.sqrt(spread)
    return [
        ql.blackFormula(call, k, geometric, deviation) + each for k, each in zip(strikes, found.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("first", "days", "vol", "tolerance"),
    [(1, 30, 0.3, 2e-5), (1, 30, 0.8, 5e-4), (335, 30, 0.8, 1e-4), (1, 90, 0.5, 6e-4)],
)
def test_what_taking_an_average_for_lognormal_is_worth(first: int, days: int, vol: float, tolerance: float) -> None:
    """Of the price, beside a simulation whose error is a few of 1e-6, at a volatility of 0.8 of 1e-5."""
    flat = FlatMarket(*(np.full((2, 1), level) for level in (100.0, 0.0, 0.0, vol)))
    dates = weekdays(AS_OF + first, AS_OF + first + days)
    strikes = (80.0, 100.0, 120.0)
    expected = simulated((np.array(dates) - AS_OF) / 365.0, vol, strikes)
    for strike, each in zip(strikes, expected, strict=True):
        terms = {"underlying": "E0", "currency": "CAA", "calendar": "weekends", "strike": strike}
        columns = one(**terms, start_date=AS_OF + first, maturity_date=dates[-1])
        assert abs(flat.price(PRODUCT, columns)[0, 0] - each) < 100.0 * tolerance, strike


@pytest.mark.parametrize("model", ["black", "bachelier"])
def test_an_average_of_one_day_is_an_option_on_its_price(model: str, market: CommodityMarket) -> None:
    day = weekdays(AS_OF + 40, AS_OF + 44)[0]
    terms = {"model": model, "strike": 60.0, "option_type": "put"}
    found = market.price(PRODUCT, one(**terms, start_date=day, maturity_date=day))
    plain = {"underlying": "BRENT", "currency": "USD", "quantity": 1.0, "expiry_date": day, "delivery_date": day}
    expected = market.price(CommodityOption(), {name: [each] for name, each in {**plain, **terms}.items()})
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_parity(market: CommodityMarket) -> None:
    for name, calendar in (("CL", "XNYS"), ("BRENT", "GBLO")):
        for model in ("black", "bachelier"):
            terms = {"underlying": name, "calendar": calendar, "model": model, "start_date": AS_OF - 20}
            call, put = (market.price(PRODUCT, one(**terms, option_type=kind))[0, 0] for kind in ("call", "put"))
            row = rows_of(one(**terms, nearby=None, pricing_days=None))[0]
            days = pricing_days(AS_OF - 20, AS_OF + 70, None, calendar)
            prices = [
                market.fixing(name, day) if day <= AS_OF and market.fixing(name, day) is not None
                else market.forward(name, day, calendar, 1, 0)
                for day in days
            ]  # fmt: skip
            discount = market.discount("USD.OIS", 0).discount(ql_date(payment(AS_OF + 70, row)))
            assert call - put == pytest.approx(discount * (np.mean(prices) - 65.0), abs=1e-11)


def test_negative_prices_are_for_the_model_bachelier(market: CommodityMarket) -> None:
    terms = {"underlying": "CL", "calendar": "XNYS", "strike": 40.0}
    assert math.isnan(market.price(PRODUCT, one(**terms))[0, 1])
    assert market.price(PRODUCT, one(**terms, model="bachelier"))[0, 1] > 0.0
    prepared = PRODUCT.prepare(Rates.trades(PRODUCT, one(**terms)), market.model)
    (why,) = prepared.why_not(np.zeros(1, np.int32), np.ascontiguousarray(market.x[:, 1:]))
    assert "use the model bachelier with normal volatilities" in why


@pytest.mark.parametrize(
    ("terms", "column", "message"),
    [
        ({"strike": 0.0}, "strike", "strike must be above zero for the model black; bachelier takes any"),
        ({"strikes": [0.0]}, "strikes", "strikes must be above zero for the model black"),
        ({"strikes": [1.0, 2.0]}, "strikes", "strikes must have one element for each calculation period (here"),
        ({"quantities": [1.0, 2.0]}, "quantities", "quantities must have one element"),
        ({"calendar": "NOWHERE"}, "calendar", "unknown calendar"),
    ],
)  # fmt: skip
def test_rules(terms: dict[str, Any], column: str, message: str) -> None:
    columns = one(**terms)
    lists = {
        name: pa.array(columns[name], pa.list_(pa.float64())) for name in ("strikes", "quantities") if name in columns
    }
    (fault,) = PRODUCT.validate(Rates.trades(PRODUCT, columns | lists), AS_OF)
    assert (fault.column, fault.rows.tolist()) == (column, [0])
    assert message in fault.message
