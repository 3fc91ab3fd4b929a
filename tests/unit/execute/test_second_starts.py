"""Tasks that take too long, started a second time: what becomes of the two attempts, in whatever order they end.

With a scripted executor; tests/faults/test_execute_second_starts.py has real workers.
"""

import pytest
from defaults import RETRY
from msgspec.structs import replace

from riskpipe.errors import Reason
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import CancelledTask, Failed, Finished, OneOfTwo, Retried, SplitInto, StartedAgain
from riskpipe.execute.executor import refill
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Cancelled, Done, Lost, Overdue, Raised, Task, TimedOut

PLACES = 3


class Places:
    """An executor without processes, and the drive's clock: `play(task, seconds)` says how an attempt that has run for
    so long ends; None: it goes on."""

    def __init__(self, play):
        self.play = play
        self.time = 0.0
        self.flight = []
        self.began = {}
        self.cancelled = []
        self.given_up = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds

    def refill(self):
        return refill(2 * PLACES, self.running())

    def submit(self, tasks):
        self.flight.extend(tasks)

    def outcomes(self, timeout):
        started = self.flight[:PLACES]
        for task in started:
            self.began.setdefault(task.id, self.time)
        self.time += timeout
        played = [self.play(task, self.time - self.began[task.id]) for task in started]
        ended = [outcome for outcome in played if outcome is not None]
        for outcome in ended:
            self.flight.remove(outcome.task)
        cancelled, self.cancelled = self.cancelled, []
        return cancelled + ended

    def running(self):
        return len(self.flight) + len(self.cancelled)

    def idle(self):
        return max(PLACES - len(self.flight), 0)

    def overdue(self, patience):
        ages = [(task, self.time - self.began.get(task.id, self.time)) for task in self.flight]
        return [Overdue(task, "w0", age) for task, age in ages if (most := patience(task)) is not None and age >= most]

    def submit_beside(self, task, overdue):
        if not self.idle():
            return False
        self.submit([task])
        return True

    def give_up(self, task):
        self.given_up.append(task)
        if task in self.flight:
            self.flight.remove(task)

    def cancel_queued(self):
        pass

    def cancel_all(self):
        self.cancelled.extend(Cancelled(task) for task in self.flight)
        self.flight.clear()


class Run:
    """A drive with its journal."""

    def __init__(self, play, tasks, policy=RETRY, on_event=None, patience=lambda task: 5.0):
        self.events = []
        self.stop = StopSignal()
        self.executor = Places(play)

        def journal(event):
            self.events.append(event)
            if on_event is not None:
                on_event(self, event)

        self.result = drive(
            iter(tasks),
            self.executor,
            policy,
            split=lambda task: [replace(task, key=f"{task.key}{part}", attempt=1, size=1) for part in "ab"],
            on_event=journal,
            ending=Ending(self.stop),
            clock=self.executor,
            patience=patience,
        )

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def done(self):
        return [(event.outcome.task.key, event.outcome.task.attempt) for event in self.of(Finished)]


STUCK, OTHER = Task("stuck", None, size=8), Task("other", None)


def after(seconds, outcome):
    """An attempt that ends so long after it began."""
    return lambda task, age: outcome(task) if age >= seconds else None


def never(task, age):
    return None


def done(task):
    return Done(task, None, "w")


def lost(task):
    return Lost(task, "w")


def timed_out(task):
    return TimedOut(task, "w")


def unwritten(task):
    return Raised(task, Reason.STORAGE, "disk", "w")


def stuck(*attempts):
    """The stuck task's attempts in turn, the last one for all that follow; everything else is done at once."""

    def play(task, age):
        return attempts[min(task.attempt, len(attempts)) - 1](task, age) if task.key == "stuck" else done(task)

    return play


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [(never, after(1, done), 2), (after(8, done), never, 1), (after(8, done), after(60, done), 1)],
)
def test_the_first_result_counts_once_and_the_other_attempt_is_given_up(first, second, winner):
    run = Run(stuck(first, second), [STUCK, OTHER])
    (again,) = run.of(StartedAgain)
    assert (again.task, again.overdue.task) == (STUCK.again(), STUCK)
    assert 5.0 <= again.overdue.seconds < 7.0
    assert sorted(run.done()) == [("other", 1), ("stuck", winner)]
    assert run.executor.given_up == [STUCK.again() if winner == 1 else STUCK]
    counts = run.result.counts
    assert (run.result.state, counts.submitted, counts.done, counts.retried) == ("complete", 3, 2, 0)


