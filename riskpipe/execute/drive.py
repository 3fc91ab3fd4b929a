"""Drives works through an executor: a window in flight, mishaps met by the policy, a drain on a stop."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from riskpipe.errors import ClusterError, Reason
from riskpipe.execute.events import CancelledWork, Event, Failed, Finished, Retried, SplitInto, Submitted
from riskpipe.execute.executor import Executor
from riskpipe.execute.policy import Fail, History, Quarantine, Retry, RetryPolicy, Split, inherited
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.work import Cancelled, Done, Mishap, Outcome, Work, kind_of

LONGEST_WAIT_SECONDS = 0.5

OnEvent = Callable[[Event], Iterable[Work] | None]
State = Literal["complete", "stopped", "failed_fast"]


class Clock(Protocol):
    def now(self) -> float:
        """Monotonic seconds."""

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Counts:
    """Events so far. `submitted` counts attempts; the four endings count works."""

    submitted: int = 0
    retried: int = 0
    done: int = 0
    failed: int = 0
    split: int = 0
    cancelled: int = 0


@dataclass(frozen=True)
class DriveResult:
    """:param state: complete: every work of the iterator was taken and has ended; some may have failed."""

    state: State
    counts: Counts


def drive(
    works: Iterator[Work],
    executor: Executor,
    policy: RetryPolicy,
    *,
    split: Callable[[Work], list[Work]],
    on_event: OnEvent,
    stop: StopSignal,
    clock: Clock | None = None,
    tick: Callable[[], None] = lambda: None,
    fail_fast: bool = False,
    grace_seconds: float = 25.0,
) -> DriveResult:
    """Run all works, and those that `on_event` returns, to an ending each.

    :param works: taken as places become free, never further ahead than the executor's capacity.
    :param split: cuts a work in two (or more); fewer than two parts: it cannot be cut, and fails.
    :param on_event: told every event in order. It may return further works (a merge, when the last of its
        values is in); they run before the rest of `works`.
    :param stop: looked at between outcomes. On a stop nothing more is submitted, what has been started may
        end within `grace_seconds`, and everything else that was taken becomes CancelledWork; the rest of
        `works` is the caller's to count. A second signal ends the wait.
    :param tick: called at least once a second, unless the executor is serial.
    :param fail_fast: the first Failed stops the drive likewise.
    :raises SchedulerLostError, ClusterError: after a CancelledWork for each work taken and not ended.
    """
    journey = _Drive(works, executor, policy, split, on_event, stop, clock or SystemClock(), fail_fast)
    try:
        while journey.unfinished() and not journey.stopping():
            tick()
            journey.advance(0.0 if journey.fill() else LONGEST_WAIT_SECONDS)
        if journey.stopping():
            journey.drain(tick, grace_seconds)
    except ClusterError:
        journey.abandon()
        raise
    tick()
    return DriveResult(journey.state(), journey.counts)


@dataclass
class _Drive:
    works: Iterator[Work]
    executor: Executor
    policy: RetryPolicy
    split: Callable[[Work], list[Work]]
    on_event: OnEvent
    stop: StopSignal
    clock: Clock
    fail_fast: bool
    counts: Counts = field(default_factory=Counts)
    exhausted: bool = False
    failed_fast: bool = False
    ready: deque[Work] = field(default_factory=deque)
    delayed: list[tuple[float, int, Work]] = field(default_factory=list)
    flight: dict[tuple[str, str], Work] = field(default_factory=dict)
    histories: dict[tuple[str, str], History] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def unfinished(self) -> bool:
        return bool(self.ready or self.delayed or self.flight or not self.exhausted)

    def stopping(self) -> bool:
        return self.stop.requested or self.failed_fast

    def state(self) -> State:
        if not self.unfinished() and self.counts.cancelled == 0:
            return "complete"
        return "stopped" if self.stop.requested else "failed_fast"

    def fill(self) -> bool:
        """Top the window up by what the executor asks for; whether it may ask for more at once."""
        wanted = self.executor.refill()
        chunk = self._take(wanted) if wanted else []
        if chunk:
            self.flight.update((_name(work), work) for work in chunk)
            self.executor.submit(chunk)
            self.counts.submitted += len(chunk)
            for work in chunk:
                self._tell(Submitted(work))
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

    def drain(self, tick: Callable[[], None], grace_seconds: float) -> None:
        """Let what has been started end, while the grace lasts; cancel everything else."""
        deadline = self.clock.now() + grace_seconds
        self.executor.cancel_queued()
        while self.executor.running() and not self.stop.immediate:
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
        """CancelledWork for everything that was taken and has not ended."""
        taken = [*self.flight.values(), *(work for _, _, work in self.delayed)]
        self.flight.clear()
        self.delayed.clear()
        for work in taken:
            self._cancelled(work)
        while self.ready:
            self._cancelled(self.ready.popleft())

    def _take(self, most: int) -> list[Work]:
        """Works that may start now: retries that are due, parts and extras, then the iterator."""
        while self.delayed and self.delayed[0][0] <= self.clock.now():
            self.ready.appendleft(heapq.heappop(self.delayed)[2])
        taken = [self.ready.popleft() for _ in range(min(most, len(self.ready)))]
        taken.extend(itertools.islice(self.works, most - len(taken)))
        self.exhausted = self.exhausted or len(taken) < most
        return taken

    def _end(self, outcome: Outcome) -> None:
        work = self.flight.pop(_name(outcome.work))
        match outcome:
            case Done():
                self.histories.pop(_name(work), None)
                self.counts.done += 1
                self._tell(Finished(outcome))
            case Cancelled():
                self._cancelled(work)
            case _:
                self._meet(work, outcome)

    def _meet(self, work: Work, mishap: Mishap) -> None:
        history = self.histories.pop(_name(work), ())
        decision = self.policy.decide(history, mishap)
        match decision:
            case Fail() | Quarantine():
                self._failed(work, decision.reason, decision.message, mishap)
            case Retry() | Split() if self.stopping():
                self._cancelled(work)
            case Retry(delay_seconds=delay):
                self.histories[_name(work)] = (*history, kind_of(mishap))
                self._retry(work.again(), mishap, delay)
            case Split(reason=reason):
                self._divide(work, reason, mishap)

    def _retry(self, work: Work, mishap: Mishap, delay: float) -> None:
        self.counts.retried += 1
        if delay > 0:
            heapq.heappush(self.delayed, (self.clock.now() + delay, next(self.numbers), work))
        else:
            self.ready.appendleft(work)
        self._tell(Retried(work, mishap, delay))

    def _divide(self, work: Work, reason: Reason, mishap: Mishap) -> None:
        children = self.split(work)
        if len(children) < 2:
            self._failed(work, reason, "it cannot be split", mishap)
            return
        for child in children:
            if heritage := inherited(mishap, child):
                self.histories[_name(child)] = heritage
        self.ready.extendleft(reversed(children))
        self.counts.split += 1
        self._tell(SplitInto(work, tuple(children), reason, mishap))

    def _failed(self, work: Work, reason: Reason, message: str, mishap: Mishap) -> None:
        self.counts.failed += 1
        self.failed_fast = self.failed_fast or self.fail_fast
        self._tell(Failed(work, reason, message, mishap))

    def _cancelled(self, work: Work) -> None:
        self.histories.pop(_name(work), None)
        self.counts.cancelled += 1
        self._tell(CancelledWork(work))

    def _tell(self, event: Event) -> None:
        self.ready.extend(self.on_event(event) or ())


def _name(work: Work) -> tuple[str, str]:
    """Names a work over all its attempts."""
    return work.function, work.key
