"""Shards in this process: assignment, losses, late ones, rebalancing, closing."""

import threading
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import replace

import pytest
from defaults import RETRY

from riskpipe.errors import ClusterError, UsageError
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import CancelledTask, Finished, OneOfTwo, Retried, StartedAgain
from riskpipe.execute.executor import SchedulerLostError, refill
from riskpipe.execute.sharded_executor import ShardedExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Cancelled, Displaced, Done, Overdue, Task


class InProcess:
    """A shard without processes: `slots` tasks end with every look at it, as long as it lives.

    :param dies_after: how many tasks it ends before its scheduler is gone.
    :param hangs: key of a task whose first attempt never ends.
    """

    def __init__(self, slots=2, dies_after=None, wake=lambda: None, hangs=None):
        self.hangs = hangs
        self.relieved = []
        self.slots = slots
        self.capacity = 3 * slots
        self.left = dies_after
        self.stuck = False
        self.flight = deque()
        self.cancelled = []
        self.submitted = []
        self.closed = threading.Event()
        self._wake = wake

    def refill(self):
        return refill(self.capacity, self.running())

    def submit(self, tasks):
        self._require_scheduler()
        self.flight.extend(tasks)
        self.submitted.extend(tasks)
        self._wake()

    def outcomes(self, timeout):
        cancelled, self.cancelled = self.cancelled, []
        if cancelled or self.stuck:
            return cancelled
        self._require_scheduler()
        ready = [task for task in self.flight if (task.key, task.attempt) != (self.hangs, 1)]
        most = min(self.slots, len(ready), len(ready) if self.left is None else self.left)
        ended = [Done(task, 2 * task.payload, "w") for task in ready[:most]]
        for each in ended:
            self.flight.remove(each.task)
        if self.left is not None:
            self.left -= len(ended)
        if len(ready) > most:
            self._wake()
        return ended

    def running(self):
        return len(self.flight) + len(self.cancelled)

    def withdraw(self, most):
        self._require_scheduler()
        return [self.flight.pop() for _ in range(min(most, max(len(self.flight) - self.slots, 0)))]

    def idle(self):
        return max(self.slots - len(self.flight), 0)

    def overdue(self, patience):
        return [Overdue(task, "w", 60.0) for task in self.flight if patience(task) is not None]

    def submit_beside(self, task, overdue):
        assert overdue.worker == "w"
        if self.idle():
            self.submit([task])
        return task in self.flight

    def relieve(self, task):
        self.relieved.append(task)

    def give_up(self, task):
        self.flight.remove(task)

    def cancel_queued(self):
        self._require_scheduler()
        self.cancelled.extend(Cancelled(self.flight.pop()) for _ in range(len(self.flight) - self.slots))

    def cancel_all(self):
        self.cancelled.extend(Cancelled(task) for task in self.flight)
        self.flight.clear()

    def close(self):
        self.closed.set()

    def _require_scheduler(self):
        if self.left == 0:
            raise SchedulerLostError("the scheduler is gone")


class Farm:
    """Opens shards; `make(number, opening)` gives each, counted from 1 for its number, or raises."""

    def __init__(self, make=lambda number, opening: InProcess()):
        self.make = make
        self.opened = []
        self.openings = Counter()

    @contextmanager
    def open(self, number, wake, given_up):
        self.openings[number] += 1
        self.given_up = given_up
        shard = self.make(number, self.openings[number])
        shard._wake = wake
        self.opened.append((number, shard))
        try:
            yield shard
        finally:
            shard.close()


@pytest.fixture
def told():
    return []


@pytest.fixture
def sharded(told):
    executors = []

    def make(farm, shards=3, wait=True, **options):
        executor = ShardedExecutor(farm.open, shards, tell=told.append, **options)
        executors.append(executor)
        while wait and len(executor._live) < shards:
            executor.refill()
        return executor

    yield make
    for executor in executors:
        executor.close()


def run(executor, count, on_event=lambda event: None, stop=None, patience=None):
    events = []

    def record(event):
        events.append(event)
        return on_event(event)

    tasks = (Task(f"w{n}", n, projected_seconds=1.0 + n % 5) for n in range(count))
    result = drive(
        tasks,
        executor,
        replace(RETRY, worker_lost=0),
        split=lambda task: [],
        on_event=record,
        ending=Ending(stop or StopSignal()),
        patience=patience,
    )
    return result, events


def results(events):
    return Counter(event.outcome.result for event in events if isinstance(event, Finished))


def test_all_shards_work_and_every_task_is_done_once(sharded):
    farm = Farm()
    result, events = run(sharded(farm), 200)
    assert result.state == "complete"
    assert results(events) == Counter(range(0, 400, 2))
    assert all(len(shard.submitted) > 20 for _, shard in farm.opened)
    workers = {event.outcome.worker for event in events if isinstance(event, Finished)}
    assert workers == {"shard-0/w", "shard-1/w", "shard-2/w"}


