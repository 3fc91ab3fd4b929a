"""Tasks over several clusters as if they were one: one plan, one ledger and one driver over N schedulers.

A Dask scheduler serves about a thousand workers; more of them take more schedulers. Tasks are assigned as places
become free, by projected cost, so nothing is cut up beforehand: a shard that is late, slow or rebuilt gets less. What
waits on a busy shard goes to an idle one when nothing else is left. A shard that loses its scheduler gives its tasks
back and is rebuilt, while the others go on; if none is left, tasks wait for one that is being opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace

from riskpipe.dataclass import dataclass
from riskpipe.errors import ClusterError
from riskpipe.execute.executor import Patience, SchedulerLostError
from riskpipe.execute.load_balancing import ShardLoad, assign, cost
from riskpipe.execute.shard import OpenShard, Shard, ShardThread, first_error
from riskpipe.execute.task import Cancelled, Displaced, Outcome, Overdue, Task, TaskId

REBUILDS = 2
REBALANCE_SECONDS = 1.0


@dataclass(eq=False)
class _LiveShard:
    """A shard that takes tasks.

    :param outstanding: projected seconds of its tasks in flight.
    """

    thread: ShardThread
    executor: Shard
    flights: dict[TaskId, Task] = field(default_factory=dict)
    outstanding: float = 0.0

    @property
    def number(self) -> int:
        return self.thread.number

    @property
    def name(self) -> str:
        return f"shard-{self.number}"

    def load(self, free: int) -> ShardLoad:
        return ShardLoad(self.number, self.executor.slots, self.outstanding, free)

    def idle(self) -> int:
        return max(self.executor.slots - len(self.flights), 0)

    def waiting(self) -> int:
        return max(len(self.flights) - self.executor.slots, 0)

    def take(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            self.flights[task.id] = task
            self.outstanding += cost(task)

    def forget(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            del self.flights[task.id]
            self.outstanding -= cost(task)


class ShardedExecutor:
    """Opens all shards at once and begins as soon as one is there.

    :param open_shard: number, wake, whether to give up --> the context manager of a shard, which is entered and left
        in a thread of its own. Giving up, it raises.
    :param shards: how many.
    :param rebuilds: how often each is opened again after a loss, or when it did not open.
    :param tell: hears what becomes of the shards.
    :raises ClusterError: none opened; the error of the first that did not.
    """

    def __init__(
        self,
        open_shard: OpenShard,
        shards: int,
        *,
        rebuilds: int = REBUILDS,
        tell: Callable[[str], None] = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_shard = open_shard
        self._shards = shards
        self._tell = tell
        self._clock = clock
        self._woken = threading.Event()
        self._threads: list[ShardThread] = []
        self._opening: list[ShardThread] = []
        self._live: dict[int, _LiveShard] = {}
        self._rebuilds = dict.fromkeys(range(shards), rebuilds)
        self._ended: list[Outcome] = []
        self._unfed = False
        self._ending = False
        self._rebalanced = clock()
        for number in range(shards):
            self._open(number)
        self._await_one()

    @property
    def capacity(self) -> int:
        return max(sum(shard.executor.capacity for shard in self._live.values()), 1)

    def refill(self) -> int:
        self._admit()
        self._require_a_shard()
        wanted = sum(shard.executor.refill() for shard in self._live.values())
        self._unfed = wanted > 0
        return wanted

    def submit(self, tasks: Sequence[Task]) -> None:
        self._unfed = False
        self._hand_out(tasks, [shard.load(shard.executor.refill()) for shard in self._live.values()])

    def outcomes(self, timeout: float) -> list[Outcome]:
        ended = self._sweep()
        if not ended and self._woken.wait(timeout):
            ended = self._sweep()
        if not ended:
            self._require_a_shard()
        if self._unfed:
            self._rebalance()
        return ended

    def running(self) -> int:
        return len(self._ended) + sum(len(shard.flights) for shard in self._live.values())

    def idle(self) -> int:
        return sum(shard.executor.idle() for shard in self._live.values())

    def overdue(self, patience: Patience) -> list[Overdue]:
        return [
            replace(found, worker=f"{shard.name}/{found.worker}")
            for shard in self._live.values()
            for found in shard.executor.overdue(patience)
        ]

    def submit_beside(self, task: Task, overdue: Overdue) -> bool:
        """On another shard, whose machines are others, where one has room."""
        own = self._shard_of(overdue.task)
        others = [shard for shard in self._live.values() if shard is not own and shard.executor.idle()]
        if others:
            if own is not None:
                own.executor.relieve(overdue.task)
            self._hand_out([task], [shard.load(shard.executor.idle()) for shard in others])
            return True
        if own is None or not own.executor.submit_beside(task, replace(overdue, worker=_within(overdue.worker))):
            return False
        own.take([task])
        return True

    def give_up(self, task: Task) -> None:
        if (shard := self._shard_of(task)) is not None:
            shard.forget([task])
            shard.executor.give_up(task)

    def cancel_queued(self) -> None:
        self._ending = True
        for shard in list(self._live.values()):
            try:
                shard.executor.cancel_queued()
            except ClusterError as error:
                self._lose(shard, error)

    def cancel_all(self) -> None:
        self._ending = True
        for shard in self._live.values():
            shard.executor.cancel_all()

    def close(self) -> None:
        """Close every shard, together; returns when all are closed."""
        for thread in self._threads:
            thread.request_close()
        for thread in self._threads:
            thread.join()
        self._live.clear()
        self._opening.clear()
        self._ended.clear()

    # -- tasks

    def _hand_out(self, tasks: Sequence[Task], loads: Iterable[ShardLoad]) -> None:
        for number, given in assign(tasks, loads).items():
            shard = self._live[number]
            shard.take(given)
            try:
                shard.executor.submit(given)
            except ClusterError as error:
                self._lose(shard, error)

    def _shard_of(self, task: Task) -> _LiveShard | None:
        return next((shard for shard in self._live.values() if task.id in shard.flights), None)

    def _sweep(self) -> list[Outcome]:
        self._woken.clear()
        for shard in list(self._live.values()):
            try:
                ended = shard.executor.outcomes(0.0)
            except ClusterError as error:
                self._lose(shard, error)
                continue
            shard.forget(outcome.task for outcome in ended)
            self._ended.extend(_at(shard.name, outcome) for outcome in ended)
        ended, self._ended = self._ended, []
        return ended

    def _rebalance(self) -> None:
        """Nothing is left to submit: what waits on the fullest shard goes to those with idle workers."""
        if self._ending or self._clock() - self._rebalanced < REBALANCE_SECONDS:
            return
        self._rebalanced = self._clock()
        idle = [shard for shard in self._live.values() if shard.idle()]
        fullest = max(self._live.values(), key=_LiveShard.waiting, default=None)
        if not idle or fullest is None or not fullest.waiting():
            return
        try:
            tasks = fullest.executor.withdraw(min(fullest.waiting(), sum(shard.idle() for shard in idle)))
        except ClusterError as error:
            self._lose(fullest, error)
            return
        fullest.forget(tasks)
        self._hand_out(tasks, [shard.load(shard.idle()) for shard in idle])

    # -- shards

    def _open(self, number: int) -> None:
        thread = ShardThread(number, self._open_shard, self._woken.set)
        self._threads.append(thread)
        self._opening.append(thread)
        thread.start()

    def _await_one(self) -> None:
        try:
            while not any(thread.shard for thread in self._opening):
                if all(thread.error for thread in self._opening):
                    raise first_error(self._opening) or ClusterError("no shard")
                self._woken.wait()
                self._woken.clear()
        except BaseException:
            self.close()
            raise
        self._admit()

    def _admit(self) -> None:
        """What has opened joins; what has not opened is tried again, as long as it may."""
        for thread in list(self._opening):
            if thread.shard is not None:
                self._opening.remove(thread)
                self._live[thread.number] = _LiveShard(thread, thread.shard)
            elif thread.error is not None:
                self._opening.remove(thread)
                self._reopen(thread.number, f"shard {thread.number} did not open ({thread.error})")

    def _lose(self, shard: _LiveShard, error: ClusterError) -> None:
        del self._live[shard.number]
        self._ended.extend(Displaced(task, shard.name) for task in shard.flights.values())
        shard.thread.request_close()
        why = "its scheduler is gone" if isinstance(error, SchedulerLostError) else str(error)
        fate = f"shard {shard.number} is lost ({why}); its {len(shard.flights)} tasks in flight go to the others"
        self._reopen(shard.number, fate)

    def _reopen(self, number: int, fate: str) -> None:
        if self._ending or self._rebuilds[number] == 0:
            self._tell(f"{fate}; the run goes on without it")
            return
        self._rebuilds[number] -= 1
        self._tell(f"{fate}; it is opened again")
        self._open(number)

    def _require_a_shard(self) -> None:
        """One that lives, or one that is being opened: its tasks wait for it."""
        if not self._live and (self._ending or not self._opening):
            raise SchedulerLostError(f"all {self._shards} shards are lost; resume the run")


def _at(shard: str, outcome: Outcome) -> Outcome:
    """With the shard in the worker's name: addresses alone do not say whose worker it was."""
    return outcome if isinstance(outcome, Cancelled) else replace(outcome, worker=f"{shard}/{outcome.worker}")


def _within(worker: str) -> str:
    """The name that a worker has in its shard."""
    return worker.partition("/")[2]
