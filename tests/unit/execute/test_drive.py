"""The drive, with a scripted executor where the order of mishaps matters, else with real ones."""

from collections import Counter, deque

import pytest
from defaults import RETRY
from msgspec.structs import replace

from riskpipe.errors import Reason
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import CancelledTask, Failed, Finished, Retried, SplitInto, Submitted, Withdrawn
from riskpipe.execute.executor import SchedulerLostError, refill
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Cancelled, Done, Lost, Raised, Task, TimedOut


class Script:
    """An executor without processes: `play(task)` says how an attempt ends; None: it has not ended yet.

    `places` tasks run at a time, the others in flight are queued.
    """

    def __init__(self, play, capacity=4, places=4):
        self.play = play
        self.capacity = capacity
        self.places = places
        self.flight = deque()
        self.most = 0
        self.cancelled = []
        self.submitted = []

    def submit(self, tasks):
        self.flight.extend(tasks)
        self.submitted.extend(tasks)
        self.most = max(self.most, len(self.flight))

    def outcomes(self, timeout):
        started = [self.flight.popleft() for _ in range(min(self.places, len(self.flight)))]
        ended = [(task, self.play(task)) for task in started]
        self.flight.extendleft(task for task, outcome in reversed(ended) if outcome is None)
        cancelled, self.cancelled = self.cancelled, []
        return cancelled + [outcome for _, outcome in ended if outcome is not None]

    def refill(self):
        return refill(self.capacity, self.running())

    def running(self):
        return len(self.flight) + len(self.cancelled)

    def withdraw(self, most):
        return [self.flight.pop() for _ in range(min(most, max(len(self.flight) - self.places, 0)))]

    def cancel_queued(self):
        queued = [self.flight.pop() for _ in range(len(self.flight) - self.places)]
        self.cancelled.extend(Cancelled(task) for task in queued)

    def cancel_all(self):
        self.play = Cancelled

    def close(self):
        pass


class FakeClock:
    def __init__(self):
        self.time = 0.0
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds


class Journal:
    """Collects events and keeps the account: every task taken comes to exactly one ending."""

    def __init__(self, reply=lambda event: None):
        self.events = []
        self.reply = reply

    def __call__(self, event):
        self.events.append(event)
        return self.reply(event)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def endings(self):
        ended = Counter()
        for event in self.of(Finished):
            ended[event.outcome.task.key] += 1
        for event in self.of((Failed, SplitInto, CancelledTask)):
            ended[event.task.key] += 1
        return ended


def numbers(count, size=1):
    return (Task(f"w{n}", (n, n + size), size=size) for n in range(0, count * size, size))


def halves(task):
    first, last = task.payload
    middle = (first + last) // 2
    return [Task(f"{a}-{b}", (a, b), size=b - a) for a, b in ((first, middle), (middle, last))]


def run(tasks, executor, journal, policy=None, **options):
    told = {name: options.pop(name) for name in ("stop", "fail_fast", "grace_seconds") if name in options}
    ending = Ending(**{"stop": StopSignal(), **told})
    options.setdefault("clock", FakeClock())
    return drive(tasks, executor, policy or RETRY, split=halves, on_event=journal, ending=ending, **options)


def done(task):
    return Done(task, task.payload, "w1")


def test_all_tasks_are_done_and_the_iterator_is_not_run_ahead_of():
    pulled = []

    def watched():
        for task in numbers(100):
            pulled.append(task)
            assert len(pulled) - finished() <= 4
            yield task

    def finished():
        return len(journal.of(Finished))

    executor, journal = Script(done), Journal()
    result = run(watched(), executor, journal)
    assert result.state == "complete"
    assert (result.counts.submitted, result.counts.done) == (100, 100)
    assert executor.most <= 4
    assert journal.endings() == Counter({f"w{n}": 1 for n in range(100)})


def test_events_come_in_order():
    journal = Journal()
    run(numbers(5), Script(done), journal)
    told = set()
    for event in journal.events:
        if isinstance(event, Submitted):
            told.add(event.task.key)
        else:
            assert event.outcome.task.key in told


def test_an_empty_iterator():
    result = run(iter(()), Script(done), Journal())
    assert (result.state, result.counts.submitted) == ("complete", 0)


