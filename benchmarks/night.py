"""The night: 200,000 trades x 500 days of history, every measure of `init`, P&L vectors kept, on 2 workers.

What it takes in all, what publishing takes of the driver, how much of the vectors is written once, and what a block
costs whatever it holds: of pricing, and of a worker's time between two blocks (reading, writing, waiting), both from
the same book in many blocks and in few. Wall times are for a machine that does nothing else; the processor's stand
anywhere. With the Python of another checkout both take turns:

    BENCH_BEFORE=/path/to/python python -m benchmarks night
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BEFORE = "BENCH_BEFORE"
WORKERS = 2
TRADES, SCENARIOS = 200_000, 500
SHORT_TRADES, SHORT_BLOCK = 20_000, 50
VAR = ("measures=[pv, historical_var]", "scenario_pnl.historical=false")

ASKED: Mapping[str, float] = {
    "the night, s": 34.0,
    "publishing, s in the driver": 1.0,
    "vectors' bytes written again, share": 0.05,
    "a block of 500 scenarios: pricing, ms": 10.0,
    "a block of 500 scenarios: between two blocks, ms": 5.0,
    "a block of 500 scenarios: reading to writing, CPU ms": 15.0,
}


def ran(python: str, book: Path, output: Path, *assignments: str) -> dict[str, Any]:
    """A run in a process of its own; `cpu` is of that process and its workers."""
    words = [f"cluster.workers={WORKERS}", "cluster.kind=local", f"output={output}", *assignments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # As a file and not as a module, so that the other checkout's riskpipe is imported and not this one's.
    command = [python, str(Path(__file__).parent / "pipeline.py"), str(book / "riskpipe.yaml"), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=book)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**row, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def rewritten(output: Path) -> float:
    """Of the published vectors, the share of bytes that are in no other file."""
    sizes = [os.stat(path) for path in output.glob("published/scenario_pnl/*/*.parquet")]
    return sum(each.st_size for each in sizes if each.st_nlink == 1) / sum(each.st_size for each in sizes)


def written(python: str, book: Path, trades: int) -> Path:
    """The sample of that riskpipe: what its configuration may say is its own."""
    words = ["init", str(book), "--trades", str(trades), "--scenarios", str(SCENARIOS), "--quiet"]
    subprocess.run([python, "-m", "riskpipe", *words], check=True, cwd=book.parent, stdout=subprocess.DEVNULL)
    return book


def measured(python: str, place: Path) -> tuple[dict[str, float], float]:
    """The rows; and the CPU seconds of the night."""
    place.mkdir()
    night, short = written(python, place / "night", TRADES), written(python, place / "short", SHORT_TRADES)
    ran(python, short, place / "first")  # kernels are compiled, and kept
    whole = ran(python, night, place / "out")
    few, many = (ran(python, short, place / f"{n}", *VAR, f"partition.max_trades={n}") for n in (50_000, SHORT_BLOCK))
    blocks = many["blocks"] - few["blocks"]
    between = [WORKERS * row["phases"]["value"] - row["priced"] for row in (few, many)]
    figures = (
        whole["elapsed"],
        whole["phases"]["publish"],
        rewritten(place / "out"),
        1e3 * (many["priced"] - few["priced"]) / blocks,
        1e3 * (between[1] - between[0]) / blocks,
        1e3 * (many["cpu_of_blocks"] - few["cpu_of_blocks"]) / blocks,
    )
    return dict(zip(ASKED, figures, strict=True)), whole["cpu"]


def main() -> dict[str, object]:
    pythons = [sys.executable, *filter(None, [os.environ.get(BEFORE)])]
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        found = [measured(python, Path(temporary) / str(number)) for number, python in enumerate(pythons)]
    print(f"{'':54} {'measured':>9} {'asked':>7}" + (f" {'before':>9}" if len(found) > 1 else ""))
    rows = {}
    for name, asked in ASKED.items():
        values = [figures[name] for figures, _ in found]
        missed = "" if values[0] <= asked else "  more than asked"
        before = "".join(f" {value:>9.2f}" for value in values[1:])
        print(f"{name:54} {values[0]:>9.2f} {asked:>7.2f}{before}{missed}", flush=True)
        rows[name] = {"measured": values[0], "asked": asked, "before": values[1:]}
    print("CPU seconds of the night: " + ", before: ".join(f"{cpu:.1f}" for _, cpu in found))
    return {"night": rows, "cpu_seconds": [cpu for _, cpu in found]}


if __name__ == "__main__":
    main()
