"""Workers that die, by their own load and by others', under a real drive on a real cluster."""

import contextlib
import ctypes
import math
import os
import select
import signal
import threading
from collections import Counter

import psutil
import pytest
from defaults import RETRY
from msgspec.structs import replace

from riskpipe.clusters.local import local
from riskpipe.errors import ClusterError, Reason
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import CancelledTask, Failed, Finished, Retried, SplitInto
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Lost, Task, TimedOut

HOLD_SECONDS = 60.0


@pytest.fixture(scope="module")
def client():
    with local(2, memory_limit="400MiB") as client:
        yield client


def make_value(pipe):
    """The function of the tasks; nested, so that it travels by value."""

    def value(task):
        verb, *arguments = task.payload
        if verb == "trades":
            first, last, poison = arguments
            if first <= poison < last:
                os._exit(1)
            return list(range(first, last))
        if verb == "hold" and task.attempt == 1:
            with open(pipe, "w") as out:
                out.write(f"{os.getpid()}\n")
            threading.Event().wait(HOLD_SECONDS)
        if verb == "locked" and task.attempt <= arguments[0]:
            with open(pipe, "w") as out:
                out.write(f"{os.getpid()}\n")
            ctypes.PyDLL(None).pause()  # never returns, and keeps the interpreter's lock
        if verb == "nap":
            threading.Event().wait(0.4)
        if verb == "slow" and task.attempt <= arguments[0]:
            threading.Event().wait(HOLD_SECONDS)
        if verb == "greedy":
            hoard = [b"x" * 2**24 for _ in range(64)]
            threading.Event().wait(HOLD_SECONDS)
            return len(hoard)
        return os.getpid()

    return value


class Bench:
    """A drive with its journal; `kill` sends SIGKILL to the process of a task that holds."""

    def __init__(self, client, tmp_path, **options):
        self.path = tmp_path / "pids"
        os.mkfifo(self.path)
        self.pipe = os.open(self.path, os.O_RDWR)
        self.events = []
        self.executor = DaskExecutor(client, {"value": make_value(str(self.path))}, **options)
        self.stop = StopSignal()

    def drive(self, tasks, policy=None, tick=lambda: None, grace_seconds=25.0):
        return drive(
            iter(tasks),
            self.executor,
            policy or RETRY,
            split=halves,
            on_event=self.events.append,
            ending=Ending(self.stop, grace_seconds=grace_seconds),
            tick=tick,
        )

    def held(self):
        """The processes of tasks that have come to hold since the last call."""
        readable, _, _ = select.select([self.pipe], [], [], 0.0)
        return [int(pid) for pid in os.read(self.pipe, 1_000).split()] if readable else []

    def kill(self, number=signal.SIGKILL):
        for pid in self.held():
            os.kill(pid, number)

    def freeze(self):
        """As a frozen node: nothing of the process runs any more."""
        self.kill(signal.SIGSTOP)

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def close(self):
        self.executor.close()
        os.close(self.pipe)


@pytest.fixture
def bench(client, tmp_path):
    settle(client)
    bench = Bench(client, tmp_path)
    yield bench
    bench.close()


def settle(client):
    """Two workers answer: the dead of the test before, whom the scheduler may not miss yet, are not among them."""
    while True:
        client.wait_for_workers(2, timeout=60)
        with contextlib.suppress(OSError):
            if len(client.run(os.getpid)) == 2:
                return


def halves(task):
    verb, first, last, poison = task.payload
    middle = (first + last) // 2
    return [
        replace(task, key=f"{task.key}.{part}", payload=(verb, a, b, poison), size=b - a, attempt=1)
        for part, (a, b) in enumerate(((first, middle), (middle, last)))
    ]


def blocks(count, size, poison, seconds=0.0):
    ranges = [(n * size, (n + 1) * size) for n in range(count)]
    return [
        Task(f"b{n}", ("trades", *rows, poison), size=size, projected_seconds=seconds) for n, rows in enumerate(ranges)
    ]


# By themselves, and in batches, in which the ones before and after the poison share its process.
@pytest.mark.parametrize("seconds", [pytest.param(0.0, marks=pytest.mark.slow), 0.02])
def test_poison_is_bisected_until_alone_and_innocents_are_done_once(bench, seconds):
    result = bench.drive(blocks(count=30, size=4, poison=42, seconds=seconds))
    (failed,) = bench.of(Failed)
    assert (failed.reason, failed.task.payload[1:3]) == (Reason.POISON, (42, 43))
    done = Counter(trade for event in bench.of(Finished) for trade in event.outcome.result)
    assert done == Counter(trade for trade in range(120) if trade != 42)
    assert [event.task.size for event in bench.of(SplitInto)] == [4, 2]
    assert {event.mishap.alone for event in bench.of(Retried)} == {True}
    blamed = {event.task.payload[1] <= 42 < event.task.payload[2] for event in bench.of(Retried)}
    assert blamed == {True}, "an innocent block was blamed"
    assert (result.state, result.counts.failed) == ("complete", 1)


