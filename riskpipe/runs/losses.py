"""Outputs that are recorded and not what they were: a block is done when its record and its files are both in place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from riskpipe.errors import StorageError
from riskpipe.plan.block import BlockState
from riskpipe.runs.folded import FoldedRun
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.records import OutputLost
from riskpipe.store.run_folder import RunFolder

MISSING, CHANGED, RESIZED = "it is missing", "its content is not what was written", "its size is not what was written"
_MOST_NAMED = 3


def missing_outputs(run: FoldedRun) -> Iterator[OutputLost]:
    """Recorded files that are not there, or of another size; found by listings alone."""
    folder = run.folder
    for table in run.state.files.tables():
        directory = f"{folder.block_outputs}/{table}"
        there = {entry.path: entry.bytes for entry in folder.store.list_files(directory, recursive=False)}
        for block_id, path, size, _ in _recorded(run, table):
            if there.get(path) != size:
                yield OutputLost(block_id, path, RESIZED if path in there else MISSING)
    yield from _missing_vectors(run)
    made = {entry.path for entry in folder.store.list_files(folder.combined)}
    for name, path, _ in run.combined.files():
        if path.startswith(f"{folder.combined}/") and path not in made:
            yield OutputLost(name, path, MISSING)


def _missing_vectors(run: FoldedRun) -> Iterator[OutputLost]:
    files = list(_vectors(run))
    directory = f"{run.folder.block_outputs}/scenario_pnl"
    listed = run.folder.store.list_files(directory, recursive=False) if files else []
    there = {entry.path: entry.bytes for entry in listed}
    for block_id, path, size, _ in files:
        if there.get(path) != size:
            yield OutputLost(block_id, path, RESIZED if path in there else MISSING)


def lost_outputs(run: FoldedRun) -> Iterator[OutputLost]:
    """Recorded files that are not there, or of another content: all of them are read."""
    tables = (file for table in run.state.files.tables() for file in _recorded(run, table))
    made = ((name, path, 0, sha256) for name, path, sha256 in run.combined.files())
    for name, path, _, sha256 in (*tables, *_vectors(run), *made):
        try:
            if content_sha256(run.folder.store, path) != sha256:
                yield OutputLost(name, path, CHANGED)
        except MissingFileError:
            yield OutputLost(name, path, MISSING)


def _recorded(run: FoldedRun, table: str) -> Iterator[tuple[str, str, int, str]]:
    """Id of the block, path, bytes and SHA-256 of the files of a table; of what failed, rows are made again anyway."""
    for place, size, sha256 in run.state.files.files(table):
        if run.state.status_of(place) == BlockState.DONE:
            block_id = place if isinstance(place, str) else run.plan.id_at(place)
            yield block_id, run.folder.block_output(table, block_id), size, sha256


def _vectors(run: FoldedRun) -> Iterator[tuple[str, str, int, str]]:
    """The same of the files of P&L vectors."""
    for place, piece in run.state.files.all_vectors():
        if run.state.status_of(place) == BlockState.DONE:
            yield place if isinstance(place, str) else run.plan.id_at(place), piece.path, piece.bytes, piece.sha256


def counted_losses(store: Store, lost: Sequence[OutputLost]) -> str:
    """How many files were lost, and the first of them by name."""
    named = "; ".join(f"{store.full_path(loss.path)}: {loss.why}" for loss in lost[:_MOST_NAMED])
    more = f"; and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
    return f"{len(lost)} files of results are not what was written ({named}{more})"


def loss_error(folder: RunFolder, lost: Sequence[OutputLost]) -> StorageError:
    """What to say when a publication lacks files."""
    return StorageError(
        f"run {folder.run_id}: {counted_losses(folder.store, lost)}. Something else deletes or changes files there. "
        f"Nothing was published; `riskpipe run --resume {folder.run_id}` makes them again"
    )
