"""What can go wrong, as exceptions (the run cannot start or go on) and as values (a trade or a block failed).

RiskpipeError
+-- UsageError                a flag, a run id or a selection that means nothing
|   +-- ConfigurationError    the configuration file, with every fault in it
+-- InputError                inputs failed their contract; nothing was priced
+-- GateError                 a gate failed: diff, warnings as errors
+-- InfrastructureError       the cluster or the storage does not serve
|   +-- StorageError
|   +-- ClusterError
+-- LeaseError                another run holds the output
+-- InterruptedRunError       stopped by a signal; resumable

Each ends a command with one of the `ExitCode`s.
A Failure is a value: it travels in results and in the ledger, never as an exception.
"""

from __future__ import annotations

import errno
import re
import signal
import threading
from enum import IntEnum, StrEnum
from typing import ClassVar, Self

from msgspec import Struct

MESSAGE_CHARACTERS = 2_000
# Neither tables nor terminals take them as they are: controls (tab and newline aside), halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_OUT_OF_MEMORY = re.compile(r"cannot allocate memory|out of memory|unable to allocate|can't start new thread", re.I)


class ExitCode(IntEnum):
    """How a command ends. Each says what it means, and what to do, in Markdown."""

    meaning: str
    what_to_do: str

    def __new__(cls, code: int, meaning: str = "", what_to_do: str = "") -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.what_to_do = meaning, what_to_do
        member.__doc__ = f"{meaning}: {what_to_do}"
        return member

    DONE = 0, "all done", "nothing"
    BUG = 1, "a bug in riskpipe", "run again with `-v` and report the traceback; it shows no local variables"
    USAGE = (
        2,
        "usage or configuration; or a publication that needs `--replace-day`",
        "the message names file, line, key, or what would be replaced; the run is kept",
    )
    INPUTS = (
        3,
        "the inputs failed their contract, nothing was priced",
        "`riskpipe check` lists all faults, `meta/checks.parquet` keeps them",
    )
    PARTIAL = (
        4,
        "partial: some numbers have a reason in place of a value, or scenarios were left out",
        "read `failures.parquet` of the run; for reasons that can pass `riskpipe retry latest`, for the others mend the"
        " inputs and `riskpipe run`",
    )
    GATE = (
        5,
        "a gate failed: of the publication (`gates`), of `diff`, or warnings with `warnings_as_errors`",
        "the message says which; a day that gates keep back: `riskpipe publish RUN --override REASON`",
    )
    INFRASTRUCTURE = (
        6,
        "cluster, storage, memory, or a stdout that takes no answer",
        "the message says which and what to do; `riskpipe doctor` looks at the machine; then the same command again",
    )
    OUTPUT_HELD = (  # EX_TEMPFAIL of sysexits.h
        75,
        "another run holds the output",
        "wait for it; the lease of a dead one ends by itself",
    )
    SIGINT = 130, "interrupted by SIGINT, what is done is kept", "the same command again"
    READER_GONE = (  # 128 + SIGPIPE
        141,
        "whoever read stdout has closed the pipe",
        "nothing: what the command did stands; `riskpipe runs show` says it again",
    )
    SIGTERM = 143, "interrupted by SIGTERM, what is done is kept", "the same command again"

    @classmethod
    def of_signal(cls, number: int) -> ExitCode:
        """:param number: SIGINT or SIGTERM."""
        return cls(128 + number)

    @property
    def final(self) -> bool:
        """Whether the same command would end so again, until a person has done something: schedulers stop at it."""
        return self in (ExitCode.USAGE, ExitCode.INPUTS, ExitCode.PARTIAL, ExitCode.GATE)


