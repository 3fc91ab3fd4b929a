"""Options and variance swaps on spots and forwards, as riskpipe's trades and as QuantLib's instruments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.cases import Build, Case, Columns, Row, Values
from benchmarks.market import AS_OF, DIVIDENDS, QuantLibMarket, ql_date
from riskpipe.arrays import FloatArray

LEVELS = {"SPX": 6700.0, "PAYER": 100.0, "EURUSD": 1.16, "WTI": 61.0}
BARRIERS = {
    "up_in": ql.Barrier.UpIn, "up_out": ql.Barrier.UpOut, "down_in": ql.Barrier.DownIn, "down_out": ql.Barrier.DownOut
}  # fmt: skip
# With the geometric average as control its standard error is then 1e-5 of the spot or more; ours is below 1e-6.
MONTE_CARLO_PATHS = 20_000
Instrument = Callable[[Row, Any], Any]


def builder(name: str, instrument: Instrument, amount: str) -> Build:
    """:param instrument: with its engine, from a row and the process of `name`; `amount` is the column of its size."""

    def build(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
        process = market.process(name)
        found = [(float(row[amount]), instrument(row, process)) for row in rows]
        return lambda: [size * each.NPV() for size, each in found]

    return build


def _priced(instrument: Any, engine: Any) -> Any:
    instrument.setPricingEngine(engine)
    return instrument


def _terms(random: np.random.Generator, n: int, name: str) -> Columns:
    """Options of one month to two years, struck within a fifth of the spot."""
    expiry = AS_OF + random.integers(30, 730, n)
    columns = {
        "option_type": random.choice(["call", "put"], n).tolist(),
        "strike": LEVELS[name] * random.uniform(0.8, 1.2, n),
        "expiry_date": expiry,
    }
    if name == "EURUSD":
        return columns | {"pair": [name] * n, "notional": np.ones(n), "delivery_date": expiry}
    return columns | {"underlying": [name] * n, "currency": ["USD"] * n, "quantity": np.ones(n)}


def _size(name: str, n: int) -> FloatArray:
    return np.full(n, LEVELS[name])


def _payoff(row: Row) -> tuple[Any, Any]:
    kind = ql.Option.Call if row["option_type"] == "call" else ql.Option.Put
    return ql.PlainVanillaPayoff(kind, float(row["strike"])), ql_date(row["expiry_date"])


# --- vanilla ---
def _european(row: Row, process: Any) -> Any:
    payoff, last = _payoff(row)
    return _priced(ql.VanillaOption(payoff, ql.EuropeanExercise(last)), ql.AnalyticEuropeanEngine(process))


def _american(scheme: Any) -> Instrument:
    def instrument(row: Row, process: Any) -> Any:
        payoff, last = _payoff(row)
        option = ql.VanillaOption(payoff, ql.AmericanExercise(ql_date(AS_OF), last))
        return _priced(option, ql.QdFpAmericanEngine(process, scheme))

    return instrument


def european_equity(random: np.random.Generator, n: int) -> Case:
    columns = _terms(random, n, "SPX") | {"exercise": ["european"] * n}
    return Case(columns, builder("SPX", _european, "quantity"), _size("SPX", n))


def american_equity(random: np.random.Generator, n: int) -> Case:
    """Timed against the fast scheme, which is itself off by 1e-6; the values are held against the precise one."""
    columns = _terms(random, n, "SPX") | {"exercise": ["american"] * n}
    fast, precise = ql.QdFpAmericanEngine.fastScheme(), ql.QdFpAmericanEngine.highPrecisionScheme()
    build, exact = (builder("SPX", _american(scheme), "quantity") for scheme in (fast, precise))
    return Case(columns, build, columns["strike"], exact, agreement=1e-6)


def american_on_dividends(random: np.random.Generator, n: int) -> Case:
    """In the escrowed model: timed against QuantLib's usual grid, held against one 25 times as fine."""
    columns = _terms(random, n, "PAYER") | {"exercise": ["american"] * n}
    build, exact = (builder("PAYER", _american_paying(size), "quantity") for size in (100, 500))
    return Case(columns, build, columns["strike"], exact, asked=40, agreement=1e-4)


