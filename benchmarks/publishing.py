"""What a run does after its last block, by the number of blocks: processor seconds of the first driver, which is one
process whatever the cluster has. What is combined has trades' components in it, which workers price or read again for.

The cluster is in other processes. Blocks are of ten trades, so that there are many of them.

Run: python -m benchmarks publishing; other sizes: python -m benchmarks.publishing 100000
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest.mock import patch

BLOCKS = (1_000, 10_000)
WORKERS = 2
TRADES_A_BLOCK = 10
SCENARIOS = 20
WHOLE = ("blocks", "files", "driver_mib")
COLUMNS = (*WHOLE, "combine_s", "combine_cpu_s", "account_s", "publish_s", "publish_cpu_s")


def one(directory: Path, output: str, address: str) -> dict[str, float]:
    """In this process: a run on the cluster of that address; seconds of what comes after the blocks."""
    from riskpipe.config import load_settings
    from riskpipe.plan.accounting import SilentObserver
    from riskpipe.plan.selection import Selection
    from riskpipe.runs import opening
    from riskpipe.workflows.run import run

    found: dict[str, float] = {}

    def timed(name: str, done: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*args: Any, **how: Any) -> Any:
            began, cpu = time.perf_counter(), time.process_time()
            try:
                return done(*args, **how)
            finally:
                found[f"{name}_s"], found[f"{name}_cpu_s"] = time.perf_counter() - began, time.process_time() - cpu

        return measured

    assignments = (
        *("cluster.kind=address", f"cluster.address={address}", f"output={output}"),
        *("measures=[pv, delta, dv01, historical_var]", f"partition.max_trades={TRADES_A_BLOCK}"),
    )
    settings = load_settings(directory / "riskpipe.yaml", assignments=assignments, environment={})
    with (
        patch("riskpipe.runs.opening.finish_outputs", timed("combine", opening.finish_outputs)),
        patch("riskpipe.runs.opening.finish", timed("publish", opening.finish)),
    ):
        status = run(settings, Selection(), resume="never", observer=SilentObserver())
    if not status.published:
        raise SystemExit(f"not published: {status.messages}")
    return {
        "blocks": status.blocks.planned,
        "files": sum(1 for _ in Path(output).glob("runs/*/blocks/*/*")),
        **found,
        "account_s": status.phases["account"],
        "driver_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def of_blocks(blocks: int) -> dict[str, float]:
    """Likewise in a process of its own, with a sample book and a cluster made for it."""
    from riskpipe.clusters.local import local
    from riskpipe.sample import write_sample

    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary, local(WORKERS) as client:
        book = Path(temporary) / "book"
        write_sample(book, trades=blocks * TRADES_A_BLOCK, scenarios=SCENARIOS)
        words = [sys.executable, "-m", "benchmarks.publishing", str(book), f"{temporary}/out", client.scheduler.address]
        return dict(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout))


def main(sizes: Iterable[int] = BLOCKS) -> dict[str, list[dict[str, Any]]]:
    rows = []
    print(" ".join(f"{name.removesuffix('_s').replace('_cpu', ', CPU'):>16}" for name in COLUMNS))
    for blocks in sizes:
        found = of_blocks(blocks)
        rows.append(found)
        print(" ".join(f"{found[name]:>16,.{0 if name in WHOLE else 2}f}" for name in COLUMNS), flush=True)
    return {"publishing": rows}


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(one(Path(sys.argv[1]), *sys.argv[2:])))
    else:
        main(map(int, sys.argv[1:]))
