"""Which node hands a file on to which: what the scheduler knows of it.

A tree that grows as nodes ask: each hands a file on to `FAN_OUT` others at a time, the first ones to the next, while
they are still having it themselves. So a file leaves the store once, and reaches N nodes in the time that a node's link
needs for `FAN_OUT` of it, and that of log N pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

FAN_OUT = 2


class _Holder(Struct):
    """A worker that has a file, or is having it.

    :param order: in which they asked. :param source: whom it has it from now.
    """

    order: int
    complete: bool = False
    source: str | None = None
    sinks: set[str] = field(default_factory=set)


class CopySources:
    """Of one executor's files.

    :param scheduler: dask's; a worker that it does not know any more is nobody's source.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._holders: dict[str, dict[str, _Holder]] = {}
        self._asked = 0

    def handlers(self, name: str) -> Mapping[str, Callable[..., Any]]:
        """For the scheduler, by what a worker calls them."""
        return {f"{name}-copy-source": self.source, f"{name}-copy-ended": self.ended}

    def source(self, sha256: str, address: str, lost: Sequence[str] = ()) -> str | None:
        """Who has a file for a worker; None: the store.

        Those that are having it themselves hand it on only to those that asked later, else two could wait for each
        other.

        :param lost: sources that did not give it.
        """
        holders = self._holders.setdefault(sha256, {})
        for gone in [each for each in holders if each not in self._scheduler.workers]:
            del holders[gone]
        if address not in holders:
            self._asked += 1
            holders[address] = _Holder(self._asked)
        asking = holders[address]
        self._let_go(holders, address)
        for source, holder in holders.items():
            holder.sinks &= holders.keys()
            ready = holder.complete or holder.order < asking.order
            if source != address and ready and source not in lost and len(holder.sinks) < FAN_OUT:
                asking.source = source
                holder.sinks.add(address)
                return source
        return None

    def ended(self, sha256: str, address: str, complete: bool) -> None:
        """A worker has a file, or never will."""
        holders = self._holders.get(sha256, {})
        if address in holders:
            self._let_go(holders, address)
            holders[address].complete = True
            if not complete:
                del holders[address]

    def _let_go(self, holders: Mapping[str, _Holder], address: str) -> None:
        before = holders[address].source
        if before is not None and before in holders:
            holders[before].sinks.discard(address)
        holders[address].source = None
