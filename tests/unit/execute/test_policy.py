"""The retry policy, over every kind of mishap and every history that can lead to it."""

import itertools

import pytest
from defaults import RETRY
from msgspec.structs import replace

from riskpipe.errors import Reason
from riskpipe.execute.policy import (
    LONGEST_DELAY_SECONDS,
    Fail,
    Quarantine,
    Retry,
    RetryPolicy,
    Split,
    backoff_seconds,
    inherited,
)
from riskpipe.execute.task import Kind, Lost, Raised, Task, TimedOut, kind_of

WHOLE = Task("block", None, size=8, timeout_seconds=3.0)
TRADE = Task("trade", None, size=1, timeout_seconds=3.0)


def raised(task, reason):
    return Raised(task, reason, "what happened", "w1")


def mishaps(task):
    return [
        *(raised(task, reason) for reason in Reason),
        Lost(task, "w1"),
        Lost(task, "w1", alone=False),
        TimedOut(task, "w1"),
    ]


@pytest.mark.parametrize("task", [WHOLE, TRADE])
@pytest.mark.parametrize("reason", [r for r in Reason if r not in (Reason.STORAGE, Reason.OUT_OF_MEMORY)])
def test_python_errors_are_not_retried_whatever_happened_before(task, reason):
    for length in range(3):
        for history in itertools.product(Kind, repeat=length):
            assert RETRY.decide(history, raised(task, reason)) == Fail(reason, "what happened")


def test_storage_is_retried_with_doubling_delays_up_to_its_cap():
    policy = replace(RETRY, storage=3)
    mishap = raised(WHOLE, Reason.STORAGE)
    decisions = [policy.decide((Kind.STORAGE,) * n, mishap) for n in range(5)]
    assert [type(d) for d in decisions] == [Retry, Retry, Retry, Fail, Fail]
    delays = [d.delay_seconds for d in decisions[:3]]
    assert delays[1] == pytest.approx(2 * delays[0])
    assert delays[2] == pytest.approx(4 * delays[0])
    assert decisions[3] == Fail(Reason.STORAGE, "what happened")


def test_other_mishaps_do_not_use_up_the_storage_retries():
    history = (Kind.LOST, Kind.TIMED_OUT, Kind.LOST_IN_COMPANY)
    decision = replace(RETRY, storage=1).decide(history, raised(WHOLE, Reason.STORAGE))
    assert decision == Retry(backoff_seconds(WHOLE.key, 0))


def test_backoff_differs_between_tasks_and_is_bounded():
    delays = {backoff_seconds(f"task-{n}", 0) for n in range(50)}
    assert len(delays) == 50
    assert 0.5 <= min(delays) < max(delays) <= 0.75
    assert backoff_seconds("task", 40) <= 1.5 * LONGEST_DELAY_SECONDS


@pytest.mark.parametrize("history", [(), (Kind.OUT_OF_MEMORY,), (Kind.LOST, Kind.STORAGE)])
def test_out_of_memory_splits_at_once(history):
    mishap = raised(WHOLE, Reason.OUT_OF_MEMORY)
    assert RETRY.decide(history, mishap) == Split(Reason.OUT_OF_MEMORY)
    failing = replace(RETRY, out_of_memory="fail")
    assert failing.decide(history, mishap) == Fail(Reason.OUT_OF_MEMORY, "what happened")
    trade = raised(TRADE, Reason.OUT_OF_MEMORY)
    assert RETRY.decide(history, trade) == Fail(Reason.OUT_OF_MEMORY, "what happened")


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_timeouts_are_retried_then_split_then_failed(retries):
    policy = replace(RETRY, timeout=retries)
    for n in range(retries):
        assert policy.decide((Kind.TIMED_OUT,) * n, TimedOut(WHOLE, "w1")) == Retry()
    history = (Kind.TIMED_OUT,) * retries
    assert policy.decide(history, TimedOut(WHOLE, "w1")) == Split(Reason.TIMEOUT)
    assert policy.decide(history, TimedOut(TRADE, "w1")) == Fail(Reason.TIMEOUT, "not done after 3 s on w1")