def _american_paying(size: int) -> Instrument:
    schedule = _schedule()
    model = ql.FdBlackScholesVanillaEngine.Escrowed

    def instrument(row: Row, process: Any) -> Any:
        payoff, last = _payoff(row)
        option = ql.VanillaOption(payoff, ql.AmericanExercise(ql_date(AS_OF), last))
        scheme, local = ql.FdmSchemeDesc.Douglas(), (False, -1e30)
        engine = ql.FdBlackScholesVanillaEngine(process, schedule, size, size, 0, scheme, *local, model)
        return _priced(option, engine)

    return instrument


def _schedule() -> Any:
    days, amounts = zip(*DIVIDENDS, strict=True)
    return ql.DividendVector([ql_date(day) for day in days], list(amounts))


def european_fx(random: np.random.Generator, n: int) -> Case:
    return Case(_terms(random, n, "EURUSD"), builder("EURUSD", _european, "notional"), _size("EURUSD", n))


def european_commodity(random: np.random.Generator, n: int) -> Case:
    columns = _terms(random, n, "WTI")
    columns["delivery_date"] = columns["expiry_date"] + 30
    return Case(columns, builder("WTI", _european, "quantity"), _size("WTI", n))


def bachelier_commodity(random: np.random.Generator, n: int) -> Case:
    """QuantLib has the formula alone: there is no instrument to set up, which favours it."""
    columns = european_commodity(random, n).columns | {"model": ["bachelier"] * n}
    return Case(columns, _bachelier, _size("WTI", n))


