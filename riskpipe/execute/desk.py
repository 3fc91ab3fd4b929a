"""The scheduler's side of the dask executor: whom it blames, and how few messages it needs for a work.

A scheduler's time goes into messages, written and read one by one: with a thousand workers, more of it than into
all that it keeps of a task. Two of the four that a work takes are spared here.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

REPORT_SECONDS = 0.025


class Desk(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped
    """What a scheduler needs to hand out an executor's works.

    :param name: of the executor; it is part of its tasks' keys.
    :param client: id of the client that submits them.
    """

    def __init__(self, name: str, client: str) -> None:
        self.name = name
        self._client = client
        self._scheduler: Any = None
        self._done: list[Hashable] = []

    async def start(self, scheduler: Any) -> None:
        """Its own configuration may be another's, so what a run relies on is set here.

        The driver hears of what has ended within `REPORT_SECONDS`, not of each work in a message of its own; its
        window is long enough that no worker waits for that.
        """
        self._scheduler = scheduler
        scheduler.allowed_failures = 0
        scheduler.WORKER_SATURATION = 1.0
        scheduler.client_comms[self._client].interval = REPORT_SECONDS

    def transition(self, key: Hashable, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """Have a task forgotten once it is done. Nobody asks for its result: the reply was an event.

        Not here, in the middle of a transition, but before the next task is sent: its worker is then told both in one
        message, and a worker that dies holds nothing that dask would compute again.
        """
        if (start, finish) == ("processing", "memory") and self._own(key):
            if not self._done:
                self._scheduler.loop.asyncio_loop.call_soon(self._forget)
            self._done.append(key)

    def _own(self, key: Hashable) -> bool:
        return isinstance(key, tuple) and f"@{self.name}." in str(key[-1])

    def _forget(self) -> None:
        done, self._done = self._done, []
        if self._client in self._scheduler.clients:
            self._scheduler.client_releases_keys(done, self._client)
