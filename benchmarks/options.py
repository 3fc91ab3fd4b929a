"""Options and variance swaps against QuantLib on one core, the same trades in the same run: spot, vol and rates move.

Every case is priced as a worker prices it, in tiles of scenarios; QuantLib values some of the same trades in some of
the same scenarios, its quotes set and its engine asked, in a Python loop. Differences are reported too.

Run: python -m benchmarks options
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.equity_asian_option import EquityAsianOption
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_barrier_option import FxBarrierOption
from riskpipe.products.fx_touch import FxTouch
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical
from riskpipe.products.variance_swap import VarianceSwap

Array = NDArray[np.float64]
Columns = dict[str, Any]

AS_OF = 20777
TODAY = ql.Date(20, 11, 2026)
TRADES, SCENARIOS, TILE = 256, 512, 128
# What QuantLib is asked: fewer, as it needs a thousand times as long.
SECONDS_OF_QUANTLIB = 1.5


@dataclass(frozen=True)
class Quotes:
    """One scenario at a time in QuantLib."""

    spot: Any
    rate: Any
    dividend: Any
    vol: Any
    process: Any

    def set(self, levels: tuple[float, float, float, float]) -> None:
        for quote, level in zip((self.spot, self.rate, self.dividend, self.vol), levels, strict=True):
            quote.setValue(level)


@dataclass(frozen=True)
class Case:
    """:param columns: of n trades, from a generator.
    :param instrument: trade k in QuantLib, with its engine.
    """

    name: str
    product: Product
    columns: Callable[[np.random.Generator, int], Columns]
    instrument: Callable[[Columns, int, Any], Any]
    trades: int = TRADES


def quotes() -> Quotes:
    day_count = ql.Actual365Fixed()
    spot, rate, dividend, vol = (ql.SimpleQuote(v) for v in (100.0, 0.03, 0.01, 0.2))

    def curve(quote: Any) -> Any:
        return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, ql.QuoteHandle(quote), day_count))

    surface = ql.BlackConstantVol(TODAY, ql.NullCalendar(), ql.QuoteHandle(vol), day_count)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(spot), curve(dividend), curve(rate), ql.BlackVolTermStructureHandle(surface)
    )
    return Quotes(spot, rate, dividend, vol, process)


def market() -> tuple[MarketModel, Array, list[tuple[float, float, float, float]]]:
    """An equity X in USD and the pair EURUSD at one level; float64[factors, scenarios]; the same for QuantLib."""
    rows = [
        ("spot", "X", None, 100.0), ("spot", "EURUSD", None, 100.0), ("zero_rate", "USD.OIS", "10Y", 0.03),
        ("zero_rate", "EUR.OIS", "10Y", 0.01), ("dividend_yield", "X", "10Y", 0.01),
        ("black_vol", "X", "10Y", 0.2), ("fx_vol", "EURUSD", "10Y", 0.2),
    ]  # fmt: skip
    kind, name, tenor, value = zip(*rows, strict=True)
    factor = [":".join(part for part in row[:3] if part) for row in rows]
    table = pa.table(
        {"factor": factor, "kind": kind, "name": name, "tenor": pa.array(tenor, pa.string()), "value": value}
    )
    snapshot = MarketSnapshot.from_table(table, AS_OF)
    rng = np.random.default_rng(1)
    spot = 100.0 * np.exp(rng.normal(0.0, 0.01, SCENARIOS))
    rate, dividend = 0.03 + rng.normal(0.0, 0.0005, SCENARIOS), 0.01 + rng.normal(0.0, 0.0002, SCENARIOS)
    vol = 0.2 * np.exp(rng.normal(0.0, 0.03, SCENARIOS))
    levels = {"spot": spot, "zero_rate:USD": rate, "zero_rate:EUR": dividend, "dividend": dividend}
    x = np.empty((len(rows), SCENARIOS))
    for row, label in enumerate(snapshot.factors.column("factor").to_pylist()):
        x[row] = next((level for prefix, level in levels.items() if label.startswith(prefix)), vol)
    scenarios = [tuple(float(v) for v in level) for level in zip(spot, rate, dividend, vol, strict=True)]
    return MarketModel(snapshot, Conventions()), x, scenarios


def trades_of(product: Product, columns: Columns) -> Trades:
    size = len(next(iter(columns.values())))
    dates = {column.name for column in all_columns(product) if column.kind == "date"}
    given: Columns = {"trade_id": [f"T{k}" for k in range(size)], "book": ["bench"] * size}
    for name, values in columns.items():
        given[name] = pa.array(np.asarray(values), pa.int32()).cast(pa.date32()) if name in dates else values
    return Trades(canonical(pa.table(given), product))


def riskpipe_values(case: Case, columns: Columns, model: MarketModel, x: Array) -> tuple[float, Array]:
    """Valuations a second, best of three, and the values."""
    trades = trades_of(case.product, columns)
    assert case.product.validate(trades, AS_OF) == []
    prepared = case.product.prepare(trades, model)
    rows = np.arange(len(trades), dtype=np.int32)
    tiles = [np.ascontiguousarray(x[:, first : first + TILE]) for first in range(0, SCENARIOS, TILE)]
    prepared.price(rows, tiles[0])
    best, values = np.inf, []
    for _ in range(3):
        start = time.perf_counter()
        values = [prepared.price(rows, tile) for tile in tiles]
        best = min(best, time.perf_counter() - start)
    return len(trades) * SCENARIOS / best, np.hstack(values)


def quantlib_values(
    case: Case, columns: Columns, scenarios: list[tuple[float, float, float, float]], values: Array
) -> tuple[float, float]:
    """Valuations a second, and the largest difference to `values` per unit of the trade, over the spot."""
    ql.Settings.instance().evaluationDate = TODAY
    quoted = quotes()
    scale = np.abs(np.asarray(columns.get("quantity", columns.get("notional", columns.get("payout", [1.0])))))
    spent, count, worst = 0.0, 0, 0.0
    for k in range(values.shape[0]):
        instrument = case.instrument(columns, k, quoted.process)
        for s in range(k % 8, SCENARIOS, 61):
            start = time.perf_counter()
            quoted.set(scenarios[s])
            value = instrument.NPV()
            spent += time.perf_counter() - start
            count += 1
            worst = max(worst, abs(value - values[k, s] / scale[k % len(scale)]) / 100.0)
        if spent > SECONDS_OF_QUANTLIB:
            break
    return count / spent, worst


# --- the products ---


def _options(rng: np.random.Generator, n: int) -> Columns:
    return {
        "underlying": ["X"] * n,
        "currency": ["USD"] * n,
        "quantity": np.ones(n),
        "option_type": rng.choice(["call", "put"], n).tolist(),
        "strike": rng.uniform(80.0, 120.0, n),
        "expiry_date": AS_OF + rng.integers(30, 730, n),
    }


def _payoff(columns: Columns, k: int) -> tuple[Any, Any]:
    kind = ql.Option.Call if columns["option_type"][k] == "call" else ql.Option.Put
    return ql.PlainVanillaPayoff(kind, float(columns["strike"][k])), TODAY + int(columns["expiry_date"][k] - AS_OF)


def _with(instrument: Any, engine: Any) -> Any:
    instrument.setPricingEngine(engine)
    return instrument


def _american(columns: Columns, k: int, process: Any) -> Any:
    payoff, last = _payoff(columns, k)
    engine = ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme())
    return _with(ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, last)), engine)


def _european(columns: Columns, k: int, process: Any) -> Any:
    payoff, last = _payoff(columns, k)
    return _with(ql.VanillaOption(payoff, ql.EuropeanExercise(last)), ql.AnalyticEuropeanEngine(process))


_BARRIERS = {
    "up_in": ql.Barrier.UpIn, "up_out": ql.Barrier.UpOut, "down_in": ql.Barrier.DownIn, "down_out": ql.Barrier.DownOut
}  # fmt: skip


def _barriers(rng: np.random.Generator, n: int) -> Columns:
    kind = rng.choice(list(_BARRIERS), n)
    down = np.array([name.startswith("down") for name in kind])
    barrier = np.where(down, rng.uniform(70.0, 92.0, n), rng.uniform(108.0, 130.0, n))
    rebate = np.where(rng.random(n) < 0.3, 1.0, 0.0)
    return {"barrier_type": kind.tolist(), "barrier": barrier, "rebate": rebate}


def _barrier(columns: Columns, k: int, process: Any) -> Any:
    payoff, last = _payoff(columns, k)
    terms = float(columns["barrier"][k]), float(columns["rebate"][k])
    option = ql.BarrierOption(_BARRIERS[columns["barrier_type"][k]], *terms, payoff, ql.EuropeanExercise(last))
    return _with(option, ql.AnalyticBarrierEngine(process))


def _fx(columns: Columns) -> Columns:
    rest = {name: values for name, values in columns.items() if name not in ("underlying", "currency", "quantity")}
    n = len(rest["strike"])
    return {"pair": ["EURUSD"] * n, "notional": np.ones(n), "delivery_date": rest["expiry_date"], **rest}


def _touches(rng: np.random.Generator, n: int) -> Columns:
    return {
        "pair": ["EURUSD"] * n,
        "touch_type": rng.choice(["one_touch", "no_touch", "digital_call", "digital_put"], n).tolist(),
        "level": np.where(rng.random(n) < 0.5, rng.uniform(75.0, 92.0, n), rng.uniform(108.0, 130.0, n)),
        "payout": np.ones(n),
        "payout_currency": ["USD"] * n,
        "expiry_date": AS_OF + rng.integers(30, 730, n),
    }


def _touch(columns: Columns, k: int, process: Any) -> Any:
    kind, level = columns["touch_type"][k], float(columns["level"][k])
    last, above = TODAY + int(columns["expiry_date"][k] - AS_OF), level > 100.0
    call = kind == "digital_call" or (kind.endswith("touch") and above)
    payoff = ql.CashOrNothingPayoff(ql.Option.Call if call else ql.Option.Put, level, 1.0)
    if kind.startswith("digital"):
        return _with(ql.VanillaOption(payoff, ql.EuropeanExercise(last)), ql.AnalyticEuropeanEngine(process))
    engine = ql.AnalyticDigitalAmericanEngine if kind == "one_touch" else ql.AnalyticDigitalAmericanKOEngine
    return _with(ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, last, True)), engine(process))


def _asians(averaging: str) -> Callable[[np.random.Generator, int], Columns]:
    def columns(rng: np.random.Generator, n: int) -> Columns:
        # Twelve fixings, thirty days apart as near as months are.
        return _options(rng, n) | {
            "expiry_date": AS_OF + np.full(n, 365),
            "averaging": [averaging] * n,
            "fixing_start": AS_OF + np.full(n, 1),
            "fixing_frequency": ["1M"] * n,
        }

    return columns


def _asian(columns: Columns, k: int, process: Any) -> Any:
    payoff, last = _payoff(columns, k)
    days = [last - ql.Period(j, ql.Months) for j in range(11, -1, -1)]
    geometric = columns["averaging"][k] == "geometric"
    style, past = (ql.Average.Geometric, 1.0) if geometric else (ql.Average.Arithmetic, 0.0)
    option = ql.DiscreteAveragingAsianOption(style, past, 0, days, payoff, ql.EuropeanExercise(last))
    if geometric:
        return _with(option, ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(process))
    engine = ql.MCDiscreteArithmeticAPEngine(
        process, "pseudorandom", controlVariate=True, requiredSamples=MONTE_CARLO_PATHS, seed=42
    )
    return _with(option, engine)


# With the geometric average as control its standard error is then 1e-5 of the spot or more; ours is below 1e-6.
MONTE_CARLO_PATHS = 20_000


def _swaps(rng: np.random.Generator, n: int) -> Columns:
    strike = rng.uniform(0.15, 0.25, n)
    return {
        "underlying": ["X"] * n,
        "currency": ["USD"] * n,
        "vega_notional": 2.0 * strike / 100.0,
        "strike_vol": strike,
        "start_date": AS_OF + np.zeros(n, np.int32),
        "expiry_date": AS_OF + rng.integers(60, 730, n),
    }


def _swap(columns: Columns, k: int, process: Any) -> Any:
    last = TODAY + int(columns["expiry_date"][k] - AS_OF)
    swap = ql.VarianceSwap(ql.Position.Long, float(columns["strike_vol"][k] ** 2), 1.0, TODAY, last)
    calls, puts = np.arange(100.0, 250.0, 1.0).tolist(), np.arange(100.0, 30.0, -1.0).tolist()
    return _with(swap, ql.ReplicatingVarianceSwapEngine(process, 1.0, calls, puts))


CASES: tuple[Case, ...] = (
    Case(
        "equity_option european",
        EquityOption(),
        lambda r, n: _options(r, n) | {"exercise": ["european"] * n},
        _european,
    ),
    Case(
        "equity_option american",
        EquityOption(),
        lambda r, n: _options(r, n) | {"exercise": ["american"] * n},
        _american,
    ),
    Case("equity_barrier_option", EquityBarrierOption(), lambda r, n: _options(r, n) | _barriers(r, n), _barrier),
    Case("fx_barrier_option", FxBarrierOption(), lambda r, n: _fx(_options(r, n) | _barriers(r, n)), _barrier),
    Case("fx_touch", FxTouch(), _touches, _touch),
    Case("equity_asian_option geometric", EquityAsianOption(), _asians("geometric"), _asian),
    Case("equity_asian_option arithmetic", EquityAsianOption(), _asians("arithmetic"), _asian),
    Case("variance_swap", VarianceSwap(), _swaps, _swap),
)


def main() -> dict[str, Any]:
    """Product -> valuations a second of both, ratio, largest difference in units of the spot."""
    model, x, scenarios = market()
    results: dict[str, Any] = {}
    print(f"{'':32}{'riskpipe':>14}{'QuantLib':>14}{'ratio':>9}{'difference':>13}")
    for case in CASES:
        columns = case.columns(np.random.default_rng(7), case.trades)
        ours, values = riskpipe_values(case, columns, model, x)
        theirs, difference = quantlib_values(case, columns, scenarios, values)
        results[case.name] = {
            "valuations_per_second": ours,
            "quantlib_valuations_per_second": theirs,
            "ratio": ours / theirs,
            "largest_difference": difference,
        }
        print(f"{case.name:32}{ours:14,.0f}{theirs:14,.0f}{ours / theirs:9,.0f}{difference:13.1e}", flush=True)
    return results


if __name__ == "__main__":
    main()
