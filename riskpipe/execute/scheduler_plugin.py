"""The scheduler's side of the dask executor: whom it blames, whom it ends, and how few messages it needs for a task.

A scheduler's time goes into messages, written and read one by one: with a thousand workers, more of it than into
all that it keeps of a task. Two of the four that a task takes are spared here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from distributed.core import Status
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import heartbeat_interval
from distributed.utils import wait_for
from msgspec import Struct, field
from tornado.ioloop import PeriodicCallback

from riskpipe.execute.copy_sources import CopySources
from riskpipe.execute.liveness import LOOK_SECONDS, LivenessMonitor
from riskpipe.execute.task import Task
from riskpipe.execute.topics import replies, verdicts
from riskpipe.execute.watchdog import Cause

REPORT_SECONDS = 0.025
KILL_SECONDS = 15.0
# Signs of life come less often from many workers; as dask's own rule has it.
HEARTBEATS = 10

Key = tuple[str, str, float]


def batch_key(first: Task, name: str, number: int) -> Key:
    """Names a batch to the scheduler by its first task, with the seconds that each of its tasks may take.

    A tuple: tasks group by its first part (string keys make a group each, which defeats queueing). With a number of
    its own: dask still knows the key of what was handed over a moment ago.

    :param name: of the executor.
    """
    return first.function, f"{first.key}#{first.attempt}@{name}.{number}", first.timeout_seconds


class UnderWay(Struct, frozen=True):
    """What a scheduler knows of an executor's batches.

    :param running: by key, the worker that has it, and for how many seconds the task has that runs there.
    :param free: addresses of workers with room, one for each of their free threads; none while anything waits.
    """

    running: dict[Key, tuple[str, float]] = field(default_factory=dict)
    free: list[str] = field(default_factory=list)


class ExecutorSchedulerPlugin(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped
    """What a scheduler needs to load out an executor's tasks.

    :param name: of the executor; it is part of its tasks' keys.
    :param client: id of the client that submits them.
    :param silent_seconds: without a sign of life, after which a worker is ended.
    :param margin_seconds: that a task is given beyond its own time, see `LivenessMonitor`.
    """

    def __init__(self, name: str, client: str, silent_seconds: float, margin_seconds: float) -> None:
        self.name = name
        self._client = client
        self._silent_seconds = silent_seconds
        self._margin_seconds = margin_seconds
        self._scheduler: Any = None
        self._done: list[Hashable] = []
        self._liveness: Any = None
        self._looking: Any = None
        self._handlers: Mapping[str, Any] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._given_up: set[Key] = set()

    async def start(self, scheduler: Any) -> None:
        """Its own configuration may be another's, so what a run relies on is set here.

        The driver hears of what has ended within `REPORT_SECONDS`, not of each task in a message of its own; its
        window is long enough that no worker waits for that.
        """
        self._scheduler = scheduler
        scheduler.allowed_failures = 0
        scheduler.WORKER_SATURATION = 1.0
        scheduler.client_comms[self._client].interval = REPORT_SECONDS
        self._handlers = CopySources(scheduler).handlers(self.name)
        scheduler.handlers.update(self._handlers)
        self._liveness = LivenessMonitor(self._margin_seconds)
        self._looking = PeriodicCallback(self._look, LOOK_SECONDS * 1000)
        self._looking.start()

    async def before_close(self) -> None:
        self._looking.stop()

    def transition(self, key: Hashable, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Have a task forgotten once it is done. Nobody asks for its result: the reply was an event.

        Not here, in the middle of a transition, but before the next task is sent: its worker is then told both in one
        message, and a worker that dies holds nothing that dask would compute again.
        """
        if "processing" in (start, finish) and self._own(key):
            self._note(key, finish == "processing")
        if (start, finish) == ("processing", "memory") and self._own(key):
            if not self._done:
                self._scheduler.loop.asyncio_loop.call_soon(self._forget)
            self._done.append(key)

    def log_event(self, topic: str, message: Any) -> None:
        """A worker has replied and goes on to the next task of its batch, which gets the time of one, too."""
        if topic == replies(self.name) and (batch := message.get("goes_on")):
            self._liveness.goes_on(tuple(batch), batch[2])

    def _own(self, key: Hashable) -> bool:
        return isinstance(key, tuple) and len(key) == 3 and f"@{self.name}." in str(key[1])

    def _note(self, key: Any, starts: bool) -> None:
        if starts:
            self._liveness.started(key, key[2])
        else:
            self._liveness.ended(key)

    def _forget(self) -> None:
        done, self._done = self._done, []
        if self._client in self._scheduler.clients:
            self._scheduler.client_releases_keys(done, self._client)

    # -- second starts

    def under_way(self) -> UnderWay:
        """What workers have of the executor's, and where there is room for more."""
        found = UnderWay()
        for address, worker in self._scheduler.workers.items():
            for task in worker.processing:
                if self._own(task.key):
                    found.running[task.key] = address, self._liveness.seconds(task.key)
            if worker.status == Status.running and address not in self._ending and not self._scheduler.queued:
                found.free.extend([address] * (worker.nthreads - len(worker.processing)))
        return found

    def give_up(self, key: Key) -> bool:
        """End the worker that runs a batch of which nobody wants anything any more; whether one runs it."""
        task = self._scheduler.tasks.get(key)
        if task is None or task.processing_on is None:
            return False
        self._given_up.add(key)
        self._end_given_up()
        return True

    def _end_given_up(self) -> None:
        """A thread cannot be interrupted, and its worker would take tasks that wait behind it. One that has other
        tasks, too, ends when they are done; one without a nanny, which could not come back, not at all."""
        for key in list(self._given_up):
            task = self._scheduler.tasks.get(key)
            worker = None if task is None else task.processing_on
            if worker is None:
                self._given_up.discard(key)
            elif worker.nanny and all(other.key in self._given_up for other in worker.processing):
                self._have_replaced(worker, "runs what another one has done")

    # -- ending what its own process cannot

    def _look(self) -> None:
        if self._scheduler.plugins.get(self.name) is not self or self._scheduler.status != Status.running:
            self._looking.stop()
            for name in self._handlers:  # a standing scheduler sees many runs
                self._scheduler.handlers.pop(name, None)
            return
        workers = self._scheduler.workers
        for key in self._liveness.look():
            task = self._scheduler.tasks.get(key)
            worker = None if task is None else task.processing_on
            if worker is not None:
                self._end(worker, Cause.TIMEOUT, [key], f"not done after {key[2]:g} s")
        signs = {address: worker.last_seen for address, worker in workers.items()}
        seconds = max(self._silent_seconds, HEARTBEATS * heartbeat_interval(len(signs)))
        for address in self._liveness.silent(signs, seconds):
            keys = [task.key for task in workers[address].processing if self._own(task.key)]
            self._end(workers[address], Cause.SILENT, keys, f"gave no sign of life for {seconds:.0f} s")
        self._end_given_up()

    def _end(self, worker: Any, cause: Cause, keys: Iterable[Key], message: str) -> None:
        """Tell the driver, then have the worker's nanny kill it: a process that is stopped hears nothing else."""
        said = {"cause": cause.value, "about": [list(key) for key in keys], "message": message}
        self._scheduler.log_event(verdicts(self.name), said)
        self._have_replaced(worker, message)

    def _have_replaced(self, worker: Any, message: str) -> None:
        if worker.address not in self._ending:
            self._ending[worker.address] = asyncio.ensure_future(self._replace(worker, message))

    async def _replace(self, worker: Any, why: str) -> None:
        """The nanny starts another process. Where it is stopped itself, or is not there, the worker is given up."""
        stimulus = f"{self.name}: the worker {why}"
        try:
            if worker.nanny and self._there(worker):
                with contextlib.suppress(OSError, TimeoutError):
                    nanny = self._scheduler.rpc(worker.nanny)
                    await wait_for(nanny.kill(reason=stimulus, timeout=1.0), KILL_SECONDS)
            if self._there(worker):
                await self._scheduler.remove_worker(worker.address, stimulus_id=stimulus)
        finally:
            del self._ending[worker.address]

    def _there(self, worker: Any) -> bool:
        return self._scheduler.workers.get(worker.address) is worker


def under_way(name: str, dask_scheduler: Any = None) -> UnderWay:
    """Runs on the scheduler, see `ExecutorSchedulerPlugin.under_way`."""
    plugin = dask_scheduler.plugins.get(name)
    return UnderWay() if plugin is None else plugin.under_way()


def give_up(name: str, key: Key, dask_scheduler: Any = None) -> bool:
    """Runs on the scheduler, see `ExecutorSchedulerPlugin.give_up`."""
    plugin = dask_scheduler.plugins.get(name)
    return plugin is not None and plugin.give_up(key)
