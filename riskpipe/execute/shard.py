"""A thread that opens a shard's cluster, keeps it open and closes it: ten of them start in the time of one."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from riskpipe.execute.executor import Executor
from riskpipe.execute.task import Task

logger = logging.getLogger(__name__)

Wake = Callable[[], None]


class Shard(Executor, Protocol):
    """An executor on a cluster of its own, one of several."""

    @property
    def slots(self) -> int:
        """How many tasks run at a time; 0: it has no worker now."""

    def withdraw(self, most: int) -> list[Task]:
        """Take back tasks that no worker has started, the latest first to go: they have no outcome here.

        :raises SchedulerLostError: as `outcomes` does.
        """

    def relieve(self, task: Task) -> None:
        """Hand out anew, to whoever is free, what waits for this one to end."""


OpenShard = Callable[[int, Wake, Callable[[], bool]], AbstractContextManager[Shard]]


class ShardThread:
    """Holds one shard's context manager, from entering it to leaving it, in a thread.

    :param open_shard: number, wake, whether to give up opening it --> the context manager.
    :param wake: called when the shard is open or has failed to open; it goes on to the shard itself.
    """

    def __init__(self, number: int, open_shard: OpenShard, wake: Wake) -> None:
        self.number = number
        self.shard: Shard | None = None
        self.error: Exception | None = None
        self._open_shard = open_shard
        self._wake = wake
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"riskpipe-shard-{number}")

    def start(self) -> None:
        self._thread.start()

    def request_close(self) -> None:
        """Have the shard closed, or no longer opened. Does not wait."""
        self._over.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._open_shard(self.number, self._wake, self._over.is_set) as shard:
                self.shard = shard
                self._wake()
                self._over.wait()
        except Exception as error:
            if self.shard is not None:
                logger.warning("shard %d did not close cleanly: %s: %s", self.number, type(error).__name__, error)
            self.error = error
            self._wake()


def first_error(threads: Sequence[ShardThread]) -> Exception | None:
    return next((thread.error for thread in threads if thread.error is not None), None)
