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

from dataclasses import dataclass

from riskpipe.errors import Reason
from riskpipe.execute.task import Done, Mishap, Overdue, Task


@dataclass(frozen=True, slots=True)
class Submitted:
    task: Task


@dataclass(frozen=True, slots=True)
class Finished:
    outcome: Done


@dataclass(frozen=True, slots=True)
class Retried:
    """:param task: the next attempt, which starts after `delay_seconds`."""

    task: Task
    mishap: Mishap
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class StartedAgain:
    """:param task: the second attempt. :param overdue: the first, which goes on."""

    task: Task
    overdue: Overdue


@dataclass(frozen=True, slots=True)
class OneOfTwo:
    """:param mishap: of one attempt; the task's fate is the other's."""

    mishap: Mishap


@dataclass(frozen=True, slots=True)
class SplitInto:
    task: Task
    children: tuple[Task, ...]
    reason: Reason
    mishap: Mishap


@dataclass(frozen=True, slots=True)
class Failed:
    """:param reason: POISON for a task that was quarantined."""

    task: Task
    reason: Reason
    message: str
    mishap: Mishap


@dataclass(frozen=True, slots=True)
class CancelledTask:
    """Taken, and not done: the run was stopped, or lost its scheduler."""

    task: Task


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Taken back before any worker began with it: it is wanted elsewhere."""

    task: Task


Event = Submitted | Finished | Retried | StartedAgain | OneOfTwo | SplitInto | Failed | CancelledTask | Withdrawn
