"""The whole pipeline on 2 workers: efficiency of the run phase, workers' memory, the driver's memory.

Efficiency = pricing seconds summed over the blocks / (workers x wall seconds of the run phase). Every run is a process
of its own; the driver's peak is that process's (the workers are its children and count for themselves).
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

WORKERS = 2
CASES: dict[str, tuple[str, ...]] = {
    "VaR": ("measures=[pv, historical_var]", "scenario_pnl.historical=false"),
    "VaR, vectors per trade": ("measures=[pv, historical_var]",),
    "all nightly measures": ("scenario_pnl.historical=false",),
    "VaR, 10 x the blocks": (
        "measures=[pv, historical_var]",
        "scenario_pnl.historical=false",
        "partition.max_trades=1000",
    ),
    "VaR, 50 x the blocks": (
        "measures=[pv, historical_var]",
        "scenario_pnl.historical=false",
        "partition.max_trades=200",
    ),
    "VaR, 100 x the blocks": (
        "measures=[pv, historical_var]",
        "scenario_pnl.historical=false",
        "partition.max_trades=100",
    ),
}


def one(config: str, assignments: list[str]) -> dict[str, object]:
    """Run once; the figures of this process and of its workers' blocks."""
    from riskpipe.config import load_settings
    from riskpipe.plan.accounting import SilentObserver
    from riskpipe.plan.selection import Selection
    from riskpipe.runs.publication import Publication
    from riskpipe.workflows.run import run

    settings = load_settings(config, assignments=assignments, environment={})
    status = run(settings, Selection(), resume="never", publication=Publication("always"), observer=SilentObserver())
    blocks = pq.read_table(Path(settings.output) / "runs" / status.run_id / "blocks.parquet")
    done = blocks.filter(pc.equal(blocks.column("status"), "ok"))
    priced = pc.sum(done.column("price_s")).as_py()
    over = pc.sum(pc.greater(done.column("peak_rss_bytes"), done.column("projected_bytes"))).as_py()
    return {
        "state": status.state,
        "blocks": len(done),
        "trades": status.trades,
        "phases": dict(status.phases),
        "elapsed": status.elapsed_seconds,
        "priced": priced,
        "written": pc.sum(done.column("write_s")).as_py(),
        "cpu_of_blocks": pc.sum(done.column("cpu_s")).as_py(),
        "efficiency": priced / (WORKERS * status.phases["value"]),
        "peak_worker": pc.max(done.column("peak_rss_bytes")).as_py() / 2**20,
        "projected_worker": pc.max(done.column("projected_bytes")).as_py() / 2**20,
        "over_projection": over,
        "driver": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main(trades: int = 200_000, scenarios: int = 500) -> dict[str, object]:
    from riskpipe.sample import write_sample

    rows: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        book = Path(temporary) / "book"
        write_sample(book, trades=trades, scenarios=scenarios)
        print(f"{trades:,} trades x {scenarios} scenarios, {WORKERS} workers on {os.cpu_count()} cores")
        print("case                       blocks  value s  priced s  efficiency", end="  ")
        print("combine s  publish s  worker MiB  projected  driver MiB  total s")
        for name, assignments in CASES.items():
            words = [sys.executable, "-m", "benchmarks.pipeline", str(book / "riskpipe.yaml")]
            words += ["cluster.kind=local", f"cluster.workers={WORKERS}"]
            words += [f"output={temporary}/{len(rows)}", *assignments]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            rows[name] = row
            print(
                f"{name:26} {row['blocks']:>7} {row['phases']['value']:>8.1f} {row['priced']:>9.1f} "
                f"{row['efficiency']:>11.2f} {row['phases']['combine']:>10.1f} {row['phases']['publish']:>10.1f} "
                f"{row['peak_worker']:>11,.0f} {row['projected_worker']:>10,.0f} "
                f"{row['driver']:>11,.0f} {row['elapsed']:>8.1f}",
                flush=True,
            )
    return {"pipeline": rows}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1], sys.argv[2:])))
    else:
        main()
