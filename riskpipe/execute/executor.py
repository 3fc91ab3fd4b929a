"""The one interface behind which tasks run: in this process, or on a dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, Protocol

from riskpipe.errors import ClusterError
from riskpipe.execute.task import Outcome, Overdue, Task

LARGEST_CHUNK = 256

Function = Callable[[Task], Any]
Patience = Callable[[Task], float | None]
"""Seconds that an attempt may take before it is overdue; None: as long as it likes."""


class SchedulerLostError(ClusterError):
    """The scheduler is gone, and with it every task in flight; what they wrote is still there.

    Build another cluster, look into the ledger for what was done, and submit the rest again.
    """


class Executor(Protocol):
    """Runs tasks and tells how each attempt ended, exactly once, in whatever order they end.

    One thread uses an executor. Nothing about a task is kept once its outcome has been handed over.
    """

    @property
    def capacity(self) -> int:
        """How many tasks it makes sense to have in flight now; 1 or more, it follows the cluster."""

    @property
    def slots(self) -> int:
        """How many tasks run at a time; 0: there is no worker now."""

    def refill(self) -> int:
        """How many tasks to hand over next; 0: there is no room, or too little to be worth a message.

        :raises SchedulerLostError: as `outcomes` does.
        """

    def submit(self, tasks: Sequence[Task]) -> None:
        """Start tasks. No two tasks in flight may have the same function, key and attempt.

        :raises KeyError: a function that the executor was not given.
        :raises TypeError: a payload that cannot be pickled. In either case nothing has been started.
        """

    def outcomes(self, timeout: float) -> list[Outcome]:
        """What has ended since the last call, waiting at most `timeout` seconds for the first.

        :raises SchedulerLostError: all that was in flight is lost; after the last outcome that came.
        :raises ClusterError: there has been no worker for too long.
        """

    def running(self) -> int:
        """Works submitted whose outcome has not been handed over."""

    def idle(self) -> int:
        """Places where a task could run at once."""

    def overdue(self, patience: Patience) -> list[Overdue]:
        """What has been running for longer than it is given."""

    def submit_beside(self, task: Task, overdue: Overdue) -> bool:
        """Start another attempt at a task that goes on, on another worker; False: none has room for it.

        What waits for the overdue attempt's end is handed out anew.

        :param overdue: of the last call of `overdue`.
        """

    def give_up(self, task: Task) -> None:
        """Forget an attempt, whose outcome nobody is told any more. What runs of it is ended where that costs no other
        task anything."""

    def withdraw(self, most: int) -> list[Task]:
        """Take back tasks that no worker has started, the latest first to go: they have no outcome here.

        :raises SchedulerLostError: as `outcomes` does.
        """

    def cancel_queued(self) -> None:
        """Give up what is in flight and has not been started; each becomes Cancelled."""

    def cancel_all(self) -> None:
        """Give up everything in flight; each becomes Cancelled. What runs may still end there, unheard."""

    def close(self) -> None:
        """Forget everything. The cluster stays."""


def refill(capacity: int, running: int) -> int:
    """In chunks: a graph update costs the scheduler more than the tasks in it."""
    free = capacity - running
    return 0 if free < min(capacity // 3, LARGEST_CHUNK) else min(free, LARGEST_CHUNK)


def require_functions(tasks: Sequence[Task], functions: Container[str]) -> None:
    """:raises KeyError: a task asks for a function that is not there."""
    for task in tasks:
        if task.function not in functions:
            raise KeyError(f"task {task.key}: no function {task.function!r}")