def test_a_task_alone_on_two_dead_workers_is_split_or_quarantined():
    assert RETRY.decide((), Lost(WHOLE, "w1")) == Retry()
    assert RETRY.decide((Kind.LOST,), Lost(WHOLE, "w2")) == Split(Reason.WORKER_LOST)
    assert RETRY.decide((), Lost(TRADE, "w1")) == Retry()
    decision = RETRY.decide((Kind.LOST,), Lost(TRADE, "w2"))
    assert isinstance(decision, Quarantine)
    assert decision.reason is Reason.POISON
    assert RETRY.decide((Kind.LOST, Kind.STORAGE), Lost(WHOLE, "w2")) == Split(Reason.WORKER_LOST)


def test_deaths_in_company_are_not_held_against_a_trade():
    company = Lost(TRADE, "w1", alone=False)
    for n in range(3):
        assert RETRY.decide((Kind.LOST_IN_COMPANY,) * n, company) == Retry()
    last = RETRY.decide((Kind.LOST_IN_COMPANY,) * 3, company)
    assert isinstance(last, Fail)
    assert last.reason is Reason.WORKER_LOST
    whole = Lost(WHOLE, "w1", alone=False)
    assert RETRY.decide((Kind.LOST_IN_COMPANY,) * 3, whole) == Split(Reason.WORKER_LOST)
    assert RETRY.decide((Kind.LOST_IN_COMPANY,), Lost(TRADE, "w1")) == Retry()


@pytest.mark.parametrize("task", [WHOLE, TRADE])
def test_no_retries_of_lost_workers_means_none(task):
    decision = replace(RETRY, worker_lost=0).decide((), Lost(task, "w1"))
    assert isinstance(decision, Fail)
    assert decision.reason is Reason.WORKER_LOST


@pytest.mark.parametrize("policy", [RETRY, RetryPolicy(0, 0, "fail", 0), RetryPolicy(9, 9, "split", 9)])
@pytest.mark.parametrize("task", [WHOLE, TRADE])
def test_every_task_comes_to_an_end(policy, task):
    """Whatever repeats, alone or by turns with another, the retries end; size 1 is never split."""
    for pair in itertools.product(mishaps(task), repeat=2):
        history = ()
        for mishap in itertools.chain.from_iterable(itertools.repeat(pair, 20)):
            decision = policy.decide(history, mishap)
            if not isinstance(decision, Retry):
                break
            history = (*history, kind_of(mishap))
        assert not isinstance(decision, Retry)
        assert task.size > 1 or not isinstance(decision, Split)


def test_parts_of_a_suspect_are_suspects_until_they_are_single():
    part = Task("part", None, size=4)
    heritage = inherited(Lost(WHOLE, "w1"), part)
    assert RETRY.decide(heritage, Lost(part, "w2")) == Split(Reason.WORKER_LOST)
    assert inherited(Lost(WHOLE, "w1"), TRADE) == ()
    slow = inherited(TimedOut(WHOLE, "w1"), part)
    assert RETRY.decide(slow, TimedOut(part, "w2")) == Split(Reason.TIMEOUT)


def test_kinds():
    assert kind_of(Lost(WHOLE, "w")) is Kind.LOST
    assert kind_of(Lost(WHOLE, "w", alone=False)) is Kind.LOST_IN_COMPANY
    assert kind_of(TimedOut(WHOLE, "w")) is Kind.TIMED_OUT
    assert kind_of(raised(WHOLE, Reason.STORAGE)) is Kind.STORAGE
    assert kind_of(raised(WHOLE, Reason.OUT_OF_MEMORY)) is Kind.OUT_OF_MEMORY
    assert kind_of(raised(WHOLE, Reason.NUMERICAL)) is Kind.PRICING_ERROR
