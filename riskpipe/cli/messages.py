"""What goes to stderr: messages, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct


class LogFormat(StrEnum):
    auto = "auto"
    text = "text"
    json = "json"


_COLOURS = {"warning": "33", "error": "31"}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Messages(Struct, frozen=True):
    """Writes to stderr; data never goes through here.

    :param quiet: warnings and errors only.
    :param verbose: debug messages too, and tracebacks.
    :param colour: may use colours where stderr is a terminal.
    """

    format: LogFormat = LogFormat.auto
    quiet: bool = False
    verbose: bool = False
    colour: bool = True
    now: Callable[[], datetime] = utc_now

    def write(self, level: str, text: str, **fields: object) -> None:
        """One message; `fields` are the machine's part and appear in JSON only.

        :param level: debug, info, warning, error.
        """
        if (level == "debug" and not self.verbose) or (level in ("debug", "info") and self.quiet):
            return
        if self.format is LogFormat.json:
            time = self.now().isoformat(timespec="milliseconds")
            entry = {"time": time, "level": level, "message": text, **fields}
            print(json.dumps(entry, default=str), file=sys.stderr, flush=True)
        else:
            print(self._prefix(level) + text, file=sys.stderr, flush=True)

    def on_terminal(self) -> bool:
        """Whether stderr can redraw lines."""
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def _prefix(self, level: str) -> str:
        if level not in _COLOURS:
            return ""
        if self.colour and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
            return f"\x1b[{_COLOURS[level]}m{level}:\x1b[0m "
        return f"{level}: "


class _Forward(logging.Handler):
    def __init__(self, messages: Messages) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else record.levelname.lower()
        self._messages.write(level, record.getMessage(), logger=record.name)


@contextmanager
def captured(messages: Messages) -> Iterator[None]:
    """Libraries' log records and warnings come as messages of ours, so that stderr keeps one format."""

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        messages.write("warning", str(message), category=category.__name__)

    root = logging.getLogger()
    handler = _Forward(messages)
    previous = warnings.showwarning
    root.addHandler(handler)
    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = previous
        root.removeHandler(handler)
