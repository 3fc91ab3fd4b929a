"""Sorted files of one table merged, or linked, by workers: into fewer files, and into those of the published day."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.plan.neighbours import Group
from riskpipe.store.parquet import refuse_changed
from riskpipe.store.sorted_merge import Source
from riskpipe.store.stage import Added, merge_part, merge_some
from riskpipe.store.table_schemas import FACTOR_COLUMNS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.factor_columns import FactorColumns

# A worker has this beside what it keeps for valuing blocks.
MERGE_WINDOW_BYTES = 64 << 20


class MergePayload(Struct, frozen=True):
    """Files of a published table that become one, so that what makes the day's files has few to read.

    :param name: of the file; follows from the sources, so a file that is there is the right one.
    :param group: whose blocks' rows these are (plan.neighbours); None: of several.
    """

    root: str
    run_id: str
    name: str
    table: str
    sources: tuple[Source, ...]
    group: Group | None = None


class PartPayload(Struct, frozen=True):
    """A file of a published day.

    :param name: follows from the path and the sources, so a file that is recorded is the right one.
    :param path: where it is put together, relative to the output.
    :param sources: rows of files that are merged; or, if it is `linked`, the one file that is published as it is.
    :param engine_version: for the footer: of riskpipe, all that had a part in the run.
    :param replaces: the published file whose bytes a merged one keeps before its own.
    """

    root: str
    run_id: str
    name: str
    table: str
    path: str
    sources: tuple[Source, ...]
    linked: bool
    engine_version: str
    replaces: str | None

    @property
    def bytes(self) -> int:
        """At most so many are read."""
        return 0 if self.linked else sum(source.bytes for source in self.sources)


def merge_files(payload: MergePayload) -> WrittenFile:
    """Merge files of one table, in the table's order."""
    context = open_context(payload.root, payload.run_id)
    path = context.folder.merged_file(payload.name)
    return merge_some(context.store, payload.table, payload.sources, path, MERGE_WINDOW_BYTES)


def make_part(payload: PartPayload) -> WrittenFile:
    """Put a file of the day together; the bytes of one that stands as a worker wrote it are looked at, and not moved.

    :raises ChangedFileError: a source is not what was written.
    """
    context = open_context(payload.root, payload.run_id)
    if not payload.linked:
        provenance = replace(context.spec.provenance, engine_version=payload.engine_version)
        table, path = payload.table, payload.path
        how = (provenance, payload.replaces, MERGE_WINDOW_BYTES, added_columns(context, table))
        return merge_part(context.store, table, payload.sources, path, *how)
    (source,) = payload.sources
    if source.sha256 is None or source.rows is None:
        raise AssertionError(f"{source.path} is published as it is, but what it is was not recorded")
    refuse_changed(context.store, source.path, source.sha256)
    context.store.copy(source.path, payload.path)
    return WrittenFile(payload.path, source.rows[1], source.bytes, source.sha256)


def added_columns(context: Context, table: str) -> Added | None:
    """What the day's files have that blocks' do not."""
    return Added(FACTOR_COLUMNS, FactorColumns(context.snapshot)) if table == "sensitivities" else None
