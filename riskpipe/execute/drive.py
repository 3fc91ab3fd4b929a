"""Drives tasks through an executor: a window in flight, mishaps met by the policy, a drain on a stop."""

from __future__ import annotations

import heapq
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from riskpipe.errors import ClusterError, Reason
from riskpipe.execute.events import (
    CancelledTask,
    Event,
    Failed,
    Finished,
    OneOfTwo,
    Retried,
    SplitInto,
    StartedAgain,
    Submitted,
    Withdrawn,
)
from riskpipe.execute.executor import Executor, Patience
from riskpipe.execute.policy import Fail, History, Quarantine, Retry, RetryPolicy, Split, inherited
from riskpipe.execute.task import Cancelled, Done, Mishap, Outcome, Task, kind_of

LONGEST_WAIT_SECONDS = 0.5
LOOK_SECONDS = 1.0

OnEvent = Callable[[Event], Iterable[Task] | None]


class DriveState(StrEnum):
    """How a drive ended: every task has its outcome; a stop was asked for; or one failed and that was to be enough."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAILED_FAST = "failed_fast"


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds."""

    def sleep(self, seconds: float) -> None: ...


class Stop(Protocol):
    """What asks for an end: see `StopSignal`."""

    @property
    def requested(self) -> bool: ...

    @property
    def immediate(self) -> bool: ...


class TaskSource(Protocol):
    """Tasks that come while others run."""

    @property
    def exhausted(self) -> bool:
        """Whether none will come any more."""

    def take(self, most: int) -> list[Task]:
        """What is there, at most so many; nothing: there may be more later."""


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Counts(Struct):
    """Events so far. `submitted` counts attempts; the four endings count tasks."""

    submitted: int = 0
    retried: int = 0
    done: int = 0
    failed: int = 0
    split: int = 0
    cancelled: int = 0


class DriveResult(Struct, frozen=True):
    """:param state: complete: every task of the iterator was taken and has ended; some may have failed."""

    state: DriveState
    counts: Counts


class Ending(Struct, frozen=True):
    """What ends a drive before its tasks have.

    :param stop: looked at between outcomes. On a stop nothing more is submitted, what has been started may end within
        `grace_seconds`, and everything else that was taken becomes CancelledTask; the rest of the tasks is the
        caller's to count. A second signal ends the wait.
    :param fail_fast: the first Failed stops the drive likewise.
    """

    stop: Stop
    fail_fast: bool = False
    grace_seconds: float = 25.0


def drive(
    tasks: Iterator[Task] | TaskSource,
    executor: Executor,
    policy: RetryPolicy,
    *,
    split: Callable[[Task], list[Task]],
    on_event: OnEvent,
    ending: Ending,
    clock: Clock | None = None,
    tick: Callable[[], None] = lambda: None,
    patience: Patience | None = None,
    give_back: Callable[[], int] = lambda: 0,
) -> DriveResult:
    """Run all tasks, and those that `on_event` returns, to an ending each.

    :param tasks: taken as places become free, never further ahead than the executor's capacity. An iterator has all of
        them; a source may have none now, and is asked again.
    :param split: cuts a task in two (or more); fewer than two parts: it cannot be cut, and fails.
    :param on_event: told every event in order. It may return further tasks (a merge, when the last of its
        values is in); they run before the rest of `tasks`.
    :param tick: called at least once a second, unless the executor is serial.
    :param patience: a task whose first attempt takes longer, and with which nothing has gone wrong, is started a second
        time on another worker, once nothing is left to submit and workers are idle. The first result counts, the other
        attempt is given up. If one of them fails the other counts; if both do, the policy decides. None: never.
    :param give_back: asked after each tick for how many tasks that no worker has begun are wanted elsewhere; each of
        those that can be had becomes Withdrawn. One with which something has gone wrong here stays.
    :raises SchedulerLostError, ClusterError: after a CancelledTask for each task taken and not ended.
    """
    source = _All(tasks) if isinstance(tasks, Iterator) else tasks
    driver = _Driver(source, executor, policy, split, on_event, ending, clock or SystemClock(), patience)
    try:
        while driver.unfinished() and not driver.stopping():
            tick()
            driver.withdraw(give_back())
            driver.advance(0.0 if driver.fill() else LONGEST_WAIT_SECONDS)
            driver.start_again()
        if driver.stopping():
            driver.drain(tick)
    except ClusterError:
        driver.abandon()
        raise
    tick()
    return DriveResult(driver.state(), driver.counts)


