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
from riskpipe.plan.partition import BLOCKS_A_WORKER, LEAST_SECONDS

COMPUTE_HOURS = 250_000.0
SECONDS = 90 * 60.0
SCHEDULER_S = {1_000: 0.98e-3, 3_000: 1.15e-3}
REGISTER_S = {1_000: 1.4e-3, 3_000: 6.1e-3}
HEARTBEATS_S, HEARTBEAT_S = 169.0, 0.44e-3
MEASURED: dict[str, float] = {
    "driver_s": 0.45e-3,
    "learn_s": 0.07e-3,
    "heartbeats": HEARTBEATS_S * HEARTBEAT_S,
    "gap_s": 0.019,
    "publish_s": 10.0,
    "publish_block_s": 1.0e-6,
}
PLAN_S, PLAN_BLOCK_S = 2.9, 1.6e-6
ASSUMED: dict[str, float] = {
    "cluster_s": 60.0,
    "ready_rate": 800.0,
    "workers_a_node": 64,
    "snapshot_bytes": 200e6,
    "image_bytes": 0.0,
    "node_rate": 1.25e9,
    "store_rate": 12.5e9,
    "registry_rate": 12.5e9,
    "losses_an_hour": 0.01,
    "replace_s": 60.0,
}
# What was measured is replaced one at a time. Of a registry that gives 100 Gbit/s: an image of 700 MB on every node.
SENSITIVITY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as measured and assumed", {}),
    ("200 workers ready a second", {"ready_rate": 200.0}),
    ("400", {"ready_rate": 400.0}),
    ("1,600", {"ready_rate": 1_600.0}),
    ("all there at the start", {"ready_rate": math.inf}),
    ("clusters after 180 s", {"cluster_s": 180.0}),
    ("clusters after 10 s", {"cluster_s": 10.0}),
    ("nodes pull an image of 700 MB", {"image_bytes": 700e6}),
    ("the same, 10 times the registry", {"image_bytes": 700e6, "registry_rate": 125e9}),
    ("a snapshot of 2 GB", {"snapshot_bytes": 2e9}),
    ("the same, from the store by every node", {"snapshot_bytes": 2e9, "hand_on": False}),
    ("a worker dies every 10 hours", {"losses_an_hour": 0.1}),
    ("every hour", {"losses_an_hour": 1.0}),
    ("last blocks as long as others", {"finer": False}),
    ("blocks of 6 to 114 s", {"block_spread": 0.9}),
    ("publishing 10 us a block", {"publish_block_s": 10e-6}),
    ("publishing 200 us a block, as before", {"publish_block_s": 200e-6}),
    ("first driver 0.2 ms a block", {"learn_s": 0.2e-3}),
    ("first driver 0.4 ms a block", {"learn_s": 0.4e-3}),
    ("scheduler 5 ms a block", {"scheduler_s": 5e-3}),
)
# Of `make bench-day`: 500,000 trades x 1,000 scenarios on 2 cores (docs/performance.md, the day).
DAY_COMPUTE_S, DAY_PLAN_S, DAY_START_S, DAY_PUBLISH_S, DAY_SNAPSHOT_BYTES = 63.0, 3.6, 1.5, 0.4, 10e6
MOST_LOCAL = 64
BLOCK_SECONDS = (60.0, 120.0, 300.0, 600.0)
RUNS = (1, 10)
TOLERANCE = 0.1
RETRY = Retry()


def day(block_seconds: float, workers_a_shard: int, runs: int, **other: Any) -> tuple[Run, Outcome] | None:
    """The smallest number of shards that does it, of one of the runs; None: twice what is least does not do it.

    :param runs: side by side, each with a driver, plan and ledger of its own, and its part of the store and the start.
    :param other: figures in place of those that were measured or assumed.
    """
    given: dict[str, Any] = MEASURED | ASSUMED | other
    figures = given | {name: given[name] / runs for name in ("ready_rate", "store_rate", "registry_rate")}
    figures = {"scheduler_s": SCHEDULER_S[workers_a_shard], "register_s": REGISTER_S[workers_a_shard]} | figures
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


def sensitivity() -> list[dict[str, Any]]:
    """One run, blocks of 60 s: workers that are needed when one figure is another."""
    rows = []
    print("\nfigure                        is       workers  efficiency")
    for what, changed in SENSITIVITY:
        found = day(60.0, 1_000, 1, **changed)
        workers = None if found is None else found[0].workers
        rows.append({"what": what, **changed, "workers": workers})
        figures = "not in time" if found is None else f"{workers:>11,}  {found[1].efficiency:>10.3f}"
        print(f"{what:<38} {figures}", flush=True)
    return rows


def machines() -> list[dict[str, float]]:
    """500 million valuations in one run on 2, 64 and 1,000 cores: seconds, of the work that `bench-day` measured."""
    rows = []
    print("\n  cores  block s  blocks  seconds  efficiency  idle at the end, s")
    for cores in (2, 64, 1_000):
        seconds = min(max(DAY_COMPUTE_S / (cores * BLOCKS_A_WORKER), LEAST_SECONDS), 2.0)
        start = DAY_START_S if cores <= MOST_LOCAL else ASSUMED["cluster_s"]
        run = Run(
            DAY_COMPUTE_S / 3600.0, cores, block_seconds=seconds, cluster_s=start, plan_s=DAY_PLAN_S,
            scheduler_s=SCHEDULER_S[1_000], register_s=REGISTER_S[1_000], driver_s=MEASURED["driver_s"],
            gap_s=MEASURED["gap_s"], publish_s=DAY_PUBLISH_S, publish_block_s=MEASURED["publish_block_s"],
            ready_rate=math.inf if cores <= MOST_LOCAL else ASSUMED["ready_rate"],
            workers_a_node=int(ASSUMED["workers_a_node"]), snapshot_bytes=DAY_SNAPSHOT_BYTES,
            node_rate=ASSUMED["node_rate"], store_rate=ASSUMED["store_rate"],
        )  # fmt: skip
        found = simulate(run)
        rows.append({"cores": cores, "block_s": seconds} | asdict(found))
        print(
            f"{cores:>7,}  {seconds:>7.2f}  {found.blocks:>6,}  {found.total_s:>7.1f}  {found.efficiency:>10.2f}  "
            f"{found.idle_s:>18.2f}",
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
        direct, tree = simulate(replace(run, hand_on=False)).snapshot_s, simulate(run).snapshot_s
        rows.append({"megabytes": megabytes, "store_s": direct, "tree_s": tree})
        print(f"{megabytes:>11,.0f}  {direct:>17.1f}  {tree:>12.1f}")
    return rows


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
    return {
        "day": table(),
        "sensitivity": sensitivity(),
        "machines": machines(),
        "snapshots": snapshots(),
        "against_reality": against_reality(),
    }


if __name__ == "__main__":
    main()