def test_storage_errors_are_retried_after_a_delay_that_holds_up_nobody():
    clock, journal = FakeClock(), Journal()
    policy = replace(RETRY, storage=2)

    def play(task):
        return Raised(task, Reason.STORAGE, "disk", "w1") if task.key == "w0" else done(task)

    result = run(numbers(20), Script(play), journal, policy, clock=clock)
    assert [event.task.attempt for event in journal.of(Retried)] == [2, 3]
    (failed,) = journal.of(Failed)
    assert (failed.task.key, failed.reason, failed.task.attempt) == ("w0", Reason.STORAGE, 3)
    assert (result.counts.done, result.counts.failed, result.counts.retried) == (19, 1, 2)
    last_other = max(n for n, event in enumerate(journal.events) if isinstance(event, Finished))
    assert journal.events.index(failed) > last_other
    assert sum(clock.slept) >= sum(event.delay_seconds for event in journal.of(Retried)) - 1e-9
    assert max(clock.slept) <= 0.5


def test_python_errors_fail_alone():
    def play(task):
        return Raised(task, Reason.PRICING_ERROR, "bug", "w1", "trace") if task.key == "w3" else done(task)

    journal = Journal()
    result = run(numbers(8), Script(play), journal)
    (failed,) = journal.of(Failed)
    assert (failed.reason, failed.message, failed.mishap.traceback_text) == (
        Reason.PRICING_ERROR,
        "bug",
        "trace",
    )
    assert (result.state, result.counts.done) == ("complete", 7)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1_000])
def test_a_poisonous_trade_is_found_by_bisection(size):
    """One trade kills its worker each time: it alone is quarantined, and all others are done once."""
    poison = 2 * size // 3

    def play(task):
        first, last = task.payload
        return Lost(task, "w1") if first <= poison < last else done(task)

    journal, executor = Journal(), Script(play)
    result = run(numbers(3, size=size), executor, journal)
    (failed,) = journal.of(Failed)
    assert (failed.reason, failed.task.payload) == (Reason.POISON, (poison, poison + 1))
    trades = Counter()
    for event in journal.of(Finished):
        trades.update(range(*event.outcome.task.payload))
    assert trades == Counter({n: 1 for n in range(3 * size) if n != poison})
    deaths = result.counts.retried + result.counts.split + result.counts.failed
    assert deaths <= 3 + size.bit_length(), "one death a level, and two at the ends"
    assert set(journal.endings().values()) == {1}


def test_out_of_memory_splits_and_timeouts_are_retried_first():
    def play(task):
        if task.size > 4:
            return Raised(task, Reason.OUT_OF_MEMORY, "big", "w1")
        return TimedOut(task, "w1") if task.size > 2 and task.attempt == 1 else done(task)

    journal = Journal()
    result = run(numbers(1, size=8), Script(play), journal)
    assert (result.counts.split, result.counts.retried, result.counts.done) == (1, 2, 2)
    assert journal.of(SplitInto)[0].reason is Reason.OUT_OF_MEMORY
    assert [child.size for child in journal.of(SplitInto)[0].children] == [4, 4]


def test_a_task_that_cannot_be_split_fails_with_the_reason():
    def play(task):
        return Raised(task, Reason.OUT_OF_MEMORY, "big", "w1")

    journal = Journal()
    drive(
        numbers(1, size=8),
        Script(play),
        RETRY,
        split=lambda task: [task],
        on_event=journal,
        ending=Ending(StopSignal()),
    )
    (failed,) = journal.of(Failed)
    assert failed.reason is Reason.OUT_OF_MEMORY


def test_tasks_that_the_caller_adds_run_before_the_rest():
    values = Counter()

    def reply(event):
        if isinstance(event, Finished) and event.outcome.task.function == "value":
            group = event.outcome.task.payload // 5
            values[group] += 1
            if values[group] == 5:
                return [Task("m", group, function="merge")]
        return None

    tasks = (Task(f"w{n}", n) for n in range(20))
    journal, executor = Journal(reply), Script(done, capacity=1)
    result = run(tasks, executor, journal)
    order = [task.function for task in executor.submitted]
    assert order == (["value"] * 5 + ["merge"]) * 4
    assert result.counts.done == 24


def test_tasks_added_by_the_last_event_still_run():
    def reply(event):
        more = isinstance(event, Finished) and event.outcome.task.key == "w0"
        return [Task("late", (0, 1), function="merge")] if more else None

    journal = Journal(reply)
    assert run(numbers(1), Script(done), journal).counts.done == 2


