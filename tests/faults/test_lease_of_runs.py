"""Two runs on one output: the second is turned away with exit code 75, and may come when the first has ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_runs import command

from riskpipe.fault_points import FaultPoint
from riskpipe.store.location import open_store
from riskpipe.store.run_ids import list_runs


def settings(tmp_path: Path) -> list[str]:
    return ["cluster.kind=serial", f"output={tmp_path / 'output'}", "measures=[pv]"]


def another_run(book: Path, tmp_path: Path) -> list[str]:
    """The command line of a run like the one at work."""
    options = [word for assignment in settings(tmp_path) for word in ("--set", assignment)]
    return [sys.executable, "-m", "riskpipe", "run", "-c", str(book / "riskpipe.yaml"), *options]


@contextmanager
def run_at_work(book: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that holds the output, in its first block; a line on its stdin lets it go on."""
    words = command(book, "wait", FaultPoint.VALUE, 1, *settings(tmp_path))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "reached\n"
            yield first
        finally:
            first.kill()


@pytest.mark.slow
def test_the_second_of_two_runs_exits_75(small_book: Path, tmp_path: Path) -> None:
    second = another_run(small_book, tmp_path)
    with run_at_work(small_book, tmp_path) as first:
        refused = subprocess.run(second, capture_output=True, text=True, timeout=300, check=False)

        assert refused.returncode == 75
        assert str(first.pid) in refused.stderr
        assert "lease" in refused.stderr
        first.communicate("\n", timeout=300)
        assert first.returncode == 0
    third = subprocess.run([*second, "--resume", "never"], capture_output=True, text=True, timeout=300, check=False)
    assert third.returncode == 0, third.stderr


def test_a_run_that_waits_comes_next(small_book: Path, tmp_path: Path) -> None:
    waits = [*another_run(small_book, tmp_path), "--resume", "never", "--wait", "300"]
    with (
        run_at_work(small_book, tmp_path) as first,
        subprocess.Popen(waits, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as second,
    ):
        try:
            first.communicate("\n", timeout=300)
            _, said = second.communicate(timeout=300)
        finally:
            second.kill()
        assert (first.returncode, second.returncode) == (0, 0), said
    store = open_store(str(tmp_path / "output"))
    assert len(list_runs(store)) == 2
    assert store.list_files("meta/lease") == []
