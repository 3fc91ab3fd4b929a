"""The worker's side of the dask executor: the functions and the watchdog, in every worker process.

A dask task carries the plugin's name and the pickled tasks of a batch alone; the functions went to each worker once,
with the plugin, and go to each worker that starts later. The reply goes to the driver as an event, ahead of the news
that the dask task is done, and not as its result: fetched from a worker that has died meanwhile, a result costs a
minute of connection attempts, and dask would compute the finished block again.

Within a batch, a task begins when the scheduler has the reply of the one before: whatever ends the process then, the
driver knows which one ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import psutil
from distributed import Worker, WorkerPlugin, get_worker

from riskpipe.errors import RiskpipeError
from riskpipe.execute.attempt import attempt, packed
from riskpipe.execute.executor import Function
from riskpipe.execute.task import Task
from riskpipe.execute.topics import replies, verdicts
from riskpipe.execute.watchdog import Verdict, Watchdog
from riskpipe.execute.worker_neighbours import WorkerNeighbours
from riskpipe.store.local_files import hand_on, keep_to_itself

EXIT_STATUS = 70
REPORT_SECONDS = 5.0


class NoWorkerPluginError(RiskpipeError):
    """The worker does not know the executor: another scheduler has taken the first one's place."""


class ExecutorWorkerPlugin(WorkerPlugin):  # type: ignore[misc]  # distributed is untyped
    """What a worker needs to run tasks.

    :param name: of the executor; the topics `replies(name)` and `verdicts(name)` are its ways to the driver.
    :param memory_fraction: share of the worker's memory limit at which its task is given up. Below dask's own
        `terminate` (0.95), which leaves no word about the task.
    """

    def __init__(self, name: str, functions: Mapping[str, Function], memory_fraction: float) -> None:
        self.name = name
        self._functions = dict(functions)
        self._memory_fraction = memory_fraction
        self._worker: Any = None
        self._watchdog: Watchdog | None = None
        self._neighbours: WorkerNeighbours | None = None

    def setup(self, worker: Worker) -> None:
        self._worker = worker
        limit = worker.memory_manager.memory_limit
        memory_limit = None if not limit else int(limit * self._memory_fraction)
        process = psutil.Process()
        self._watchdog = Watchdog(self._end, lambda: process.memory_info().rss, memory_limit)
        self._watchdog.start()
        self._neighbours = WorkerNeighbours(worker, self.name)
        hand_on(self._neighbours)

    def teardown(self, worker: Worker) -> None:
        if self._neighbours is not None:
            keep_to_itself(self._neighbours)
            self._neighbours.close()
        if self._watchdog is not None:
            self._watchdog.close()

    def run(self, pickled: Sequence[bytes]) -> None:
        """One task after the other, each with its reply."""
        *others, last = pickled
        for each in others:
            message = {**self._answered(each), "goes_on": list(self._worker.get_current_task())}
            self._tell(replies(self.name), message).result()
        self._worker.log_event(replies(self.name), self._answered(last))

    def _answered(self, pickled: bytes) -> dict[str, Any]:
        if self._watchdog is None:
            raise NoWorkerPluginError(f"{self.name} was not set up")
        task: Task = pickle.loads(pickled)  # noqa: S301  # of our own driver
        with self._watchdog.watching(task):
            reply = packed(attempt(self._functions[task.function], task, self._worker.address))
        return {"task": list(task.id), "reply": reply}

    def _tell(self, topic: str, message: dict[str, Any]) -> Future[None]:
        """Done when the scheduler has it. From a thread other than the worker's loop."""
        told = self._worker.scheduler.log_event(topic=topic, msg=message)
        return asyncio.run_coroutine_threadsafe(told, self._worker.loop.asyncio_loop)

    def _end(self, verdict: Verdict) -> None:
        """Tell the driver, wait until the scheduler has it, and end the process."""
        message = {
            "cause": verdict.cause.value,
            "about": [list(task.id) for task in verdict.tasks],
            "message": verdict.message,
        }
        with contextlib.suppress(Exception):
            self._tell(verdicts(self.name), message).result(REPORT_SECONDS)
        os._exit(EXIT_STATUS)


def run_batch(plugin_name: str, *pickled: bytes) -> None:
    """What dask runs.

    :param pickled: the tasks. As bytes, because dask would hash them on the driver and unpickle them on the scheduler.
    """
    plugin = get_worker().plugins.get(plugin_name)
    if plugin is None:
        raise NoWorkerPluginError(f"no functions of {plugin_name} on this worker")
    plugin.run(pickled)
