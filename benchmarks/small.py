"""Small jobs: what a command costs before and after it prices anything, in seconds of the processor.

Each command is a process of its own and runs several times, after a first time that compiles kernels and keeps the
day's market; the median counts, of the process and all that it starts. With another interpreter, of an environment
with an earlier riskpipe (BENCH_BEFORE), both take turns.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 5


@dataclass(frozen=True)
class Case:
    """A command, the book that it reads, and the seconds that it may take.

    :param book: trades, days of history.
    """

    book: tuple[int, int]
    words: Sequence[str]
    asked: float


_VAR = ("--set", "measures=[pv, historical_var]")
CASES: Mapping[str, Case] = {
    "run, 10 trades, pv": Case((10, 500), ("run", "--resume", "never", "--set", "measures=[pv]"), 1.0),
    "run, 100 trades, every measure of init": Case((100, 500), ("run", "--resume", "never"), 2.0),
    "run, 500 trades x 715 scenarios, VaR": Case((500, 716), ("run", "--resume", "never", *_VAR), 1.0),
    "check, 100 trades": Case((100, 500), ("check",), 1.0),
    "runs list, after 20 runs": Case((10, 500), ("runs", "list"), 0.4),
}
RUNS = 20


def cpu_seconds(python: str, words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> float:
    """Of a riskpipe command and its children."""
    return process_seconds([python, "-m", "riskpipe", *words], cwd, environment)


def process_seconds(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> float:
    """Of a process and its children, of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, cwd=cwd, env=dict(environment), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(other: str | None = os.environ.get("BENCH_BEFORE")) -> dict[str, object]:
    """:param other: interpreter of an environment with another riskpipe, which takes turns, on a book of its own."""
    pythons = [sys.executable, *([other] if other else [])]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    rows: dict[str, object] = {}
    print(f"{'command':42} {'CPU s':>6} {'asked':>6}" + (f" {'other':>6} {'ratio':>6}" if other else ""))
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        for name, case in CASES.items():
            taken: list[list[float]] = [[] for _ in pythons]
            commands = []
            for k, python in enumerate(pythons):
                trades, scenarios = case.book
                book = Path(temporary) / f"{k}-{trades}-{scenarios}"
                if not book.exists():
                    size = ("--trades", str(trades), "--scenarios", str(scenarios))
                    cpu_seconds(python, ("init", str(book), *size), Path(temporary), environment)
                place = ("-c", str(book / "riskpipe.yaml"), "--set", f"output={temporary}/out-{k}-{len(rows)}")
                commands.append((*case.words, *place))
                for _ in range(RUNS if "list" in case.words else 0):
                    one = ("run", "--resume", "never", *place, "--set", "measures=[pv]")
                    cpu_seconds(python, one, book, environment)
                cpu_seconds(python, commands[k], book, environment)
            for _ in range(ROUNDS):
                for k, python in enumerate(pythons):
                    taken[k].append(cpu_seconds(python, commands[k], Path(temporary), environment))
            seconds = [statistics.median(each) for each in taken]
            rows[name] = {"cpu_seconds": seconds[0], "asked": case.asked, "other": seconds[1:]}
            against = f" {seconds[1]:>6.2f} {seconds[0] / seconds[1]:>6.2f}" if other else ""
            missed = "" if seconds[0] <= case.asked else "  falls short"
            print(f"{name:42} {seconds[0]:>6.2f} {case.asked:>6.1f}{against}{missed}", flush=True)
    return {"small": rows}


if __name__ == "__main__":
    main()
