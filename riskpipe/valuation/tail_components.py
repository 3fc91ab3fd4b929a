"""What trades contribute to books' figures of the tail: only the scenarios that are in a tail are looked at, once more.

Nobody has to keep the P&L vectors of all trades for it: they are priced again under these few. Those of small books
are still in memory, and those that are stored are read where that takes less. Which scenarios a figure is made of, and
how much of each, is known when the books' vectors are added up (`riskpipe.measures.tail_risk.tail_weights`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.plan.block import Block
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.location import open_store
from riskpipe.store.parquet import ChangedFileError, atomic_parquet, open_parquet, read_parquet
from riskpipe.store.trade_components import COMPONENTS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.priced_again import PricedAgain, RecordedFile, price_again
from riskpipe.valuation.recent_vectors import TAIL_SET

TAILS = pa.schema(
    [
        pa.field("definition", pa.string(), False),
        pa.field("book", pa.string(), False),
        pa.field("scenarios", pa.list_(pa.field("item", pa.int64(), False)), False),
        pa.field("weights", pa.list_(pa.field("item", pa.float64(), False)), False),
    ]
)
"""Figures of books: the scenarios of the set that each is made of, ascending, and how much of their losses it is."""


class TailBlock(Struct, frozen=True):
    """A block as it was valued.

    :param without: rows, as the block counts them, of trades that have no vector or another block's.
    :param vectors: files with the vectors of all others, where to read them takes less than to price them again.
    """

    block: Block
    without: tuple[int, ...]
    vectors: tuple[RecordedFile, ...] = ()


class TailPayload(Struct, frozen=True):
    """Components of some blocks' trades.

    :param name: of the file that is made; follows from all that it is made of.
    :param tails: a file of `TAILS`, of the scenario set `TAIL_SET`.
    :param most: so many trades of each figure and book are kept, the largest. :param seconds: what it may take.
    """

    root: str
    run_id: str
    name: str
    blocks: tuple[TailBlock, ...]
    tails: RecordedFile
    most: int
    seconds: float


class LargestPayload(Struct, frozen=True):
    """Files of components that become one with the largest."""

    root: str
    run_id: str
    name: str
    files: tuple[RecordedFile, ...]
    most: int


def tail_components(payload: TailPayload) -> WrittenFile:
    """The largest components of some trades: of their vectors where this process has kept them or is to read them, else
    priced.

    :raises InputChangedError: a trade file is not the planned one.
    :raises StorageError: something cannot be read or written.
    """
    context = open_context(payload.root, payload.run_id)
    tails = _tails(payload.root, payload.tails)
    pieces = [piece for each in payload.blocks for piece in _components(context, each, tails, payload.most)]
    path = context.folder.combined_file(payload.name)
    return _written(context, path, largest(pa.concat_tables([COMPONENTS.empty_table(), *pieces]), payload.most))


def largest_components(payload: LargestPayload) -> WrittenFile:
    """The largest components of several files, in one."""
    context = open_context(payload.root, payload.run_id)
    found = context.store.overlapped(
        lambda file: read_parquet(context.store, file.path, sha256=file.sha256), payload.files
    )
    path = context.folder.combined_file(payload.name)
    return _written(context, path, largest(pa.concat_tables(found), payload.most))


def _written(context: Context, path: str, components: pa.Table) -> WrittenFile:
    with atomic_parquet(context.store, path, COMPONENTS, transient=True) as sink:
        sink.write(components)
    return sink.written


def largest(components: pa.Table, most: int) -> pa.Table:
    """The largest of each definition and book, in order.

    The same whatever the order and the pieces, since no trade is in it twice.
    """
    size = pc.abs(components["component_base"])
    ordered = components.append_column("size", size).sort_by(
        [("definition", "ascending"), ("book", "ascending"), ("size", "descending"), ("trade_id", "ascending")]
    )
    if not ordered.num_rows:
        return ordered.drop_columns(["size"])
    codes = [ordered[name].combine_chunks().dictionary_encode().indices.to_numpy() for name in ("definition", "book")]
    first = np.flatnonzero(np.concatenate([[True], np.logical_or(*(np.diff(code) != 0 for code in codes))]))
    place = np.arange(ordered.num_rows) - np.repeat(first, np.diff([*first, ordered.num_rows]))
    return ordered.drop_columns(["size"]).filter(pa.array(place < most))


class _Tail(Struct, frozen=True):
    """One figure of one book. :param at: int64[k], of its scenarios, within all that are priced."""

    definition: str
    book: str
    at: NDArray[np.int64]
    weights: FloatArray

    def components(self, pnl: FloatArray) -> FloatArray:
        """float64[n], scenario after scenario: a trade's bits are its own. :param pnl: float64[n, scenarios]."""
        total = np.zeros(len(pnl))
        for column, weight in zip(self.at.tolist(), self.weights.tolist(), strict=True):
            total -= weight * pnl[:, column]
        return total


