"""Sorted files of one table merged into one, by workers, before the driver merges the rest at publication."""

from __future__ import annotations

from dataclasses import dataclass

from riskpipe.store.parquet import WrittenFile
from riskpipe.store.sorted_merge import Source
from riskpipe.store.stage import merge_some
from riskpipe.valuation.context import open_context

# A worker has this beside what it keeps for valuing blocks.
MERGE_WINDOW_BYTES = 64 << 20


@dataclass(frozen=True)
class MergePayload:
    """Files of a published table that become one, so that publishing, which the driver does, has few to read.

    :param name: of the file; follows from the sources, so a file that is there is the right one.
    """

    root: str
    run_id: str
    name: str
    table: str
    sources: tuple[Source, ...]


def merge_files(payload: MergePayload) -> WrittenFile:
    """Merge files of one table, in the table's order."""
    context = open_context(payload.root, payload.run_id)
    path = context.folder.merged_file(payload.name)
    return merge_some(context.store, payload.table, payload.sources, path, MERGE_WINDOW_BYTES)
