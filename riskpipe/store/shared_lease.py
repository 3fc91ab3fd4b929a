"""Several runs at once under one lease: that of the process that started theirs.

The parent holds the lease, renews it and ends its children when it is lost. What two runs must not do at once, they do
alone: the parent and its children are of one machine, so a lock on a local file serves.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Protocol, Self

from riskpipe.errors import LeaseError
from riskpipe.store.filesystem import Store
from riskpipe.store.lease import Lease


class Hold(Protocol):
    """What a session asks of a lease."""

    def name(self, run_id: str) -> None: ...

    def check(self, confirm: bool = False) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SharedLease:
    """The parent's lease, as a child has it.

    :param parent: its process id. :param tell: who hears which run the child is at work on.
    """

    def __init__(self, parent: int, tell: Callable[[str], None]) -> None:
        self._parent = parent
        self._tell = tell

    def name(self, run_id: str) -> None:
        self._tell(run_id)
        self.check()

    def check(self, confirm: bool = False) -> None:
        """:raises LeaseError: the parent is gone, and the lease with it."""
        if os.getppid() != self._parent:
            raise LeaseError("the process that started this run is gone: resume the run, or the same command again")

    def __enter__(self) -> Self:
        self.check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


_SHARED: ContextVar[tuple[SharedLease, str] | None] = ContextVar("shared lease", default=None)


@contextmanager
def under(lease: SharedLease, lock: str) -> Iterator[None]:
    """While this goes on the process has a part in its parent's lease. :param lock: a file of this machine."""
    token = _SHARED.set((lease, lock))
    try:
        yield
    finally:
        _SHARED.reset(token)


def lease_of(
    store: Store, run_id: str, time_to_live: float, patience: float, pause: Callable[[float], None] | None = None
) -> Hold:
    """The right to write to an output: the process's part in its parent's, or a lease of its own."""
    shared = _SHARED.get()
    if shared is not None:
        return shared[0]
    make = partial(Lease, store, run_id, time_to_live, patience)
    return make() if pause is None else make(pause=pause)


@contextmanager
def alone() -> Iterator[None]:
    """While this goes on no other child of the parent is at the same point."""
    shared = _SHARED.get()
    if shared is None:
        yield
        return
    with open(shared[1], "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # given back when the file is closed, or the process dies
        yield
