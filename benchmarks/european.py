"""The kernel of European options, alone: against a C loop that gcc compiles on the spot, and QuantLib's engine.

One core, spot, volatility and rate moving in every valuation. The C loop (`european.c`: -Ofast -march=native, libmvec)
gets the same arrays and does the same work; the values of both agree. All sides take turns; compare the ratios.

Run: python -m benchmarks european
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from benchmarks.products import Steps, rates
from riskpipe.arrays import FloatArray
from riskpipe.kernels.black import european_options

TRADES, SCENARIOS = 4096, 512
REQUIRED_OF_C, REQUIRED_OF_QUANTLIB = 0.8, 250.0
# Of notional x (forward + strike): libmvec's erfc is good to four units in the last place.
AGREEMENT = 1e-14
SOURCE = Path(__file__).with_suffix(".c")
# gcc halves the vectors of some processors unless told otherwise; the faster of the two is the yardstick.
OPTIONS = ((), ("-mprefer-vector-width=512",))

Arrays = tuple[NDArray[Any], ...]


def arrays() -> Arrays:
    """What the C loop takes before `out`: the arrays of `european_options`, one by one."""
    rng = np.random.default_rng(1)
    low = rng.uniform(0.0, 1.0, (TRADES, 2))
    return (
        rng.uniform(80.0, 120.0, (32, SCENARIOS)),
        rng.integers(0, 32, TRADES).astype(np.int32),
        rng.uniform(0.9, 1.0, (32, SCENARIOS)),
        rng.integers(0, 32, TRADES).astype(np.int32),
        rng.integers(0, 64, (TRADES, 4)).astype(np.int32),
        np.ascontiguousarray(np.stack([low, 1.0 - low], axis=2).reshape(TRADES, 4)),
        rng.uniform(0.05, 1.0, (TRADES, 2)),
        rng.uniform(0.1, 0.4, (64, SCENARIOS)),
        rng.uniform(70.0, 130.0, TRADES),
        rng.choice([-1.0, 1.0], TRADES),
        rng.normal(0.0, 100.0, TRADES),
    )


def compiled(gcc: str, options: tuple[str, ...], directory: Path) -> Callable[..., None] | None:
    """The C loop; None where gcc does not know an option."""
    library = directory / f"european{len(options)}.so"
    flags = ("-Ofast", "-march=native", *options, "-shared", "-fPIC")
    done = subprocess.run([gcc, *flags, str(SOURCE), "-o", str(library), "-lmvec", "-lm"], capture_output=True)
    if done.returncode != 0:
        return None
    function = ctypes.CDLL(str(library)).european_options
    function.restype = None

    def call(given: Arrays, out: FloatArray) -> None:
        pointers = [ctypes.c_void_p(each.ctypes.data) for each in (*given, out)]
        function(ctypes.c_int64(TRADES), ctypes.c_int64(SCENARIOS), *pointers)

    return call


def loops(given: Arrays, expected: FloatArray) -> tuple[list[Steps], float]:
    """The C loops that gcc makes, and their largest difference to the kernel's values; none without gcc."""
    gcc, found, difference = shutil.which("gcc"), list[Steps](), 0.0
    size = np.abs(given[-1][:, None]) * (given[0][given[1]] + given[-3][:, None])
    if gcc is None:
        return found, difference
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        for options in OPTIONS:
            loop, out = compiled(gcc, options, Path(temporary)), np.empty((TRADES, SCENARIOS))
            if loop is None:
                continue
            loop(given, out)
            difference = max(difference, float(np.max(np.abs(out - expected) / size)))
            found.append((out.size, [partial(loop, given, out)]))
    if not difference < AGREEMENT:
        raise ValueError(f"the C loop's values differ by {difference:.1e}")
    return found, difference


def quantlib() -> Steps:
    """AnalyticEuropeanEngine in a Python loop that moves spot, volatility and rate."""
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
    moves = np.random.default_rng(2).uniform(-0.01, 0.01, 5_000).tolist()

    def step() -> None:
        for move in moves:
            spot.setValue(100.0 * (1.0 + move))
            volatility.setValue(0.2 + move)
            rate.setValue(0.03 + move)
            option.NPV()

    return len(moves), [step]


def main() -> dict[str, Any]:
    given, out = arrays(), np.empty((TRADES, SCENARIOS))
    forward, discount, variances, terms = given[:2], given[2:4], given[4:8], given[8:]
    market = (forward, discount, variances)
    rows, normal = np.arange(TRADES, dtype=np.int32), np.zeros(TRADES, np.bool_)
    kernel = partial(european_options, rows, *market, terms, normal, out)
    kernel()
    in_c, difference = loops(given, out)
    ours, theirs, *loop_rates = rates((out.size, [kernel]), quantlib(), *in_c)
    print(f"{'riskpipe european_options':32} {ours / 1e6:8.2f} M valuations/s/core")
    results: dict[str, Any] = {"riskpipe_per_second": ours, "quantlib_per_second": theirs, "ratio": ours / theirs}
    _show(f"QuantLib {ql.__version__} AnalyticEuropean", theirs, ours / theirs, REQUIRED_OF_QUANTLIB)
    if not loop_rates:
        print(f"{'C loop':32} not measured: there is no gcc that compiles it")
        return results | {"c_per_second": None, "ratio_to_c": None}
    fastest = max(loop_rates)
    _show("C loop, gcc -Ofast, libmvec", fastest, ours / fastest, REQUIRED_OF_C)
    print(f"{'':32} values differ by {difference:.1e} of notional x (forward + strike)")
    return results | {"c_per_second": fastest, "ratio_to_c": ours / fastest, "difference_to_c": difference}


def _show(label: str, rate: float, ratio: float, required: float) -> None:
    verdict = "" if ratio >= required else "  NOT REACHED"
    print(f"{label:32} {rate / 1e6:8.2f} M valuations/s/core, ratio {ratio:.3g}, required {required:g}{verdict}")


if __name__ == "__main__":
    main()
