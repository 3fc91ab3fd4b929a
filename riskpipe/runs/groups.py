"""What is made of neighbouring blocks as soon as all of them are done, while others are still valued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from riskpipe.execute.task import Task
from riskpipe.plan.block import Block
from riskpipe.plan.neighbours import FAN_IN, Group
from riskpipe.runs.combined_files import SUMS
from riskpipe.runs.folded import FoldedRun
from riskpipe.runs.outputs import group_merge
from riskpipe.store.records import Combined
from riskpipe.store.sorted_merge import most_open
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import SumPayload
from riskpipe.valuation.merge_files import MergePayload


def combined_record(name: str, payload: object, file: WrittenFile) -> Combined:
    """What the ledger keeps of a combined file; of which group it holds everything, if it does."""
    table: str | None
    group: Group | None
    match payload:
        case SumPayload(group=group):
            table = SUMS
        case MergePayload(table=table, group=group):
            pass
        case _:
            table = group = None
    of = (table, *group) if group is not None else (None, None, None)
    return Combined(name, file.path, file.sha256, file.rows, file.bytes, *of)


def tasks_after(run: FoldedRun, block: Block, tables: tuple[str, ...]) -> Iterator[Task]:
    """The sums of the block's group, and its rows of some tables in a file each, if it was the last of the group."""
    group = run.combined.completed_by(block, run.state)
    if group is not None:
        yield from _tasks(run, group, (SUMS, *tables) if run.combined.is_plain(group, run.state) else (SUMS,))


def tasks_above(run: FoldedRun, record: Combined, tables: tuple[str, ...]) -> Iterator[Task]:
    """The same of a group of groups, if the file is the last one of theirs.

    Files of rows are made into fewer only while they are more than can be merged at once.
    """
    if record.table is None or record.level is None or record.group is None:
        return
    group = Group(record.level, record.group).above
    files = Group.how_many(record.level, len(run.plan))
    if files <= FAN_IN or not run.combined.has_sums_below(group):
        return
    merged = tables if files > most_open(run.folder.store) else ()
    wanted = (SUMS, *merged) if record.table == SUMS else (record.table,)
    yield from _tasks(run, group, [table for table in wanted if table in (SUMS, *merged)])


def _tasks(run: FoldedRun, group: Group, tables: Iterable[str]) -> Iterator[Task]:
    for table in tables:
        payload: SumPayload | MergePayload | None
        if table == SUMS:
            payload, function = run.combined.sum_of(group, run.state), "sum"
        else:
            payload, function = group_merge(run, table, group), "merge"
        if payload is not None and not run.combined.has(payload.name):
            yield Task(key=payload.name, payload=payload, function=function)