class Reason(StrEnum):
    """Why a trade or a block has no number. Each says what it means, and what to do, in Markdown.

    :ivar retryable: whether running the same block again can give another outcome (a mended product included).
    """

    meaning: str
    what_to_do: str
    retryable: bool

    def __new__(cls, name: str, meaning: str = "", what_to_do: str = "", retryable: bool = True) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning, member.what_to_do, member.retryable = meaning, what_to_do, retryable
        member.__doc__ = f"{meaning}: {what_to_do}"
        return member

    MISSING_MARKET_DATA = (
        "MISSING_MARKET_DATA",
        "a curve, surface, spot or fixing that the trade needs is missing, or left out for its errors",
        "`riskpipe check` names it: add or mend it, then `riskpipe run`",
        False,
    )
    INVALID_TRADE = (
        "INVALID_TRADE",
        "a column breaks a rule",
        "mend the trade, which the message and `riskpipe check` name, then `riskpipe run`",
        False,
    )
    UNSUPPORTED = (
        "UNSUPPORTED",
        "the product does not serve this trade, or its check raised",
        "the message says what is not served: book the trade otherwise, or mend the product; then `riskpipe run`",
        False,
    )
    NOT_APPLICABLE = (
        "NOT_APPLICABLE",
        "with status `not_applicable`",
        "nothing: there is no such number",
        False,
    )
    NUMERICAL = (
        "NUMERICAL",
        "a value is not finite, or too large to be summed",
        "look at the trade's terms and at the market's values; after a mended product `riskpipe retry`",
    )
    PRICING_ERROR = (
        "PRICING_ERROR",
        "the product's code raised",
        "mend the product, whose error is the message, then `riskpipe retry`",
    )
    INPUT_CHANGED = (
        "INPUT_CHANGED",
        "a file that the block reads was replaced, edited or damaged during the run",
        "`riskpipe run` starts a new run; with the file as it was again, `riskpipe retry`",
    )
    WORKER_LOST = (
        "WORKER_LOST",
        "workers died while they ran the block",
        "`riskpipe retry`; when they die again, look at their machines and at `cluster.memory_limit`",
    )
    OUT_OF_MEMORY = (
        "OUT_OF_MEMORY",
        "the block outgrew its worker's memory",
        "more memory (`cluster.memory_limit`) or fewer workers, then `riskpipe retry`",
    )
    TIMEOUT = (
        "TIMEOUT",
        "the block took longer than `cluster.block_timeout`",
        "raise it, then `riskpipe retry`",
    )
    STORAGE = (
        "STORAGE",
        "the block could not read or write its files",
        "mend what the message names (space, rights, network), then `riskpipe retry`",
    )
    CANCELLED = (
        "CANCELLED",
        "the run was stopped before the block was done",
        "`riskpipe run` resumes it",
    )
    POISON = (
        "POISON",
        "one trade killed two workers by itself",
        "mend the product or the trade, then `riskpipe retry`",
    )


class Level(StrEnum):
    """How much weight something found in the inputs or on the machine has."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class RiskpipeError(Exception):
    """Base of every error that riskpipe raises on purpose; the message says what to do.

    :ivar exit_code: of a command that it ends.
    :cvar reason: that a block gets when a worker meets the error; None: as for any other exception of its kind.
    """

    exit_code: ExitCode = ExitCode.BUG
    reason: ClassVar[Reason | None] = None


class UsageError(RiskpipeError):
    exit_code = ExitCode.USAGE


class ConfigurationError(UsageError):
    """All faults of a configuration at once.

    :param faults: one line a fault: place, key path, what is wrong, the nearest valid key.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class InputError(RiskpipeError):
    exit_code = ExitCode.INPUTS


class GateError(RiskpipeError):
    exit_code = ExitCode.GATE


class InfrastructureError(RiskpipeError):
    exit_code = ExitCode.INFRASTRUCTURE


class StorageError(InfrastructureError):
    pass


class ClusterError(InfrastructureError):
    pass


class LeaseError(RiskpipeError):
    exit_code = ExitCode.OUTPUT_HELD


class InterruptedRunError(RiskpipeError):
    """Stopped by a signal after draining; the run can be resumed.

    :param signal_number: 2 (SIGINT) or 15 (SIGTERM), which make the exit code.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        self.exit_code = ExitCode.of_signal(signal_number)
        super().__init__(message)


class Failure(Struct, frozen=True):
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
