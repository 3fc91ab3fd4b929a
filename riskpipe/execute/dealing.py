"""Who gets which work: longest first, each to the shard that is expected to be through with its own first.

Longest processing time first (Graham, 1969, "Bounds on multiprocessing timing anomalies") for machines of unequal
speed, over whatever is handed out at a time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from riskpipe.execute.work import Work

# A work costs its road, whatever it does: those without a projection (merges) are dealt out evenly.
LEAST_SECONDS = 0.01


@dataclass(frozen=True)
class Hand:
    """A shard as the dealer sees it.

    :param slots: works that run there at a time; 0: it has no worker now, and comes last.
    :param outstanding: projected seconds of what it has and has not finished.
    :param room: works that it asks for.
    """

    number: int
    slots: int
    outstanding: float
    room: int


def cost(work: Work) -> float:
    """Projected seconds, never nothing."""
    return max(work.projected_seconds, LEAST_SECONDS)


def deal(works: Sequence[Work], hands: Iterable[Hand]) -> dict[int, list[Work]]:
    """Works by number of the shard. What exceeds all the room there is goes over it, evenly.

    :param hands: one or more.
    """
    by_number = {hand.number: hand for hand in hands}
    dealt: dict[int, list[Work]] = {number: [] for number in by_number}
    loads = [(_through_in(hand, hand.outstanding), hand.number) for hand in by_number.values()]
    heap = [load for load in loads if by_number[load[1]].room > 0] or loads
    heapq.heapify(heap)
    for work in sorted(works, key=cost, reverse=True):
        seconds, number = heap[0]
        hand = by_number[number]
        dealt[number].append(work)
        if len(dealt[number]) >= hand.room and len(heap) > 1:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (seconds + _through_in(hand, cost(work)), number))
    return {number: given for number, given in dealt.items() if given}


def _through_in(hand: Hand, seconds: float) -> float:
    return seconds / hand.slots if hand.slots else math.inf
