"""The worker's side of the dask executor: the functions and the watchdog, in every worker process.

A task carries the room's name and the work alone; the functions went to each worker once, as a plugin, and go
to each worker that starts later. The reply goes to the driver as an event, ahead of the news that the task is done
and by the same road, and not as the task's result: fetched from a worker that has died meanwhile, a result costs a
minute of connection attempts, and dask would compute the finished block again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
from collections.abc import Mapping
from typing import Any

import psutil
from distributed import Worker, WorkerPlugin, get_worker

from riskpipe.errors import RiskpipeError
from riskpipe.execute.attempt import attempt, packed
from riskpipe.execute.executor import Function
from riskpipe.execute.topics import replies, verdicts
from riskpipe.execute.watchdog import Verdict, Watchdog
from riskpipe.execute.work import Work

EXIT_STATUS = 70
REPORT_SECONDS = 5.0


class NoRoomError(RiskpipeError):
    """The worker does not know the executor: another scheduler has taken the first one's place."""


class Room(WorkerPlugin):  # type: ignore[misc]  # distributed is untyped
    """What a worker needs to run works.

    :param name: of the executor; the topics `replies(name)` and `verdicts(name)` are its roads to the driver.
    :param memory_fraction: share of the worker's memory limit at which its work is given up. Below dask's own
        `terminate` (0.95), which leaves no word about the work.
    """

    def __init__(self, name: str, functions: Mapping[str, Function], memory_fraction: float) -> None:
        self.name = name
        self._functions = dict(functions)
        self._memory_fraction = memory_fraction
        self._worker: Any = None
        self._watchdog: Watchdog | None = None

    def setup(self, worker: Worker) -> None:
        self._worker = worker
        limit = worker.memory_manager.memory_limit
        memory_limit = None if not limit else int(limit * self._memory_fraction)
        process = psutil.Process()
        self._watchdog = Watchdog(self._end, lambda: process.memory_info().rss, memory_limit)
        self._watchdog.start()

    def teardown(self, worker: Worker) -> None:
        if self._watchdog is not None:
            self._watchdog.close()

    def run(self, work: Work) -> None:
        if self._watchdog is None:
            raise NoRoomError(f"{self.name} was not set up")
        with self._watchdog.watching(work):
            reply = packed(attempt(self._functions[work.function], work, self._worker.address))
        self._worker.log_event(replies(self.name), {"work": list(work.id), "reply": reply})

    def _end(self, verdict: Verdict) -> None:
        """Tell the driver, wait until the scheduler has it, and end the process."""
        message = {
            "cause": verdict.cause.value,
            "works": [list(work.id) for work in verdict.works],
            "message": verdict.message,
        }
        told = self._worker.scheduler.log_event(topic=verdicts(self.name), msg=message)
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(told, self._worker.loop.asyncio_loop).result(REPORT_SECONDS)
        os._exit(EXIT_STATUS)


def perform(room_name: str, pickled: bytes) -> None:
    """The task that dask runs.

    :param pickled: the work. As bytes, because dask would hash it on the driver and unpickle it on the scheduler.
    """
    room = get_worker().plugins.get(room_name)
    if room is None:
        raise NoRoomError(f"no functions of {room_name} on this worker")
    room.run(pickle.loads(pickled))  # noqa: S301  # of our own driver
