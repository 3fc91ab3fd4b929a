"""Why a worker died: the words that watchdog, scheduler and nanny left, put to the deaths that dask reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from riskpipe.errors import Reason
from riskpipe.execute.task import Lost, Mishap, Raised, Task, TimedOut
from riskpipe.execute.watchdog import Cause

# The nanny's message takes another way than the news of the death, and may come later.
EXPLANATION_SECONDS = 0.3


class WorkerDeaths:
    """Lives in the client's event loop. Keeps nothing about a death once it has been explained."""

    def __init__(self) -> None:
        self._verdicts: dict[object, tuple[Cause, str]] = {}
        self._outgrown: dict[str, str] = {}
        self._bereaved: Counter[str] = Counter()

    def hear_verdict(self, event: tuple[float, dict[str, Any]]) -> None:
        """The watchdog names tasks; the scheduler, who does not know which one of a batch runs, keys of batches."""
        _, verdict = event
        for name in verdict["about"]:
            self._verdicts[tuple(name)] = (Cause(verdict["cause"]), verdict["message"])

    def hear_nanny(self, event: tuple[float, dict[str, Any]]) -> None:
        """The nanny's own memory limit (dask's `terminate`) came before the watchdog's."""
        _, word = event
        self._outgrown[word["worker"]] = f"the nanny ended the process at {word['rss'] / 2**20:,.0f} MiB"

    async def explain(self, task: Task, batch: object, worker: str) -> Mishap:
        """What the death of `worker` means for the task that ran there.

        :param batch: key of the batch that it is part of.
        """
        self._bereaved[worker] += 1
        if self._verdicts.keys().isdisjoint((task.id, batch)):
            await asyncio.sleep(EXPLANATION_SECONDS)
        alone = self._bereaved[worker] == 1
        asyncio.get_running_loop().call_later(EXPLANATION_SECONDS, self._forget, worker)
        of_batch = self._verdicts.pop(batch, (None, ""))
        cause, message = self._verdicts.pop(task.id, of_batch)
        if cause is Cause.TIMEOUT:
            return TimedOut(task, worker)
        if cause is Cause.MEMORY:
            return Raised(task, Reason.OUT_OF_MEMORY, message, worker)
        if worker in self._outgrown:
            return Raised(task, Reason.OUT_OF_MEMORY, self._outgrown[worker], worker)
        if cause is Cause.SILENT:
            return Lost(task, worker, alone, message)
        return Lost(task, worker, alone)

    def _forget(self, worker: str) -> None:
        self._bereaved.pop(worker, None)
        self._outgrown.pop(worker, None)
