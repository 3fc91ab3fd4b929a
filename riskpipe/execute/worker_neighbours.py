"""The worker's side of handing files on: what it has of them for others, and theirs, by dask's own connections."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Iterator
from typing import Any

from distributed import Worker

from riskpipe.store.growing_copy import GrowingCopy

SOURCES = 3
"""So many are tried, then the rest comes from the store. Where so many cannot be reached, nobody is asked again."""
CONNECT_SECONDS = 10.0
PIECE_SECONDS = 60.0
"""For an answer. A source that waits for a piece itself says so before."""
WAIT_SECONDS = 15.0
ANSWER_SECONDS = 30.0
_MOST_OFFERED = 16


class WorkerNeighbours:
    """The other workers of a cluster.

    :param name: of the executor, on whose plugins it all rests.
    """

    def __init__(self, worker: Worker, name: str) -> None:
        self._worker = worker
        self._name = name
        self._offered: OrderedDict[str, GrowingCopy] = OrderedDict()
        self._unreachable = 0
        worker.handlers[f"{name}-piece"] = self._piece

    def close(self) -> None:
        self._worker.handlers.pop(f"{self._name}-piece", None)
        self._offered.clear()

    def pieces(self, copy: GrowingCopy) -> Iterator[bytes]:
        """See `store.growing_copy.Neighbours`. From a thread other than the worker's loop."""
        self._offered[copy.sha256] = copy
        while len(self._offered) > _MOST_OFFERED:
            self._offered.popitem(last=False)
        lost: list[str] = []
        while max(len(lost), self._unreachable) < SOURCES and (source := self._source(copy, lost)) is not None:
            yield from self._from(source, copy)
            if copy.present == len(copy.pieces):
                return
            lost.append(source)

    def ended(self, copy: GrowingCopy, complete: bool) -> None:
        """See `store.growing_copy.Neighbours`."""
        copy.give_up()
        if not complete:
            self._offered.pop(copy.sha256, None)
        self._tell_of(copy, self._worker.address, complete)

    def _tell_of(self, copy: GrowingCopy, address: str, complete: bool) -> None:
        about = {"sha256": copy.sha256, "address": address, "complete": complete}
        self._answer(self._of_scheduler("copy-ended", **about), ANSWER_SECONDS)

    def _source(self, copy: GrowingCopy, lost: list[str]) -> str | None:
        about = {"sha256": copy.sha256, "address": self._worker.address, "lost": lost}
        found: str | None = self._answer(self._of_scheduler("copy-source", **about), ANSWER_SECONDS)
        return found

    def _from(self, source: str, copy: GrowingCopy) -> Iterator[bytes]:
        """Pieces of one neighbour, as long as they are right. One after the other: its other sink fills the gaps."""
        if not self._answer(self._reach(source), CONNECT_SECONDS):
            self._unreachable += 1
            return
        while copy.present < len(copy.pieces):
            piece = self._answer(self._of_worker(source, copy.sha256, copy.present), PIECE_SECONDS)
            if piece is None:
                return
            if piece == b"":  # it is there, and has not got it yet
                continue
            if not copy.is_next(piece):
                self._tell_of(copy, source, complete=False)
                return
            yield piece

    async def _piece(self, sha256: str, number: int) -> bytes | None:
        """For another worker; None: this one has not got it. As `GrowingCopy.piece`."""
        copy = self._offered.get(sha256)
        return None if copy is None else await asyncio.to_thread(copy.piece, number, WAIT_SECONDS)

    async def _reach(self, address: str) -> bool:
        """Policies of a network may keep workers from each other; its packets are then lost without a word."""
        self._worker.rpc.reuse(address, await self._worker.rpc.connect(address))
        return True

    async def _of_worker(self, address: str, sha256: str, number: int) -> Any:
        return await getattr(self._worker.rpc(address), f"{self._name}-piece")(sha256=sha256, number=number)

    async def _of_scheduler(self, what: str, **about: Any) -> Any:
        return await getattr(self._worker.scheduler, f"{self._name}-{what}")(**about)

    def _answer(self, asked: Coroutine[Any, Any, Any], seconds: float) -> Any:
        """None whatever goes wrong, of which there is a lot: the store has it, too."""
        future = asyncio.run_coroutine_threadsafe(asked, self._worker.loop.asyncio_loop)
        try:
            return future.result(seconds)
        except Exception:
            future.cancel()
            return None
