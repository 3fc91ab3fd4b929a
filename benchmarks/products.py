"""Valuations a second on one core, product by product, against QuantLib on the same trades in the same run.

Every scenario moves spots, volatilities and rates. Preparation is left out on both sides: dates and schedules here,
the building of instruments there; QuantLib's curves are relinked once a scenario for all trades. The values of both
must agree. Numbers depend on what else the machine does; compare the ratios.

Run: python -m benchmarks products
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from benchmarks import instruments
from benchmarks.instruments import Case
from benchmarks.market import AS_OF, SCENARIOS, Market, QuantLibMarket
from riskpipe.products.catalogue import catalogue
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

TRADES = 500
TILE = 128
QUANTLIB_SECONDS = 1.0
AGREEMENT = 1e-9


CASES: dict[str, Callable[[np.random.Generator, int], Case]] = {**instruments.CASES}
"""Product -> some of its trades, and QuantLib's prices of them."""


def trades_of(product: str, columns: dict[str, Any]) -> Trades:
    n = len(next(iter(columns.values())))
    dates = {
        name: pa.array(np.asarray(values, np.int32)).cast(pa.date32())
        for name, values in columns.items()
        if name.endswith("_date")
    }
    common = {"trade_id": [str(k) for k in range(n)], "book": ["bench"] * n}
    return Trades(canonical(pa.table({**common, **columns, **dates}), catalogue()[product]))


def measure(product: str, market: Market, theirs: QuantLibMarket) -> dict[str, float]:
    """Figures of one product."""
    case = CASES[product](np.random.default_rng(7), TRADES)
    kind, trades = catalogue()[product], trades_of(product, case.columns)
    if kind.validate(trades, AS_OF) or kind.missing_points(trades, market.model):
        raise ValueError(f"{product}: the benchmark's trades are not valid")
    kind.prepare(trades, market.model)
    start = time.perf_counter()
    prepared = kind.prepare(trades, market.model)
    preparation = time.perf_counter() - start
    rows = np.arange(TRADES, dtype=np.int32)
    tiles = [np.ascontiguousarray(market.levels[:, k : k + TILE]) for k in range(0, SCENARIOS, TILE)]
    values = prepared.price(rows, tiles[0])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        for tile in tiles:
            prepared.price(rows, tile)
        seconds.append(time.perf_counter() - start)
    ours = TRADES * SCENARIOS / min(seconds)
    reference, difference = quantlib_rate(case, theirs, values)
    if not difference < AGREEMENT:
        raise ValueError(f"{product}: values differ from QuantLib's by {difference:.1e}")
    return {
        "valuations_per_second": ours,
        "quantlib_valuations_per_second": reference,
        "ratio": ours / reference,
        "largest_difference": difference,
        "preparation_us_per_trade": 1e6 * preparation / TRADES,
    }


def quantlib_rate(case: Case, theirs: QuantLibMarket, values: NDArray[np.float64]) -> tuple[float, float]:
    """Valuations a second, and the largest difference of the first two scenarios' values."""
    rows = [dict(zip(case.columns, row, strict=True)) for row in zip(*case.columns.values(), strict=True)]
    theirs.move(0)
    value = case.build(theirs, rows)
    difference = 0.0
    for scenario in range(2):
        theirs.move(scenario)
        difference = max(difference, float(np.max(np.abs(values[:, scenario] - np.array(value())) / case.size)))
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < QUANTLIB_SECONDS:
        theirs.move(2 + done % (SCENARIOS - 2))
        value()
        done += 1
    return TRADES * done / (time.perf_counter() - start), difference


def main() -> dict[str, dict[str, float]]:
    market = Market()
    theirs = QuantLibMarket(market)
    results: dict[str, dict[str, float]] = {}
    print(f"{'product':22} {'M valuations/s':>15} {'QuantLib ' + ql.__version__:>15} {'ratio':>8} {'difference':>11}")
    for product in CASES:
        found = results[product] = measure(product, market, theirs)
        ours, reference = found["valuations_per_second"], found["quantlib_valuations_per_second"]
        line = f"{product:22} {ours / 1e6:15.2f} {reference / 1e6:15.4f} {found['ratio']:8.0f}"
        print(f"{line} {found['largest_difference']:11.1e}", flush=True)
    return results


if __name__ == "__main__":
    main()
