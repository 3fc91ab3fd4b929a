"""Two runs on one output: the second is turned away with exit code 75, and may come when the first has ended."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from riskpipe.store.location import open_store
from riskpipe.store.run_ids import list_runs

# A run that stops in its first block until it is told to go on, through two pipes.
WAITING = textwrap.dedent(
    """
    import sys
    from riskpipe.config import load_settings
    from riskpipe.plan.selection import Selection
    import riskpipe.runs.worker_functions as f
    from riskpipe.workflows.run import run

    class Silent:
        def update(self, status): pass
        def message(self, level, text): pass

    value = f.value
    def wait(work):
        print("in a block", flush=True)
        sys.stdin.readline()
        return value(work)

    f.FUNCTIONS = {**f.FUNCTIONS, "value": wait}
    settings = load_settings(sys.argv[1], assignments=sys.argv[2:], environment={})
    sys.exit(run(settings, Selection(), observer=Silent()).exit_code)
    """
)


def test_the_second_of_two_runs_exits_75(small_book: Path, tmp_path: Path) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    book = small_book / "riskpipe.yaml"
    words = ["cluster.kind=serial", f"output={tmp_path / 'output'}", "measures=[pv]"]
    options = [word for assignment in words for word in ("--set", assignment)]
    second_run = [sys.executable, "-m", "riskpipe", "run", "-c", str(book), *options]
    first = subprocess.Popen(
        [sys.executable, str(script), str(book), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == "in a block\n"

        refused = subprocess.run(second_run, capture_output=True, text=True, timeout=60, check=False)

        assert refused.returncode == 75
        assert str(first.pid) in refused.stderr
        assert "lease" in refused.stderr
        first.communicate("\n" * 50, timeout=60)
        assert first.returncode == 0
    finally:
        first.kill()
        first.wait()
    third = subprocess.run([*second_run, "--resume", "never"], capture_output=True, text=True, timeout=60, check=False)
    assert third.returncode == 0, third.stderr


@contextmanager
def run_at_work(book: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that holds the output, in its first block; lines on its stdin let it go on."""
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    words = [str(book / "riskpipe.yaml"), *settings(tmp_path)]
    command = [sys.executable, str(script), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == "in a block\n"
            yield first
        finally:
            first.kill()


def settings(tmp_path: Path) -> list[str]:
    return ["cluster.kind=serial", f"output={tmp_path / 'output'}", "measures=[pv]"]


def waiting_run(book: Path, tmp_path: Path) -> subprocess.Popen[str]:
    options = [word for assignment in settings(tmp_path) for word in ("--set", assignment)]
    command = [sys.executable, "-m", "riskpipe", "run", "-c", str(book / "riskpipe.yaml"), *options]
    waits = [*command, "--resume", "never", "--wait", "300"]
    return subprocess.Popen(waits, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_that_waits_comes_next(small_book: Path, tmp_path: Path) -> None:
    with run_at_work(small_book, tmp_path) as first, waiting_run(small_book, tmp_path) as second:
        try:
            first.communicate("\n" * 50, timeout=120)
            _, said = second.communicate(timeout=120)
        finally:
            second.kill()
        assert (first.returncode, second.returncode) == (0, 0), said
    store = open_store(str(tmp_path / "output"))
    assert len(list_runs(store)) == 2
    assert store.list_files("meta/lease") == []
