"""A run as its ledger tells it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from riskpipe.plan.neighbours import Group
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.runs.combined_files import CombinedFiles
from riskpipe.runs.stored import open_plan
from riskpipe.store.records import BlockSplit, Combined, OutputLost, Record, SessionEnded, SessionStarted
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.written_files import WrittenFile


class FoldedRun(Struct, frozen=True):
    """What has become of a run's blocks, and which files were made of theirs.

    :param combined: files made of blocks' outputs: sums, whole vectors, corrections, merged tables.
    :param unended: sessions that have not ended, or that were killed.
    :param files: what the last session wrote anew, by name within the run, with its SHA-256; none before its end.
    """

    folder: RunFolder
    state: RunState
    combined: CombinedFiles
    unended: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> StoredPlan:
        return self.state.plan

    def apply(self, record: Record) -> None:
        """What a record says, into all that is folded from the ledger."""
        self.state.apply(record)
        if isinstance(record, Combined):
            self._combined(record)
        elif isinstance(record, OutputLost):
            self.combined.lost(record.name)
            self._changed(record.name)
        elif isinstance(record, BlockSplit):
            self._changed(record.block_id)
        elif isinstance(record, SessionStarted):
            self.unended.add(record.session)
            self.files.clear()
        elif isinstance(record, SessionEnded):
            self.unended.discard(record.session)
            self.files.update(record.files)

    def _combined(self, record: Combined) -> None:
        file = WrittenFile(record.path, record.rows, record.bytes, record.sha256)
        self.combined.done(record.name, file)
        if record.table is not None and record.level is not None and record.group is not None:
            self.combined.done_of_group(record.table, Group(record.level, record.group), record.name)

    def _changed(self, block_id: str) -> None:
        """A block that was done is not any more, or other outputs stand for some of its rows."""
        index = self.state.index_in_plan(block_id)
        if index is not None:
            self.combined.changed(index)


def unfolded(folder: RunFolder) -> FoldedRun:
    """A run of whose ledger nothing has been read. :raises StorageError: its plan cannot be read."""
    plan = open_plan(folder)
    return FoldedRun(folder, RunState(plan), CombinedFiles(folder, len(plan)))


def fold(folder: RunFolder, records: Iterable[Record]) -> FoldedRun:
    """The run after these records of its ledger.

    :raises StorageError: its plan cannot be read.
    """
    run = unfolded(folder)
    for record in records:
        run.apply(record)
    return run
