"""Merging block results: exact sums per book, P&L vectors that were cut along the scenarios, and many files into few.

Sums are integers, so any tree of merges gives the same bits; the tree only bounds how much is read at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.errors import InputError
from riskpipe.kernels.sums import LIMBS, in_range
from riskpipe.store.filesystem import Store
from riskpipe.store.merge import Source
from riskpipe.store.parquet import WrittenFile, read_parquet
from riskpipe.store.stage import merge_some
from riskpipe.store.tables import write_result
from riskpipe.valuation.context import open_context

# A worker has this beside what it keeps for valuing blocks.
COLLATION_WINDOW_BYTES = 64 << 20

Key = tuple[str, str, str, int]


@dataclass
class BookSum:
    """One book's sum of one measure: trades summed or failed, limbs int64[3, columns] from column `first` on."""

    trades: int
    failed_trades: int
    limbs: NDArray[np.int64]


@dataclass(frozen=True)
class PartialFile:
    """A file of partial sums.

    :param repeats: its trades are counted, as failed, by another file already.
    :param void: of a block that failed as a whole: it counts the trades, and sums nothing.
    :param sha256: what its content must be; None: it is not looked at.
    """

    path: str
    repeats: bool = False
    void: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class MergePayload:
    """Partial sums to add up.

    :param name: of the merged file; follows from what is merged, so a file that is there is the right one.
    :param files: relative to the output.
    """

    root: str
    run_id: str
    name: str
    files: tuple[PartialFile, ...]


@dataclass(frozen=True)
class StitchPayload:
    """Vectors of the same trades under neighbouring scenario ranges, to be joined end to end.

    :param ranges: the files of each range, in the order of the scenarios.
    """

    root: str
    run_id: str
    name: str
    ranges: tuple[tuple[Source, ...], ...]


@dataclass(frozen=True)
class CollationPayload:
    """Files of a published table that become one, so that publishing, which the driver does, has few to read.

    :param name: of the file; follows from the sources, so a file that is there is the right one.
    """

    root: str
    run_id: str
    name: str
    table: str
    sources: tuple[Source, ...]


def merge_partials(payload: MergePayload) -> WrittenFile:
    """Add up partial sums and put the result in place."""
    context = open_context(payload.root, payload.run_id)
    tables = context.store.overlapped(lambda file: _read_sums(context.store, file), payload.files)
    sums = add_up(zip(tables, (file.repeats for file in payload.files), strict=True))
    path = context.layout.merge_output(payload.name)
    return write_result(context.store, path, "partials", partials_table(sums), context.spec.provenance)


def _read_sums(store: Store, file: PartialFile) -> pa.Table:
    return read_parquet(store, file.path, sha256=file.sha256)


def add_up(tables: Iterable[tuple[pa.Table, bool]]) -> dict[Key, BookSum]:
    """(book, scenario set, measure, first column) -> sum, over tables of partial sums.

    :param tables: each with whether it repeats trades that another table counts as failed.

    :raises InputError: a sum left the range of exact addition (a book beyond 1e25 in base currency).
    """
    sums: dict[Key, BookSum] = {}
    for table, repeats in tables:
        limbs = [table.column(name).combine_chunks() for name in ("high", "middle", "low")]
        flat = [array.values.to_numpy() for array in limbs]
        offsets = limbs[0].offsets.to_numpy()
        rows = table.select(["book", "scenario_set", "measure", "first", "trades", "failed_trades"]).to_pylist()
        for k, row in enumerate(rows):
            part = np.stack([values[offsets[k] : offsets[k + 1]] for values in flat])
            key = (row["book"], row["scenario_set"], row["measure"], row["first"])
            known = sums.setdefault(key, BookSum(0, 0, np.zeros_like(part)))
            known.trades += 0 if repeats else row["trades"]
            known.failed_trades += row["failed_trades"] - (row["trades"] if repeats else 0)
            known.limbs = known.limbs + part
            if not in_range(known.limbs):
                raise InputError(f"the sum of {key[2]} over book {key[0]!r} is out of range: check the notionals")
    return sums


def partials_table(sums: dict[Key, BookSum]) -> pa.Table:
    """Sums as rows, ordered by key."""
    keys = sorted(sums)
    books, sets, measures, firsts = zip(*keys, strict=True) if keys else ((), (), (), ())
    return pa.table(
        {
            "book": pa.array(books, pa.string()),
            "scenario_set": pa.array(sets, pa.string()),
            "measure": pa.array(measures, pa.string()),
            "first": pa.array(firsts, pa.int64()),
            "trades": pa.array([sums[key].trades for key in keys], pa.int64()),
            "failed_trades": pa.array([sums[key].failed_trades for key in keys], pa.int64()),
            **{
                name: pa.array([sums[key].limbs[k] for key in keys], pa.list_(pa.int64()))
                for k, name in zip(range(LIMBS), ("high", "middle", "low"), strict=True)
            },
        }
    )


def stitch_pnl(payload: StitchPayload) -> WrittenFile:
    """Join vectors end to end, trade by trade; a trade that failed in one range fails as a whole."""
    context = open_context(payload.root, payload.run_id)
    ranges = [_read_range(context.store, sources) for sources in payload.ranges]
    parts: dict[str, list[tuple[pa.Table, NDArray[np.float64], NDArray[np.bool_]]]] = {}
    for table in ranges:
        for set_name in pc.unique(table.column("scenario_set")).to_pylist():
            rows = table.filter(pc.equal(table.column("scenario_set"), set_name))
            parts.setdefault(set_name, []).append((rows, *_matrix(rows)))
    joined = [_join(pieces) for pieces in parts.values()]
    whole = pa.concat_tables(joined).sort_by(
        [("book", "ascending"), ("trade_id", "ascending"), ("scenario_set", "ascending")]
    )
    path = context.layout.merge_output(payload.name)
    return write_result(context.store, path, "scenario_pnl", whole, context.spec.provenance)


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


def _matrix(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """float64[n, width] (zeros where null) and which rows are valid."""
    lists = rows.column("pnl").combine_chunks()
    valid = np.asarray(lists.is_valid().to_numpy(zero_copy_only=False), np.bool_)
    values = lists.drop_null().flatten().to_numpy()
    width = len(values) // max(int(valid.sum()), 1)
    matrix = np.zeros((len(rows), width))
    matrix[valid] = values.reshape(-1, width) if width else values.reshape(int(valid.sum()), 0)
    return matrix, valid


def _join(pieces: Sequence[tuple[pa.Table, NDArray[np.float64], NDArray[np.bool_]]]) -> pa.Table:
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
    status = pa.array(np.where(valid, "ok", "failed").tolist(), pa.string())
    table = rows.set_column(rows.schema.get_field_index("pnl"), rows.schema.field("pnl"), pnl)
    return table.set_column(table.schema.get_field_index("status"), table.schema.field("status"), status)


def collate_files(payload: CollationPayload) -> WrittenFile:
    """Merge files of one table, in the table's order."""
    context = open_context(payload.root, payload.run_id)
    path = context.layout.collation(payload.name)
    return merge_some(context.store, payload.table, payload.sources, path, COLLATION_WINDOW_BYTES)


def merged_sums(store: Store, files: Sequence[PartialFile]) -> dict[Key, BookSum]:
    """The sums of merged files, added up once more."""
    return add_up((table, False) for table in store.overlapped(lambda file: _read_sums(store, file), files))