class _All:
    """A source of tasks that are all there."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks = tasks
        self.exhausted = False

    def take(self, most: int) -> list[Task]:
        taken = list(itertools.islice(self._tasks, most))
        self.exhausted = self.exhausted or len(taken) < most
        return taken


class _Driver(Struct):
    tasks: TaskSource
    executor: Executor
    policy: RetryPolicy
    split: Callable[[Task], list[Task]]
    on_event: OnEvent
    ending: Ending
    clock: Clock
    patience: Patience | None
    counts: Counts = field(default_factory=Counts)
    failed_fast: bool = False
    ready: deque[Task] = field(default_factory=deque)
    delayed: list[tuple[float, int, Task]] = field(default_factory=list)
    flight: dict[tuple[str, str], list[Task]] = field(default_factory=dict)
    twice: set[tuple[str, str]] = field(default_factory=set)
    looked: float = -math.inf
    histories: dict[tuple[str, str], History] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def exhausted(self) -> bool:
        return self.tasks.exhausted

    def unfinished(self) -> bool:
        return bool(self.ready or self.delayed or self.flight or not self.exhausted)

    def stopping(self) -> bool:
        return self.ending.stop.requested or self.failed_fast

    def state(self) -> DriveState:
        if not self.unfinished() and self.counts.cancelled == 0:
            return DriveState.COMPLETE
        return DriveState.STOPPED if self.ending.stop.requested else DriveState.FAILED_FAST

    def fill(self) -> bool:
        """Top the window up by what the executor asks for; whether it may ask for more at once."""
        wanted = self.executor.refill()
        chunk = self._take(wanted) if wanted else []
        if chunk:
            self.flight.update((_name(task), [task]) for task in chunk)
            self.executor.submit(chunk)
            self.counts.submitted += len(chunk)
            for task in chunk:
                self._tell(Submitted(task))
        return bool(chunk) and not self.exhausted

    def advance(self, seconds: float) -> None:
        """Wait until something ends or falls due, at most `seconds`, and deal with it."""
        if self.delayed:
            seconds = min(seconds, max(self.delayed[0][0] - self.clock.now(), 0.0))
        if self.executor.running() or self.ready or not self.exhausted:
            for outcome in self.executor.outcomes(seconds):
                self._end(outcome)
        elif self.delayed:
            self.clock.sleep(seconds)

    def start_again(self) -> None:
        """What is overdue, where workers would else be idle."""
        if self.patience is None or self.ready or not self.exhausted or self.stopping():
            return
        if self.clock.now() - self.looked < LOOK_SECONDS:
            return
        self.looked = self.clock.now()
        if not self.executor.idle():
            return
        for overdue in self.executor.overdue(self.patience):
            name = _name(overdue.task)
            if name in self.twice or name in self.histories or self.flight.get(name) != [overdue.task]:
                continue
            second = overdue.task.again()
            if self.executor.submit_beside(second, overdue):
                self.twice.add(name)
                self.flight[name].append(second)
                self.counts.submitted += 1
                self._tell(StartedAgain(second, overdue))

    def withdraw(self, most: int) -> None:
        """Take back what no worker has begun, for whoever asked."""
        for task in self.executor.withdraw(most) if most > 0 and not self.ready else ():
            name = _name(task)
            if task.attempt > 1 or name in self.histories or self.flight[name] != [task]:
                self.executor.submit([task])
                continue
            del self.flight[name]
            self.counts.submitted -= 1
            self._tell(Withdrawn(task))

    def drain(self, tick: Callable[[], None]) -> None:
        """Let what has been started end, while the grace lasts; cancel everything else."""
        deadline = self.clock.now() + self.ending.grace_seconds
        self.executor.cancel_queued()
        while self.executor.running() and not self.ending.stop.immediate:
            remaining = deadline - self.clock.now()
            if remaining <= 0:
                break
            tick()
            for outcome in self.executor.outcomes(min(remaining, LONGEST_WAIT_SECONDS)):
                self._end(outcome)
        self.executor.cancel_all()
        while self.executor.running():
            for outcome in self.executor.outcomes(LONGEST_WAIT_SECONDS):
                self._end(outcome)
        self.abandon()

    def abandon(self) -> None:
        """CancelledTask for everything that was taken and has not ended."""
        taken = [*(attempts[0] for attempts in self.flight.values()), *(task for _, _, task in self.delayed)]
        self.flight.clear()
        self.delayed.clear()
        for task in taken:
            self._cancelled(task)
        while self.ready:
            self._cancelled(self.ready.popleft())

    def _take(self, most: int) -> list[Task]:
        """Works that may start now: retries that are due, parts and extras, then the iterator."""
        while self.delayed and self.delayed[0][0] <= self.clock.now():
            self.ready.appendleft(heapq.heappop(self.delayed)[2])
        taken = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        taken.extend(self.tasks.take(most - len(taken)))
        return taken

    def _end(self, outcome: Outcome) -> None:
        task, name = outcome.task, _name(outcome.task)
        attempts = self.flight.get(name, [])
        if task not in attempts:  # given up meanwhile
            return
        attempts.remove(task)
        if attempts and not isinstance(outcome, Done):
            self._go_on_with_the_other(outcome)
            return
        del self.flight[name]
        match outcome:
            case Done():
                for other in attempts:
                    self.executor.give_up(other)
                self._forget(name)
                self.counts.done += 1
                self._tell(Finished(outcome))
            case Cancelled():
                self._cancelled(task)
            case _:
                self._meet(task, outcome)

    def _go_on_with_the_other(self, outcome: Mishap | Cancelled) -> None:
        if not isinstance(outcome, Cancelled):
            name = _name(outcome.task)
            self.histories[name] = (*self.histories.get(name, ()), kind_of(outcome))
            self._tell(OneOfTwo(outcome))

    def _meet(self, task: Task, mishap: Mishap) -> None:
        history = self.histories.pop(_name(task), ())
        decision = self.policy.decide(history, mishap)
        match decision:
            case Fail() | Quarantine():
                self._failed(task, decision.reason, decision.message, mishap)
            case Retry() | Split() if self.stopping():
                self._cancelled(task)
            case Retry(delay_seconds=delay):
                self.histories[_name(task)] = (*history, kind_of(mishap))
                # The attempt that failed last may be the first one: no number is used twice.
                latest = replace(task, attempt=max(task.attempt, 2)) if _name(task) in self.twice else task
                self._retry(latest.again(), mishap, delay)
            case Split(reason=reason):
                self._divide(task, reason, mishap)

    def _retry(self, task: Task, mishap: Mishap, delay: float) -> None:
        self.counts.retried += 1
        if delay > 0:
            heapq.heappush(self.delayed, (self.clock.now() + delay, next(self.numbers), task))
        else:
            self.ready.appendleft(task)
        self._tell(Retried(task, mishap, delay))

    def _divide(self, task: Task, reason: Reason, mishap: Mishap) -> None:
        children = self.split(task)
        if len(children) < 2:
            self._failed(task, reason, "it cannot be split", mishap)
            return
        for child in children:
            if heritage := inherited(mishap, child):
                self.histories[_name(child)] = heritage
        self._forget(_name(task))
        self.ready.extendleft(reversed(children))
        self.counts.split += 1
        self._tell(SplitInto(task, tuple(children), reason, mishap))

    def _failed(self, task: Task, reason: Reason, message: str, mishap: Mishap) -> None:
        self.counts.failed += 1
        self.failed_fast = self.failed_fast or self.ending.fail_fast
        self._forget(_name(task))
        self._tell(Failed(task, reason, message, mishap))

    def _cancelled(self, task: Task) -> None:
        self._forget(_name(task))
        self.counts.cancelled += 1
        self._tell(CancelledTask(task))

    def _forget(self, name: tuple[str, str]) -> None:
        self.histories.pop(name, None)
        self.twice.discard(name)

    def _tell(self, event: Event) -> None:
        self.ready.extend(self.on_event(event) or ())


def _name(task: Task) -> tuple[str, str]:
    """Names a task over all its attempts."""
    return task.function, task.key
