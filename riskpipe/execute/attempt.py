"""One attempt at a work, in the process that runs it: the result, or a typed reason instead."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass

from riskpipe.errors import Reason, RiskpipeError, StorageError
from riskpipe.execute.executor import Function
from riskpipe.execute.work import Done, Raised, Work

MESSAGE_CHARACTERS = 2_000
TRACEBACK_FRAMES = 12


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker sends back. It has no work in it: the driver knows what it asked for.

    :param reason: why there is no result; None: `result` is one.
    """

    worker: str
    result: object = None
    reason: Reason | None = None
    message: str = ""
    traceback_text: str = ""

    def outcome(self, work: Work) -> Done | Raised:
        if self.reason is None:
            return Done(work, self.result, self.worker)
        return Raised(work, self.reason, self.message, self.worker, self.traceback_text)


def attempt(function: Function, work: Work, worker: str) -> Reply:
    """Call the function; an exception becomes a reason.

    Anything but KeyboardInterrupt is caught, `sys.exit` included: a worker process belongs to many works.
    """
    try:
        return Reply(worker, function(work))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return refusal(error, worker)


def refusal(error: BaseException, worker: str) -> Reply:
    """The reply for a function that raised: type, message, the innermost frames; never local variables."""
    lines = traceback.format_exception(type(error), error, error.__traceback__, limit=-TRACEBACK_FRAMES)
    message = f"{type(error).__name__}: {error}"[:MESSAGE_CHARACTERS]
    return Reply(worker, reason=reason_of(error), message=message, traceback_text="".join(lines))


def reason_of(error: BaseException) -> Reason:
    if isinstance(error, MemoryError):
        return Reason.OUT_OF_MEMORY
    if isinstance(error, (OSError, StorageError)):
        return Reason.STORAGE
    if isinstance(error, RiskpipeError) and error.reason:
        return Reason(error.reason)
    return Reason.PRICING_ERROR


def packed(reply: Reply) -> bytes:
    """The reply as bytes; a result that cannot be pickled becomes a typed failure at once."""
    try:
        return pickle.dumps(reply)
    except Exception as error:
        return pickle.dumps(refusal(TypeError(f"the result cannot be pickled: {error}"), reply.worker))
