"""The watchdog's thread with a clock and a memory of the test's own."""

import queue

import pytest

from riskpipe.execute.task import Task
from riskpipe.execute.watchdog import Cause, Watchdog

TASK = Task("k", {"unhashable": []}, timeout_seconds=5.0)
PATIENCE = 10.0


class Place:
    def __init__(self, memory_limit=None):
        self.now = 100.0
        self.resident = 50
        self.verdicts = queue.SimpleQueue()
        self.watchdog = Watchdog(self.verdicts.put, lambda: self.resident, memory_limit, lambda: self.now)


@pytest.fixture
def place():
    place = Place(memory_limit=100)
    place.watchdog.start()
    yield place
    place.watchdog.close()


def test_nothing_is_wrong_while_nothing_runs():
    place = Place(memory_limit=100)
    place.resident = 1_000
    assert place.watchdog.verdict() is None


def test_an_overdue_task_ends_the_process(place):
    with place.watchdog.watching(TASK):
        place.now += 5.0
        verdict = place.verdicts.get(timeout=PATIENCE)
    assert verdict.cause is Cause.TIMEOUT
    assert verdict.tasks == (TASK,)


def test_an_outgrown_memory_ends_the_process(place):
    with place.watchdog.watching(TASK):
        assert place.watchdog.verdict() is None
        place.resident = 101
        verdict = place.verdicts.get(timeout=PATIENCE)
    assert verdict.cause is Cause.MEMORY
    assert verdict.tasks == (TASK,)


def test_only_the_overdue_task_is_blamed():
    place = Place()
    patient = Task("patient", None)
    with place.watchdog.watching(TASK), place.watchdog.watching(patient):
        place.now += 1e9
        assert place.watchdog.verdict().tasks == (TASK,)
    with place.watchdog.watching(patient):
        assert place.watchdog.verdict() is None


def test_a_task_that_has_ended_is_not_overdue():
    place = Place()
    with place.watchdog.watching(TASK):
        pass
    place.now += 6.0
    assert place.watchdog.verdict() is None


def test_a_real_clock_wakes_the_thread_at_the_deadline():
    verdicts = queue.SimpleQueue()
    watchdog = Watchdog(verdicts.put, lambda: 0, None)
    watchdog.start()
    with watchdog.watching(Task("k", None, timeout_seconds=0.05)):
        assert verdicts.get(timeout=PATIENCE).cause is Cause.TIMEOUT
    watchdog.close()
