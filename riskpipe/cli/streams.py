"""The process's standard streams: stdout is for the answer alone, and a stderr that is lost ends nothing.

Products, libraries and worker processes print where they like. So the answer has a descriptor of its own, and
descriptor 1 is stderr for everybody else.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO, cast

from riskpipe.errors import ExitCode, InfrastructureError, RiskpipeError
from riskpipe.store.process import hold_standard_descriptors

FIRST_PRIVATE = 10

_answers: list[TextIO] = []


class ReaderGoneError(RiskpipeError):
    """Whoever read the answer has closed the pipe."""

    exit_code = ExitCode.READER_GONE


class LostAnswerError(InfrastructureError):
    """stdout does not take the answer."""


class BestEffort:
    """A stream of messages. What it does not take (a full disk, a reader that has gone) is dropped.

    A run must not die of its messages; those that matter are in its own log as well.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        with suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Answer:
    """stdout, with errors of ours: also for what Typer writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _told():
            return self._stream.write(text)

    def flush(self) -> None:
        with _told():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError("the reader of stdout has gone") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise LostAnswerError(f"stdout does not take the answer ({why}); what the command did stands") from error


class Printed:
    """What is printed while a command is at work, a message a line."""

    encoding = "utf-8"

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)

    def flush(self) -> None:
        rest, self._rest = self._rest, ""
        if rest:
            self._tell(rest)

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1


@contextmanager
def standard_streams() -> Iterator[None]:
    """Around the whole program. Streams that are closed count as /dev/null: nobody wants what goes there."""
    hold_standard_descriptors()
    stdout, stderr = sys.stdout, sys.stderr
    for stream in (stdout, stderr):
        if stream is not None:
            stream.flush()
    answer, messages = _private(1, stdout), _private(2, stderr)
    os.dup2(2, 1)
    sys.stdout, sys.stderr = Answer(answer), BestEffort(messages)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):  # told already, if it was an answer
            os.dup2(answer.fileno(), 1)
            answer.close()
        sys.stdout, sys.stderr = stdout, stderr


@contextmanager
def reserved(tell: Callable[[str], None]) -> Iterator[None]:
    """Around a command: `write` alone reaches stdout, what is printed is told."""
    stdout, printed = sys.stdout, Printed(tell)
    _answers.append(stdout)
    sys.stdout = printed
    try:
        yield
    finally:
        printed.flush()
        sys.stdout = stdout
        _answers.pop()


def write(text: str) -> None:
    """The answer, to stdout.

    :raises ReaderGoneError: a closed pipe. :raises LostAnswerError: a full disk and the like.
    """
    stream = _answers[-1] if _answers else sys.stdout
    with _told():
        stream.write(text + "\n")
        stream.flush()


class _Bytes:
    """stdout for an answer that is no text."""

    closed = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, data: Any) -> int:
        with _told():
            self._stream.write(data)
        return len(data)

    def flush(self) -> None:
        with _told():
            self._stream.flush()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.flush()


def binary() -> IO[bytes]:
    """stdout for an answer that is no text, or is written in pieces; errors as of `write`."""
    stream: Any = _answers[-1] if _answers else sys.stdout
    stream.flush()
    return cast(IO[bytes], _Bytes(stream.buffer))


def _private(descriptor: int, stream: TextIO | None) -> TextIO:
    """The stream on a descriptor that nobody else knows; it takes every text, whatever its encoding."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_PRIVATE)
    encoding = stream.encoding if stream is not None else "utf-8"
    return open(copy, "w", encoding=encoding, errors="backslashreplace", buffering=1)


def terminal_width() -> int | None:
    """Columns of the terminal that the answer goes to; None: it goes to none, or to one that does not say."""
    stream: Any = _answers[-1] if _answers else sys.stdout
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except (OSError, ValueError):
        return None
