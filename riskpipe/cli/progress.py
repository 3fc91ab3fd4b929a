"""What is seen while a run goes on: a bar on a terminal, elsewhere a line now and then, as text or JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.messages import LogFormat, Messages
from riskpipe.cli.text import count, duration, plural
from riskpipe.plan.accounting import RunLifecycle

if TYPE_CHECKING:
    from rich.progress import Progress

    from riskpipe.plan.accounting import Counts, Observer, RunStatus

HEARTBEAT_SECONDS = 30.0


@contextmanager
def observer(invocation: Invocation) -> Iterator[Observer]:
    """The observer that fits the options and the terminal; what it drew is gone when the context ends."""
    messages = invocation.messages
    if invocation.quiet:
        yield Quiet(messages)
    elif invocation.log_format is LogFormat.auto and messages.on_terminal():
        with Bar(messages) as bar:
            yield bar
    else:
        yield Heartbeat(messages)


class Quiet:
    """Warnings and errors only."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._run: dict[str, object] = {}

    def update(self, status: RunStatus) -> None:
        """Lines of JSON name the run once it is known, and the last of a run says how it ended."""
        self._run = {"run_id": status.run_id}
        if status.state is not RunLifecycle.RUNNING and self._messages.format is LogFormat.json:
            self._messages.write("info", status.state, event="end", **self._run, status=status.to_json())

    def message(self, level: str, text: str) -> None:
        self._messages.write(level, text, **self._run)


class Heartbeat(Quiet):
    """A line at the start and then every `interval` seconds; with --log-format json it carries all counts.

    :param clock: seconds, never going back.
    """

    def __init__(
        self,
        messages: Messages,
        interval: float = HEARTBEAT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(messages)
        self._interval = interval
        self._clock = clock
        self._next = clock()

    def update(self, status: RunStatus) -> None:
        super().update(status)
        now = self._clock()
        if now < self._next or (status.state is not RunLifecycle.RUNNING and self._messages.format is LogFormat.json):
            return
        self._next = now + self._interval
        self._messages.write("info", progress_line(status), event="progress", **self._run, status=status.to_json())


class Bar(Quiet):
    """A bar with counts and the time left, redrawn in place on stderr; messages appear above it."""

    def __init__(self, messages: Messages, console: Any = None) -> None:
        super().__init__(messages)
        self._progress = _progress(messages, console)
        self._task = self._progress.add_task("starting", total=None, counts="", elapsed="", left="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, status: RunStatus) -> None:
        blocks = status.blocks
        self._progress.update(
            self._task,
            description=status.phase or status.state,
            total=blocks.planned,
            completed=_done(blocks),
            counts=_counts(status),
            elapsed=duration(status.elapsed_seconds),
            left=", ".join(filter(None, [_left(status), _due(status)])),
        )


def progress_line(status: RunStatus) -> str:
    """`value: 118/400 blocks, 1.20M/4.00M numbers, 3 failed, 2 running, 1:20 elapsed, about 2:40 left`."""
    numbers = status.numbers
    parts = [_counts(status), f"{count(_done(numbers))}/{count(numbers.planned)} numbers"]
    if status.running:
        parts.append(f"{count(status.running)} running")
    parts.append(f"{duration(status.elapsed_seconds)} elapsed")
    phase = f"{status.phase}: " if status.phase else ""
    return phase + ", ".join(filter(None, [*parts, _left(status), _due(status)]))


def _done(counts: Counts) -> int:
    """What is not reached yet counts as cancelled until the run ends."""
    return counts.settled - counts.cancelled


def _counts(status: RunStatus) -> str:
    blocks = status.blocks
    text = f"{count(_done(blocks))}/{plural(blocks.planned, 'block')}"
    if status.numbers.failed:
        text += f", {plural(status.numbers.failed, 'failed number')}"
    return text


def _left(status: RunStatus) -> str:
    left = "" if status.remaining_seconds is None else f"about {duration(status.remaining_seconds)} left"
    if status.compiling is None:
        return left
    done, products = status.compiling
    kernels = f"compiling kernels: {done} of {products} products have theirs"
    return f"{left} and {kernels}" if left else kernels


def _due(status: RunStatus) -> str:
    """`done about 04:52, deadline 05:30 UTC`, with `at risk` where it is."""
    if status.deadline is None:
        return ""
    done = "" if status.finishes_at is None else f"done about {status.finishes_at[11:16]}, "
    return f"{done}deadline {status.deadline[11:16]} UTC{' at risk' if status.at_risk else ''}"


def _progress(messages: Messages, console: Any) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
        TextColumn("{task.fields[elapsed]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=console or Console(stderr=True, no_color=None if messages.colour else True),
        refresh_per_second=4,
        transient=True,
    )