def test_more_goes_to_the_larger_shard(sharded):
    farm = Farm(lambda number, opening: InProcess(slots=6 if number == 2 else 1))
    run(sharded(farm), 400)
    counts = {number: len(shard.submitted) for number, shard in farm.opened}
    assert counts[2] > 3 * counts[0]


def test_a_lost_shard_gives_its_tasks_back_and_is_rebuilt(sharded, told):
    farm = Farm(lambda number, opening: InProcess(dies_after=10 if (number, opening) == (1, 1) else None))
    result, events = run(sharded(farm), 300)
    assert result.state == "complete"
    assert results(events) == Counter(range(0, 600, 2))
    displaced = [event for event in events if isinstance(event, Retried) and isinstance(event.mishap, Displaced)]
    assert displaced, "with no retries of lost workers allowed, they go on all the same"
    assert {event.mishap.worker for event in displaced} == {"shard-1"}
    assert told == [
        f"shard 1 is lost (its scheduler is gone); its {len(displaced)} tasks in flight go to the others;"
        " it is opened again"
    ]
    assert farm.openings == {0: 1, 1: 2, 2: 1}
    rebuilt = [shard for number, shard in farm.opened if number == 1]
    assert rebuilt[0].closed.wait(10.0), "the dead one is closed while the others go on"
    assert rebuilt[1].submitted


def test_a_shard_is_rebuilt_so_often_and_no_more(sharded, told):
    farm = Farm(lambda number, opening: InProcess(dies_after=5 if number == 0 else None))
    executor = sharded(farm, shards=2, rebuilds=2)
    result, events = run(executor, 2_000)
    assert result.state == "complete"
    assert results(events) == Counter(range(0, 4_000, 2))
    assert farm.openings == {0: 3, 1: 1}
    assert told[-1].endswith("the run goes on without it")


def test_the_loss_of_all_shards_is_the_loss_of_the_scheduler(sharded):
    farm = Farm(lambda number, opening: InProcess(dies_after=5 + number))
    executor = sharded(farm, shards=2, rebuilds=0)
    seen = []
    with pytest.raises(SchedulerLostError, match="all 2 shards"):
        run(executor, 100, seen.append)
    taken = Counter(event.outcome.task.payload for event in seen if isinstance(event, Finished))
    taken.update(event.task.payload for event in seen if isinstance(event, CancelledTask))
    assert sum(results(seen).values()) == 11
    assert taken == Counter(range(len(taken))), "every task taken has one ending"


def test_the_only_shard_that_lives_may_die_while_others_are_being_opened(sharded, told):
    """Works wait for the next that opens; the run is not lost."""
    lost = threading.Event()

    def make(number, opening):
        if (number, opening) == (0, 1):
            return InProcess(dies_after=5)
        assert lost.wait(30.0)
        return InProcess()

    waits = []

    def tick():
        if any("is lost" in text for text in told):
            waits.append(executor.running())
            if len(waits) == 3:
                lost.set()

    executor = sharded(Farm(make), shards=2, wait=False)
    events = []
    result = drive(
        (Task(f"w{n}", n) for n in range(100)),
        executor,
        replace(RETRY, worker_lost=0),
        split=lambda task: [],
        on_event=events.append,
        ending=Ending(StopSignal()),
        tick=tick,
    )
    assert result.state == "complete"
    assert results(events) == Counter(range(0, 200, 2))
    assert waits[2] == 0, "nothing runs meanwhile"


def test_a_stop_while_no_shard_lives_ends_the_run(sharded, told):
    never, stop, events = threading.Event(), StopSignal(), []

    def make(number, opening):
        if opening == 1:
            return InProcess(dies_after=5)
        while not farm.given_up():
            assert not never.wait(0.001)
        raise ClusterError("given up")

    def tick():
        if told:
            stop.request(15)

    farm = Farm(make)
    executor = sharded(farm, shards=1)
    result = drive(
        (Task(f"w{n}", n) for n in range(100)),
        executor,
        RETRY,
        split=lambda task: [],
        on_event=events.append,
        ending=Ending(stop),
        tick=tick,
    )
    assert result.state == "stopped"
    assert results(events).total() == 5
    taken = 5 + sum(isinstance(event, CancelledTask) for event in events)
    assert result.counts.done + result.counts.cancelled == taken


def test_it_begins_with_the_first_and_the_others_join(sharded):
    gate = threading.Event()

    def make(number, opening):
        assert number == 0 or gate.wait(30.0)
        return InProcess()

    def open_the_gate(event):
        if isinstance(event, Finished):
            gate.set()

    farm = Farm(make)
    executor = sharded(farm, wait=False)
    assert executor.capacity == 6
    result, events = run(executor, 20_000, open_the_gate)
    assert result.state == "complete"
    assert sum(results(events).values()) == 20_000
    assert {number for number, shard in farm.opened if shard.submitted} == {0, 1, 2}


def test_one_that_does_not_open_is_tried_again_and_the_others_go_on(sharded, told):
    def make(number, opening):
        if number == 1:
            raise ClusterError("no quota")
        return InProcess()

    farm = Farm(make)
    executor = sharded(farm, shards=2, wait=False, rebuilds=1)
    result, _ = run(executor, 50)
    while len(told) < 2:
        executor.refill()
    assert result.state == "complete"
    assert told == [
        "shard 1 did not open (no quota); it is opened again",
        "shard 1 did not open (no quota); the run goes on without it",
    ]