def test_a_worker_killed_from_outside_is_survived(bench):
    held = Task("held", ("hold",))
    result = bench.drive([held, *(Task(f"w{n}", ("pid",)) for n in range(10))], tick=bench.kill)
    assert result.counts.done == 11
    (retried,) = bench.of(Retried)
    assert isinstance(retried.mishap, Lost)
    assert retried.task == held.again()
    assert len({event.outcome.result for event in bench.of(Finished)}) >= 1


def test_the_dead_are_replaced(bench, client):
    """After a death both places are filled again: two tasks hold at the same time."""
    bench.drive([Task("held", ("hold",))], tick=bench.kill)
    pids = []

    def both_then_stop():
        pids.extend(bench.held())
        if len(pids) == 2:
            bench.stop.request(15)
            bench.stop.request(15)

    bench.drive([Task("one", ("hold",)), Task("two", ("hold",))], tick=both_then_stop)
    assert len(set(pids)) == 2
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def batch(tasks, timeout_seconds=math.inf):
    """The tasks, such that they may share a batch."""
    return [replace(task, projected_seconds=0.01, timeout_seconds=timeout_seconds) for task in tasks]


@pytest.mark.slow
def test_who_is_killed_in_the_middle_of_a_batch_is_the_only_one_lost(bench):
    others = [Task(f"w{n}", ("pid",)) for n in range(10)]
    held = Task("held", ("hold",))
    result = bench.drive(batch([*others[:3], held, *others[3:]]), tick=bench.kill)
    assert result.counts.done == 11
    (retried,) = bench.of(Retried)
    assert (retried.task.key, retried.mishap.alone) == ("held", True)


@pytest.mark.slow
def test_each_task_of_a_batch_has_its_own_time(bench):
    """Together they take longer than each of them may."""
    naps = [Task(f"n{n}", ("nap",)) for n in range(8)]
    slow = Task("slow", ("slow", 1))
    result = bench.drive(batch([*naps[:6], slow, *naps[6:]], 1.0))
    assert result.counts.done == 9
    (retried,) = bench.of(Retried)
    assert (retried.task.key, type(retried.mishap)) == ("slow", TimedOut)


def test_a_timeout_ends_the_process_and_is_told_as_one(bench):
    slow = Task("slow", ("slow", 1), timeout_seconds=0.3)
    hopeless = Task("hopeless", ("slow", 9), timeout_seconds=0.3)
    bench.drive([slow, hopeless, Task("quick", ("pid",), timeout_seconds=30.0)])
    assert {type(event.mishap) for event in bench.of((Retried, Failed))} == {TimedOut}
    assert sorted(event.task.key for event in bench.of(Retried)) == ["hopeless", "slow"]
    (failed,) = bench.of(Failed)
    assert (failed.task.key, failed.reason) == ("hopeless", Reason.TIMEOUT)
    assert {event.outcome.task.key for event in bench.of(Finished)} == {"slow", "quick"}


@pytest.fixture
def impatient(client, tmp_path):
    """A bench whose scheduler waits no longer than it must."""
    settle(client)
    with contextlib.closing(Bench(client, tmp_path, margin_seconds=1.0, silent_seconds=1.0)) as bench:
        yield bench


@pytest.mark.parametrize(
    ("verb", "batched"),
    [
        ("locked", True),
        ("hold", False),
        pytest.param("locked", False, marks=pytest.mark.slow),
        pytest.param("hold", True, marks=pytest.mark.slow),
    ],
)
def test_what_stops_the_watchdog_too_is_ended_from_outside(impatient, verb, batched):
    """Code that keeps the interpreter's lock, and a process that is stopped; seen to hang for good before."""
    stuck = Task("stuck", (verb, 1), timeout_seconds=1.0)
    others = [Task(f"w{n}", ("pid",), timeout_seconds=30.0) for n in range(5)]
    works = [*others[:2], stuck, *others[2:]]
    if batched:
        works = batch(works, stuck.timeout_seconds)
    result = impatient.drive(works, tick=impatient.freeze if verb == "hold" else lambda: None)
    assert (result.state, result.counts.done) == ("complete", 6)
    (retried,) = impatient.of(Retried)
    assert isinstance(retried.mishap, TimedOut)
    assert retried.task.key == "stuck"


