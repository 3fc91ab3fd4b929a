"""Shapes of input that are not the usual one: what they take, and what they may take at most.

A history of many dates: the memory that `riskpipe check` needs for it at its peak, over that of the same check without
the measure that reads it, a level (date x factor) of the history. Part of it is the mapped file itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

BEFORE = "BENCH_BEFORE"
"""Environment variable: the Python of another checkout, which takes turns with this one."""
HISTORY_DATES = (5_000, 20_000)
HISTORY_BYTES = 16.0


def main() -> list[dict[str, object]]:
    print(f"{'shape':30} {'measured':>12} {'before':>12} {'asked':>10}")
    rows = [history(dates) for dates in HISTORY_DATES]
    for row in rows:
        print("{shape:30} {measured:>12} {before!s:>12} {asked:>10}{falls_short}".format(**row))
    return rows


def history(dates: int) -> dict[str, object]:
    """Bytes a level of a history of so many moves."""
    with tempfile.TemporaryDirectory() as directory:
        _riskpipe(sys.executable, directory, "init", ".", "--trades", "100", "--scenarios", str(dates))
        levels = pq.read_metadata(Path(directory) / "data" / "history.parquet").num_rows
        found = [_bytes_a_level(python, directory, levels) for python in (sys.executable, os.environ.get(BEFORE))]
    return {
        "shape": f"history of {dates:,} columns",
        "measured": found[0],
        "before": found[1],
        "asked": f"<= {HISTORY_BYTES:g}",
        "unit": "bytes a level",
        "falls_short": "" if found[0] is not None and found[0] <= HISTORY_BYTES else "  falls short",
    }


def _bytes_a_level(python: str | None, directory: str, levels: int) -> float | None:
    if python is None:
        return None
    without = _riskpipe(python, directory, "check", "--set", "measures=[pv]")
    return round(
        (_riskpipe(python, directory, "check", "--set", "measures=[pv, historical_var]") - without) / levels, 1
    )


def _riskpipe(python: str, directory: str, *arguments: str) -> int:
    """Run a command; the most bytes that its process held."""
    command = [python, "-c", "from riskpipe.cli.main import main; raise SystemExit(main())", *arguments]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"riskpipe {' '.join(arguments)}: exit {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024
