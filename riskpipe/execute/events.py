"""What the drive tells about its works, in order.

    Submitted --> Finished | Failed | SplitInto | CancelledWork
        |  ^
        v  | (the same work's next attempt)
      Retried

Each work that the drive has taken gets exactly one of the four endings; the parts of a SplitInto are works of
their own, with endings of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from riskpipe.errors import Reason
from riskpipe.execute.work import Done, Mishap, Work


@dataclass(frozen=True, slots=True)
class Submitted:
    work: Work


@dataclass(frozen=True, slots=True)
class Finished:
    outcome: Done


@dataclass(frozen=True, slots=True)
class Retried:
    """:param work: the next attempt, which starts after `delay_seconds`."""

    work: Work
    mishap: Mishap
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class SplitInto:
    work: Work
    children: tuple[Work, ...]
    reason: Reason
    mishap: Mishap


@dataclass(frozen=True, slots=True)
class Failed:
    """:param reason: POISON for a work that was quarantined."""

    work: Work
    reason: Reason
    message: str
    mishap: Mishap


@dataclass(frozen=True, slots=True)
class CancelledWork:
    """Taken, and not done: the run was stopped, or lost its scheduler."""

    work: Work


Event = Submitted | Finished | Retried | SplitInto | Failed | CancelledWork
