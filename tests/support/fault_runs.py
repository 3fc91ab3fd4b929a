"""Runs that are disturbed at a fault point (`riskpipe.fault_points`): in this process, or in one of their own.

    python fault_runs.py [--files-at-once N] [--hang FLAG] [--event KIND]
        kill|terminate|wait POINT TIMES CONFIG [KEY=VALUE ...]

runs a book and at the point, when it is reached for the TIMES-th time, gets SIGKILL or SIGTERM, or says `reached` and
waits for a line. No clock, no race. With --hang the first block that a worker begins with never ends (the file FLAG,
which is made then, says so to the others); with --event only events of this kind count as the point `event`.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any

from riskpipe.config import load_settings
from riskpipe.fault_points import FaultPoint, handle_fault_points
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs import clusters
from riskpipe.store import sorted_merge
from riskpipe.workflows.run import run

usual_import = clusters.import_kernels

# -- in this process


@contextmanager
def at_point(
    point: FaultPoint, act: Callable[[Any], None], times: int | None = None, kind: str | None = None
) -> Iterator[None]:
    """`act(subject)` whenever the point is reached, or only when it is for the `times`-th time.

    :param kind: of subjects that count, by the name of their type.
    """
    reached = count(1)

    def handler(found: FaultPoint, subject: object) -> None:
        if found is point and kind in (None, type(subject).__name__) and (times is None or next(reached) == times):
            act(subject)

    handle_fault_points(handler)
    try:
        yield
    finally:
        handle_fault_points(None)


@contextmanager
def one_block_hangs(flag: Path) -> Iterator[None]:
    """The first block that any worker process begins with never ends there; the worker is well otherwise.

    :param flag: a file that is made by the worker that hangs.
    """
    usual, made = clusters.import_kernels, str(flag)

    def initialise() -> None:  # nested, so that it travels by value: workers cannot import this module
        usual()

        def handler(point: FaultPoint, subject: object) -> None:
            if point is FaultPoint.VALUE:
                try:
                    os.close(os.open(made, os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    return
                threading.Event().wait()

        handle_fault_points(handler)

    clusters.import_kernels = initialise
    try:
        yield
    finally:
        clusters.import_kernels = usual


PARTS_MAY_GO = "TEST_PARTS_MAY_GO"


def cut_one_block() -> None:
    """On a worker, in place of the usual: the first block that any begins with is too large for its memory, and parts
    of blocks never end before the file exists that the variable `PARTS_MAY_GO` names.

    Imported there, as drivers of shards can hand on nothing that is not.
    """
    usual_import()
    may_go = Path(os.environ[PARTS_MAY_GO])

    def handler(point: FaultPoint, subject: Any) -> None:
        if point is not FaultPoint.VALUE:
            return
        if subject.payload.block.parent is not None:
            if not may_go.exists():
                threading.Event().wait()
            return
        with suppress(FileExistsError):
            os.close(os.open(may_go.with_suffix(".cut"), os.O_CREAT | os.O_EXCL))
            raise MemoryError

    handle_fault_points(handler)


def out_of_order(subject: object) -> None:
    """What `at_point` may do: the task fails."""
    raise RuntimeError("out of order")


# -- in a process of its own


def command(
    book: Path,
    action: str,
    point: FaultPoint,
    times: int,
    *assignments: str,
    files_at_once: int | None = None,
    hang: Path | None = None,
    event: str | None = None,
) -> list[str]:
    """The command line of a run of a book that is disturbed.

    :param files_at_once: above so many a table's files are merged by workers first.
    :param hang: of `one_block_hangs`. :param event: the kind of events that count.
    """
    given = {"--files-at-once": files_at_once, "--hang": hang, "--event": event}
    options = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    config = str(book / "riskpipe.yaml")
    return [sys.executable, __file__, *options, action, point, str(times), config, *assignments]


def disturbed(
    book: Path, action: str, point: FaultPoint, times: int, *assignments: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Such a run, when it has ended."""
    words = command(book, action, point, times, *assignments, **options)
    return subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)


def _send(number: signal.Signals) -> Callable[[object], None]:
    return lambda subject: os.kill(os.getpid(), number)


def _wait(subject: object) -> None:
    print("reached", flush=True)  # noqa: T201
    sys.stdin.readline()


ACTIONS: dict[str, Callable[[object], None]] = {
    "kill": _send(signal.SIGKILL),
    "terminate": _send(signal.SIGTERM),
    "wait": _wait,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files-at-once", type=int)
    parser.add_argument("--hang", type=Path)
    parser.add_argument("--event")
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("point", type=FaultPoint)
    parser.add_argument("times", type=int)
    parser.add_argument("config")
    parser.add_argument("assignments", nargs="*")
    given = parser.parse_args()
    if given.files_at_once is not None:
        sorted_merge.MOST_SOURCES = given.files_at_once
    settings = load_settings(given.config, assignments=given.assignments, environment={})
    with (
        at_point(given.point, ACTIONS[given.action], given.times, given.event),
        nullcontext() if given.hang is None else one_block_hangs(given.hang),
    ):
        return int(run(settings, Selection(), observer=SilentObserver()).exit_code)


if __name__ == "__main__":
    sys.exit(main())
