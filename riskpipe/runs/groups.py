"""What is made of neighbouring blocks as soon as all of them are done, while others are still valued."""

from __future__ import annotations

from collections.abc import Iterator

from riskpipe.execute.task import Task
from riskpipe.plan.block import Block
from riskpipe.runs.combined_files import SUMS
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.outputs import group_merge
from riskpipe.valuation.book_sums import SumPayload
from riskpipe.valuation.merge_files import MergePayload


def of_group(payload: object) -> tuple[str | None, int | None]:
    """Table and group of which a combined file holds everything; None: of no one group."""
    match payload:
        case SumPayload(group=int(group)):
            return SUMS, group
        case MergePayload(table=table, group=int(group)):
            return table, group
    return None, None


def tasks_after(run: FoldedRun, block: Block, tables: tuple[str, ...]) -> Iterator[Task]:
    """The sums of the block's group, and its rows of some tables in a file each, if it was the last of the group."""
    group = run.combined.completed_by(block, run.state)
    if group is None:
        return
    sums = run.combined.sum_of(group, run.state)
    if not run.combined.has(sums.name):
        yield Task(key=sums.name, payload=sums, function="sum")
    for table in tables:
        merge = group_merge(run, table, group)
        if merge is not None:
            yield Task(key=merge.name, payload=merge, function="merge")
