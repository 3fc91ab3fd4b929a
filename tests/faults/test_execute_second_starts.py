"""Tasks that take too long on real workers: started a second time on another, and what is left of the other attempt."""

import contextlib
import os
import select
import signal

import psutil
import pytest
from defaults import RETRY
from msgspec.structs import replace

from riskpipe.clusters.local import local
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import Finished, OneOfTwo, StartedAgain
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Lost, Task

PATIENCE = 0.2


@pytest.fixture(scope="module")
def client():
    with local(2, memory_limit="400MiB") as client:
        yield client


class Held:
    """What tasks do, by their payload and attempt; those that hold say who they are and wait for a word."""

    def __init__(self, directory):
        self.pipes = [str(directory / name) for name in ("said", "first", "second")]
        for path in self.pipes:
            os.mkfifo(path)
        # Both ends are open here, so that nobody waits for the other to open a pipe.
        self.ends = [os.open(path, os.O_RDWR) for path in self.pipes]

    def function(self):
        """Nested, so that it travels by value."""
        said, *words = self.pipes

        def value(task):
            if task.attempt in task.payload:
                with open(said, "w") as out:
                    out.write(f"{os.getpid()}\n")
                with open(words[task.attempt - 1]) as heard:
                    heard.readline()
            return os.getpid()

        return value

    def pid(self):
        """Of the next one that holds."""
        assert select.select([self.ends[0]], [], [], 120.0)[0], "no task holds"
        return int(os.read(self.ends[0], 100).split()[0])

    def let_go(self, attempt):
        os.write(self.ends[attempt], b"go\n")

    def close(self):
        for end in self.ends:
            os.close(end)


@pytest.fixture
def held(tmp_path):
    with contextlib.closing(Held(tmp_path)) as held:
        yield held


@pytest.fixture
def executor(client, held):
    client.wait_for_workers(2, timeout=60)
    with contextlib.closing(DaskExecutor(client, {"value": held.function()})) as executor:
        yield executor


def run(executor, tasks, on_event=lambda event: None):
    events = []

    def journal(event):
        events.append(event)
        on_event(event)

    result = drive(
        iter(tasks),
        executor,
        RETRY,
        split=lambda task: [],
        on_event=journal,
        ending=Ending(StopSignal()),
        patience=lambda task: PATIENCE,
    )
    return result, events


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def attempts(events):
    return {event.outcome.task.key: event.outcome.task.attempt for event in of(events, Finished)}


def gone(pid):
    """Whether a process ends that is about to be ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=30)
    return not psutil.pid_exists(pid)


STUCK = Task("stuck", (1,))
OTHERS = [Task(f"w{n}", ()) for n in range(5)]


# By itself; and before others in a batch, which would wait for it.
@pytest.mark.parametrize("batched", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_stuck_one_is_done_elsewhere_and_its_process_is_ended(executor, held, batched, client):
    tasks = [STUCK, *OTHERS]
    if batched:
        tasks = [replace(task, projected_seconds=0.01) for task in tasks]
    result, events = run(executor, tasks)
    stuck = held.pid()
    assert (result.state, result.counts.done, result.counts.retried) == ("complete", 6, 0)
    assert attempts(events) == {"stuck": 2, **{task.key: 1 for task in OTHERS}}
    assert len(of(events, Finished)) == 6
    assert gone(stuck)
    client.wait_for_workers(2, timeout=60)  # its nanny has another process


def test_the_first_may_come_first_after_all(executor, held):
    pids = []

    def let_the_first_go(event):
        if isinstance(event, StartedAgain):
            pids.extend((held.pid(), held.pid()))
            held.let_go(1)

    result, events = run(executor, [replace(STUCK, payload=(1, 2)), *OTHERS], let_the_first_go)
    (done,) = (event.outcome for event in of(events, Finished) if event.outcome.task.key == "stuck")
    assert (done.task.attempt, done.result, result.counts.done, result.counts.retried) == (1, pids[0], 6, 0)
    assert gone(pids[1])
    assert psutil.pid_exists(pids[0])


def test_the_death_of_one_of_two_costs_nothing(executor, held):
    def kill_the_first(event):
        if isinstance(event, StartedAgain):
            os.kill(held.pid(), signal.SIGKILL)
        if isinstance(event, OneOfTwo):
            held.let_go(2)

    result, events = run(executor, [replace(STUCK, payload=(1, 2)), *OTHERS], kill_the_first)
    (lost,) = of(events, OneOfTwo)
    assert (type(lost.mishap), lost.mishap.task.attempt) == (Lost, 1)
    assert attempts(events)["stuck"] == 2
    assert (result.state, result.counts.done, result.counts.retried) == ("complete", 6, 0)
