"""A function over many items on the workers of a cluster, as `process_map` has it in processes of this machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from riskpipe.clusters.process_map import AHEAD, Map
from riskpipe.errors import ClusterError, described

if TYPE_CHECKING:
    from distributed import Client, Future

ATTEMPTS = 3
"""Of an item whose worker dies."""

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


def client_map(client: Client) -> Map:
    """A map over the workers that there are, and those that come meanwhile.

    Where a result is asked for it raises ClusterError: the item's worker died, as often as it was tried, or the
    scheduler did.
    """
    from distributed import KilledWorker
    from distributed.client import CancelledError

    def mapped(function: Callable[[S, T], R], shared: S, items: Iterable[T]) -> Iterator[R]:
        shares: deque[Future] = deque(maxlen=1)

        def submit(item: T) -> Future:
            # A copy on every worker, and those that come later fetch it of one of them; all may have died.
            if not shares or shares[0].status != "finished":
                shares.extend(client.scatter([shared], broadcast=True, hash=False))
            return client.submit(function, shares[0], item, pure=False)

        def settled(item: T, future: Future) -> R:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    found: R = future.result()
                    return found
                except (KilledWorker, CancelledError) as error:
                    if attempt == ATTEMPTS or client.status != "running":
                        raise ClusterError(
                            f"planning on the workers of the cluster failed: {described(error)}"
                        ) from error
                    future = submit(item)
            raise AssertionError("the last attempt returns or raises")

        waiting: deque[tuple[T, Future]] = deque()
        for item in items:
            waiting.append((item, submit(item)))
            if len(waiting) >= AHEAD * max(len(client.nthreads()), 1):
                yield settled(*waiting.popleft())
        while waiting:
            yield settled(*waiting.popleft())

    return mapped
