"""The whole set of sensitivities by point (bucketed_delta, bucketed_vega) over the present value alone.

Books of one product of the sample's, as a block values them: preparing and pricing, not reading and writing. Seconds of
the processor; medians of turns.

Run: python -m benchmarks buckets
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from riskpipe.config import load_settings
from riskpipe.plan.selection import Selection
from riskpipe.runs.new_run import write_run
from riskpipe.runs.planning import make_plan
from riskpipe.sample import write_sample
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.context import Context
from riskpipe.valuation.price import value_trades
from riskpipe.valuation.run_block import read_trades

TRADES, TURNS, AT_MOST = 5_000, 5, 4.0
BUCKETS = ("bucketed_delta", "bucketed_vega")
BOOKS = ("interest_rate_swap", "cap_floor", "equity_option", "fx_option")


def main() -> dict[str, dict[str, object]]:
    print(f"{'a book of 5,000':22} {'pv us':>8} {'with buckets':>13} {'ratio':>7} {'asked':>7}")
    results = {}
    for name in BOOKS:
        alone, whole = measure(name)
        ratio = whole / alone
        missed = "" if ratio <= AT_MOST else "  more than asked"
        print(f"{name:22} {alone:8.2f} {whole:13.2f} {ratio:7.1f} {AT_MOST:7.1f}{missed}", flush=True)
        results[name] = {"pv_us": alone, "buckets_us": whole, "ratio": ratio, "asked": AT_MOST}
    return results


def measure(name: str, trades: int = TRADES, turns: int = TURNS) -> tuple[float, float]:
    """Microseconds of the processor a trade: of the present value alone, and of it with every bucket."""
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        directory = Path(temporary)
        write_sample(directory / "book", trades=trades, scenarios=2, seed=3, products={name: 1.0}, quoted=False)
        wanted = ("cluster.kind=serial", f"output={directory / 'output'}", f"measures=[pv, {', '.join(BUCKETS)}]")
        limits = ("partition.max_trades=1000000", "partition.max_scenarios=100000", "partition.target_seconds=1000000")
        settings = load_settings(directory / "book" / "riskpipe.yaml", assignments=(*wanted, *limits), environment={})
        folder = RunFolder(open_store(settings.output), "20261120-193055-3f9a1c")
        with make_plan(settings, Selection()) as planned:
            write_run(folder, settings, planned)
            _, block = next(iter(planned.plan.blocks()))
        context = Context(folder)
        taken: dict[tuple[str, ...], list[float]] = {("pv",): [], ("pv", *BUCKETS): []}
        for turn in range(turns + 1):
            for measures, seconds in taken.items():
                # Read anew: what a column is made into is kept with the trades.
                book, _ = read_trades(context, block)
                start = time.process_time()
                value_trades(context, context.products[name], book, measures, 0, len(context.scenarios))
                if turn:  # the first one compiles
                    seconds.append(time.process_time() - start)
        alone, whole = (1e6 * statistics.median(seconds) / len(book) for seconds in taken.values())
    return alone, whole
