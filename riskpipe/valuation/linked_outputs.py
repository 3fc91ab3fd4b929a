"""Outputs of a block that an earlier run of the day made whole, and nothing has changed since: given a second name.

What an earlier run's block left is the same to the bit, but for the columns that name the run and the block. Where
these reach the published day, in rows that name their block and in vectors, whose files can stand in the day as they
are, the file is copied with other names; elsewhere the run is named when the day is put together.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import asdict

from riskpipe.plan.block import Block
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.parquet import ChangedFileError, refuse_changed
from riskpipe.store.renamed_copy import renamed_copy
from riskpipe.store.written_files import Piece, WrittenFile
from riskpipe.valuation.context import Context
from riskpipe.valuation.results import BLOCK_TABLES
from riskpipe.valuation.reuse_terms import EarlierFile

_VECTORS = "scenario_pnl"
_NAMES = {"valuations": ("run_id", "block_id"), _VECTORS: ("run_id",)}
"""Columns that name run and block, of tables whose blocks' files must have them right."""


class BlockOutputs(Struct, frozen=True):
    """Files of a block in their place.

    :param ok, failed, not_applicable: its numbers. :param outputs: by table; vectors: the files of P&L vectors.
    """

    ok: int
    failed: int
    not_applicable: int
    outputs: dict[str, WrittenFile]
    vectors: tuple[Piece, ...]


def link_outputs(context: Context, block: Block) -> BlockOutputs | None:
    """The outputs, in their place; None: there are none, or one of the files is missing or not what was written."""
    files = [] if context.reuse is None else context.reuse.whole(block)
    if not files:
        return None
    try:
        return _linked(context, block, files)
    except (MissingFileError, ChangedFileError):
        return None


def _linked(context: Context, block: Block, files: list[EarlierFile]) -> BlockOutputs:
    tables = {file.table for file in files}
    for name in BLOCK_TABLES:
        if name not in tables:  # an earlier attempt may have left one
            context.store.delete(context.folder.block_output(name, block.block_id))
    paths = list(_paths(context, block, files))
    written = list(context.store.overlapped(lambda each: _put(context, block, *each), zip(files, paths, strict=True)))
    outputs = {file.table: made for file, made in zip(files, written, strict=True) if file.table != _VECTORS}
    vectors = [_as_piece(file, made) for file, made in zip(files, written, strict=True) if file.table == _VECTORS]
    return BlockOutputs(files[0].ok, 0, files[0].not_applicable, outputs, tuple(vectors))


def _paths(context: Context, block: Block, files: list[EarlierFile]) -> Iterator[str]:
    """Where each of the files is put."""
    vectors = 0
    for file in files:
        if file.table == _VECTORS:
            yield vectors_path(context, block, vectors)
            vectors += 1
        else:
            yield context.folder.block_output(file.table, block.block_id)


def take_vectors(context: Context, block: Block, file: EarlierFile, number: int) -> Piece:
    """A file of vectors as the `number`th of a block.

    :raises MissingFileError: there is no such file. :raises ChangedFileError: it is not what was written.
    """
    return _as_piece(file, _put(context, block, file, vectors_path(context, block, number)))


def _put(context: Context, block: Block, file: EarlierFile, path: str) -> WrittenFile:
    names = {"run_id": context.spec.run_id, "block_id": block.block_id}
    own = {column: names[column] for column in _NAMES.get(file.table, ())}
    if own:
        return renamed_copy(context.store, file, path, own, context.spec.provenance.metadata(file.table))
    refuse_changed(context.store, file.path, file.sha256)
    context.store.copy(file.path, path, durable=False)
    return WrittenFile(path, file.rows, file.bytes, file.sha256)


def _as_piece(file: EarlierFile, written: WrittenFile) -> Piece:
    first, last = ((book, trade) for book, trade in (file.first or (), file.last or ()))
    return Piece(**asdict(written), first=first, last=last)


def vectors_path(context: Context, block: Block, number: int) -> str:
    """Of the block's `number`th file of P&L vectors."""
    name = f"{block.block_id}-{number:03d}" if number else block.block_id
    return context.folder.block_output(_VECTORS, name)
