"""Shapes of input that are not the usual one: what they take, and what they may take at most.

A history of many dates: the memory that `riskpipe check` needs for it at its peak, over that of the same check without
the measure that reads it, a level (date x factor) of the history. Part of it is the mapped file itself. With another
interpreter, of an environment with an earlier riskpipe, both take turns:

    python -m benchmarks.shapes [PYTHON]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

HISTORY_DATES = (5_000, 20_000)
HISTORY_BYTES = 16.0


def main(other: str | None = None) -> list[dict[str, object]]:
    """:param other: interpreter of an environment with another riskpipe, which takes turns."""
    print(f"{'shape':30} {'measured':>9} {'asked':>9} {'other':>9}")
    return [_history(dates, [sys.executable, *([] if other is None else [other])]) for dates in HISTORY_DATES]


def _history(dates: int, pythons: list[str]) -> dict[str, object]:
    """Bytes a level of a history of so many moves."""
    found = [_bytes_a_level(python, dates) for python in pythons]
    name = f"history of {dates:,} columns"
    other = f" {found[1]:>9.1f}" if found[1:] else f" {'-':>9}"
    missed = "" if found[0] <= HISTORY_BYTES else "  more than asked"
    print(f"{name:30} {found[0]:>9.1f} {HISTORY_BYTES:>9.1f}{other}{missed}", flush=True)
    return {"shape": name, "bytes_a_level": found[0], "asked": HISTORY_BYTES, "other": found[1:]}


def _bytes_a_level(python: str, dates: int) -> float:
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as directory:
        _peak_bytes(python, directory, "init", ".", "--trades", "100", "--scenarios", str(dates))
        levels = pq.read_metadata(Path(directory) / "data" / "history.parquet").num_rows
        without, whole = (
            _peak_bytes(python, directory, "check", "--set", f"measures=[{measures}]")
            for measures in ("pv", "pv, historical_var")
        )
    return (whole - without) / levels


def _peak_bytes(python: str, directory: str, *words: str) -> int:
    """Of a riskpipe command's process, without what it may have kept before."""
    environment = dict(os.environ)
    if python == sys.executable:
        environment["RISKPIPE_MARKET_CACHE"] = "off"
    command = [python, "-m", "riskpipe", *words]
    process = subprocess.Popen(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"riskpipe {' '.join(words)}: exit {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    main(*sys.argv[1:2])
