"""A task and the ways in which one attempt at it can end.

    Task --> Done | Raised | Lost | TimedOut | Cancelled

Outcomes are values: what goes wrong with a task never travels as an exception. The payload is a reference (a
block of the plan), never data: it crosses the scheduler with every attempt.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.errors import Reason

TaskId = tuple[str, str, int]


class Task(Struct, frozen=True):
    """One call of a function, on whatever process the executor has.

    :param key: unique in a run; a retry keeps it, the parts of a split have keys of their own.
    :param payload: the function's argument; small and picklable.
    :param attempt: 1 for the first.
    :param size: how many parts it could be cut into (trades of a block); 1 cannot be split.
    :param timeout_seconds: time for one attempt, from the moment it starts on a worker.
    :param projected_seconds: what one attempt is expected to take; 0: next to nothing.
    :param function: name of the function among those that the executor was given.
    """

    key: str
    payload: Any
    attempt: int = 1
    size: int = 1
    timeout_seconds: float = math.inf
    projected_seconds: float = 0.0
    function: str = "value"

    @property
    def id(self) -> TaskId:
        """Names one attempt at one task."""
        return self.function, self.key, self.attempt

    def again(self) -> Task:
        """The next attempt at the same task."""
        return replace(self, attempt=self.attempt + 1)


class Done(Struct, frozen=True):
    task: Task
    result: Any
    worker: str


class Raised(Struct, frozen=True):
    """The function raised, or its process outgrew its memory (OUT_OF_MEMORY).

    :param reason: OUT_OF_MEMORY, STORAGE or PRICING_ERROR.
    :param traceback_text: without local variables; empty when the process was ended from outside.
    """

    task: Task
    reason: Reason
    message: str
    worker: str
    traceback_text: str = ""


class Lost(Struct, frozen=True):
    """The worker died while it ran this task, or was ended since it gave no sign of life.

    :param alone: nothing else was running there, so that the death is this task's (or the machine's).
    :param how: what the worker did.
    """

    task: Task
    worker: str
    alone: bool = True
    how: str = "died while running it"


class TimedOut(Struct, frozen=True):
    task: Task
    worker: str


class Cancelled(Struct, frozen=True):
    task: Task


class Overdue(Struct, frozen=True):
    """An attempt that goes on, and has taken longer than it was expected to.

    :param seconds: since it began on `worker`.
    """

    task: Task
    worker: str
    seconds: float


Mishap = Raised | Lost | TimedOut
Outcome = Done | Mishap | Cancelled


class Kind(StrEnum):
    """A mishap without its details: what the history of a task remembers."""

    PRICING_ERROR = "pricing_error"
    STORAGE = "storage"
    OUT_OF_MEMORY = "out_of_memory"
    LOST = "lost"
    LOST_IN_COMPANY = "lost_in_company"
    TIMED_OUT = "timed_out"


def kind_of(mishap: Mishap) -> Kind:
    """The kind of a mishap; any reason of a Raised that is not retried counts as PRICING_ERROR."""
    match mishap:
        case Lost(alone=alone):
            return Kind.LOST if alone else Kind.LOST_IN_COMPANY
        case TimedOut():
            return Kind.TIMED_OUT
        case Raised(reason=Reason.STORAGE):
            return Kind.STORAGE
        case Raised(reason=Reason.OUT_OF_MEMORY):
            return Kind.OUT_OF_MEMORY
        case Raised():
            return Kind.PRICING_ERROR
