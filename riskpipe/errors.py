"""What can go wrong, as exceptions (the run cannot start or go on) and as values (a trade or a block failed).

RiskpipeError                     exit code
+-- UsageError                    2   a flag, a run id or a selection that means nothing
|   +-- ConfigurationError        2   the configuration file, with every fault in it
+-- InputError                    3   inputs failed their contract; nothing was priced
+-- GateError                     5   a gate failed: diff, warnings as errors
+-- InfrastructureError           6   the cluster or the storage does not serve
|   +-- StorageError              6
|   +-- ClusterError              6
+-- LeaseError                    75  another run holds the output
+-- InterruptedRunError           130/143  stopped by a signal; resumable

A Failure is a value: it travels in results and in the ledger, never as an exception.
"""

from __future__ import annotations

import errno
import re
import signal
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

MESSAGE_CHARACTERS = 2_000
# Neither tables nor terminals take them as they are: controls (tab and newline aside), halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_OUT_OF_MEMORY = re.compile(r"cannot allocate memory|out of memory|unable to allocate|can't start new thread", re.I)


class RiskpipeError(Exception):
    """Base of every error that riskpipe raises on purpose; the message says what to do.

    :cvar reason: name of the Reason that a block gets when a worker meets the error; "" for none of its own.
    """

    exit_code: ClassVar[int] = 1
    reason: ClassVar[str] = ""


class UsageError(RiskpipeError):
    exit_code = 2


class ConfigurationError(UsageError):
    """All faults of a configuration at once.

    :param faults: one line a fault: place, key path, what is wrong, the nearest valid key.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class InputError(RiskpipeError):
    exit_code = 3


class GateError(RiskpipeError):
    exit_code = 5


class InfrastructureError(RiskpipeError):
    exit_code = 6


class StorageError(InfrastructureError):
    pass


class ClusterError(InfrastructureError):
    pass


class LeaseError(RiskpipeError):
    exit_code = 75


class InterruptedRunError(RiskpipeError):
    """Stopped by a signal after draining; the run can be resumed.

    :param signal_number: 2 (SIGINT) or 15 (SIGTERM); the exit code is 128 + signal_number.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(message)


class Reason(StrEnum):
    """Why a trade or a block has no number."""

    MISSING_MARKET_DATA = "MISSING_MARKET_DATA"
    INVALID_TRADE = "INVALID_TRADE"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    NUMERICAL = "NUMERICAL"
    PRICING_ERROR = "PRICING_ERROR"
    INPUT_CHANGED = "INPUT_CHANGED"
    WORKER_LOST = "WORKER_LOST"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMEOUT = "TIMEOUT"
    STORAGE = "STORAGE"
    CANCELLED = "CANCELLED"
    POISON = "POISON"

    @property
    def retryable(self) -> bool:
        """Whether running the same block again can give another outcome (a mended product included)."""
        return self not in (Reason.MISSING_MARKET_DATA, Reason.INVALID_TRADE, Reason.UNSUPPORTED, Reason.NOT_APPLICABLE)


@dataclass(frozen=True)
class Failure:
    """A typed reason in place of a number."""

    reason: Reason
    message: str


class Interrupt(KeyboardInterrupt):
    """A real signal, as riskpipe's own handlers raise it: told apart from code that raises KeyboardInterrupt.

    :param signal_number: 2 (SIGINT, Ctrl-C) or 15 (SIGTERM).
    """

    def __init__(self, signal_number: int = signal.SIGINT) -> None:
        self.signal_number = signal_number
        super().__init__()


def is_interrupt(error: BaseException) -> bool:
    """Whether a signal raised it, so that nothing may go on; products can raise KeyboardInterrupt, too."""
    if isinstance(error, Interrupt):
        return True
    if not isinstance(error, KeyboardInterrupt) or threading.current_thread() is not threading.main_thread():
        return False  # Python raises it in the main thread alone
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def described(error: BaseException) -> str:
    """`Type: message` of any exception, at most 2,000 characters; also of one whose message cannot be made."""
    name = type(error).__name__
    try:
        text = str(error)
        return printable(f"{name}: {text}" if text else name)
    except BaseException as another:
        if is_interrupt(another):
            raise
        return printable(f"{name} (its message cannot be read: {type(another).__name__})")


def out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory, in whatever words: loading a library or starting a thread fails, too."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    return isinstance(error, (OSError, ImportError, RuntimeError)) and bool(_OUT_OF_MEMORY.search(described(error)))


def printable(text: str) -> str:
    """At most 2,000 characters, with what no file or terminal takes escaped."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text[:MESSAGE_CHARACTERS])
