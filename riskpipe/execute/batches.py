"""Short tasks go to a worker several at a time, as one task of dask's, and run there one after the other.

What scheduler and worker do for a task of dask's takes about as long as pricing a few trades. Each task of a batch
keeps its own reply, clock and blame: a reply is at the scheduler before the next task begins, so that the first one
without a reply is the one that ran when a worker died. The others have not begun, and are handed out again.
"""

from __future__ import annotations

from collections.abc import Sequence

from riskpipe.execute.task import Task

# Long against what dask does for a task, short against the end of a run, where the last batch keeps one worker busy.
BATCH_SECONDS = 0.25
LARGEST_BATCH = 32


def batch_size(tasks: Sequence[Task]) -> int:
    """How many such tasks make a batch; 1 where nobody has projected what they take."""
    longest = max((task.projected_seconds for task in tasks), default=0.0)
    return min(max(int(BATCH_SECONDS / longest), 1), LARGEST_BATCH) if longest > 0.0 else 1


def in_batches(tasks: Sequence[Task], slots: int) -> list[list[Task]]:
    """Tasks cut into batches, in order.

    A task is alone where its time is not projected, and after a mishap: what was slow or deadly once keeps nobody
    waiting.

    :param slots: tasks that run at a time: each gets its share before anyone gets more.
    """
    most = -(-len(tasks) // max(slots, 1))
    cut: list[list[Task]] = []
    seconds = 0.0
    for task in tasks:
        seconds += task.projected_seconds
        if cut and len(cut[-1]) < min(most, LARGEST_BATCH) and seconds <= BATCH_SECONDS and _alike(cut[-1][-1], task):
            cut[-1].append(task)
        else:
            cut.append([task])
            seconds = task.projected_seconds
    return cut


def _alike(one: Task, other: Task) -> bool:
    """Whether they may share a batch: dask has one time for it, which is that of each of its tasks."""
    return all(task.projected_seconds > 0.0 and task.attempt == 1 for task in (one, other)) and (
        one.function,
        one.timeout_seconds,
    ) == (other.function, other.timeout_seconds)
