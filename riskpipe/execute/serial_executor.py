"""Tasks one after the other, in this process and thread: for debugging, small books and comparison."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from riskpipe.execute.attempt import attempt
from riskpipe.execute.executor import Function, Patience, require_functions
from riskpipe.execute.task import Cancelled, Outcome, Overdue, Task

WORKER = "serial"


class SerialExecutor:
    """The executor's interface without a cluster.

    There are no timeouts (nothing could end the process but itself) and no deaths to survive, and the driver
    does nothing else, ticks included, while a task runs. Memory errors are those that Python raises.
    """

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = dict(functions)
        self._waiting: deque[Task] = deque()
        self._cancelled: list[Outcome] = []

    @property
    def capacity(self) -> int:
        return 1

    @property
    def slots(self) -> int:
        return 1

    def refill(self) -> int:
        return 0 if self.running() else 1

    def submit(self, tasks: Sequence[Task]) -> None:
        require_functions(tasks, self._functions)
        self._waiting.extend(tasks)

    def outcomes(self, timeout: float) -> list[Outcome]:
        """Runs one task, however long it takes: `timeout` is not kept."""
        if self._cancelled:
            ended, self._cancelled = self._cancelled, []
            return ended
        if not self._waiting:
            return []
        task = self._waiting.popleft()
        return [attempt(self._functions[task.function], task, WORKER).outcome(task)]

    def running(self) -> int:
        return len(self._waiting) + len(self._cancelled)

    def idle(self) -> int:
        return 0

    def overdue(self, patience: Patience) -> list[Overdue]:
        """Nothing: while a task runs, nobody looks."""
        return []

    def submit_beside(self, task: Task, overdue: Overdue) -> bool:
        return False

    def give_up(self, task: Task) -> None:
        self._waiting.remove(task)

    def withdraw(self, most: int) -> list[Task]:
        """Nothing: what is submitted is next."""
        return []

    def cancel_queued(self) -> None:
        self._cancelled.extend(Cancelled(task) for task in self._waiting)
        self._waiting.clear()

    def cancel_all(self) -> None:
        self.cancel_queued()

    def close(self) -> None:
        self._waiting.clear()
        self._cancelled.clear()
