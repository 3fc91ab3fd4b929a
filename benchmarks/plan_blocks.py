"""A million blocks: how long planning takes and what it holds in memory.

Two sizes in processes of their own, so that the growth of the peak with the number of blocks can be seen.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TRADES_A_FILE = 250_000


def plan(directory: Path, trades: int, trades_a_block: int, scenarios_a_block: int) -> dict[str, float]:
    """Plan a book of `trades` FX forwards in blocks of so many trades and scenarios; figures of this process."""
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    from riskpipe.plan.stored_plan import StoredPlan
    from riskpipe.workflows.plan import make_plan

    settings = load_settings(
        directory / "riskpipe.yaml",
        assignments=(
            "measures=[pv, historical_var]",
            f"partition.max_trades={trades_a_block}",
            f"partition.max_scenarios={scenarios_a_block}",
        ),
        environment={},
    )
    started, cpu = time.perf_counter(), time.process_time()
    with make_plan(settings, Selection()) as planned:
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        started = time.perf_counter()
        StoredPlan(planned.plan.path).index_of("0" * 24)
        lookup = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = Path(planned.plan.path).stat().st_size / 2**20
        return {
            "trades": trades,
            "blocks": len(planned.plan),
            "plan_s": seconds,
            "cpu_s": cpu,
            "index_s": lookup,
            "peak_mib": peak,
            "file_mib": size,
        }


def main() -> dict[str, list[dict[str, float]]]:
    from riskpipe.sample import write_sample

    rows = []
    for trades, trades_a_block, scenarios_a_block in ((1_000_000, 100, 50), (1_000_000, 10, 50)):
        with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
            directory = Path(temporary) / "book"
            write_sample(directory, trades=trades, scenarios=500, products={"fx_forward": 1.0})
            words = [sys.executable, "-m", "benchmarks.plan_blocks", str(directory)]
            words += [str(trades), str(trades_a_block), str(scenarios_a_block)]
            rows.append(json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
    print("  blocks     trades   plan s  CPU s  blocks/s  peak MiB  plan file MiB")
    for row in rows:
        print(
            f"{row['blocks']:>9,.0f} {row['trades']:>9,.0f} {row['plan_s']:>8.1f} {row['cpu_s']:>6.1f} "
            f"{row['blocks'] / row['plan_s']:>9,.0f} {row['peak_mib']:>9,.0f} {row['file_mib']:>14,.0f}"
        )
    return {"plan_blocks": rows}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        where, *numbers = sys.argv[1:]
        print(json.dumps(plan(Path(where), *map(int, numbers))))
    else:
        main()
