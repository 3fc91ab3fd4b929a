"""The day: 500,000 trades x 1,000 historical scenarios through the whole pipeline, on a LocalCluster of 2 workers.

Parquet in, historical VaR by book out. Prints wall time by phase, valuations a second, efficiency, peak memory, and
what crosses the scheduler for each block.

Run: python -m benchmarks day
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from riskpipe.plan.accounting import RunStatus
from riskpipe.runs.publication import Publication

TRADES, SCENARIOS, WORKERS = 500_000, 1_000, 2

# European and American equity options are one product; the column `exercise` tells them apart.
SHARES = {
    "interest_rate_swap": 0.35,
    "fx_forward": 0.15,
    "fx_option": 0.15,
    "equity_option": 0.15,
    "bond": 0.05,
    "credit_default_swap": 0.05,
    "swaption": 0.04,
    "cap_floor": 0.03,
    "fx_barrier_option": 0.01,
    "equity_barrier_option": 0.01,
    "commodity_option": 0.01,
}
AMERICAN_SHARE = 1 / 3


class _Processor:
    """CPU seconds of this process, scheduler and driver, while blocks are valued."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last: float | None = None

    def update(self, status: RunStatus) -> None:
        if "cluster" in status.phases and self.first is None:
            self.first = time.process_time()
        if "value" in status.phases and self.last is None:
            self.last = time.process_time()

    def message(self, level: str, text: str) -> None:
        pass

    @property
    def seconds(self) -> float:
        if self.first is None or self.last is None:
            raise RuntimeError("the run did not report that its blocks were valued")
        return self.last - self.first


def one(config: str) -> dict[str, object]:
    """The day, in this process; its figures."""
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    from riskpipe.plan.stored_plan import StoredPlan
    from riskpipe.valuation.run_block import BlockPayload
    from riskpipe.workflows.run import run

    settings = load_settings(
        config,
        assignments=(
            "measures=[pv, historical_var]",
            "scenario_pnl.historical=false",
            "cluster.kind=local",
            f"cluster.workers={WORKERS}",
        ),
        environment={},
    )
    processor = _Processor()
    status = run(settings, Selection(), resume="never", publication=Publication("always"), observer=processor)
    directory = Path(settings.output) / "runs" / status.run_id
    blocks = pq.read_table(directory / "blocks.parquet")
    _, block = next(StoredPlan(str(directory / "plan.parquet")).blocks())
    by_product = blocks.group_by("product").aggregate([("price_s", "sum"), ("trades", "sum")]).to_pylist()
    priced = pc.sum(blocks.column("price_s")).as_py()
    return {
        "state": status.state,
        "trades": status.trades,
        "valuations": status.valuations,
        "failures": dict(status.failures_by_reason),
        "blocks": len(blocks),
        "phases": dict(status.phases),
        "elapsed": status.elapsed_seconds,
        "driver_cpu_per_block": processor.seconds / len(blocks),
        "efficiency": priced / (WORKERS * status.phases["value"]),
        "peak_worker_mib": pc.max(blocks.column("peak_rss_bytes")).as_py() / 2**20,
        "block_bytes": len(pickle.dumps(BlockPayload(settings.output, status.run_id, block))),
        "by_product": {row["product"]: [row["trades_sum"], row["price_s_sum"]] for row in by_product},
    }


def main(trades: int = TRADES, scenarios: int = SCENARIOS) -> dict[str, object]:
    from riskpipe.sample import write_sample

    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        book = Path(temporary) / "book"
        write_sample(book, trades=trades, scenarios=scenarios, products=SHARES)
        _make_american(book / "data" / "portfolio" / "equity_option")
        words = [sys.executable, "-m", "benchmarks.day", str(book / "riskpipe.yaml")]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    row = json.loads(done.stdout.splitlines()[-1])
    print(f"{row['trades']:,} trades x {scenarios:,} scenarios, {WORKERS} workers on {os.cpu_count()} cores", end=": ")
    print(row["state"])
    for phase, seconds in row["phases"].items():
        print(f"  {phase:10} {seconds:8.1f} s")
    print(f"  {'in all':10} {row['elapsed']:8.1f} s, {row['valuations'] / row['elapsed'] / 1e6:.1f} M valuations/s")
    print(
        f"  efficiency {row['efficiency']:.2f}, {row['blocks']} blocks, "
        f"a worker at most {row['peak_worker_mib']:,.0f} MiB"
    )
    print(f"  a block crosses the scheduler as {row['block_bytes']} bytes")
    print(
        f"  scheduler and driver take {1e3 * row['driver_cpu_per_block']:.1f} ms of CPU a block while blocks are valued"
    )
    for product, (count, seconds) in sorted(row["by_product"].items(), key=lambda item: -item[1][1]):
        rate = count * (scenarios + 1) / seconds / 1e6
        print(f"  {product:24} {count:>8,} trades {seconds:>7.1f} s {rate:>8.1f} M valuations/s/core")
    return {"day": row}


def _make_american(directory: Path) -> None:
    """Every third option may be exercised early."""
    import numpy as np
    import pyarrow as pa

    for file in sorted(directory.glob("*.parquet")):
        table = pq.read_table(file)
        step = round(1 / AMERICAN_SHARE)
        exercise = np.where(np.arange(len(table)) % step == 0, "american", "european")
        column = table.schema.get_field_index("exercise")
        pq.write_table(table.set_column(column, "exercise", pa.array(exercise.tolist())), file, row_group_size=8_192)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1])))
    else:
        main()
