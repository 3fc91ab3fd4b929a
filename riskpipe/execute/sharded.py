"""Works over several clusters as if they were one: one plan, one ledger and one driver over N schedulers.

A Dask scheduler serves about a thousand workers; more of them take more schedulers. Works are dealt out as places
become free, by projected cost, so nothing is cut up beforehand: a shard that is late, slow or rebuilt gets less. What
waits on a busy shard goes to an idle one when nothing else is left. A shard that loses its scheduler gives its works
back and is rebuilt, while the others go on; if none is left, works wait for one that is being opened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from riskpipe.errors import ClusterError
from riskpipe.execute.dealing import Hand, cost, deal
from riskpipe.execute.executor import SchedulerLostError
from riskpipe.execute.keeper import Keeper, OpenShard, Shard, first_error
from riskpipe.execute.work import Cancelled, Displaced, Outcome, Work, WorkId

REBUILDS = 2
MOP_UP_SECONDS = 1.0


@dataclass(eq=False)
class _Living:
    """A shard that takes works.

    :param outstanding: projected seconds of its works in flight.
    """

    keeper: Keeper
    executor: Shard
    flights: dict[WorkId, Work] = field(default_factory=dict)
    outstanding: float = 0.0

    @property
    def number(self) -> int:
        return self.keeper.number

    @property
    def name(self) -> str:
        return f"shard-{self.number}"

    def hand(self, room: int) -> Hand:
        return Hand(self.number, self.executor.slots, self.outstanding, room)

    def idle(self) -> int:
        return max(self.executor.slots - len(self.flights), 0)

    def waiting(self) -> int:
        return max(len(self.flights) - self.executor.slots, 0)

    def take(self, works: Iterable[Work]) -> None:
        for work in works:
            self.flights[work.id] = work
            self.outstanding += cost(work)

    def forget(self, works: Iterable[Work]) -> None:
        for work in works:
            del self.flights[work.id]
            self.outstanding -= cost(work)


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
        self._keepers: list[Keeper] = []
        self._opening: list[Keeper] = []
        self._living: dict[int, _Living] = {}
        self._rebuilds = dict.fromkeys(range(shards), rebuilds)
        self._ended: list[Outcome] = []
        self._unfed = False
        self._ending = False
        self._mopped = clock()
        for number in range(shards):
            self._open(number)
        self._await_one()

    @property
    def capacity(self) -> int:
        return max(sum(shard.executor.capacity for shard in self._living.values()), 1)

    def refill(self) -> int:
        self._admit()
        self._require_a_shard()
        wanted = sum(shard.executor.refill() for shard in self._living.values())
        self._unfed = wanted > 0
        return wanted

    def submit(self, works: Sequence[Work]) -> None:
        self._unfed = False
        self._hand_out(works, [shard.hand(shard.executor.refill()) for shard in self._living.values()])

    def outcomes(self, timeout: float) -> list[Outcome]:
        ended = self._sweep()
        if not ended and self._woken.wait(timeout):
            ended = self._sweep()
        if not ended:
            self._require_a_shard()
        if self._unfed:
            self._mop_up()
        return ended

    def running(self) -> int:
        return len(self._ended) + sum(len(shard.flights) for shard in self._living.values())

    def cancel_queued(self) -> None:
        self._ending = True
        for shard in list(self._living.values()):
            try:
                shard.executor.cancel_queued()
            except ClusterError as error:
                self._lose(shard, error)

    def cancel_all(self) -> None:
        self._ending = True
        for shard in self._living.values():
            shard.executor.cancel_all()

    def close(self) -> None:
        """Close every shard, together; returns when all are closed."""
        for keeper in self._keepers:
            keeper.let_go()
        for keeper in self._keepers:
            keeper.join()
        self._living.clear()
        self._opening.clear()
        self._ended.clear()

    # -- works

    def _hand_out(self, works: Sequence[Work], hands: Iterable[Hand]) -> None:
        for number, given in deal(works, hands).items():
            shard = self._living[number]
            shard.take(given)
            try:
                shard.executor.submit(given)
            except ClusterError as error:
                self._lose(shard, error)

    def _sweep(self) -> list[Outcome]:
        self._woken.clear()
        for shard in list(self._living.values()):
            try:
                ended = shard.executor.outcomes(0.0)
            except ClusterError as error:
                self._lose(shard, error)
                continue
            shard.forget(outcome.work for outcome in ended)
            self._ended.extend(_at(shard.name, outcome) for outcome in ended)
        ended, self._ended = self._ended, []
        return ended

    def _mop_up(self) -> None:
        """Nothing is left to submit: what waits on the fullest shard goes to those with idle workers."""
        if self._ending or self._clock() - self._mopped < MOP_UP_SECONDS:
            return
        self._mopped = self._clock()
        idle = [shard for shard in self._living.values() if shard.idle()]
        fullest = max(self._living.values(), key=_Living.waiting, default=None)
        if not idle or fullest is None or not fullest.waiting():
            return
        try:
            works = fullest.executor.withdraw(min(fullest.waiting(), sum(shard.idle() for shard in idle)))
        except ClusterError as error:
            self._lose(fullest, error)
            return
        fullest.forget(works)
        self._hand_out(works, [shard.hand(shard.idle()) for shard in idle])

    # -- shards

    def _open(self, number: int) -> None:
        keeper = Keeper(number, self._open_shard, self._woken.set)
        self._keepers.append(keeper)
        self._opening.append(keeper)
        keeper.start()

    def _await_one(self) -> None:
        try:
            while not any(keeper.shard for keeper in self._opening):
                if all(keeper.error for keeper in self._opening):
                    raise first_error(self._opening) or ClusterError("no shard")
                self._woken.wait()
                self._woken.clear()
        except BaseException:
            self.close()
            raise
        self._admit()

    def _admit(self) -> None:
        """What has opened joins; what has not opened is tried again, as long as it may."""
        for keeper in list(self._opening):
            if keeper.shard is not None:
                self._opening.remove(keeper)
                self._living[keeper.number] = _Living(keeper, keeper.shard)
            elif keeper.error is not None:
                self._opening.remove(keeper)
                self._reopen(keeper.number, f"shard {keeper.number} did not open ({keeper.error})")

    def _lose(self, shard: _Living, error: ClusterError) -> None:
        del self._living[shard.number]
        self._ended.extend(Displaced(work, shard.name) for work in shard.flights.values())
        shard.keeper.let_go()
        why = "its scheduler is gone" if isinstance(error, SchedulerLostError) else str(error)
        fate = f"shard {shard.number} is lost ({why}); its {len(shard.flights)} works in flight go to the others"
        self._reopen(shard.number, fate)

    def _reopen(self, number: int, fate: str) -> None:
        if self._ending or self._rebuilds[number] == 0:
            self._tell(f"{fate}; the run goes on without it")
            return
        self._rebuilds[number] -= 1
        self._tell(f"{fate}; it is opened again")
        self._open(number)

    def _require_a_shard(self) -> None:
        """One that lives, or one that is being opened: its works wait for it."""
        if not self._living and (self._ending or not self._opening):
            raise SchedulerLostError(f"all {self._shards} shards are lost; resume the run")


def _at(shard: str, outcome: Outcome) -> Outcome:
    """With the shard in the worker's name: addresses alone do not say whose worker it was."""
    return outcome if isinstance(outcome, Cancelled) else replace(outcome, worker=f"{shard}/{outcome.worker}")
