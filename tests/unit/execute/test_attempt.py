"""What a function's exceptions become."""

import pickle
import sys

import pytest

from riskpipe.errors import Interrupt, Reason, StorageError
from riskpipe.execute.attempt import Reply, attempt, packed
from riskpipe.execute.signals import StopSignal, stop_on_signals
from riskpipe.execute.task import Done, Task

TASK = Task("k", 20)


def test_a_result():
    outcome = attempt(lambda task: task.payload + 1, TASK, "w").outcome(TASK)
    assert outcome == Done(TASK, 21, "w")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError("too much"), Reason.OUT_OF_MEMORY),
        (RuntimeError("can't start new thread"), Reason.OUT_OF_MEMORY),
        (ImportError("x.so: failed to map segment: Cannot allocate memory"), Reason.OUT_OF_MEMORY),
        (OSError(12, "Cannot allocate memory"), Reason.OUT_OF_MEMORY),
        (FileNotFoundError("gone"), Reason.STORAGE),
        (StorageError("bucket"), Reason.STORAGE),
        (ConnectionResetError("peer"), Reason.STORAGE),
        (ValueError("nan"), Reason.PRICING_ERROR),
        (ZeroDivisionError("0"), Reason.PRICING_ERROR),
        (SystemExit(3), Reason.PRICING_ERROR),
    ],
)
def test_exceptions_are_typed(error, reason):
    def fail(task):
        secret = "not to be shown"
        raise error if secret else None

    outcome = attempt(fail, TASK, "w").outcome(TASK)
    assert outcome.reason is reason
    assert outcome.message == f"{type(error).__name__}: {error}"
    assert outcome.task is TASK
    assert "in fail" in outcome.traceback_text
    assert "not to be shown" not in outcome.traceback_text.replace('secret = "not to be shown"', "")


def test_ctrl_c_is_not_a_mishap():
    """Of the main thread with Python's own handler, as in a library; and ours, wherever it comes."""

    def interrupt(task):
        raise KeyboardInterrupt

    def ours(task):
        raise Interrupt

    for function in (interrupt, ours):
        with pytest.raises(KeyboardInterrupt):
            attempt(function, TASK, "w")


class UnprintableError(ValueError):
    def __str__(self):
        raise GeneratorExit


class Loop(BaseException):
    def __str__(self):
        return str(self.args[0])


def test_whatever_a_product_raises_is_a_mishap():
    """On a worker, or where a stop is asked for by signals: KeyboardInterrupt is then the product's own."""
    raised = [
        (KeyboardInterrupt("mine"), "KeyboardInterrupt: mine"),
        (GeneratorExit(), "GeneratorExit"),
        (Loop("x"), "Loop: x"),
        (UnprintableError(), "UnprintableError (its message cannot be read: GeneratorExit)"),
        (ValueError("a\0b\ud800c\x1b[2J"), "ValueError: a\\x00b\\xd800c\\x1b[2J"),
    ]
    with stop_on_signals(StopSignal()):
        for error, message in raised:

            def fail(task, error=error):
                raise error

            outcome = pickle.loads(packed(attempt(fail, TASK, "w"))).outcome(TASK)
            assert (outcome.reason, outcome.message) == (Reason.PRICING_ERROR, message)
            assert outcome.traceback_text.endswith(f"{message}\n")


def test_long_messages_and_deep_stacks_are_cut():
    def deep(n):
        if n == 0:
            raise ValueError("x" * 100_000)
        deep(n - 1)

    outcome = attempt(lambda task: deep(sys.getrecursionlimit() // 3), TASK, "w").outcome(TASK)
    assert len(outcome.message) <= 2_000
    assert outcome.traceback_text.count("\n") < 40


def test_a_result_that_cannot_be_pickled_is_a_typed_failure():
    reply = pickle.loads(packed(Reply("w", result=lambda: None)))
    assert reply.outcome(TASK).reason is Reason.PRICING_ERROR
    assert "cannot be pickled" in reply.message
