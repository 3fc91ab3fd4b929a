"""Two signals: the first asks for a drain, the second for an end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from riskpipe.errors import Interrupt

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Set by a signal handler, read by the loop that drives the run.

    Plain attributes and no lock: a handler may run in the middle of any of the main thread's own steps.

    :ivar breaks_in: the tasks run in this very thread, which hears nothing while one runs: the second signal raises
        Interrupt there, and the run ends as if it were killed.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self.immediate = False
        self.breaks_in = False

    @property
    def requested(self) -> bool:
        return self.signal_number is not None

    def request(self, signal_number: int) -> None:
        """The first call asks for a drain and is remembered, each later one for an immediate end."""
        if self.signal_number is None:
            self.signal_number = signal_number
        else:
            self.immediate = True


@contextmanager
def stop_on_signals(stop: StopSignal) -> Iterator[StopSignal]:
    """SIGTERM and SIGINT go to `stop` while this runs; the former handlers return afterwards.

    Signals reach Python's main thread alone: in another thread nothing is installed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(signal_number: int, frame: FrameType | None) -> None:
        stop.request(signal_number)
        if stop.immediate and stop.breaks_in:
            raise Interrupt(signal_number)

    former = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
