"""Works on the workers of a dask cluster.

Dask is asked for one thing: a process for each work, once. Retries, splits and timeouts are decided by the
driver, so a task is never retried by the scheduler (`allowed_failures` 0), and workers get one task at a time
(worker saturation 1.0, and tasks marked as data producers, which alone are queued on the scheduler).
A death is then laid on the work that ran, and on no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import pickle
import queue
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.client import CancelledError

from riskpipe.errors import ClusterError
from riskpipe.execute.attempt import Reply, refusal
from riskpipe.execute.deaths import Deaths
from riskpipe.execute.executor import Function, SchedulerLostError, require_functions
from riskpipe.execute.room import NoRoomError, Room, perform
from riskpipe.execute.work import Cancelled, Outcome, Work, WorkId

try:
    from dask.task_spec import Task
except ImportError:  # before dask made it public
    from dask._task_spec import Task

POLL_SECONDS = 2.0
GATHER_ATTEMPTS = 5
NANNY_TOPIC = "worker-restart-memory"

_PRODUCER = {"_data_producer": True} if "_data_producer" in inspect.signature(Task).parameters else {}


def _blame_precisely(dask_scheduler: Any) -> None:
    """Runs on the scheduler, whose own configuration may be another's."""
    dask_scheduler.allowed_failures = 0
    dask_scheduler.WORKER_SATURATION = 1.0


class DaskExecutor:
    """Runs works through a client; the cluster is the caller's.

    :param functions: by name (`Work.function`); they go to every worker once, so they may carry settings.
        Importable there, or picklable by value.
    :param in_flight_per_thread: how far the window reaches beyond what runs.
    :param worker_deadline: seconds without a single worker after which the cluster counts as broken.
    :param memory_fraction: of a worker's memory limit, at which the work there is given up as OUT_OF_MEMORY.
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
    ) -> None:
        self._client = client
        self._name = f"riskpipe-{uuid.uuid4().hex[:8]}"
        self._functions = frozenset(functions)
        self._in_flight_per_thread = in_flight_per_thread
        self._worker_deadline = worker_deadline
        self._flight: dict[WorkId, tuple[Work, Future]] = {}
        self._given_up: set[WorkId] = set()
        self._ended: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._following: set[asyncio.Task[None]] = set()
        self._deaths = Deaths()
        self._lost = False
        self._threads = 0
        self._last_worker = time.monotonic()
        try:
            client.run_on_scheduler(_blame_precisely)
            client.register_plugin(Room(self._name, functions, memory_fraction), name=self._name)
            client.subscribe_topic(self._name, self._deaths.hear_watchdog)
            client.subscribe_topic(NANNY_TOPIC, self._deaths.hear_nanny)
            self._threads = sum(client.nthreads().values())
        except Exception as error:
            raise ClusterError(f"the cluster cannot be set up for works: {error}") from error
        client.loop.add_callback(self._keep, self._poll())

    @property
    def capacity(self) -> int:
        return max(self._threads, 1) * self._in_flight_per_thread

    def submit(self, works: Sequence[Work]) -> None:
        """:raises SchedulerLostError: as `outcomes` does."""
        require_functions(works, self._functions)
        tasks = {
            self._key(work): Task(self._key(work), perform, self._name, work, **_PRODUCER) for work in works
        }
        if len(tasks) != len(works) or any(work.id in self._flight for work in works):
            raise ValueError("two works in flight have the same function, key and attempt")
        self._require_scheduler()
        futures = self._client.get(tasks, list(tasks), sync=False, fifo_timeout="0s")
        pairs = list(zip(works, futures, strict=True))
        self._flight.update((work.id, (work, future)) for work, future in pairs)
        self._client.loop.add_callback(self._follow_all, pairs)

    def outcomes(self, timeout: float) -> list[Outcome]:
        ended: list[Outcome] = []
        with contextlib.suppress(queue.Empty):
            self._take(self._ended.get(timeout=max(timeout, 0.0)), ended)
            while True:
                self._take(self._ended.get_nowait(), ended)
        if not ended:
            self._require_scheduler()
            self._require_workers()
        return ended

    def running(self) -> int:
        return len(self._flight)

    def cancel_queued(self) -> None:
        self._require_scheduler()
        started = {key for keys in self._client.processing().values() for key in keys}
        flight = self._flight.values()
        self._cancel([pair for pair in flight if pair[1].status == "pending" and pair[1].key not in started])

    def cancel_all(self) -> None:
        self._cancel(list(self._flight.values()))

    def close(self) -> None:
        self._client.loop.add_callback(self._stop_following)
        if self._alive():
            self._client.cancel([future for _, future in self._flight.values()])
            for topic in (self._name, NANNY_TOPIC):
                self._client.unsubscribe_topic(topic)
            self._client.unregister_worker_plugin(self._name)
        self._flight.clear()

    def _key(self, work: Work) -> tuple[str, str]:
        """A tuple: tasks group by its first part (string keys make a group each, which defeats queueing)."""
        return work.function, f"{work.key}#{work.attempt}@{self._name}"

    def _take(self, outcome: Outcome | None, ended: list[Outcome]) -> None:
        """Hand an outcome over and forget its work; None only wakes, and nothing ends twice."""
        if outcome is None:
            return
        pair = self._flight.pop(outcome.work.id, None)
        if pair is not None:
            pair[1].release()
            ended.append(outcome)

    def _cancel(self, pairs: list[tuple[Work, Future]]) -> None:
        self._given_up.update(work.id for work, _ in pairs)
        if self._alive():
            self._client.cancel([future for _, future in pairs])
        for work, _ in pairs:
            self._ended.put(Cancelled(work))

    def _alive(self) -> bool:
        return not self._lost and self._client.status == "running"

    def _require_scheduler(self) -> None:
        if not self._alive():
            raise SchedulerLostError(
                f"the scheduler is gone, and with it {len(self._flight)} works in flight; resume the run"
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

    def _follow_all(self, pairs: list[tuple[Work, Future]]) -> None:
        for work, future in pairs:
            self._keep(self._follow(work, future))

    def _stop_following(self) -> None:
        for task in self._following:
            task.cancel()

    async def _follow(self, work: Work, future: Future) -> None:
        outcome = None
        try:
            outcome = await self._outcome(work, future)
        except CancelledError:
            self._lost = self._lost or work.id not in self._given_up
        self._given_up.discard(work.id)
        self._ended.put(outcome)

    async def _outcome(self, work: Work, future: Future) -> Outcome:
        """:raises CancelledError: the work was given up, or the scheduler is gone."""
        for failures in range(GATHER_ATTEMPTS):
            try:
                reply: Reply = pickle.loads(await future)  # noqa: S301  # of our own workers
                return reply.outcome(work)
            except KilledWorker as death:
                return await self._deaths.explain(work, death.last_worker.address)
            except (CancelledError, NoRoomError) as error:
                raise CancelledError from error
            except Exception as error:
                if future.status == "error" or not isinstance(error, OSError):
                    return refusal(error, "").outcome(work)
                # The road to the result failed, not the function: its errors come in replies.
                await asyncio.sleep(0.1 * 2**failures)
        raise CancelledError

    async def _poll(self) -> None:
        while True:
            with contextlib.suppress(OSError, CancelledError):
                self._threads = sum((await self._client.nthreads()).values())
            if self._threads:
                self._last_worker = time.monotonic()
            await asyncio.sleep(POLL_SECONDS)
