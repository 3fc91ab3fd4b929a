"""A scheduler in a process of its own, which is killed in the middle of a run."""

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from defaults import RETRY

from riskpipe.clusters.address import at_address
from riskpipe.errors import ClusterError
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import CancelledTask, Finished
from riskpipe.execute.executor import SchedulerLostError
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Task


def start(arguments, directory, awaited):
    """A dask process, once it has said `awaited`; the line that says it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=directory,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    for line in process.stderr:
        if awaited in line:
            return process, line
    raise RuntimeError(f"dask {arguments[0]} ended: {process.wait()}")


@pytest.fixture
def remote(tmp_path):
    """The processes of a cluster and its address."""
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    with contextlib.ExitStack() as stack:
        scheduler, line = start(
            ["scheduler", *common, "--port", "0", "--dashboard-address", "127.0.0.1:0"], tmp_path, "Scheduler at:"
        )
        stack.callback(end, scheduler)
        address = line.split("Scheduler at:")[1].strip()
        worker, _ = start(["worker", address, *common, "--nthreads", "1"], tmp_path, "Registered to:")
        stack.callback(end, worker)
        yield scheduler, address


def end(process):
    process.kill()
    process.wait()
    process.stderr.close()


def test_the_loss_of_the_scheduler_is_told_and_accounted_for(remote):
    scheduler, address = remote
    events = []

    def kill_after_some(event):
        events.append(event)
        if sum(isinstance(event, Finished) for event in events) == 20 and isinstance(event, Finished):
            os.kill(scheduler.pid, signal.SIGKILL)

    def value(task):
        return task.payload

    source = (Task(f"w{n}", n) for n in range(100_000))
    with at_address(address, deadline=30.0) as client:
        executor = DaskExecutor(client, {"value": value})
        assert client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.allowed_failures) == 0
        with pytest.raises(SchedulerLostError):
            drive(
                source,
                executor,
                RETRY,
                split=lambda task: [],
                on_event=kill_after_some,
                ending=Ending(StopSignal()),
            )
        executor.close()
    ended = Counter(event.outcome.task.payload for event in events if isinstance(event, Finished))
    ended.update(event.task.payload for event in events if isinstance(event, CancelledTask))
    assert ended == Counter(range(len(ended))), "every task taken has one ending"
    assert next(source).payload == len(ended), "the rest of the iterator is untouched"
    assert any(isinstance(event, CancelledTask) for event in events)


def test_an_address_where_nothing_answers():
    with pytest.raises(ClusterError, match="no scheduler answered"), at_address("tcp://127.0.0.1:9", deadline=0.5):
        pass


def test_too_few_workers(remote):
    with pytest.raises(ClusterError, match="1 of 2 workers"), at_address(remote[1], workers=2, deadline=3.0):
        pass
