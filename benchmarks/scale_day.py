"""250,000 compute hours in 90 minutes, by the model fed with measured figures; and the model against real runs.

What was measured is in MEASURED (docs/scale.md says how), what is assumed of the machines in ASSUMED.
"""

from __future__ import annotations

import itertools
import math
import time
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

from benchmarks.scale_model import Outcome, Run, simulate, workers_needed
from riskpipe.clusters.local import local
from riskpipe.config.models import Retry
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.policy import RetryPolicy
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Task

COMPUTE_HOURS = 250_000.0
SECONDS = 90 * 60.0
SCHEDULER_S = {1_000: 0.98e-3, 3_000: 1.15e-3}
REGISTER_S = {1_000: 1.4e-3, 3_000: 6.1e-3}
HEARTBEATS_S, HEARTBEAT_S = 169.0, 0.44e-3
MEASURED: dict[str, float] = {
    "driver_s": 0.45e-3,
    "learn_s": 0.08e-3,
    "heartbeats": HEARTBEATS_S * HEARTBEAT_S,
    "gap_s": 0.019,
    "publish_block_s": 0.2e-3,
}
PLAN_S, PLAN_BLOCK_S = 2.9, 3.6e-6
ASSUMED: dict[str, float] = {
    "cluster_s": 60.0,
    "ready_rate": 800.0,
    "workers_a_node": 64,
    "snapshot_bytes": 200e6,
    "node_rate": 1.25e9,
    "store_rate": 12.5e9,
    "losses_an_hour": 0.01,
    "replace_s": 60.0,
}
BLOCK_SECONDS = (60.0, 120.0, 300.0, 600.0)
RUNS = (1, 10)
TOLERANCE = 0.1
RETRY = Retry()


def day(block_seconds: float, workers_a_shard: int, runs: int) -> tuple[Run, Outcome] | None:
    """The smallest number of shards that does it, of one of the runs; None: twice what is least does not do it.

    :param runs: side by side, each with a driver, plan and ledger of its own, and its part of the store and the start.
    """
    shared = {name: ASSUMED[name] / runs for name in ("ready_rate", "store_rate")}
    figures: dict[str, Any] = MEASURED | ASSUMED | shared
    figures |= {"scheduler_s": SCHEDULER_S[workers_a_shard], "register_s": REGISTER_S[workers_a_shard]}
    run = Run(COMPUTE_HOURS / runs, 0, block_seconds=block_seconds, **figures)
    run = replace(run, plan_s=PLAN_S + PLAN_BLOCK_S * run.blocks)
    if max(run.publish_block_s, run.learn_s) * run.blocks > SECONDS:
        return None
    try:
        return workers_needed(run, SECONDS, workers_a_shard)
    except ValueError:
        return None


def table() -> list[dict[str, object]]:
    """Rows of the day for every cut."""
    rows: list[dict[str, object]] = []
    print("runs  a shard  block s     blocks  shards   workers  efficiency  first  driver  scheduler  minutes")
    for runs, workers_a_shard, block_seconds in itertools.product(RUNS, SCHEDULER_S, BLOCK_SECONDS):
        found = day(block_seconds, workers_a_shard, runs)
        head = f"{runs:>4}  {workers_a_shard:>7,}  {block_seconds:>7,.0f}"
        if found is None:
            print(f"{head}  not in time", flush=True)
            continue
        run, outcome = found
        cut: dict[str, object] = {"runs": runs, "shard": workers_a_shard, "block_s": block_seconds}
        rows.append(cut | {"shards": run.shards * runs, "workers": run.workers * runs} | asdict(outcome))
        print(
            f"{head}  {run.blocks * runs:>9,}  {run.shards * runs:>6,}  {run.workers * runs:>8,}  "
            f"{outcome.efficiency:>10.2f}  {outcome.first_share:>5.2f}  {outcome.driver_share:>6.2f}  "
            f"{outcome.scheduler_share:>9.2f}  "
            f"{outcome.total_s / 60:>7.1f}",
            flush=True,
        )
    return rows


def snapshots(nodes: int = 3_000) -> list[dict[str, float]]:
    """Seconds until every node has the snapshot when all ask at once: from the store, or handed on between nodes."""
    rows = []
    print(f"\nsnapshot MB  from the store, s  handed on, s  ({nodes:,} nodes)")
    for megabytes in (20.0, 200.0, 2_000.0):
        size = megabytes * 1e6
        run = Run(1.0, nodes, snapshot_bytes=size, node_rate=ASSUMED["node_rate"], store_rate=ASSUMED["store_rate"])
        direct = simulate(run).snapshot_s
        tree = tree_seconds(nodes, size, ASSUMED["node_rate"])
        rows.append({"megabytes": megabytes, "store_s": direct, "tree_s": tree})
        print(f"{megabytes:>11,.0f}  {direct:>17.1f}  {tree:>12.1f}")
    return rows


def tree_seconds(nodes: int, size: float, node_rate: float) -> float:
    """Each node that has it sends it to one that has not: the number that have it doubles with every transfer."""
    return math.ceil(math.log2(nodes + 1)) * size / node_rate


def against_reality(blocks: int = 60, seconds: float = 0.5) -> dict[str, float]:
    """Blocks that sleep on two real workers, and the model of the same."""

    def value(task: Task) -> None:
        import time

        time.sleep(task.projected_seconds)

    run = Run(
        blocks * seconds / 3600.0,
        2,
        block_seconds=seconds,
        scheduler_s=SCHEDULER_S[1_000],
        driver_s=MEASURED["driver_s"],
        gap_s=MEASURED["gap_s"],
    )
    lengths = run.lengths()
    tasks = (Task(f"w{n}", None, projected_seconds=length) for n, length in enumerate(lengths))
    with local(2, memory_limit="1GiB") as client, closing(DaskExecutor(client, {"value": value})) as executor:
        started = time.monotonic()
        drive(
            tasks,
            executor,
            RetryPolicy(RETRY.worker_lost, RETRY.storage, RETRY.out_of_memory, RETRY.timeout),
            split=lambda task: [],
            on_event=lambda event: None,
            ending=Ending(StopSignal()),
        )
        measured = time.monotonic() - started
    modelled = simulate(run).value_s
    print(f"\n{blocks} blocks of {seconds:g} s on 2 workers: {measured:.1f} s, modelled {modelled:.1f} s", end="")
    print(f" ({modelled / measured - 1:+.1%}; within {TOLERANCE:.0%} wanted)")
    return {"measured": measured, "modelled": modelled}


def main() -> dict[str, object]:
    return {"day": table(), "snapshots": snapshots(), "against_reality": against_reality()}


if __name__ == "__main__":
    main()
