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
    through = {hand.number: _seconds(hand, hand.outstanding) for hand in by_number.values()}
    heap = [(through[hand.number], hand.number) for hand in by_number.values() if hand.room > 0]
    heapq.heapify(heap)
    room = sum(hand.room for hand in by_number.values())
    for given, work in enumerate(sorted(works, key=cost, reverse=True)):
        if given == room:
            heap = sorted((seconds, number) for number, seconds in through.items())
        number = heapq.heappop(heap)[1]
        hand = by_number[number]
        dealt[number].append(work)
        through[number] += _seconds(hand, cost(work))
        if given >= room or len(dealt[number]) < hand.room:
            heapq.heappush(heap, (through[number], number))
    return {number: taken for number, taken in dealt.items() if taken}


def _seconds(hand: Hand, seconds: float) -> float:
    return seconds / hand.slots if hand.slots else math.inf
