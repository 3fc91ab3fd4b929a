"""Runs that are disturbed at a fault point (`riskpipe.fault_points`): in this process, or in one of their own.

    python fault_runs.py [--files-at-once N] kill|terminate|wait POINT TIMES CONFIG [KEY=VALUE ...]

runs a book and at the point, when it is reached for the TIMES-th time, gets SIGKILL or SIGTERM, or says `reached` and
waits for a line. No clock, no race.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from riskpipe.config import load_settings
from riskpipe.fault_points import FaultPoint, handle_fault_points
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.store import sorted_merge
from riskpipe.workflows.run import run

# -- in this process


@contextmanager
def at_point(point: FaultPoint, act: Callable[[Any], None], times: int | None = None) -> Iterator[None]:
    """`act(subject)` whenever the point is reached, or only when it is for the `times`-th time."""
    reached = count(1)

    def handler(found: FaultPoint, subject: object) -> None:
        if found is point and (times is None or next(reached) == times):
            act(subject)

    handle_fault_points(handler)
    try:
        yield
    finally:
        handle_fault_points(None)


def out_of_order(subject: object) -> None:
    """What `at_point` may do: the task fails."""
    raise RuntimeError("out of order")


# -- in a process of its own


def command(
    book: Path, action: str, point: FaultPoint, times: int, *assignments: str, files_at_once: int | None = None
) -> list[str]:
    """The command line of a run of a book that is disturbed.

    :param files_at_once: above so many a table's files are merged by workers first.
    """
    options = [] if files_at_once is None else ["--files-at-once", str(files_at_once)]
    config = str(book / "riskpipe.yaml")
    return [sys.executable, __file__, *options, action, point, str(times), config, *assignments]


def disturbed(
    book: Path, action: str, point: FaultPoint, times: int, *assignments: str, files_at_once: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Such a run, when it has ended."""
    words = command(book, action, point, times, *assignments, files_at_once=files_at_once)
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
    parser.add_argument("action", choices=ACTIONS)
    parser.add_argument("point", type=FaultPoint)
    parser.add_argument("times", type=int)
    parser.add_argument("config")
    parser.add_argument("assignments", nargs="*")
    given = parser.parse_args()
    if given.files_at_once is not None:
        sorted_merge.MOST_SOURCES = given.files_at_once
    settings = load_settings(given.config, assignments=given.assignments, environment={})
    with at_point(given.point, ACTIONS[given.action], given.times):
        return int(run(settings, Selection(), observer=SilentObserver()).exit_code)


if __name__ == "__main__":
    sys.exit(main())
