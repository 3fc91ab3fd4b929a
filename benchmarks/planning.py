"""Planning by the number of trades and by who surveys them: the driver, processes beside it, workers of a cluster.

Seconds until the first block is cut and until the last is written, processor seconds, and the peak of the driver's
memory, which is to be flat. Each case in a process of its own.

Run: python -m benchmarks planning; other sizes: python -m benchmarks.planning 100000000
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa

TRADES = (1_000_000, 10_000_000)
WORKERS = 2


def one(directory: Path, output: str, kind: str) -> dict[str, float]:
    """In this process: plan a book. :param kind: `serial`, `local`, or the address of a scheduler."""
    from riskpipe.config import load_settings
    from riskpipe.plan.planned_blocks import PlanTotals
    from riskpipe.plan.selection import Selection
    from riskpipe.plan.taper import tapered
    from riskpipe.runs.planning import make_plan
    from riskpipe.store.location import open_store
    from riskpipe.store.run_folder import RunFolder

    where = [f"cluster.kind={kind}"] if "://" not in kind else ["cluster.kind=address", f"cluster.address={kind}"]
    settings = load_settings(directory / "riskpipe.yaml", assignments=(f"output={output}", *where), environment={})
    run = RunFolder(open_store(output), "20261120-193055-3f9a1c-1")
    times: list[float] = []

    def timed(tables: Iterator[pa.Table], workers: Callable[[], int], totals: PlanTotals) -> Iterator[pa.Table]:
        def noted() -> Iterator[pa.Table]:
            for table in tables:
                times.append(time.perf_counter())
                yield table

        return tapered(noted(), workers, totals)

    began = time.perf_counter()
    with patch("riskpipe.runs.planning.tapered", timed), make_plan(settings, Selection(), run=run) as planned:
        ended, blocks = time.perf_counter(), len(planned.plan)
    mine, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "blocks": blocks,
        "first_s": times[0] - began,
        "last_s": ended - began,
        "driver_cpu_s": mine.ru_utime + mine.ru_stime,
        "others_cpu_s": others.ru_utime + others.ru_stime,
        "driver_mib": mine.ru_maxrss / 1024,
        "others_mib": others.ru_maxrss / 1024,
    }


def measured(directory: Path, kind: str) -> dict[str, float]:
    """Likewise in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as output:
        words = [sys.executable, "-m", "benchmarks.planning", str(directory), output, kind]
        return dict(json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout))


def on_workers(directory: Path) -> dict[str, float]:
    """By the workers of a cluster that is there; their processor's seconds are those while it is planned."""
    from riskpipe.clusters.local import local

    with local(WORKERS) as client:
        before = sum(client.run(time.process_time).values())
        found = measured(directory, client.scheduler.address)
        found["others_cpu_s"] = sum(client.run(time.process_time).values()) - before
        peaks = client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return {**found, "others_mib": max(peaks.values())}


def of_book(directory: Path, trades: int) -> Iterator[dict[str, Any]]:
    """Every way of planning it. :param directory: a sample book."""
    for kind in ("serial", "local", "workers"):
        found = on_workers(directory) if kind == "workers" else measured(directory, kind)
        figures = " ".join(f"{found[name]:>12,.1f}" for name in list(found)[1:5])
        memory = " ".join(f"{found[name]:>12,.0f}" for name in list(found)[5:])
        print(f"{trades:>12,} {kind:>9} {found['blocks']:>8,.0f} {figures} {memory}", flush=True)
        yield {"trades": trades, "kind": kind, **found}


def main(sizes: Iterable[int] = TRADES) -> dict[str, list[dict[str, Any]]]:
    from riskpipe.sample import write_sample

    rows = []
    columns = ("first, s", "last, s", "driver CPU", "others CPU", "driver MiB", "others MiB")
    print(f"{'trades':>12} {'by':>9} {'blocks':>8} {' '.join(f'{name:>12}' for name in columns)}")
    for trades in sizes:
        with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
            directory = Path(temporary) / "book"
            write_sample(directory, trades=trades, scenarios=500)
            rows += list(of_book(directory, trades))
    return {"planning": rows}


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(one(Path(sys.argv[1]), *sys.argv[2:])))
    else:
        main(map(int, sys.argv[1:]))
