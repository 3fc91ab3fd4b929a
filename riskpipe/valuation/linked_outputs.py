"""Outputs of a block that an earlier run of the day made whole, and nothing has changed since: given a second name.

What an earlier run's block left is the same to the bit, but for the columns that name the run and the block. The run is
named anew when the day is put together; the block in the table that names it is, here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from riskpipe.plan.block import Block
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.parquet import ChangedFileError, open_parquet, refuse_changed
from riskpipe.store.result_tables import write_result
from riskpipe.store.written_files import Piece, WrittenFile
from riskpipe.valuation.context import Context
from riskpipe.valuation.results import BLOCK_TABLES
from riskpipe.valuation.reuse_terms import EarlierFile

_VECTORS = "scenario_pnl"
_NAMES_ITS_BLOCK = "valuations"


@dataclass(frozen=True)
class BlockOutputs:
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
        for _ in context.store.overlapped(lambda file: refuse_changed(context.store, file.path, file.sha256), files):
            pass
        return _linked(context, block, files)
    except (MissingFileError, ChangedFileError):
        return None


def _linked(context: Context, block: Block, files: list[EarlierFile]) -> BlockOutputs:
    tables = {file.table for file in files}
    for name in BLOCK_TABLES:
        if name not in tables:  # an earlier attempt may have left one
            context.store.delete(context.folder.block_output(name, block.block_id))
    outputs: dict[str, WrittenFile] = {}
    vectors: list[Piece] = []
    for file in files:
        if file.table == _NAMES_ITS_BLOCK:
            outputs[file.table] = _named(context, block, file)
            continue
        path = vectors_path(context, block, len(vectors))
        if file.table != _VECTORS:
            path = context.folder.block_output(file.table, block.block_id)
        context.store.copy(file.path, path, durable=False)
        if file.table != _VECTORS:
            outputs[file.table] = WrittenFile(path, file.rows, file.bytes, file.sha256)
        else:
            first, last = ((book, trade) for book, trade in (file.first or (), file.last or ()))
            vectors.append(Piece(path, file.rows, file.bytes, file.sha256, first, last, file.of_run))
    return BlockOutputs(files[0].ok, 0, files[0].not_applicable, outputs, tuple(vectors))


def vectors_path(context: Context, block: Block, number: int) -> str:
    """Of the block's `number`th file of P&L vectors."""
    name = f"{block.block_id}-{number:03d}" if number else block.block_id
    return context.folder.block_output(_VECTORS, name)


def _named(context: Context, block: Block, file: EarlierFile) -> WrittenFile:
    """The rows, as this run's and this block's."""
    with open_parquet(context.store, file.path) as parquet:
        coded = [field.name for field in parquet.schema_arrow if pa.types.is_string(field.type)]
    with open_parquet(context.store, file.path, coded) as parquet:
        table = parquet.read()
    nothing = pa.array(np.zeros(len(table), np.int32))
    for column, name in (("run_id", context.spec.run_id), ("block_id", block.block_id)):
        every = pa.DictionaryArray.from_arrays(nothing, pa.array([name]))
        table = table.set_column(table.column_names.index(column), column, every)
    path = context.folder.block_output(file.table, block.block_id)
    return write_result(context.store, path, file.table, table, context.spec.provenance)
