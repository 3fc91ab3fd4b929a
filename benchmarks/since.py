"""One curve corrected in books of 20,000 and 200,000 trades x 500 days, every measure of `init`, P&L vectors kept: a
run with `--since` beside a fresh one, each in a process of its own that finds kept what the run before the correction
has kept: the market is made anew by both.

Asked: what the trades that are priced take of a fresh run, by their share and 1.3 times, and three seconds for all that
a run does whatever has changed. One book, or in turns with the Python of another checkout:

    BENCH_TRADES=20000 BENCH_BEFORE=/path/to/python python -m benchmarks since
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BEFORE, TRADES = "BENCH_BEFORE", "BENCH_TRADES"
BOOKS = "20000 200000"
SCENARIOS = 500
CURVE = "zero_rate:GBP.SONIA:"
MOVED = 1e-5
ALLOWED, FIXED_SECONDS = 1.3, 3.0


@dataclass(frozen=True)
class Ran:
    """:param cpu, wall: seconds of the process. :param status: what it told at its end."""

    cpu: float
    wall: float
    status: dict[str, Any]

    @property
    def phases(self) -> str:
        return ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.status["phases"].items())


def ran(python: str, book: Path, kept: Path, *words: str) -> Ran:
    """:param kept: where markets are kept."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [python, "-m", "riskpipe", "run", "-c", str(book / "riskpipe.yaml"), "--set", "cluster.kind=serial"]
    environment = {**os.environ, "RISKPIPE_MARKET_CACHE": str(kept)}
    done = subprocess.run(
        [*command, "--json", "--quiet", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=book,
        env=environment,
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ran(cpu, wall, json.loads(done.stdout))


def correct(market: Path) -> None:
    """Every point of the curve is another."""
    table = pq.read_table(market)
    mine = pc.starts_with(table["factor"], CURVE).to_numpy()
    values = table["value"].to_numpy() + np.where(mine, MOVED, 0.0)
    assert mine.any()
    pq.write_table(table.set_column(table.schema.get_field_index("value"), "value", pa.array(values)), market)


def measured(python: str, place: Path, trades: int) -> tuple[Ran, Ran]:
    """The fresh run, and the one that takes numbers over of the one before the correction."""
    place.mkdir()
    book = place / "book"
    words = ["init", str(book), "--trades", str(trades), "--scenarios", str(SCENARIOS), "--quiet"]
    subprocess.run([python, "-m", "riskpipe", *words], check=True, cwd=place, stdout=subprocess.DEVNULL)
    ran(python, book, place / "kept")  # kernels are compiled, and kept
    shutil.copytree(place / "kept", place / "as-kept")
    correct(book / "data" / "market.parquet")
    since = ran(python, book, place / "kept", "--since", "latest")
    return ran(python, book, place / "as-kept", "--resume", "never", "--set", f"output={place / 'fresh'}"), since


def main() -> dict[str, object]:
    books = [int(trades) for trades in os.environ.get(TRADES, BOOKS).split()]
    pythons = [sys.executable, *filter(None, [os.environ.get(BEFORE)])]
    rows: dict[str, object] = {}
    print(
        f"{'':15} {'fresh, CPU s':>12} {'wall':>7} {'since, CPU s':>13} {'wall':>7} {'priced':>7} {'asked, CPU s':>13}"
    )
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        for trades, (number, python) in itertools.product(books, enumerate(pythons)):
            place = Path(temporary) / f"{trades}-{number}"
            fresh, since = measured(python, place, trades)
            shutil.rmtree(place)
            share = since.status["reuse"]["priced"] / trades
            asked = ALLOWED * share * fresh.cpu + FIXED_SECONDS
            name = f"{trades:,} before" if number else f"{trades:,}"
            missed = "" if since.cpu <= asked else f"  {since.cpu / asked:.1f} x what is asked"
            figures = f"{fresh.cpu:>12.1f} {fresh.wall:>7.1f} {since.cpu:>13.1f} {since.wall:>7.1f}"
            print(f"{name:15} {figures} {share:>7.1%} {asked:>13.1f}{missed}")
            print(f"  phases, wall s, fresh: {fresh.phases}\n                  since: {since.phases}", flush=True)
            rows[name] = {
                "measured": since.cpu,
                "asked": asked,
                "fresh": fresh.cpu,
                "wall": [fresh.wall, since.wall],
                "priced": share,
                "phases": [fresh.status["phases"], since.status["phases"]],
            }
    return {"since": rows}


if __name__ == "__main__":
    main()
