"""What to do after a mishap: a pure function of the task's history. No network, no clock.

python error      fail: the same code on the same numbers raises again
storage           retry with growing delays, `storage` times; then fail
out of memory     split at once; fail at size 1
timeout           retry `timeout` times; then split; fail at size 1
worker lost       retry; a task that was alone on two workers that died is split; at size 1 it is quarantined
"""

from __future__ import annotations

import zlib
from typing import Literal

from msgspec import Struct

from riskpipe.errors import Reason
from riskpipe.execute.task import Kind, Lost, Mishap, Raised, Task, TimedOut, kind_of

History = tuple[Kind, ...]

DEATHS_OF_A_SUSPECT = 2
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0


class Retry(Struct, frozen=True):
    delay_seconds: float = 0.0


class Split(Struct, frozen=True):
    reason: Reason


class Quarantine(Struct, frozen=True):
    message: str
    reason: Literal[Reason.POISON] = Reason.POISON


class Fail(Struct, frozen=True):
    reason: Reason
    message: str


Decision = Retry | Split | Quarantine | Fail


class RetryPolicy(Struct, frozen=True):
    """Caps by cause, all of them numbers of retries (`retry.*` of the configuration).

    :param worker_lost: retries after lost workers.
    :param storage: retries after storage errors.
    :param out_of_memory: split the task in two, or fail it.
    :param timeout: retries after timeouts, before the task is split.
    """

    worker_lost: int
    storage: int
    out_of_memory: Literal["split", "fail"]
    timeout: int

    def decide(self, history: History, mishap: Mishap) -> Decision:
        """What happens to the task next.

        :param history: kinds of this task's earlier mishaps, oldest first, without this one.
        """
        match mishap:
            case Lost():
                return self._lost((*history, kind_of(mishap)), mishap)
            case TimedOut(task=task):
                message = f"not done after {task.timeout_seconds:g} s on {mishap.worker}"
                if history.count(Kind.TIMED_OUT) < self.timeout:
                    return Retry()
                return _split_or_fail(task, Reason.TIMEOUT, message)
            case Raised(reason=Reason.STORAGE):
                failures = history.count(Kind.STORAGE)
                if failures < self.storage:
                    return Retry(backoff_seconds(mishap.task.key, failures))
                return Fail(Reason.STORAGE, mishap.message)
            case Raised(reason=Reason.OUT_OF_MEMORY) if self.out_of_memory == "split":
                return _split_or_fail(mishap.task, Reason.OUT_OF_MEMORY, mishap.message)
            case Raised():
                return Fail(mishap.reason, mishap.message)

    def _lost(self, deaths: History, mishap: Lost) -> Decision:
        alone = deaths.count(Kind.LOST)
        losses = alone + deaths.count(Kind.LOST_IN_COMPANY)
        message = f"worker {mishap.worker} {mishap.how}, loss {losses}"
        if alone >= DEATHS_OF_A_SUSPECT:
            if mishap.task.size > 1:
                return Split(Reason.WORKER_LOST)
            return Quarantine(f"{alone} workers died while it ran alone on them")
        if losses <= self.worker_lost:
            return Retry()
        if self.worker_lost == 0:
            return Fail(Reason.WORKER_LOST, message)
        return _split_or_fail(mishap.task, Reason.WORKER_LOST, message)


def _split_or_fail(task: Task, reason: Reason, message: str) -> Decision:
    return Split(reason) if task.size > 1 else Fail(reason, message)


def inherited(mishap: Mishap, child: Task) -> History:
    """What a part of a split task starts with, so that a bisection needs one death a level and not two.

    A part that cannot be split further starts clean: a trade is quarantined for its own deaths alone.
    """
    return (kind_of(mishap),) if child.size > 1 else ()


def backoff_seconds(key: str, failures: int) -> float:
    """Delay before the next attempt: doubles with every failure, and differs by up to half from task to task.

    So a thousand tasks that met the same outage do not come back together.
    """
    spread = 1.0 + zlib.crc32(key.encode()) / 2**33
    return float(min(FIRST_DELAY_SECONDS * 2.0**failures, LONGEST_DELAY_SECONDS) * spread)
