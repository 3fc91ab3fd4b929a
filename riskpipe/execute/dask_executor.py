"""Tasks on the workers of a dask cluster.

Dask is asked for one thing: a process for each task, once; for short ones, for each batch of them (batches.py).
Retries, splits and timeouts are decided by the driver, so nothing is ever retried by the scheduler (`allowed_failures`
0), and workers get one batch at a time (worker saturation 1.0, and tasks marked as data producers, which alone are
queued on the scheduler). A death is then laid on the task that ran, and on no other.
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
from concurrent import futures
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.client import CancelledError
from msgspec import Struct, field

from riskpipe.errors import ClusterError
from riskpipe.execute.attempt import Reply, refusal
from riskpipe.execute.batches import batch_size, in_batches
from riskpipe.execute.executor import Function, Patience, SchedulerLostError, refill, require_functions
from riskpipe.execute.scheduler_plugin import ExecutorSchedulerPlugin, UnderWay, batch_key, give_up, under_way
from riskpipe.execute.task import Cancelled, Lost, Outcome, Overdue, Task, TaskId
from riskpipe.execute.topics import replies, verdicts
from riskpipe.execute.worker_deaths import WorkerDeaths
from riskpipe.execute.worker_plugin import REPORT_SECONDS, ExecutorWorkerPlugin, NoWorkerPluginError, run_batch

try:
    from dask.task_spec import Task as DaskTask
except ImportError:  # before dask made it public
    from dask._task_spec import Task as DaskTask

POLL_SECONDS = 2.0
BROADCASTS = 5
RELEASE_SECONDS = 0.25
CLOSE_SECONDS = 10.0
ANSWER_SECONDS = 5.0
NANNY_TOPIC = "worker-restart-memory"

_PRODUCER = {"_data_producer": True} if "_data_producer" in inspect.signature(DaskTask).parameters else {}


class _Flight(Struct, eq=False):
    """One attempt between its launch and the hand-over of its outcome.

    :param settled: its outcome is known, or it was given up: what is heard later does not count.
    :param launched: by the monotonic clock; it began then, or later.
    """

    task: Task
    batch: _Batch
    settled: bool = False
    launched: float = field(default_factory=time.monotonic)


class _Batch(Struct, eq=False):
    """What dask knows as one task.

    :param flights: in the order in which the worker runs them.
    :param future: what dask tells of it.
    :param left: how many of them have not been handed over.
    """

    flights: list[_Flight] = field(default_factory=list)
    future: Any = None
    left: int = 0

    def runs(self, flight: _Flight) -> bool:
        """Whether it is the one that a worker which has begun is at."""
        return next((each for each in self.flights if not each.settled), None) is flight

    def unsettled(self) -> list[_Flight]:
        """Once a worker has begun, the first of them is what runs there."""
        return [flight for flight in self.flights if not flight.settled]


# A flight and how it ended; None: it never began, since its batch has ended.
_End = tuple[_Flight, Outcome | None]


class DaskExecutor:
    """Runs tasks through a client; the cluster is the caller's.

    :param functions: by name (`Task.function`); they go to every worker once, so they may carry settings.
        Importable there, or picklable by value.
    :param in_flight_per_thread: batches; how far the window reaches beyond what runs.
    :param worker_deadline: seconds without a single worker after which the cluster counts as broken.
    :param memory_fraction: of a worker's memory limit, at which the task there is given up as OUT_OF_MEMORY.
    :param silent_seconds: after which a worker that gives no sign of life is ended, and its task is lost. Longer than
        any call that keeps the interpreter's lock.
    :param margin_seconds: beyond its own time, after which a task that its worker has not ended is ended from outside.
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
    ) -> None:
        self._client = client
        self._name = f"riskpipe-{uuid.uuid4().hex[:8]}"
        self._functions = frozenset(functions)
        self._in_flight_per_thread = in_flight_per_thread
        self._worker_deadline = worker_deadline
        self._flights: dict[TaskId, _Flight] = {}
        self._batch_size = 1
        self._numbers = itertools.count()
        self._ended: queue.SimpleQueue[_End | None] = queue.SimpleQueue()
        self._spent: list[Future] = []
        self._released = 0.0
        self._following: set[asyncio.Task[None]] = set()
        self._deaths = WorkerDeaths()
        self._lost = False
        self._threads = 0
        self._last_worker = time.monotonic()
        self._free: list[str] = []
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
        return self._window() * self._batch_size

    @property
    def slots(self) -> int:
        return self._threads

    def refill(self) -> int:
        return refill(self._window(), -(-self.running() // self._batch_size)) * self._batch_size

    def submit(self, tasks: Sequence[Task]) -> None:
        """:raises SchedulerLostError: as `outcomes` does."""
        require_functions(tasks, self._functions)
        ids = {task.id for task in tasks}
        if len(ids) != len(tasks) or not self._flights.keys().isdisjoint(ids):
            raise ValueError("two tasks in flight have the same function, key and attempt")
        self._require_scheduler()
        self._launch(tasks)
        self._batch_size = batch_size(tasks)

    def outcomes(self, timeout: float) -> list[Outcome]:
        ended: list[Outcome] = []
        again: list[Task] = []
        with contextlib.suppress(queue.Empty):
            self._take(self._ended.get(timeout=max(timeout, 0.0)), ended, again)
            while True:
                self._take(self._ended.get_nowait(), ended, again)
        if again and self._alive():
            self._launch(again)
        self._release()
        if not ended:
            self._require_scheduler()
            self._require_workers()
        return ended

    def running(self) -> int:
        return len(self._flights)

    def idle(self) -> int:
        return max(self._threads - len({flight.batch for flight in self._flights.values()}), 0)

    def overdue(self, patience: Patience) -> list[Overdue]:
        """The scheduler, which knows when a task began, is asked only when one was launched long enough ago."""
        now = time.monotonic()
        late = [(f, most) for f in self._flights.values() if (most := patience(f.task)) is not None
                and not f.settled and now - f.launched >= most]  # fmt: skip
        if not late:
            return []
        known = self._under_way()
        self._free = known.free
        found = []
        for flight, most in late:
            worker, seconds = known.running.get(flight.batch.future.key, ("", 0.0))
            if seconds >= most and flight.batch.runs(flight):
                found.append(Overdue(flight.task, worker, seconds))
        return found

    def submit_beside(self, task: Task, overdue: Overdue) -> bool:
        others = [worker for worker in self._free if worker != overdue.worker]
        if not others or not self._alive():
            return False
        self._free.remove(others[0])
        self._relieve(overdue.task)
        self._launch([task], on=others[0])
        return True

    def give_up(self, task: Task) -> None:
        flight = self._flights.get(task.id)
        if flight is None:
            return
        ended = flight.settled
        self._forget(flight)
        if not ended:
            self._client.loop.add_callback(self._keep, self._end_unwanted(flight.batch))

    def cancel_queued(self) -> None:
        self._cancel([flight for batch in self._queued() for flight in batch.flights])

    def withdraw(self, most: int) -> list[Task]:
        withdrawn: list[Task] = []
        for batch in reversed(self._queued()):
            if len(withdrawn) >= most:
                break
            withdrawn[:0] = [flight.task for flight in batch.unsettled()]
            self._give_up(batch)
        surplus = len(withdrawn) - most
        if surplus > 0:  # a batch is taken back as a whole
            self._launch(withdrawn[:surplus])
        return withdrawn[max(surplus, 0) :]

    def cancel_all(self) -> None:
        self._cancel(list(self._flights.values()))

    def close(self) -> None:
        self._client.loop.add_callback(self._stop_following)
        if self._alive():
            self._client.cancel(self._futures())
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

    def _window(self) -> int:
        """Batches that it makes sense to have in flight."""
        return max(self._threads, 1) * self._in_flight_per_thread

    def _launch(self, tasks: Sequence[Task], on: str | None = None) -> None:
        """:param on: the worker that they are for, as long as it is there."""
        graph = {}
        batches: list[_Batch] = []
        for together in in_batches(tasks, self._threads):
            key = batch_key(together[0], self._name, next(self._numbers))
            graph[key] = DaskTask(key, run_batch, self._name, *map(pickle.dumps, together), **_PRODUCER)
            batches.append(_Batch(left=len(together)))
            batches[-1].flights += [_Flight(task, batches[-1]) for task in together]
        self._flights.update((flight.task.id, flight) for batch in batches for flight in batch.flights)
        place = {} if on is None else {"workers": [on], "allow_other_workers": True}
        handles = self._client.get(graph, list(graph), sync=False, fifo_timeout="0s", **place)
        for batch, future in zip(batches, handles, strict=True):
            batch.future = future
        self._client.loop.add_callback(self._follow_all, batches)

    def _take(self, end: _End | None, ended: list[Outcome], again: list[Task]) -> None:
        """Hand an outcome over and forget its task; None only wakes, and nothing ends twice."""
        if end is None or self._flights.get(end[0].task.id) is not end[0]:
            return
        flight, outcome = end
        if outcome is not None:
            del self._flights[flight.task.id]
            ended.append(outcome)
        elif flight.settled:  # it was cancelled meanwhile
            return
        else:
            again.append(flight.task)
        flight.batch.left -= 1
        if not flight.batch.left:
            self._spent.append(flight.batch.future)

    def _release(self) -> None:
        """Let go of what has ended, many at a time: the scheduler, which has forgotten it, hears of it even so."""
        if self._flights and time.monotonic() - self._released < RELEASE_SECONDS:
            return
        for future in self._spent:
            future.release()
        self._spent.clear()
        self._released = time.monotonic()

    def _forget(self, flight: _Flight) -> None:
        """It is not in flight any more, and has no outcome here; what dask has of it stays."""
        flight.settled = True
        del self._flights[flight.task.id]
        flight.batch.left -= 1

    def _relieve(self, task: Task) -> None:
        """Hand out anew, to whoever is free, what waits for this one to end."""
        flight = self._flights.get(task.id)
        if flight is None or not flight.batch.runs(flight):
            return
        _, *waiting = flight.batch.unsettled()
        for other in waiting:
            self._forget(other)
        if waiting:
            self._launch([other.task for other in waiting])

    def _under_way(self) -> UnderWay:
        """Nothing where the scheduler does not answer: what that means is for `outcomes` to say."""
        loop = self._client.loop.asyncio_loop
        asked: futures.Future[UnderWay] = asyncio.run_coroutine_threadsafe(self._ask(under_way), loop)
        with contextlib.suppress(OSError, CancelledError, futures.TimeoutError):
            return asked.result(ANSWER_SECONDS)
        asked.cancel()
        return UnderWay()

    def _futures(self) -> list[Future]:
        return [batch.future for batch in dict.fromkeys(flight.batch for flight in self._flights.values())]

    def _queued(self) -> list[_Batch]:
        """What no worker has, latest last."""
        self._require_scheduler()
        started = {key for keys in self._client.processing().values() for key in keys}
        batches = dict.fromkeys(flight.batch for flight in self._flights.values() if not flight.settled)
        return [batch for batch in batches if batch.future.key not in started]

    def _give_up(self, batch: _Batch) -> None:
        """Forget what is in it: it has no outcome here."""
        for flight in batch.unsettled():
            flight.settled = True
            del self._flights[flight.task.id]
        self._client.cancel([batch.future])

    def _cancel(self, flights: list[_Flight]) -> None:
        for flight in flights:
            if not flight.settled:
                flight.settled = True
                self._ended.put((flight, Cancelled(flight.task)))
        if self._alive():
            self._client.cancel(list(dict.fromkeys(flight.batch.future for flight in flights)))

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

    def _follow_all(self, batches: list[_Batch]) -> None:
        for batch in batches:
            self._keep(self._follow(batch))

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
        self._ended.put((flight, reply.outcome(flight.task)))

    async def _follow(self, batch: _Batch) -> None:
        """Hears of the ends that no reply tells: deaths, and the scheduler's."""
        error = await batch.future.exception()
        unsettled = batch.unsettled()
        if not unsettled:
            return
        flight, *others = unsettled
        outcome = await self._unanswered(flight.task, batch.future, error)
        if outcome is None:
            self._ended.put(None)
            return
        if not flight.settled:
            flight.settled = True
            self._ended.put((flight, outcome))
        for other in others:
            self._ended.put((other, None))

    async def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Of the plugin on the scheduler."""
        return await self._client.run_on_scheduler(function, self._name, *arguments)

    async def _end_unwanted(self, batch: _Batch) -> None:
        with contextlib.suppress(OSError, CancelledError):
            if not await self._ask(give_up, batch.future.key):
                await self._client.cancel([batch.future])

    async def _unanswered(self, task: Task, future: Future, error: BaseException | None) -> Outcome | None:
        """What became of the first task of a batch that has no reply; None: the scheduler is gone."""
        if isinstance(error, KilledWorker):
            return await self._deaths.explain(task, future.key, error.last_worker.address)
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