def test_both_results_at_once_are_one():
    run = Run(stuck(after(8, done), after(3, done)), [STUCK])
    assert len(run.done()) == run.result.counts.done == 1


@pytest.mark.parametrize("mishap", [lost, timed_out, unwritten])
@pytest.mark.parametrize("failing", [1, 2])
def test_one_that_fails_leaves_it_to_the_other(mishap, failing):
    attempts = [after(9, done), after(9, done)]
    attempts[failing - 1] = after(6, mishap) if failing == 1 else after(1, mishap)
    run = Run(stuck(*attempts), [STUCK, OTHER])
    assert run.of(OneOfTwo) == [OneOfTwo(mishap(replace(STUCK, attempt=failing)))]
    assert ("stuck", 3 - failing) in run.done()
    assert run.of(Retried) == run.executor.given_up == []
    assert len(run.of(StartedAgain)) == 1


def test_when_both_fail_both_count_and_the_policy_decides():
    late = Run(stuck(after(6, timed_out), after(6, timed_out)), [STUCK], replace(RETRY, timeout=1))
    assert [event.task.attempt for event in late.of(SplitInto)] == [2]
    assert late.done() == [("stucka", 1), ("stuckb", 1)]

    again = Run(stuck(after(9, unwritten), after(1, unwritten), after(9, done)), [STUCK], replace(RETRY, storage=2))
    (retried,) = again.of(Retried)
    assert (retried.task.attempt, again.done()) == (3, [("stuck", 3)]), "no number is used twice"
    assert len(again.of(StartedAgain)) == 1, "it had its second start"

    given_up = Run(stuck(after(9, unwritten), after(1, unwritten)), [STUCK], replace(RETRY, storage=1))
    (failed,) = given_up.of(Failed)
    assert (failed.reason, given_up.of(Retried)) == (Reason.STORAGE, [])


def test_none_while_anything_waits_or_nothing_is_idle():
    """Seven tasks for three places: the stuck one is overdue long before the last of the others has begun."""

    def play(task, age):
        return done(task) if (task.key != "stuck" and age >= 4) or task.attempt == 2 else None

    run = Run(play, [STUCK, *(Task(f"w{n}", None) for n in range(6))])
    (again,) = run.of(StartedAgain)
    assert again.overdue.seconds >= 8.0
    before = run.events[: run.events.index(again)]
    assert sum(isinstance(event, Finished) for event in before) >= 5


@pytest.mark.parametrize("patience", [None, lambda task: None])
def test_none_without_patience(patience):
    run = Run(stuck(after(60, done)), [STUCK, OTHER], patience=patience)
    assert (run.of(StartedAgain), len(run.done())) == ([], 2)


def test_none_for_what_was_retried():
    run = Run(stuck(after(1, lost), after(60, done)), [STUCK, OTHER])
    assert (run.of(StartedAgain), len(run.of(Retried))) == ([], 1)
    assert ("stuck", 2) in run.done()


def test_a_stop_cancels_the_task_once():
    def stop(run, event):
        if isinstance(event, StartedAgain):
            run.stop.request(15)

    run = Run(stuck(never), [STUCK, OTHER], on_event=stop)
    assert [event.task.key for event in run.of(CancelledTask)] == ["stuck"]
    assert (run.result.state, run.result.counts.cancelled) == ("stopped", 1)


def test_a_stop_takes_what_one_of_them_brings_in_time():
    def stop(run, event):
        if isinstance(event, StartedAgain):
            run.stop.request(15)

    run = Run(stuck(never, after(5, done)), [STUCK], on_event=stop)
    assert (run.done(), run.of(CancelledTask)) == ([("stuck", 2)], [])
    assert run.executor.given_up == [STUCK]


def test_alone_in_its_process_nothing_is_started_twice():
    tasks = [Task(f"w{n}", n) for n in range(3)]
    executor, events = SerialExecutor({"value": lambda task: task.payload}), []
    ending = Ending(StopSignal())
    drive(
        iter(tasks),
        executor,
        RETRY,
        split=lambda task: [],
        on_event=events.append,
        ending=ending,
        patience=lambda t: 0.0,
    )
    assert not [event for event in events if isinstance(event, StartedAgain)]
