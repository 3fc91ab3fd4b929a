"""Tasks on the workers of a dask cluster.

Dask is asked for one thing: a process for each task, once. Retries, splits and timeouts are decided by the
driver, so nothing is ever retried by the scheduler (`allowed_failures` 0), and workers get one task at a time
(worker saturation 1.0, and tasks marked as data producers, which alone are queued on the scheduler).
A death is then laid on the task that ran, and on no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import pickle
import queue
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.client import CancelledError

from riskpipe.errors import ClusterError
from riskpipe.execute.attempt import Reply, refusal
from riskpipe.execute.executor import Function, SchedulerLostError, refill, require_functions
from riskpipe.execute.scheduler_plugin import ExecutorSchedulerPlugin, task_key
from riskpipe.execute.task import Cancelled, Lost, Outcome, Task, TaskId
from riskpipe.execute.topics import replies, verdicts
from riskpipe.execute.worker_deaths import WorkerDeaths
from riskpipe.execute.worker_plugin import REPORT_SECONDS, ExecutorWorkerPlugin, NoWorkerPluginError, run_task

try:
    from dask.task_spec import Task as DaskTask
except ImportError:  # before dask made it public
    from dask._task_spec import Task as DaskTask

POLL_SECONDS = 2.0
BROADCASTS = 5
RELEASE_SECONDS = 0.25
CLOSE_SECONDS = 10.0
NANNY_TOPIC = "worker-restart-memory"

_PRODUCER = {"_data_producer": True} if "_data_producer" in inspect.signature(DaskTask).parameters else {}


@dataclass(eq=False, slots=True)
class _Flight:
    """One attempt between its submission and the hand-over of its outcome.

    :param settled: its outcome is known, or it was given up: what is heard later does not count.
    """

    task: Task
    future: Any = None
    settled: bool = False


class DaskExecutor:
    """Runs tasks through a client; the cluster is the caller's.

    :param functions: by name (`Task.function`); they go to every worker once, so they may carry settings.
        Importable there, or picklable by value.
    :param in_flight_per_thread: how far the window reaches beyond what runs.
    :param worker_deadline: seconds without a single worker after which the cluster counts as broken.
    :param memory_fraction: of a worker's memory limit, at which the task there is given up as OUT_OF_MEMORY.
    :param silent_seconds: after which a worker that gives no sign of life is ended, and its task is lost. Longer than
        any call that keeps the interpreter's lock.
    :param margin_seconds: beyond its own time, after which a task that its worker has not ended is ended from outside.
    :param wake: called, from another thread, whenever `outcomes` may have something.
    :raises ClusterError: the cluster refuses the set-up.
    """

    def __init__(
        self,
        client: Client,
        functions: Mapping[str, Function],
        *,
        in_flight_per_thread: int = 3,
        worker_deadline: float = 300.0,
        memory_fraction: float = 0.9,
        silent_seconds: float = 300.0,
        margin_seconds: float = REPORT_SECONDS + 3.0,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        self._name = f"riskpipe-{uuid.uuid4().hex[:8]}"
        self._functions = frozenset(functions)
        self._in_flight_per_thread = in_flight_per_thread
        self._worker_deadline = worker_deadline
        self._flights: dict[TaskId, _Flight] = {}
        self._numbers = itertools.count()
        self._wake = wake
        self._ended: queue.SimpleQueue[tuple[_Flight, Outcome] | None] = queue.SimpleQueue()
        self._spent: list[Future] = []
        self._released = 0.0
        self._following: set[asyncio.Task[None]] = set()
        self._deaths = WorkerDeaths()
        self._lost = False
        self._threads = 0
        self._last_worker = time.monotonic()
        try:
            client.register_plugin(
                ExecutorSchedulerPlugin(self._name, client.id, silent_seconds, margin_seconds), name=self._name
            )
            self._register_worker_plugin(ExecutorWorkerPlugin(self._name, functions, memory_fraction))
            client.subscribe_topic(replies(self._name), self._hear_reply)
            client.subscribe_topic(verdicts(self._name), self._deaths.hear_verdict)
            client.subscribe_topic(NANNY_TOPIC, self._deaths.hear_nanny)
            self._threads = sum(client.nthreads().values())
        except Exception as error:
            raise ClusterError(f"the cluster cannot be set up for tasks: {error}") from error
        client.loop.add_callback(self._keep, self._poll())

    @property
    def capacity(self) -> int:
        return max(self._threads, 1) * self._in_flight_per_thread

    @property
    def slots(self) -> int:
        return self._threads

    def refill(self) -> int:
        return refill(self.capacity, self.running())

    def submit(self, tasks: Sequence[Task]) -> None:
        """:raises SchedulerLostError: as `outcomes` does."""
        require_functions(tasks, self._functions)
        flights = {task.id: _Flight(task) for task in tasks}
        if len(flights) != len(tasks) or not self._flights.keys().isdisjoint(flights):
            raise ValueError("two tasks in flight have the same function, key and attempt")
        self._require_scheduler()
        graph = {}
        for task in tasks:
            key = task_key(task, self._name, next(self._numbers))
            graph[key] = DaskTask(key, run_task, self._name, pickle.dumps(task), **_PRODUCER)
        self._flights.update(flights)  # before anything can end
        futures = self._client.get(graph, list(graph), sync=False, fifo_timeout="0s")
        for flight, future in zip(flights.values(), futures, strict=True):
            flight.future = future
        self._client.loop.add_callback(self._follow_all, list(flights.values()))

    def outcomes(self, timeout: float) -> list[Outcome]:
        ended: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            self._take(self._ended.get(timeout=max(timeout, 0.0)), ended)
            while True:
                self._take(self._ended.get_nowait(), ended)
        self._release()
        if not ended:
            self._require_scheduler()
            self._require_workers()
        return ended

    def running(self) -> int:
        return len(self._flights)

    def cancel_queued(self) -> None:
        self._cancel(self._queued())

    def withdraw(self, most: int) -> list[Task]:
        withdrawn = self._queued()[-most:] if most > 0 else []
        for flight in withdrawn:
            flight.settled = True
            del self._flights[flight.task.id]
        self._client.cancel([flight.future for flight in withdrawn])
        return [flight.task for flight in withdrawn]

    def cancel_all(self) -> None:
        self._cancel(list(self._flights.values()))

    def close(self) -> None:
        self._client.loop.add_callback(self._stop_following)
        if self._alive():
            self._client.cancel([flight.future for flight in self._flights.values()])
            for topic in (replies(self._name), verdicts(self._name)):
                self._client.unsubscribe_topic(topic)
            # A worker dies meanwhile, or never answers; or another scheduler, without the plugin, has taken the first
            # one's place.
            for unregister in ("unregister_worker_plugin", "unregister_scheduler_plugin"):
                with contextlib.suppress(OSError, ValueError):
                    call = getattr(self._client.scheduler, unregister)
                    self._client.sync(call, name=self._name, callback_timeout=CLOSE_SECONDS)
        self._flights.clear()
        self._spent.clear()

    def _register_worker_plugin(self, plugin: ExecutorWorkerPlugin) -> None:
        """Send it to the workers; one that dies meanwhile (they do, on spot machines) fails the broadcast."""
        for _ in range(BROADCASTS - 1):
            with contextlib.suppress(OSError):
                self._client.register_plugin(plugin, name=self._name)
                return
        self._client.register_plugin(plugin, name=self._name)

    def _end(self, end: tuple[_Flight, Outcome] | None) -> None:
        self._ended.put(end)
        self._wake()

    def _take(self, end: tuple[_Flight, Outcome] | None, ended: list[Outcome]) -> None:
        """Hand an outcome over and forget its task; None only wakes, and nothing ends twice."""
        if end is None:
            return
        flight, outcome = end
        if self._flights.get(flight.task.id) is flight:
            self._spent.append(self._flights.pop(flight.task.id).future)
            ended.append(outcome)

    def _release(self) -> None:
        """Let go of what has ended, many at a time: the scheduler, which has forgotten it, hears of it even so."""
        if self._flights and time.monotonic() - self._released < RELEASE_SECONDS:
            return
        for future in self._spent:
            future.release()
        self._spent.clear()
        self._released = time.monotonic()

    def _queued(self) -> list[_Flight]:
        """What no worker has, latest last."""
        self._require_scheduler()
        started = {key for keys in self._client.processing().values() for key in keys}
        return [flight for flight in self._flights.values() if not flight.settled and flight.future.key not in started]

    def _cancel(self, flights: list[_Flight]) -> None:
        for flight in flights:
            if not flight.settled:
                flight.settled = True
                self._end((flight, Cancelled(flight.task)))
        if self._alive():
            self._client.cancel([flight.future for flight in flights])

    def _alive(self) -> bool:
        return not self._lost and self._client.status == "running"

    def _require_scheduler(self) -> None:
        if not self._alive():
            raise SchedulerLostError(
                f"the scheduler is gone, and with it {len(self._flights)} tasks in flight; resume the run"
            )

    def _require_workers(self) -> None:
        seconds = time.monotonic() - self._last_worker
        if self._threads == 0 and seconds > self._worker_deadline:
            raise ClusterError(f"no worker for {seconds:.0f} s; the workers' logs say why none starts")

    # What follows runs in the client's event loop.

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    def _follow_all(self, flights: list[_Flight]) -> None:
        for flight in flights:
            self._keep(self._follow(flight))

    def _stop_following(self) -> None:
        for task in self._following:
            task.cancel()

    def _hear_reply(self, event: tuple[float, dict[str, Any]]) -> None:
        """A function has ended on a worker."""
        _, message = event
        function, key, attempt = message["task"]
        flight = self._flights.get((function, key, attempt))
        if flight is None or flight.settled:
            return
        flight.settled = True
        try:
            reply: Reply = pickle.loads(message["reply"])  # noqa: S301  # of our own workers
        except Exception as error:
            reply = refusal(error, "")
        self._end((flight, reply.outcome(flight.task)))

    async def _follow(self, flight: _Flight) -> None:
        """Hears of the ends that no reply tells: deaths, and the scheduler's."""
        error = await flight.future.exception()
        if flight.settled:
            return
        outcome = await self._unanswered(flight.task, flight.future, error)
        flight.settled = True
        self._end(None if outcome is None else (flight, outcome))

    async def _unanswered(self, task: Task, future: Future, error: BaseException | None) -> Outcome | None:
        if isinstance(error, KilledWorker):
            return await self._deaths.explain(task, error.last_worker.address)
        if future.cancelled() or isinstance(error, NoWorkerPluginError):
            self._lost = True
            return None
        if error is not None:  # it could not even begin: it cannot be unpickled there
            return refusal(error, "").outcome(task)
        return Lost(task, "", alone=False)  # done, but its reply never came

    async def _poll(self) -> None:
        while True:
            with contextlib.suppress(OSError, CancelledError):
                self._threads = sum((await self._client.nthreads()).values())
            if self._threads:
                self._last_worker = time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
