"""Who gets which task: longest first, each to the shard that is expected to be through with its own first.

Longest processing time first (Graham, 1969, "Bounds on multiprocessing timing anomalies") for machines of unequal
speed, over whatever is handed out at a time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

from riskpipe.dataclass import dataclass
from riskpipe.execute.task import Task

# A task costs its way there and back, whatever it does: those without a projection (sums, merges) are spread evenly.
LEAST_SECONDS = 0.01


@dataclass(frozen=True)
class ShardLoad:
    """A shard as the balancer sees it.

    :param slots: tasks that run there at a time; 0: it has no worker now, and comes last.
    :param outstanding: projected seconds of what it has and has not finished.
    :param free: tasks that it asks for.
    """

    number: int
    slots: int
    outstanding: float
    free: int


def cost(task: Task) -> float:
    """Projected seconds, never nothing."""
    return max(task.projected_seconds, LEAST_SECONDS)


def assign(tasks: Sequence[Task], loads: Iterable[ShardLoad]) -> dict[int, list[Task]]:
    """Tasks by number of the shard. What is more than all of them ask for is spread evenly.

    :param loads: one or more.
    """
    by_number = {load.number: load for load in loads}
    assigned: dict[int, list[Task]] = {number: [] for number in by_number}
    through = {load.number: _seconds(load, load.outstanding) for load in by_number.values()}
    heap = [(through[load.number], load.number) for load in by_number.values() if load.free > 0]
    heapq.heapify(heap)
    free = sum(load.free for load in by_number.values())
    for given, task in enumerate(sorted(tasks, key=cost, reverse=True)):
        if given == free:
            heap = sorted((seconds, number) for number, seconds in through.items())
        number = heapq.heappop(heap)[1]
        load = by_number[number]
        assigned[number].append(task)
        through[number] += _seconds(load, cost(task))
        if given >= free or len(assigned[number]) < load.free:
            heapq.heappush(heap, (through[number], number))
    return {number: taken for number, taken in assigned.items() if taken}


def _seconds(load: ShardLoad, seconds: float) -> float:
    return seconds / load.slots if load.slots else math.inf
