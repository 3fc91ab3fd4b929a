"""European options, spot, volatility and rates moving: this kernel against QuantLib's engine, on one core.

Numbers depend on what else the machine does; compare the ratio.

Run: python -m benchmarks european
"""

from __future__ import annotations

import time

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.kernels.black import black_options

TRADES, SCENARIOS = 4096, 512


def kernel_rate() -> float:
    """Valuations a second of `black_options`, best of five."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 0.4, (64, SCENARIOS))
    forward = rng.uniform(80.0, 120.0, (32, SCENARIOS))
    discount = rng.uniform(0.9, 1.0, (32, SCENARIOS))
    low = rng.uniform(0.0, 1.0, (TRADES, 2))
    strike_weight = np.ascontiguousarray(np.stack([low, 1.0 - low], axis=2).reshape(TRADES, 4))
    arguments = (
        np.arange(TRADES, dtype=np.int32),
        forward,
        rng.integers(0, 32, TRADES).astype(np.int32),
        discount,
        rng.integers(0, 32, TRADES).astype(np.int32),
        rng.integers(0, 64, (TRADES, 4)).astype(np.int32),
        strike_weight,
        rng.uniform(0.05, 1.0, (TRADES, 2)),
        x,
        rng.uniform(70.0, 130.0, TRADES),
        rng.choice([-1.0, 1.0], TRADES),
        rng.normal(0.0, 100.0, TRADES),
    )
    out = np.empty((TRADES, SCENARIOS))
    black_options(*arguments, out)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        black_options(*arguments, out)
        seconds.append(time.perf_counter() - start)
    return TRADES * SCENARIOS / min(seconds)


def quantlib_rate(valuations: int = 100_000) -> float:
    """Valuations a second of AnalyticEuropeanEngine in a Python loop that moves spot, volatility and rate."""
    today = ql.Date(20, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    spot, volatility, rate = ql.SimpleQuote(100.0), ql.SimpleQuote(0.2), ql.SimpleQuote(0.03)
    day_count = ql.Actual365Fixed()
    process = ql.BlackScholesProcess(
        ql.QuoteHandle(spot),
        ql.YieldTermStructureHandle(ql.FlatForward(today, ql.QuoteHandle(rate), day_count)),
        ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(volatility), day_count)
        ),
    )
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, 100.0), ql.EuropeanExercise(today + 365))
    option.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    moves = np.random.default_rng(2).uniform(-0.01, 0.01, valuations).tolist()
    start = time.perf_counter()
    for move in moves:
        spot.setValue(100.0 * (1.0 + move))
        volatility.setValue(0.2 + move)
        rate.setValue(0.03 + move)
        option.NPV()
    return valuations / (time.perf_counter() - start)


def main() -> dict[str, float]:
    ours, theirs = kernel_rate(), quantlib_rate()
    print(f"riskpipe black_options        {ours / 1e6:8.2f} M valuations/s/core")
    print(f"QuantLib {ql.__version__} AnalyticEuropean {theirs / 1e6:8.2f} M valuations/s/core")
    print(f"ratio                         {ours / theirs:8.0f}")
    return {"riskpipe_per_second": ours, "quantlib_per_second": theirs, "ratio": ours / theirs}


if __name__ == "__main__":
    main()
