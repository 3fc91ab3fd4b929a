"""Clusters for the benchmark of scale: Dask's own scheduler in a process of its own, and simulated workers.

A simulated worker is what the scheduler sees of a worker: an address where it answers broadcasts, the stream on which
it registers, takes tasks and reports, and the heartbeats. Its tasks take their projected seconds and no CPU time, and
what it reports of them is as large as what a worker reports of a block. A thousand of them fit a process.

    python -m benchmarks.scale_cluster scheduler
    python -m benchmarks.scale_cluster workers ADDRESS FIRST COUNT
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

import dask
from distributed import Scheduler
from distributed.batched import BatchedSend
from distributed.comm import connect, listen, tcp
from distributed.compatibility import asyncio_run
from distributed.config import get_loop_factory
from distributed.core import rpc
from distributed.versions import get_versions

from riskpipe.clusters.settings import SETTINGS
from riskpipe.execute.attempt import Reply, packed
from riskpipe.execute.task import Task
from riskpipe.execute.topics import replies
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.run_block import BlockResult

REGISTERING = 50
MEGABYTE = 2**20

# -- the scheduler


async def serve() -> None:
    """Dask's scheduler on loopback, until standard input ends; its address goes to standard output."""
    _count()
    gc.set_threshold(*(3 * threshold for threshold in gc.get_threshold()))  # as `dask scheduler` does
    async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
        print(scheduler.address, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _count() -> None:
    """Have the process count bytes received, bytes sent, and heartbeats, in `tcp.counted`."""
    counted = tcp.counted = [0, 0, 0]
    to_frames, from_frames, heartbeat = tcp.to_frames, tcp.from_frames, Scheduler.heartbeat_worker

    async def counted_from(frames: Any, **options: Any) -> Any:
        counted[0] += sum(map(len, frames))
        return await from_frames(frames, **options)

    async def counted_to(*arguments: Any, **options: Any) -> Any:
        frames = await to_frames(*arguments, **options)
        counted[1] += sum(map(len, frames))
        return frames

    def counted_heartbeat(self: Scheduler, **options: Any) -> Any:
        counted[2] += 1
        return heartbeat(self, **options)

    tcp.to_frames, tcp.from_frames, Scheduler.heartbeat_worker = counted_to, counted_from, counted_heartbeat


def counts() -> list[int]:
    """Runs on the scheduler."""
    from distributed.comm import tcp

    return list(tcp.counted)


# -- the workers


class SimulatedWorker:
    """One worker as its scheduler sees it, in the running event loop."""

    def __init__(self, scheduler: str, number: int, versions: dict[str, Any]) -> None:
        self._scheduler = scheduler
        self._number = number
        self._versions = versions
        self._stimuli = itertools.count()
        self._stream = BatchedSend(interval="2ms")
        self._keep: list[Any] = []

    async def start(self) -> None:
        """Register; returns when the scheduler has it."""
        self._listener = await listen("tcp://127.0.0.1:0", self._answer)
        self.address = self._listener.contact_address
        comm = await connect(self._scheduler)
        await comm.write(self._registration(), serializers=["msgpack"])
        response = await comm.read(deserializers=["msgpack"])
        if response["status"] != "OK":
            raise RuntimeError(response)
        self._stream.start(comm)
        self._keep = [
            asyncio.ensure_future(self._listen_to(comm)),
            asyncio.ensure_future(self._beat(response["heartbeat-interval"])),
        ]

    def _registration(self) -> dict[str, Any]:
        return {
            "op": "register-worker",
            "reply": False,
            "address": self.address,
            "status": "running",
            "nthreads": 1,
            "name": f"simulated-{self._number}",
            "now": time.time(),
            "resources": {},
            "memory_limit": 4096 * MEGABYTE,
            "local_directory": "/tmp/worker",
            "services": {},
            "nanny": None,
            "pid": os.getpid(),
            "versions": self._versions,
            "metrics": metrics(),
            "extra": {},
            "stimulus_id": f"worker-connect-{time.time()}",
            "server_id": f"Worker-{self._number:036d}",
        }

    async def _answer(self, comm: Any) -> None:
        """Broadcasts: versions are told, and whatever else is asked for is done."""
        try:
            while True:
                message = await comm.read()
                await comm.write(self._versions if message["op"] == "versions" else {"status": "OK"})
        except OSError:
            await comm.close()

    async def _listen_to(self, comm: Any) -> None:
        loop = asyncio.get_running_loop()
        while True:
            for message in await comm.read():
                if message["op"] == "compute-task":
                    task: Task = pickle.loads(message["run_spec"].args[1])  # noqa: S301  # of our own driver
                    loop.call_later(task.projected_seconds, self._finish, message, task, time.time())
                elif message["op"] == "close":
                    return

    def _finish(self, message: dict[str, Any], task: Task, started: float) -> None:
        """What ExecutorWorkerPlugin.run and dask's worker send when a block is done, in one batch."""
        executor = message["run_spec"].args[0]
        reply = packed(Reply(self.address, block_result(task, started)))
        finished = {
            "op": "task-finished",
            "status": "OK",
            "key": message["key"],
            "run_id": message["run_id"],
            "stimulus_id": f"task-finished-{next(self._stimuli)}",
            "nbytes": 28,
            "type": pickle.dumps(type(None)),
            "typename": "NoneType",
            "metadata": {},
            "thread": 1,
            "startstops": [{"action": "compute", "start": started, "stop": time.time()}],
        }
        told = {"op": "log-event", "topic": replies(executor), "msg": {"task": list(task.id), "reply": reply}}
        self._stream.send(told)
        self._stream.send(finished)

    async def _beat(self, interval: float) -> None:
        async with rpc(self._scheduler) as scheduler:
            while True:
                await asyncio.sleep(interval)
                response = await scheduler.heartbeat_worker(
                    address=self.address, now=time.time(), metrics=metrics(), executing={}, extensions={}
                )
                interval = response["heartbeat-interval"]


def metrics() -> dict[str, Any]:
    """What a worker of distributed 2026.8 reports with a heartbeat."""
    idle = {"read_bps": 0.0, "write_bps": 0.0}
    return {
        "task_counts": {"executing": 1},
        "bandwidth": {"total": 100_000_000, "workers": {}, "types": {}},
        "digests_total_since_heartbeat": {"latency": 0.002, "tick-duration": 0.5},
        "managed_bytes": 0,
        "spilled_bytes": {"memory": 0, "disk": 0},
        "transfer": dict.fromkeys(
            ("incoming_bytes", "incoming_count", "incoming_count_total", "outgoing_bytes", "outgoing_count"), 0
        )
        | {"outgoing_count_total": 0},
        "event_loop_interval": 0.02,
        "cpu": 99.0,
        "memory": 400 * MEGABYTE,
        "time": time.time(),
        "host_net_io": idle,
        "host_disk_io": idle,
        "num_fds": 40,
    }


def block_result(task: Task, started: float) -> BlockResult:
    """Of two tables, as a block of the nightly measures leaves them."""
    tables = ("valuations", "sensitivities")
    return BlockResult(
        host="simulated-host",
        started_at=started,
        ended_at=time.time(),
        fetch_s=0.01,
        price_s=task.projected_seconds,
        write_s=0.01,
        cpu_s=task.projected_seconds,
        peak_rss_bytes=400 * MEGABYTE,
        rows=20_000,
        bytes_in=MEGABYTE,
        bytes_out=MEGABYTE,
        ok=10_000,
        failed=0,
        not_applicable=0,
        compile_s=0.0,
        not_taken=0,
        vectors=(),
        outputs={t: WrittenFile(f"runs/20261120-{task.key}/{t}.parquet", 10_000, MEGABYTE, "0" * 64) for t in tables},
    )


async def simulate(scheduler: str, first: int, count: int) -> None:
    """Register `count` workers, a few at a time; say so; serve until standard input ends."""
    versions = get_versions(packages=["riskpipe"])
    workers = [SimulatedWorker(scheduler, first + n, versions) for n in range(count)]
    for n in range(0, count, REGISTERING):
        await asyncio.gather(*(worker.start() for worker in workers[n : n + REGISTERING]))
    print("registered", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(words: list[str]) -> None:
    roles: dict[str, Callable[..., Any]] = {
        "scheduler": serve,
        "workers": lambda address, first, count: simulate(address, int(first), int(count)),
    }
    with dask.config.set(SETTINGS):
        asyncio_run(roles[words[0]](*words[1:]), loop_factory=get_loop_factory())


if __name__ == "__main__":
    main(sys.argv[1:])
