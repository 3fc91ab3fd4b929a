"""A thread in the worker process that ends it when a task's time is over or its memory is outgrown.

A kernel cannot be interrupted from Python, so the process is the unit that can be stopped: the watchdog says
why, and exits; the nanny starts a fresh one. Kernels release the GIL, so the thread gets its turn; where it does not,
the scheduler ends the process from outside (liveness.py).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from riskpipe.execute.task import Task, TaskId

POLL_SECONDS = 0.1


class Cause(StrEnum):
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SILENT = "silent"


class Verdict(Struct, frozen=True):
    """Why a process is about to end, and which tasks it is to be laid on."""

    cause: Cause
    tasks: tuple[Task, ...]
    message: str


class Watchdog:
    """Watches the tasks that run in one process.

    :param end: told the verdict; does not return in a worker (it ends the process).
    :param resident_bytes: the process's memory now.
    :param memory_limit: bytes that the process may reach; None: no limit.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        end: Callable[[Verdict], None],
        resident_bytes: Callable[[], int],
        memory_limit: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._end = end
        self._resident_bytes = resident_bytes
        self._memory_limit = memory_limit
        self._clock = clock
        self._changed = threading.Condition()
        self._watched: dict[TaskId, tuple[Task, float]] = {}
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="riskpipe-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop watching; returns when the thread has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    @contextmanager
    def watching(self, task: Task) -> Iterator[None]:
        """While this runs, the task's clock ticks. Leaving waits for a verdict that is being told."""
        with self._changed:
            self._watched[task.id] = (task, self._clock() + task.timeout_seconds)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(task.id, None)

    def verdict(self) -> Verdict | None:
        """What is wrong now, if anything. An overdue task comes before memory."""
        now = self._clock()
        overdue = tuple(task for task, deadline in self._watched.values() if deadline <= now)
        if overdue:
            return Verdict(Cause.TIMEOUT, overdue, f"not done after {overdue[0].timeout_seconds:g} s")
        if self._memory_limit is None or not self._watched:
            return None
        resident = self._resident_bytes()
        if resident <= self._memory_limit:
            return None
        message = f"the process took {resident / 2**20:,.0f} MiB of {self._memory_limit / 2**20:,.0f} MiB"
        return Verdict(Cause.MEMORY, tuple(task for task, _ in self._watched.values()), message)

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                verdict = self.verdict()
                if verdict is not None:
                    for task in verdict.tasks:
                        self._watched.pop(task.id, None)
                    self._end(verdict)
                    continue
                self._changed.wait(self._patience())

    def _patience(self) -> float | None:
        """Seconds until the next look; None: until a task starts."""
        if not self._watched:
            return None
        until_deadline = min(deadline for _, deadline in self._watched.values()) - self._clock()
        patience = until_deadline if self._memory_limit is None else min(until_deadline, POLL_SECONDS)
        return None if math.isinf(patience) else min(max(patience, 0.0), threading.TIMEOUT_MAX)
