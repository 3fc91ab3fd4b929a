"""P&L vectors that were cut along the scenarios, concatenated: whole vectors, trade by trade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.pieces import write_piece
from riskpipe.store.result_tables import ResultStatus
from riskpipe.store.sorted_merge import Source
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context


class ConcatenationPayload(Struct, frozen=True):
    """Vectors of the same trades under neighbouring scenario ranges, to be concatenated.

    :param ranges: the files of each range, in the order of the scenarios.
    """

    root: str
    run_id: str
    name: str
    ranges: tuple[tuple[Source, ...], ...]


def concatenate_pnl(payload: ConcatenationPayload) -> WrittenFile:
    """Concatenate vectors, trade by trade; a trade that failed in one range fails as a whole."""
    context = open_context(payload.root, payload.run_id)
    ranges = [_read_range(context.store, sources) for sources in payload.ranges]
    parts: dict[str, list[tuple[pa.Table, FloatArray, NDArray[np.bool_]]]] = {}
    for table in ranges:
        for set_name in pc.unique(table.column("scenario_set")).to_pylist():
            rows = table.filter(pc.equal(table.column("scenario_set"), set_name))
            parts.setdefault(set_name, []).append((rows, *_matrix(rows)))
    whole = [_concatenated(pieces) for pieces in parts.values()]
    table = pa.concat_tables(whole).sort_by(
        [("book", "ascending"), ("trade_id", "ascending"), ("scenario_set", "ascending")]
    )
    path = context.folder.combined_file(payload.name)
    return write_piece(context.store, path, "scenario_pnl", table, context.spec.provenance)


def _read_range(store: Store, sources: Sequence[Source]) -> pa.Table:
    tables = []
    for source in sources:
        table = read_parquet(store, source.path, sha256=source.sha256)
        if source.drop:
            dropped = pc.is_in(table.column("trade_id"), value_set=pa.array(sorted(source.drop), pa.string()))
            table = table.filter(pc.invert(dropped))
        tables.append(table)
    return pa.concat_tables(tables).sort_by(
        [("book", "ascending"), ("trade_id", "ascending"), ("scenario_set", "ascending")]
    )


def _matrix(rows: pa.Table) -> tuple[FloatArray, NDArray[np.bool_]]:
    """float64[n, width] (zeros where null) and which rows are valid."""
    lists = rows.column("pnl").combine_chunks()
    valid = np.asarray(lists.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    values = lists.drop_null().flatten().to_numpy()
    width = len(values) // max(int(valid.sum()), 1)
    matrix = np.zeros((len(rows), width))
    matrix[valid] = values.reshape(-1, width) if width else values.reshape(int(valid.sum()), 0)
    return matrix, valid


def _concatenated(pieces: Sequence[tuple[pa.Table, FloatArray, NDArray[np.bool_]]]) -> pa.Table:
    rows = pieces[0][0]
    for other, _, _ in pieces[1:]:
        if not rows.column("trade_id").equals(other.column("trade_id")):
            raise AssertionError("scenario ranges of the same trades hold different trades")
    valid = np.logical_and.reduce([ok for _, _, ok in pieces])
    matrix = np.concatenate([values for _, values, _ in pieces], axis=1)[valid]
    offsets = np.concatenate([[0], np.cumsum(valid * (matrix.shape[1] if valid.any() else 0))]).astype(np.int32)
    pnl = pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(np.ascontiguousarray(matrix).ravel()), mask=pa.array(~valid)
    )
    status = pa.array(np.where(valid, ResultStatus.OK, ResultStatus.FAILED).tolist(), pa.string())
    table = rows.set_column(rows.schema.get_field_index("pnl"), rows.schema.field("pnl"), pnl)
    return table.set_column(table.schema.get_field_index("status"), table.schema.field("status"), status)