def test_fail_fast_stops_submission():
    def play(task):
        return Raised(task, Reason.PRICING_ERROR, "bug", "w1") if task.key == "w2" else done(task)

    journal, executor = Journal(), Script(play)
    result = run(numbers(1_000), executor, journal, fail_fast=True)
    assert result.state == "failed_fast"
    assert len(executor.submitted) == 4
    assert (result.counts.failed, result.counts.done) == (1, 3)


def test_a_stop_drains_what_runs_and_cancels_what_waits():
    stop, clock = StopSignal(), FakeClock()

    def play(task):
        if task.key == "w0" and task.attempt == 1:
            return Raised(task, Reason.STORAGE, "disk", "w1")
        if task.key == "w6":
            stop.request(15)
        return done(task)

    journal, executor = Journal(), Script(play)
    source = numbers(1_000)
    result = run(source, executor, journal, stop=stop, clock=clock)
    assert result.state == "stopped"
    assert [event.task.key for event in journal.of(CancelledTask)] == ["w0"]
    assert (result.counts.done, result.counts.cancelled) == (len(executor.submitted) - 1, 1)
    assert next(source).key == f"w{len(executor.submitted)}", "the rest is the caller's"
    assert set(journal.endings().values()) == {1}


def test_what_is_queued_does_not_start_after_a_stop():
    stop, played = StopSignal(), []

    def play(task):
        if not stop.requested:
            stop.request(15)
            return None
        played.append(task.key)
        return done(task)

    journal = Journal()
    result = run(numbers(50), Script(play, capacity=6, places=1), journal, stop=stop)
    assert played == ["w0"]
    assert (result.counts.done, result.counts.cancelled) == (1, 5)


def test_during_a_drain_nothing_is_retried_or_split():
    stop = StopSignal()

    def play(task):
        stop.request(2)
        return {"w0": Lost(task, "w"), "w8": Raised(task, Reason.OUT_OF_MEMORY, "m", "w")}.get(task.key, done(task))

    journal = Journal()
    result = run(numbers(10, size=8), Script(play, capacity=2), journal, stop=stop)
    assert result.counts.submitted == 2
    assert {event.task.key: event.reason for event in journal.of(Failed)} == {}
    assert sorted(event.task.key for event in journal.of((CancelledTask, SplitInto))) == ["w0", "w8"]
    assert result.counts.done == 0


def test_a_grace_that_is_over_cancels_the_rest():
    stop, clock = StopSignal(), FakeClock()

    def play(task):
        clock.time += 1.0
        stop.request(15) if not stop.requested else None
        return None if task.key == "w1" else done(task)

    journal, executor = Journal(), Script(play)
    result = run(numbers(50), executor, journal, stop=stop, clock=clock, grace_seconds=30.0)
    assert [event.task.key for event in journal.of(CancelledTask)] == ["w1"]
    assert (result.state, result.counts.done) == ("stopped", 3)
    assert clock.time >= 30.0


def test_a_second_signal_ends_the_drain():
    stop = StopSignal()

    def play(task):
        stop.request(15)

    journal = Journal()
    result = run(numbers(50), Script(play), journal, stop=stop, grace_seconds=1e9)
    assert (result.counts.cancelled, result.counts.done) == (4, 0)


def test_a_lost_scheduler_leaves_an_account():
    """Every task taken and not ended is named before the error goes on, a retry that waits included."""

    def play(task):
        if task.key == "w0":
            return Raised(task, Reason.STORAGE, "disk", "w1")
        if len(journal.of(Finished)) > 10:
            raise SchedulerLostError("gone")
        return done(task)

    journal, executor = Journal(), Script(play)
    with pytest.raises(SchedulerLostError):
        run(numbers(1_000), executor, journal)
    taken = {task.key for task in executor.submitted}
    assert journal.endings() == Counter(dict.fromkeys(taken, 1))
    assert "w0" in {event.task.key for event in journal.of(CancelledTask)}


def test_the_clock_ticks_with_every_wait():
    ticks = []
    run(numbers(40), Script(done), Journal(), tick=lambda: ticks.append(None))
    assert len(ticks) >= 10


@pytest.fixture(params=["serial", "dask"])
def real(request, functions):
    if request.param == "serial":
        executor = SerialExecutor(functions)
    else:
        executor = DaskExecutor(request.getfixturevalue("client"), functions)
    yield executor
    executor.close()