def _bachelier(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    terms = [
        (_payoff(row)[0].optionType(), float(row["strike"]), (row["expiry_date"] - AS_OF) / 365.0, row["quantity"])
        for row in rows
    ]

    def values() -> list[float]:
        forward, volatility, rate = (market.quotes[name].value() for name in ("WTI", "WTI normal", "USD.SOFR"))
        return [
            size
            * ql.bachelierBlackFormula(kind, strike, forward, volatility * math.sqrt(years), math.exp(-rate * years))
            for kind, strike, years, size in terms
        ]

    return values


def european_on_futures(random: np.random.Generator, n: int) -> Case:
    case = european_commodity(random, n)
    return case._replace(columns=case.columns | _listed(n, "european"))


def american_on_futures(random: np.random.Generator, n: int) -> Case:
    """As those on equities, the dividend yield being the rate."""
    columns = european_commodity(random, n).columns | _listed(n, "american")
    fast, precise = ql.QdFpAmericanEngine.fastScheme(), ql.QdFpAmericanEngine.highPrecisionScheme()
    build, exact = (builder("WTI", _american(scheme), "quantity") for scheme in (fast, precise))
    return Case(columns, build, columns["strike"], exact, agreement=1e-6)


def _listed(n: int, exercise: str) -> Columns:
    return {"contract_size": np.ones(n), "exercise": [exercise] * n, "margining": ["premium"] * n}


# --- barriers and touches ---
def _barrier_terms(random: np.random.Generator, n: int, name: str) -> Columns:
    """No scenario touches them already: QuantLib would refuse to price."""
    kind = random.choice(list(BARRIERS), n)
    down = np.array([each.startswith("down") for each in kind])
    level = np.where(down, random.uniform(0.7, 0.87, n), random.uniform(1.15, 1.35, n))
    rebate = np.where(random.random(n) < 0.3, 0.01 * LEVELS[name], 0.0)
    return {"barrier_type": kind.tolist(), "barrier": LEVELS[name] * level, "rebate": rebate}


def _barrier(row: Row, process: Any) -> Any:
    payoff, last = _payoff(row)
    terms = float(row["barrier"]), float(row["rebate"])
    option = ql.BarrierOption(BARRIERS[row["barrier_type"]], *terms, payoff, ql.EuropeanExercise(last))
    return _priced(option, ql.AnalyticBarrierEngine(process))


def equity_barriers(random: np.random.Generator, n: int) -> Case:
    columns = _terms(random, n, "SPX") | _barrier_terms(random, n, "SPX")
    return Case(columns, builder("SPX", _barrier, "quantity"), _size("SPX", n))


def equity_barriers_on_dividends(random: np.random.Generator, n: int) -> Case:
    """QuantLib's grid is of another model, in which the spot itself is lognormal between ex dates."""
    columns = _terms(random, n, "PAYER") | _barrier_terms(random, n, "PAYER")
    return Case(columns, builder("PAYER", _barrier_paying, "quantity"), _size("PAYER", n), asked=40, agreement=2e-2)


def _barrier_paying(row: Row, process: Any) -> Any:
    payoff, last = _payoff(row)
    terms = float(row["barrier"]), float(row["rebate"])
    option = ql.BarrierOption(BARRIERS[row["barrier_type"]], *terms, payoff, ql.EuropeanExercise(last))
    return _priced(option, ql.FdBlackScholesBarrierEngine(process, _schedule()))


def fx_barriers(random: np.random.Generator, n: int) -> Case:
    columns = _terms(random, n, "EURUSD") | _barrier_terms(random, n, "EURUSD")
    return Case(columns, builder("EURUSD", _barrier, "notional"), _size("EURUSD", n))


def fx_touches(random: np.random.Generator, n: int) -> Case:
    above = random.random(n) < 0.5
    columns = {
        "pair": ["EURUSD"] * n,
        "touch_type": random.choice(["one_touch", "no_touch", "digital_call", "digital_put"], n).tolist(),
        "level": LEVELS["EURUSD"] * np.where(above, random.uniform(1.15, 1.3, n), random.uniform(0.75, 0.87, n)),
        "payout": np.ones(n),
        "payout_currency": ["USD"] * n,
        "expiry_date": AS_OF + random.integers(30, 730, n),
    }
    return Case(columns, builder("EURUSD", _touch, "payout"), np.ones(n))


def _touch(row: Row, process: Any) -> Any:
    kind, level, last = row["touch_type"], float(row["level"]), ql_date(row["expiry_date"])
    call = kind == "digital_call" or (kind.endswith("touch") and level > LEVELS["EURUSD"])
    payoff = ql.CashOrNothingPayoff(ql.Option.Call if call else ql.Option.Put, level, 1.0)
    if kind.startswith("digital"):
        return _priced(ql.VanillaOption(payoff, ql.EuropeanExercise(last)), ql.AnalyticEuropeanEngine(process))
    engine = ql.AnalyticDigitalAmericanEngine if kind == "one_touch" else ql.AnalyticDigitalAmericanKOEngine
    return _priced(ql.VanillaOption(payoff, ql.AmericanExercise(ql_date(AS_OF), last, True)), engine(process))


# --- averages and variances ---
def _asian_terms(random: np.random.Generator, n: int, averaging: str) -> Columns:
    """Twelve fixings, a month apart, the last of them at expiry."""
    return _terms(random, n, "SPX") | {
        "expiry_date": np.full(n, AS_OF + 365),
        "averaging": [averaging] * n,
        "fixing_start": np.full(n, AS_OF + 1),
        "fixing_frequency": ["1M"] * n,
    }


def _asian(row: Row, style: Any, past: float, engine: Any) -> Any:
    payoff, last = _payoff(row)
    days = [last - ql.Period(k, ql.Months) for k in range(11, -1, -1)]
    return _priced(ql.DiscreteAveragingAsianOption(style, past, 0, days, payoff, ql.EuropeanExercise(last)), engine)


def _geometric(row: Row, process: Any) -> Any:
    return _asian(row, ql.Average.Geometric, 1.0, ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(process))


def _monte_carlo(row: Row, process: Any) -> Any:
    terms = {"controlVariate": True, "requiredSamples": MONTE_CARLO_PATHS, "seed": 42}
    engine = ql.MCDiscreteArithmeticAPEngine(process, "pseudorandom", **terms)
    return _asian(row, ql.Average.Arithmetic, 0.0, engine)


def _choi(row: Row, process: Any) -> Any:
    return _asian(row, ql.Average.Arithmetic, 0.0, ql.ChoiAsianEngine(process, 15.0, 1_000_000))


def geometric_asians(random: np.random.Generator, n: int) -> Case:
    return Case(_asian_terms(random, n, "geometric"), builder("SPX", _geometric, "quantity"), _size("SPX", n))


def arithmetic_asians(random: np.random.Generator, n: int) -> Case:
    """Timed against Monte Carlo; the values are held against Choi (2018), which is exact to 1e-8 or so."""
    columns = _asian_terms(random, n, "arithmetic")
    build, exact = (builder("SPX", each, "quantity") for each in (_monte_carlo, _choi))
    return Case(columns, build, _size("SPX", n), exact, agreement=1e-6, asked=8)


def variance_swaps(random: np.random.Generator, n: int) -> Case:
    """Notionals of one: the value is a discounted difference of annual variances.

    QuantLib's sum of options is an approximation; under a flat volatility the fair variance is its square.
    """
    strike = random.uniform(0.15, 0.25, n)
    columns = {
        "underlying": ["SPX"] * n,
        "currency": ["USD"] * n,
        "vega_notional": 2.0 * strike / 100.0,
        "strike_vol": strike,
        "start_date": np.full(n, AS_OF),
        "expiry_date": AS_OF + random.integers(60, 730, n),
    }
    return Case(columns, _build_variance_swaps, np.ones(n), _exact_variance_swaps, agreement=1e-5, asked=64)


def _build_variance_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    spot = LEVELS["SPX"]
    calls, puts = (spot * np.arange(1.0, 2.5, 0.01)).tolist(), (spot * np.arange(1.0, 0.3, -0.01)).tolist()
    engine = ql.ReplicatingVarianceSwapEngine(market.process("SPX"), 0.01 * spot, calls, puts)
    swaps = []
    for row in rows:
        dates = ql_date(AS_OF), ql_date(row["expiry_date"])
        swaps.append(ql.VarianceSwap(ql.Position.Long, float(row["strike_vol"] ** 2), 1.0, *dates))
        swaps[-1].setPricingEngine(engine)

    def values() -> list[float]:
        for swap in swaps:
            swap.recalculate()  # the engine does not notice that its process has moved
        return [swap.NPV() for swap in swaps]

    return values


def _exact_variance_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    curve, volatility = market.curves["USD.SOFR"], market.volatilities["SPX"]
    terms = [(ql_date(row["expiry_date"]), float(row["strike_vol"])) for row in rows]
    return lambda: [curve.discount(day) * (volatility.value() ** 2 - strike**2) for day, strike in terms]


def average_commodity(random: np.random.Generator, n: int) -> Case:
    """The weekdays of a month, up to eleven months from now; QuantLib's engine sums over all pairs of days."""
    first = np.datetime64("2026-12") + random.integers(0, 11, n)
    last = np.busday_offset((first + 1).astype("datetime64[D]"), -1, roll="forward").astype(int)
    columns = _terms(random, n, "WTI")
    del columns["expiry_date"]
    columns |= {
        "start_date": first.astype("datetime64[D]").astype(int),
        "maturity_date": last,
        "calendar": ["weekends"] * n,
    }
    return Case(columns, builder("WTI", _average, "quantity"), _size("WTI", n))


def _average(row: Row, process: Any) -> Any:
    kind = ql.Option.Call if row["option_type"] == "call" else ql.Option.Put
    days = [day for day in range(row["start_date"], row["maturity_date"] + 1) if np.is_busday(np.datetime64(day, "D"))]
    dates = [ql_date(day) for day in days]
    terms = (ql.PlainVanillaPayoff(kind, float(row["strike"])), ql.EuropeanExercise(dates[-1]))
    option = ql.DiscreteAveragingAsianOption(ql.Average.Arithmetic, 0.0, 0, dates, *terms)
    return _priced(option, ql.TurnbullWakemanAsianEngine(process))