@pytest.mark.slow
def test_code_that_keeps_the_lock_for_ever_fails_alone_with_timeout(impatient):
    hopeless = Task("hopeless", ("locked", 9), timeout_seconds=0.5)
    impatient.drive([hopeless, *(Task(f"w{n}", ("pid",)) for n in range(5))], policy=replace(RETRY, timeout=0))
    (failed,) = impatient.of(Failed)
    assert (failed.task.key, failed.reason) == ("hopeless", Reason.TIMEOUT)
    assert len(impatient.of(Finished)) == 5


@pytest.mark.slow
def test_a_worker_that_gives_no_sign_of_life_is_replaced_and_its_work_is_lost(impatient):
    """Without a deadline for the task; ten heartbeats are the least that is waited for."""
    result = impatient.drive([Task("held", ("hold",)), Task("other", ("pid",))], tick=impatient.freeze)
    assert (result.state, result.counts.done) == ("complete", 2)
    (retried,) = impatient.of(Retried)
    assert (type(retried.mishap), retried.mishap.alone) == (Lost, True)
    assert retried.mishap.how == "gave no sign of life for 5 s"


@pytest.mark.slow
def test_a_cluster_with_a_stopped_worker_closes(tmp_path):
    with local(1) as client:
        (pid,) = client.run(os.getpid).values()
        executor = DaskExecutor(client, {"value": make_value("")})
        os.kill(pid, signal.SIGSTOP)
        executor.close()
    assert not psutil.pid_exists(pid), "it is ended with its cluster, stopped as it is"


def test_outgrown_memory_is_told_as_such(bench):
    greedy = Task("greedy", ("greedy",))
    bench.drive([greedy, *(Task(f"w{n}", ("pid",)) for n in range(5))])
    (failed,) = bench.of(Failed)
    assert (failed.task.key, failed.reason) == ("greedy", Reason.OUT_OF_MEMORY)
    assert "MiB" in failed.message
    assert len(bench.of(Finished)) == 5
    assert bench.of(Retried) == []


def test_a_stop_lets_what_runs_end_and_cancels_what_waits(bench):
    """What waits on the scheduler does not start any more; what runs is given up when the grace is over."""
    pids = []

    def stop_when_running():
        pids.extend(bench.held())
        if len(pids) == 2 and not bench.stop.requested:
            bench.stop.request(15)

    tasks = [Task(f"h{n}", ("hold",)) for n in range(6)]
    result = bench.drive(tasks, tick=stop_when_running, grace_seconds=0.2)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert (result.state, result.counts.done) == ("stopped", 0)
    assert result.counts.cancelled == result.counts.submitted > 2
    cancelled = [event.task.key for event in bench.of(CancelledTask)]
    assert sorted(cancelled) == [task.key for task in tasks][: len(cancelled)]
    assert len(pids) == 2


def test_ctrl_c_does_not_reach_the_workers():
    with local(1) as client:
        (pid,) = client.run(os.getpid).values()
        os.kill(pid, signal.SIGINT)
        assert client.submit(os.getpid).result(timeout=30) == pid


def test_no_workers_for_too_long_is_an_error(tmp_path):
    with local(1) as client:
        executor = DaskExecutor(client, {"value": make_value("")}, worker_deadline=0.0)
        (address,) = client.nthreads()
        client.retire_workers([address], close_workers=True)
        with contextlib.closing(executor), pytest.raises(ClusterError, match="no worker"):
            drive(
                iter([Task("w", ("pid",))]),
                executor,
                RETRY,
                split=halves,
                on_event=lambda event: None,
                ending=Ending(StopSignal()),
            )


@pytest.mark.chaos
def test_many_deaths_at_random_moments(bench, client):
    """Workers are killed all through the run: every trade is done exactly once, or its block is accounted for."""
    kills = iter(range(25))

    def kill_someone():
        pids = client.run(os.getpid, on_error="ignore")
        if pids and next(kills, None) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(sorted(pids.values())[0], signal.SIGKILL)

    result = bench.drive(blocks(count=600, size=8, poison=-1), tick=kill_someone)
    assert result.state == "complete"
    done = Counter(trade for event in bench.of(Finished) for trade in event.outcome.result)
    failed = {trade for event in bench.of(Failed) for trade in range(*event.task.payload[1:3])}
    assert set(done.values()) == {1}
    assert set(done) | failed == set(range(4_800))
    assert not set(done) & failed
