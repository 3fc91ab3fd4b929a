"""Runs over three clusters, one of which loses its scheduler or its workers in the middle."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from defaults import RETRY
from fault_runs import at_point
from published import assert_same_bits

from riskpipe.clusters.address import at_address
from riskpipe.clusters.local import Local
from riskpipe.clusters.settings import SETTINGS
from riskpipe.execute.dask_executor import DaskExecutor
from riskpipe.execute.drive import Ending, drive
from riskpipe.execute.events import Finished, Retried
from riskpipe.execute.sharded_executor import ShardedExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.execute.task import Displaced, Task
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run

SHARDS = ("cluster.kind=local", "cluster.workers=3", "cluster.shards=3", "partition.max_trades=10")


@pytest.fixture
def clients(monkeypatch):
    """The clients of the shards, by number, as they are opened."""
    opened = {}
    open_local = Local.open

    @contextmanager
    def remembered(kind, request):
        with open_local(kind, request) as client:
            opened.setdefault(request.shard, []).append(client)
            yield client

    monkeypatch.setattr(Local, "open", remembered)
    # A local cluster that is closed calls its scheduler, dead or not, for as long as this.
    monkeypatch.setitem(SETTINGS, "distributed.comm.timeouts.connect", "15s")
    return opened


class Blow:
    """Once all three shards have finished a block, it falls, once: what `at_point` does at an event."""

    def __init__(self, strike):
        self.strike = strike
        self.seen = set()

    def __call__(self, event):
        if isinstance(event, Finished) and len(self.seen) < 3:
            self.seen.add(event.outcome.worker.split("/")[0])
            if len(self.seen) == 3:
                self.strike()


def close_the_scheduler(client):
    client.loop.add_callback(client.cluster.scheduler.close)


def kill_the_workers(client):
    for nanny in client.cluster.workers.values():
        os.kill(nanny.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("blow", [close_the_scheduler, kill_the_workers])
def test_a_run_survives_what_one_shard_does_not(blow, clients, settings_of, recorder, tmp_path):
    run(settings_of("partition.max_trades=10", output="undisturbed"), Selection(), observer=recorder)

    with at_point(FaultPoint.EVENT, Blow(lambda: blow(clients[1][0]))):
        status = run(settings_of(*SHARDS), Selection(), observer=recorder)

    assert (status.state, status.exit_code) == ("complete", 0)
    assert status.blocks.ok == status.blocks.planned
    assert_same_bits(tmp_path / "undisturbed", tmp_path / "output")
    blocks = pq.read_table(tmp_path / "output" / "runs" / status.run_id / "blocks.parquet")
    assert {worker.split("/")[0] for worker in blocks.column("worker").to_pylist()} >= {"shard-0", "shard-2"}
    told = [text for _, text in recorder.messages if text.startswith("shard 1 is lost")]
    assert len(told) == (blow is close_the_scheduler)


class Processes:
    """A scheduler and a worker for each shard, in processes of their own; a rebuilt shard gets new ones."""

    def __init__(self, directory):
        self.directory = directory
        self.schedulers = {}

    @contextmanager
    def open(self, number, wake, given_up):
        common = ["--host", "127.0.0.1", "--no-dashboard"]
        ports = ["--port", "0", "--dashboard-address", "127.0.0.1:0"]
        with contextlib.ExitStack() as stack:
            scheduler, line = self._start(stack, ["scheduler", *common, *ports], "Scheduler at:")
            address = line.split("Scheduler at:")[1].strip()
            self._start(stack, ["worker", address, *common, "--nthreads", "1"], "Registered to:")
            self.schedulers.setdefault(number, []).append(scheduler)
            client = stack.enter_context(at_address(address, deadline=60.0))

            def double(task):  # nested, so that it travels by value: workers cannot import test modules
                return 2 * task.payload

            executor = DaskExecutor(client, {"value": double}, wake=wake)
            stack.callback(executor.close)
            yield executor

    def _start(self, stack, arguments, awaited):
        words = [sys.executable, "-m", "dask", *arguments]
        process = subprocess.Popen(
            words, cwd=self.directory, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        stack.callback(end, process)
        for line in process.stderr:
            if awaited in line:
                return process, line
        raise RuntimeError(f"dask {arguments[0]} ended: {process.wait()}")


def end(process):
    process.kill()
    process.wait()
    process.stderr.close()


@pytest.mark.slow
def test_a_killed_scheduler_is_replaced_while_the_others_go_on(tmp_path):
    """Until the rebuilt shard has done something: the others are fed as long as that takes."""
    processes = Processes(tmp_path)
    events, rebuilt = [], []

    def source():
        number = 0
        while not rebuilt:
            yield Task(f"w{number}", number, projected_seconds=0.001)
            number += 1

    def watch(event):
        events.append(event)
        if not isinstance(event, Finished):
            return
        if event.outcome.worker.startswith("shard-1/"):
            if len(processes.schedulers[1]) == 1:
                os.kill(processes.schedulers[1][0].pid, signal.SIGKILL)
            elif not rebuilt:
                rebuilt.append(event)

    executor = ShardedExecutor(processes.open, 3)
    try:
        result = drive(
            source(),
            executor,
            replace(RETRY, worker_lost=0),
            split=lambda task: [],
            on_event=watch,
            ending=Ending(StopSignal()),
        )
    finally:
        executor.close()

    done = Counter(event.outcome.result for event in events if isinstance(event, Finished))
    assert result.state == "complete"
    assert done == Counter(range(0, 2 * len(done), 2)), "everything once"
    displaced = [event.mishap for event in events if isinstance(event, Retried)]
    assert displaced
    assert all(isinstance(mishap, Displaced) and mishap.worker == "shard-1" for mishap in displaced)
