"""Shapes of input that are not the usual one: what they take, and what they may take at most.

Many small trade files: the processor's seconds of a run, over those of the same trades in one file a product.

Nearly as many books as trades: the memory of the driver in MiB, and what the plan says of a worker and of the output.

A history of many dates: the memory that `riskpipe check` needs for it at its peak, over that of the same check without
the measure that reads it, a level (date x factor) of the history. Part of it is the mapped file itself. With another
interpreter, of an environment with an earlier riskpipe, both take turns:

    python -m benchmarks.shapes [PYTHON]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import pipeline
from benchmarks.small import cpu_seconds

ROUNDS = 3
FILE_ROWS = 10
FILES_RATIO = 1.3
BOOKS_DRIVER_MIB = 1024.0
HISTORY_DATES = (5_000, 20_000)
HISTORY_BYTES = 16.0


def main(other: str | None = None) -> list[dict[str, object]]:
    """:param other: interpreter of an environment with another riskpipe, which takes turns."""
    print(f"{'shape':30} {'measured':>9} {'asked':>9} {'other':>9}")
    pythons = [sys.executable, *([] if other is None else [other])]
    return [_files(pythons), _books(pythons), *(_history(dates, pythons) for dates in HISTORY_DATES)]


def _row(name: str, found: list[float], asked: float) -> dict[str, object]:
    other = f" {found[1]:>9.1f}" if found[1:] else f" {'-':>9}"
    missed = "" if found[0] <= asked else "  more than asked"
    print(f"{name:30} {found[0]:>9.2f} {asked:>9.1f}{other}{missed}", flush=True)
    return {"shape": name, "measured": found[0], "asked": asked, "other": found[1:]}


def _written(python: str, directory: Path, trades: int) -> Path:
    """A book of the riskpipe that is measured: an earlier one refuses settings that it does not know."""
    words = [python, "-m", "riskpipe", "init", str(directory), "--trades", str(trades), "--scenarios", "500"]
    _answer(words, directory.parent)
    return directory


def _files(pythons: list[str], trades: int = 20_000) -> dict[str, object]:
    """How many times the processor's seconds of few files."""
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        cases = [(k, name) for k in range(len(pythons)) for name in ("few", "many")]
        books = {case: _written(pythons[case[0]], Path(temporary) / f"{case[1]}-{case[0]}", trades) for case in cases}
        files = [_split_files(books[k, "many"]) for k in range(len(pythons))]
        taken: dict[tuple[int, str], list[float]] = {case: [] for case in cases}
        for turn in range(ROUNDS + 1):
            for case, book in books.items():
                words = ["run", "--resume", "never", "-c", str(book / "riskpipe.yaml"), "--set", "cluster.workers=2"]
                seconds = cpu_seconds(pythons[case[0]], words, book, os.environ)
                if turn:  # the first one compiles
                    taken[case].append(seconds)
    found = [statistics.median(taken[k, "many"]) / statistics.median(taken[k, "few"]) for k in range(len(pythons))]
    return _row(f"{trades:,} trades in {files[0]:,} files", found, FILES_RATIO)


def _split_files(book: Path) -> int:
    """Write the trades anew in small files; how many there are then."""
    files = 0
    for file in sorted((book / "data" / "portfolio").rglob("*.parquet")):
        trades = pq.read_table(file, partitioning=None)
        file.unlink()
        for start in range(0, len(trades), FILE_ROWS):
            pq.write_table(trades.slice(start, FILE_ROWS), file.with_stem(f"{file.stem}-{start:07d}"))
            files += 1
    return files


def _books(pythons: list[str], trades: int = 100_000, books: int = 50_000) -> dict[str, object]:
    """The driver's memory, with the figures of workers and output beside it."""
    figures = []
    for python in pythons:
        with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
            book = _written(python, Path(temporary) / "book", trades)
            _spread_books(book, books)
            figures.append(_of_books(python, book))
    row = _row(f"{books:,} books x 500", [each["driver"] for each in figures], BOOKS_DRIVER_MIB)
    for each in figures:
        print(
            f"  a worker {each['peak_worker']:,.0f} MiB, projected {each['projected_worker']:,.0f}; output "
            f"{each['output']:,.0f} MiB, projected {each['projected_output']:,.0f}",
            flush=True,
        )
    return {**row, "figures": figures}


def _spread_books(book: Path, books: int) -> None:
    """Give the trades that many books, on 50 desks; neighbours are in different ones."""
    first = 0
    for file in sorted((book / "data" / "portfolio").rglob("*.parquet")):
        trades = pq.read_table(file, partitioning=None)
        numbers = np.arange(first, first + len(trades)) * 7919 % books
        names = pa.array([f"desk{number % 50:02d}/book{number:05d}" for number in numbers.tolist()])
        pq.write_table(trades.set_column(trades.schema.get_field_index("book"), "book", names), file)
        first += len(trades)


def _of_books(python: str, book: Path) -> dict[str, float]:
    config = str(book / "riskpipe.yaml")
    assignments = ["measures=[pv, historical_var]", "scenario_pnl.historical=false", "cluster.kind=local"]
    assignments += ["cluster.workers=2", f"output={book / 'output'}"]
    sets = [word for assignment in assignments for word in ("--set", assignment)]
    planned = json.loads(_answer([python, "-m", "riskpipe", "plan", "--json", "-c", config, *sets], book))
    # As a file: as a module it would be of this directory, with the riskpipe beside it.
    ran = json.loads(_answer([python, pipeline.__file__, config, *assignments], book).splitlines()[-1])
    written = sum(file.stat().st_size for file in (book / "output").rglob("*.parquet"))
    return {
        **{name: ran[name] for name in ("driver", "peak_worker", "projected_worker", "over_projection")},
        "output": written / 2**20,
        "projected_output": planned["projected_bytes_output"] / 2**20,
    }


def _answer(words: list[str], directory: Path) -> str:
    return subprocess.run(words, cwd=directory, check=True, stdout=subprocess.PIPE, text=True).stdout


def _history(dates: int, pythons: list[str]) -> dict[str, object]:
    """Bytes a level of a history of so many moves."""
    found = [_bytes_a_level(python, dates) for python in pythons]
    return _row(f"history of {dates:,} columns", found, HISTORY_BYTES)


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