def test_real_executors_value_and_merge(real):
    results, sums = {}, {}

    def reply(event):
        if not isinstance(event, Finished):
            return None
        task = event.outcome.task
        if task.function == "merge":
            sums[task.key] = event.outcome.result
            return None
        group = f"m{task.payload // 10}"
        results.setdefault(group, []).append(event.outcome.result)
        return [Task(group, tuple(results[group]), function="merge")] if len(results[group]) == 10 else None

    tasks = (Task(f"w{n}", n) for n in range(100))
    result = run(tasks, real, Journal(reply), clock=None)
    assert (result.state, result.counts.done) == ("complete", 110)
    assert sums == {f"m{group}": 2 * sum(range(10 * group, 10 * group + 10)) for group in range(10)}


def test_real_executors_fail_fast_and_account(real):
    def source():
        for n in range(500):
            yield Task(f"w{n}", ("raise", ValueError("bug")) if n == 20 else n)

    journal = Journal()
    result = run(source(), real, journal, clock=None, fail_fast=True)
    assert result.state == "failed_fast"
    assert result.counts.failed == 1
    assert result.counts.submitted < 100
    assert set(journal.endings().values()) == {1}
    assert sum(journal.endings().values()) == result.counts.submitted


def test_real_executors_stop_and_account(real):
    stop, journal = StopSignal(), Journal()

    def reply(event):
        if isinstance(event, Finished) and len(journal.of(Finished)) == 50:
            stop.request(15)

    journal.reply = reply
    result = run((Task(f"w{n}", n) for n in range(5_000)), real, journal, clock=None, stop=stop)
    assert result.state == "stopped"
    assert result.counts.done + result.counts.cancelled == result.counts.submitted < 200
    assert set(journal.endings().values()) == {1}


class Dealt:
    """A source to which `more()` may add whenever it has nothing."""

    def __init__(self, more):
        self.more = more
        self.tasks = deque()
        self.exhausted = False

    def take(self, most):
        if not self.tasks:
            self.exhausted = not self.more(self.tasks)
        return [self.tasks.popleft() for _ in range(min(most, len(self.tasks)))]


def test_a_source_may_have_nothing_now_and_more_later():
    looks = iter([3, 0, 0, 2, 0, 1])
    left = numbers(6)

    def more(tasks):
        count = next(looks, None)
        tasks.extend(next(left) for _ in range(count or 0))
        return count is not None

    journal = Journal()
    result = run(Dealt(more), Script(lambda task: Done(task, None, "w")), journal)
    assert (result.state, result.counts.done) == ("complete", 6)
    assert set(journal.endings().values()) == {1}


def test_what_no_worker_has_begun_is_given_back_once_it_is_wanted():
    """And is as if it had not been taken; what was tried before stays."""
    wanted = iter([0, 3])
    fate = {"w4": iter([Lost])}

    def play(task):
        again = next(fate.get(task.key, iter([])), None)
        return Done(task, None, "w") if again is None else again(task, "w")

    executor, journal = Script(play, capacity=8, places=1), Journal()
    result = run(numbers(8), executor, journal, give_back=lambda: next(wanted, 0))
    back = [event.task.key for event in journal.of(Withdrawn)]
    assert back == ["w7", "w6", "w5"]
    assert set(journal.endings()) == {f"w{n}" for n in range(5)}
    assert (result.state, result.counts.done, result.counts.submitted) == ("complete", 5, 6)


def test_a_task_that_went_wrong_here_is_not_given_back():
    wanted = iter([0, 0, 5, 5])
    tried = set()

    def play(task):
        first = task.key not in tried
        tried.add(task.key)
        return Lost(task, "w") if first and task.key == "w0" else Done(task, None, "w")

    class LastFirst(Script):
        """Retries are the first that it would hand back."""

        def withdraw(self, most):
            back = [task for task in self.flight if task.attempt > 1][:most]
            for task in back:
                self.flight.remove(task)
            return back

    journal = Journal()
    result = run(numbers(3), LastFirst(play, capacity=3, places=1), journal, give_back=lambda: next(wanted, 0))
    assert not journal.of(Withdrawn)
    assert (result.state, result.counts.done) == ("complete", 3)
    assert set(journal.endings().values()) == {1}


def test_what_is_given_back_may_be_kept():
    """By whoever is told: it runs here then."""
    wanted = iter([0, 4])
    journal = Journal(lambda event: [event.task] if isinstance(event, Withdrawn) else None)
    result = run(numbers(4), Script(lambda task: Done(task, None, "w"), places=1), journal,
                 give_back=lambda: next(wanted, 0))  # fmt: skip
    assert journal.of(Withdrawn)
    assert (result.state, result.counts.done) == ("complete", 4)
