"""One attempt at a task, in the process that runs it: the result, or a typed reason instead."""

from __future__ import annotations

import pickle
import traceback

from msgspec import Struct

from riskpipe.errors import Reason, RiskpipeError, StorageError, described, is_interrupt, out_of_memory
from riskpipe.execute.executor import Function
from riskpipe.execute.task import Done, Raised, Task

TRACEBACK_FRAMES = 12


class Reply(Struct, frozen=True):
    """What a worker sends back. It has no task in it: the driver knows what it asked for.

    :param reason: why there is no result; None: `result` is one.
    """

    worker: str
    result: object = None
    reason: Reason | None = None
    message: str = ""
    traceback_text: str = ""

    def outcome(self, task: Task) -> Done | Raised:
        if self.reason is None:
            return Done(task, self.result, self.worker)
        return Raised(task, self.reason, self.message, self.worker, self.traceback_text)


def attempt(function: Function, task: Task, worker: str) -> Reply:
    """Call the function; an exception becomes a reason.

    Anything but a real Ctrl-C is caught, `sys.exit` included: a worker process belongs to many tasks.
    """
    try:
        return Reply(worker, function(task))
    except BaseException as error:
        if is_interrupt(error):
            raise
        return refusal(error, worker)


def refusal(error: BaseException, worker: str) -> Reply:
    """The reply for a function that raised: type, message, the innermost frames; never local variables."""
    frames = traceback.format_tb(error.__traceback__, limit=-TRACEBACK_FRAMES)
    message = described(error)
    text = "".join(["Traceback (most recent call last):\n", *frames, message, "\n"])
    return Reply(worker, reason=reason_of(error), message=message, traceback_text=text)


def reason_of(error: BaseException) -> Reason:
    if out_of_memory(error):
        return Reason.OUT_OF_MEMORY
    if isinstance(error, RiskpipeError) and error.reason is not None:
        return error.reason
    if isinstance(error, (OSError, StorageError)):
        return Reason.STORAGE
    return Reason.PRICING_ERROR


def packed(reply: Reply) -> bytes:
    """The reply as bytes; a result that cannot be pickled becomes a typed failure at once."""
    try:
        return pickle.dumps(reply)
    except Exception as error:
        return pickle.dumps(refusal(TypeError(f"the result cannot be pickled: {described(error)}"), reply.worker))