@pytest.mark.parametrize("error", [ClusterError("no such image"), UsageError("no such kind")])
def test_when_none_opens_the_error_is_told_and_nothing_is_tried_again(sharded, error):
    def make(number, opening):
        raise error

    farm = Farm(make)
    with pytest.raises(type(error), match=str(error)):
        sharded(farm)
    assert farm.openings == {0: 1, 1: 1, 2: 1}


def test_what_waits_on_a_busy_shard_is_mopped_up_by_an_idle_one(sharded):
    farm = Farm()
    executor = sharded(farm, shards=2, clock=iter(range(1_000_000)).__next__)
    stuck = next(shard for number, shard in farm.opened if number == 0)

    def unstick(event):
        if isinstance(event, Finished) and len(results(events)) >= 38:
            stuck.stuck = False

    events = []

    def record(event):
        events.append(event)
        return unstick(event)

    stuck.stuck = True
    result, _ = run(executor, 40, record)
    assert result.state == "complete"
    assert results(events) == Counter(range(0, 80, 2))
    assert Counter(event.outcome.worker for event in events if isinstance(event, Finished))["shard-0/w"] == 2


def test_a_stop_drains_all_shards_and_rebuilds_none(sharded):
    stop = StopSignal()
    farm = Farm(lambda number, opening: InProcess(dies_after=12 if number == 1 else None))

    def stop_after_some(event):
        if isinstance(event, Finished):
            stop.request(15)

    result, events = run(sharded(farm), 1_000, stop_after_some, stop)
    assert result.state == "stopped"
    ended = results(events).total() + sum(isinstance(event, CancelledTask) for event in events)
    assert ended == result.counts.done + result.counts.cancelled
    assert ended == len(
        {event.task.key for event in events if isinstance(event, CancelledTask)}
        | {event.outcome.task.key for event in events if isinstance(event, Finished)}
    )


def test_closing_gives_up_what_is_still_being_opened(sharded):
    def make(number, opening):
        if number == 0:
            return InProcess()
        while not farm.given_up():
            assert not never.wait(0.001)
        raise ClusterError("given up")

    never = threading.Event()
    farm = Farm(make)
    executor = sharded(farm, shards=2, wait=False)
    executor.close()
    assert [number for number, _ in farm.opened] == [0]


def test_closing_closes_every_shard(sharded):
    farm = Farm()
    executor = sharded(farm)
    executor.close()
    assert len(farm.opened) == 3
    assert all(shard.closed.is_set() for _, shard in farm.opened)
    assert executor.running() == 0


def second_start(sharded, farm, shards, on_event=lambda event: None):
    executor = sharded(farm, shards)
    result, events = run(executor, 20, on_event, patience=lambda task: 5.0)
    (again,) = [event for event in events if isinstance(event, StartedAgain)]
    assert (again.task.key, again.task.attempt, again.overdue.worker.partition("/")[2]) == ("w3", 2, "w")
    assert (result.state, result.counts.done, executor.running()) == ("complete", 20, 0)
    (done,) = [e.outcome for e in events if isinstance(e, Finished) and e.outcome.task.key == "w3"]
    assert done.task.attempt == 2
    return again.overdue.worker.partition("/")[0], done.worker.partition("/")[0], events


def test_a_second_start_is_on_another_shard(sharded):
    farm = Farm(lambda number, opening: InProcess(hangs="w3"))
    first, second, events = second_start(sharded, farm, 2)
    assert first != second
    (own,) = [shard for number, shard in farm.opened if f"shard-{number}" == first]
    assert [task.id for task in own.relieved] == [("value", "w3", 1)]
    assert list(own.flight) == [], "the first attempt is given up there"
    assert not [event for event in events if isinstance(event, Retried)]


def test_a_second_start_is_on_its_own_shard_where_no_other_has_room(sharded):
    first, second, _ = second_start(sharded, Farm(lambda number, opening: InProcess(hangs="w3")), 1)
    assert first == second == "shard-0"


def test_a_shard_lost_with_one_of_two_attempts_leaves_it_to_the_other(sharded):
    farm = Farm(lambda number, opening: InProcess(hangs="w3"))

    def lose_the_first(event):
        if isinstance(event, StartedAgain):
            (own,) = [shard for number, shard in farm.opened if event.overdue.worker.startswith(f"shard-{number}/")]
            own.left = 0
            own._wake()
            others = [shard for _, shard in farm.opened if shard is not own]
            for other in others:
                other.stuck = True
        if isinstance(event, OneOfTwo):
            for _, shard in farm.opened:
                shard.stuck = False
                shard._wake()

    _, _, events = second_start(sharded, farm, 2, lose_the_first)
    (lost,) = [event.mishap for event in events if isinstance(event, OneOfTwo)]
    assert (type(lost), lost.task.attempt) == (Displaced, 1)
