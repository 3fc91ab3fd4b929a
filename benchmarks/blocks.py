"""A large block of swaps and of bonds: what preparing it takes, and what its flows take under scenarios.

Trades come in no order of dates, as in a portfolio, and are priced as a block prices them. Preparing is what a worker
does between reading trades that have been checked and pricing them. Every figure is of a process of its own, in seconds
of the processor; with BENCH_BEFORE, the Python of another checkout, both take turns, and the medians count.

Run: python -m benchmarks blocks
"""

from __future__ import annotations

import inspect
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

BEFORE = "BENCH_BEFORE"
TRADES, TILE = 20_000, 128
TURNS, ROUNDS = 3, 9


class Row(NamedTuple):
    """A figure, its unit, and what is asked of it; or how many times less than before."""

    figure: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    times_less: float | None = None


ROWS: Mapping[str, Row] = {
    "bonds": Row("ns_a_flow", "ns a flow", at_most=0.17),
    "two-curve swaps": Row("million_a_second", "M/s", at_least=100.0),
    "bonds, prepare": Row("prepare_us", "us a trade", times_less=3.0),
    "two-curve swaps, prepare": Row("prepare_us", "us a trade", times_less=3.0),
}


def main() -> dict[str, dict[str, object]]:
    pythons = [sys.executable, *filter(None, [os.environ.get(BEFORE)])]
    taken: dict[str, dict[str, list[list[float]]]] = {}
    for _ in range(TURNS):
        for k, python in enumerate(pythons):
            for case in ("bonds", "two-curve swaps"):
                for figure, value in _figures_of(python, case).items():
                    taken.setdefault(case, {}).setdefault(figure, [[] for _ in pythons])[k].append(value)
    results: dict[str, dict[str, object]] = {}
    print(f"{'a block of 20,000':28} {'measured':>10} {'before':>10} {'asked':>14}")
    for label, row in ROWS.items():
        found = [statistics.median(values) for values in taken[label.partition(",")[0]][row.figure]]
        results[label] = _result(row, found)
        print(
            "{label:28} {measured:10.3g} {before!s:>10} {asked:>14}{falls_short}".format(label=label, **results[label])
        )
    return results


def _result(row: Row, found: list[float]) -> dict[str, object]:
    measured, before = found[0], found[1] if len(found) > 1 else None
    reached = (
        (row.at_most is None or measured <= row.at_most)
        and (row.at_least is None or measured >= row.at_least)
        and (row.times_less is None or before is None or before / measured >= row.times_less)
    )
    limits = {"<= {:g}": row.at_most, ">= {:g}": row.at_least, "before / {:g}": row.times_less}
    return {
        "measured": measured,
        "before": None if before is None else float(f"{before:.3g}"),
        "asked": " ".join(text.format(limit) for text, limit in limits.items() if limit is not None),
        "unit": row.unit,
        "falls_short": "" if reached else "  falls short",
    }


def _figures_of(python: str, case: str) -> dict[str, float]:
    # By its path: the other checkout has its own riskpipe, and the other modules of its benchmarks.
    done = subprocess.run([python, __file__, case], check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def measure(case: str) -> dict[str, float]:
    """In this process: all figures of a case."""
    import numpy as np

    from benchmarks import bond_cases, swap_cases
    from benchmarks.market import Market
    from benchmarks.products import trades_of
    from riskpipe.products.catalogue import catalogue
    from riskpipe.products.dependencies import dependencies

    name, make = {
        "bonds": ("bond", bond_cases.bonds),
        "two-curve swaps": ("interest_rate_swap", swap_cases.interest_rate_swaps),
    }[case]
    market, product = Market(), catalogue()[name]
    model, columns = market.model("midpoint"), make(np.random.default_rng(7), TRADES).columns
    levels = np.ascontiguousarray(market.levels[:, :TILE])
    # an earlier riskpipe looks for fixings once more, and prices in the order of the portfolio
    checked = {"checked": True} if "checked" in inspect.signature(dependencies).parameters else {}

    def prepare() -> object:
        dependencies(product, trades, model, "EUR", **checked)
        return product.prepare(trades, model)

    preparing = []
    for _ in range(ROUNDS):
        trades = trades_of(name, columns)
        preparing.append(_seconds(prepare))
    prepared = product.prepare(trades, model)
    order = getattr(product, "pricing_order", lambda trades: np.arange(len(trades), dtype=np.int32))(trades)
    pricing = statistics.median(_seconds(lambda: prepared.price(order, levels)) for _ in range(ROUNDS))
    flows = sum(len(leg.coefficient) for leg in prepared.legs)  # type: ignore[attr-defined]
    return {
        "prepare_us": 1e6 * statistics.median(preparing) / TRADES,
        "million_a_second": TRADES * TILE / pricing / 1e6,
        "ns_a_flow": 1e9 * pricing / (flows * TILE),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
