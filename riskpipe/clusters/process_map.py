"""A function over many items in processes of this machine, for what is done before there is a cluster."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from riskpipe.errors import ClusterError

AHEAD = 2
"""Items a process that are handed out: one is done, the next one waits."""

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class Map(Protocol):
    """`function(shared, item)` of every item, in the order of the items; what a function raises is raised there."""

    def __call__(self, function: Callable[[S, T], R], shared: S, items: Iterable[T]) -> Iterator[R]: ...


@contextmanager
def process_map(processes: int) -> Iterator[Map]:
    """A map over so many processes, which serve as long as the context.

    :raises ClusterError: one of them dies, where a result is asked for.
    """
    # Not forked: a copy of a process that has threads may stand still for ever.
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory(prefix="riskpipe-map-") as directory,
        ProcessPoolExecutor(processes, context, _begin) as pool,
    ):
        calls = 0

        def mapped(function: Callable[[S, T], R], shared: S, items: Iterable[T]) -> Iterator[R]:
            nonlocal calls
            calls += 1
            # In a file of this user's alone, which each process reads once: with every item it may be megabytes.
            path = Path(directory) / f"{calls}.pickle"
            path.write_bytes(pickle.dumps((function, shared)))
            try:
                yield from in_order((pool.submit(_call, str(path), item) for item in items), AHEAD * processes)
            except BrokenProcessPool as error:
                raise ClusterError(
                    f"one of {processes} processes that planned died, perhaps for want of memory: "
                    "cluster.kind=serial plans in one process"
                ) from error

        try:
            yield mapped
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def in_order(futures: Iterable[Future[R]], most: int) -> Iterator[R]:
    """Their results; so many are under way at most."""
    waiting: deque[Future[R]] = deque()
    for future in futures:
        waiting.append(future)
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _begin() -> None:
    # Ctrl-C goes to the whole process group; the driver alone decides when work ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    driver = multiprocessing.parent_process()
    assert driver is not None
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()
    import pyarrow

    pyarrow.set_cpu_count(1)  # there is a process for every core


def _end_with(driver: Any) -> None:
    """When the driver is killed, nobody else ends what waits for its next item."""
    driver.join()
    os._exit(1)


@lru_cache(maxsize=1)
def _shared(path: str) -> tuple[Callable[[Any, Any], Any], Any]:
    function, shared = pickle.loads(Path(path).read_bytes())  # noqa: S301  # of the driver, in its own directory
    return function, shared


def _call(path: str, item: Any) -> Any:
    function, shared = _shared(path)
    return function(shared, item)
