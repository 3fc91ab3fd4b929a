"""What a worker's own watchdog cannot see: tasks that are overdue and workers that say nothing, seen from outside.

The watchdog is a thread of the worker's process. Compiled code that keeps the interpreter's lock, or a process that is
stopped (SIGSTOP, a frozen node), stops it too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping

LOOK_SECONDS = 0.5
# Of a task's own time, when that is more than the least margin.
MARGIN_SHARE = 0.1


class LivenessMonitor:
    """Times of tasks and of signs of life, by a clock that stands still while nobody looks.

    A scheduler that was itself stopped for an hour has read no sign of life meanwhile, and blames nobody for it.

    :param margin_seconds: the least that a task is given beyond its own time. The watchdog comes first, where it can:
        it needs a while to tell, and the nanny may have another process meanwhile, which would be ended for it.
    :param clock: monotonic seconds.
    """

    def __init__(self, margin_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._margin_seconds = margin_seconds
        self._clock = clock
        self._looked = clock()
        self._now = 0.0
        self._began: dict[Hashable, float] = {}
        self._deadlines: dict[Hashable, float] = {}
        self._signs: dict[str, tuple[object, float]] = {}

    def started(self, task: Hashable, timeout_seconds: float) -> None:
        self._began[task] = self._now
        if not math.isinf(timeout_seconds):
            margin = max(self._margin_seconds, MARGIN_SHARE * timeout_seconds)
            self._deadlines[task] = self._now + timeout_seconds + margin

    def goes_on(self, task: Hashable, timeout_seconds: float) -> None:
        """Its time begins anew; nothing, where it is not under way."""
        if task in self._deadlines:
            self.started(task, timeout_seconds)
        elif task in self._began and math.isinf(timeout_seconds):
            self._began[task] = self._now

    def ended(self, task: Hashable) -> None:
        self._began.pop(task, None)
        self._deadlines.pop(task, None)

    def seconds(self, task: Hashable) -> float:
        """For how long it has been under way; 0: it is not."""
        return self._now - self._began.get(task, self._now)

    def look(self) -> list[Hashable]:
        """Works that are overdue, each told once. Called every LOOK_SECONDS; it is what moves the clock."""
        now = self._clock()
        self._now += min(now - self._looked, 2.0 * LOOK_SECONDS)
        self._looked = now
        overdue = [task for task, deadline in self._deadlines.items() if deadline <= self._now]
        for task in overdue:
            del self._deadlines[task]
        return overdue

    def silent(self, signs: Mapping[str, object], seconds: float) -> list[str]:
        """Workers whose last sign of life has not changed for so long, each told once in that time.

        :param signs: worker -> anything that changes with every sign of life.
        """
        for worker in self._signs.keys() - signs.keys():
            del self._signs[worker]
        found = []
        for worker, sign in signs.items():
            known, since = self._signs.setdefault(worker, (sign, self._now))
            if known != sign:
                self._signs[worker] = (sign, self._now)
            elif self._now - since >= seconds:
                self._signs[worker] = (sign, self._now)
                found.append(worker)
        return found
