"""What the drive tells about its tasks, in order.

    Submitted --> Finished | Failed | SplitInto | CancelledTask
        |  ^
        v  | (the same task's next attempt)
      Retried

A task that takes too long is started a second time: StartedAgain, and then OneOfTwo for an attempt that ends otherwise
than well while the other goes on. The first result is the task's.

Each task that the drive has taken gets exactly one of the four endings, or is Withdrawn, and then it is as if it had
not been taken; the parts of a SplitInto are tasks of their own, with endings of their own.
"""

from __future__ import annotations

from msgspec import Struct

from riskpipe.errors import Reason
from riskpipe.execute.task import Done, Mishap, Overdue, Task


class Submitted(Struct, frozen=True):
    task: Task


class Finished(Struct, frozen=True):
    outcome: Done


class Retried(Struct, frozen=True):
    """:param task: the next attempt, which starts after `delay_seconds`."""

    task: Task
    mishap: Mishap
    delay_seconds: float


class StartedAgain(Struct, frozen=True):
    """:param task: the second attempt. :param overdue: the first, which goes on."""

    task: Task
    overdue: Overdue


class OneOfTwo(Struct, frozen=True):
    """:param mishap: of one attempt; the task's fate is the other's."""

    mishap: Mishap


class SplitInto(Struct, frozen=True):
    task: Task
    children: tuple[Task, ...]
    reason: Reason
    mishap: Mishap


class Failed(Struct, frozen=True):
    """:param reason: POISON for a task that was quarantined."""

    task: Task
    reason: Reason
    message: str
    mishap: Mishap


class CancelledTask(Struct, frozen=True):
    """Taken, and not done: the run was stopped, or lost its scheduler."""

    task: Task


class Withdrawn(Struct, frozen=True):
    """Taken back before any worker began with it: it is wanted elsewhere."""

    task: Task


Event = Submitted | Finished | Retried | StartedAgain | OneOfTwo | SplitInto | Failed | CancelledTask | Withdrawn