class _Tails(Struct, frozen=True):
    """:param scenarios: int64[m], of the set, ascending: those of all tails."""

    scenarios: NDArray[np.int64]
    tails: Sequence[_Tail]


@lru_cache(maxsize=2)
def _tails(root: str, file: RecordedFile) -> _Tails:
    table = read_parquet(open_store(root), file.path, sha256=file.sha256)
    scenarios = np.unique(table["scenarios"].combine_chunks().flatten().to_numpy())
    tails = [
        _Tail(row["definition"], row["book"], np.searchsorted(scenarios, row["scenarios"]), np.array(row["weights"]))
        for row in table.to_pylist()
    ]
    return _Tails(scenarios, tails)


def _components(context: Context, of: TailBlock, tails: _Tails, most: int) -> Iterator[pa.Table]:
    """Those that may be among the largest."""
    for priced in _under(context, of, tails.scenarios):
        for tail in tails.tails:
            mine = np.flatnonzero(priced.of_book(tail.book) & priced.is_good)
            components = tail.components(priced.pnl[mine])
            some = _large(components, most)
            names = (pa.repeat(pa.scalar(name, pa.string()), len(some)) for name in (tail.definition, tail.book))
            ids = priced.trade_ids.take(pa.array(mine[some]))
            yield pa.table([*names, ids, pa.array(components[some])], COMPONENTS)


def _large(components: FloatArray, most: int) -> NDArray[np.int64]:
    """int64[k], where the largest `most` are, and all that are as large as the least of them: ids decide in the end."""
    sizes = np.abs(components)
    if len(sizes) <= most:
        return np.arange(len(sizes))
    return np.flatnonzero(sizes >= np.partition(sizes, len(sizes) - most)[len(sizes) - most])


def _under(context: Context, of: TailBlock, scenarios: NDArray[np.int64]) -> Iterable[PricedAgain]:
    """:param scenarios: int64[m], of the set, ascending."""
    kept = context.recent_vectors.of(of.block)
    if kept is not None:
        return [
            PricedAgain(
                each.names["book"], each.names["trade_id"], each.pnl[:, scenarios], ~np.isin(each.rows, of.without)
            )
            for each in kept
        ]
    if of.vectors:
        try:
            return [_read(context, of.vectors, scenarios)]
        except (MissingFileError, ChangedFileError):
            pass  # whoever publishes them says so; here they can be done without
    columns = scenarios + context.scenarios.columns_of(TAIL_SET).start
    return price_again(context, of.block, of.without, TAIL_SET, columns)


def _read(context: Context, files: Sequence[RecordedFile], scenarios: NDArray[np.int64]) -> PricedAgain:
    """Some scenarios of stored vectors, a row group of them at a time."""
    found = []
    for file in files:
        with open_parquet(context.store, file.path, sha256=file.sha256) as parquet:
            for group in range(parquet.num_row_groups):
                rows = parquet.read_row_group(group, ["book", "trade_id", "scenario_set", "pnl"])
                lists = rows["pnl"].combine_chunks()
                kept = pc.and_(pc.equal(rows["scenario_set"], TAIL_SET), pc.is_valid(lists))
                mine = np.flatnonzero(kept.to_numpy())
                at = lists.offsets.to_numpy()[mine, None] + scenarios
                found.append((rows.select(["book", "trade_id"]).take(pa.array(mine)), lists.values.to_numpy()[at]))
    trades = pa.concat_tables([table for table, _ in found])
    pnl = np.concatenate([pnl for _, pnl in found])
    return PricedAgain(trades["book"], trades["trade_id"], pnl, np.ones(len(trades), np.bool_))
