"""How long this process has been compiling kernels: not in `kernels`, whose every change compiles all of them anew."""

from __future__ import annotations

import time
from typing import Any

from numba.core import event


class _Stopwatch(event.Listener):  # type: ignore[misc]
    """Seconds of compilations; of a function that another one takes in, with that one's."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._open: list[float] = []

    def on_start(self, event: Any) -> None:
        self._open.append(time.perf_counter())

    def on_end(self, event: Any) -> None:
        started = self._open.pop()
        if not self._open:
            self.seconds += time.perf_counter() - started


# Numba compiles under a lock of its own, so that events of several threads do not cross.
_stopwatch = _Stopwatch()
event.register("numba:compile", _stopwatch)


def compiled_seconds() -> float:
    """What comes from the cache counts nothing."""
    return _stopwatch.seconds
