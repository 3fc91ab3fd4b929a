"""Exact sums per book: blocks' partial sums added up, a range of books after the other.

Sums are integers, so any tree of additions gives the same bits; the tree only bounds how many files are read at a
time, and the ranges how many books are held in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.errors import InputError
from riskpipe.kernels.sums import in_range, zeros
from riskpipe.plan.neighbours import Group
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.result_tables import write_result_stream
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import Context, open_context

RANGE_BYTES = 24 << 20
"""About what the sums of a range of books take; adding up, ordering and writing them takes a few times as much."""

_LIMB_COLUMNS = ("high", "middle", "low")
# Files of which the sums are kept between ranges rather than read again.
_SMALL_BYTES = 1 << 20


class SumKey(NamedTuple):
    """What is summed: columns of a measure, from `first` within their scenario set on."""

    scenario_set: str
    measure: str
    first: int


class Sums(Struct):
    """One measure's sums, a row a book.

    :param present: bool[n]: the book has such a sum. :param trades, failed_trades: int64[n], summed or failed.
    :param limbs: int64[n, 3, columns].
    """

    present: NDArray[np.bool_]
    trades: NDArray[np.int64]
    failed_trades: NDArray[np.int64]
    limbs: NDArray[np.int64]

    @staticmethod
    def empty(books: int, columns: int) -> Sums:
        counts = np.zeros((2, books), np.int64)
        return Sums(np.zeros(books, np.bool_), counts[0], counts[1], zeros(books, columns))

    def take(self, rows: NDArray[np.int64]) -> Sums:
        """Those at some positions."""
        return Sums(self.present[rows], self.trades[rows], self.failed_trades[rows], self.limbs[rows])


class BookSums(Struct):
    """The sums of some books.

    :param books: ascending.
    :param next_book: the first one of the range after this; None: there is none.
    """

    books: tuple[str, ...]
    next_book: str | None = None
    sums: dict[SumKey, Sums] = field(default_factory=dict)

    def add(self, table: pa.Table, *, repeats: bool = False) -> None:
        """Add partial sums; those of other books are left out.

        :param repeats: its trades are counted, as failed, by another table.
        :raises InputError: a sum left the range of exact addition (a book beyond 1e25 in base currency).
        """
        position = pc.index_in(table.column("book"), value_set=pa.array(self.books, pa.string()))
        known = pc.is_valid(position)
        if not pc.all(known).as_py():
            table, position = table.filter(known), position.filter(known)
        rows = position.to_numpy()
        for key, mask in _by_key(table):
            self._add(key, rows[mask], table.filter(pa.array(mask)), repeats)

    def _add(self, key: SumKey, rows: NDArray[np.int32], table: pa.Table, repeats: bool) -> None:
        limbs = _limbs(table)
        width = limbs.shape[2]
        mine = self.sums.get(key)
        if mine is None:
            mine = self.sums[key] = Sums.empty(len(self.books), width)
        elif mine.limbs.shape[2] < width:  # so far of blocks that failed as a whole: a zero each
            mine.limbs = np.pad(mine.limbs, ((0, 0), (0, 0), (0, width - mine.limbs.shape[2])))
        trades, failed = (table.column(name).to_numpy() for name in ("trades", "failed_trades"))
        mine.present[rows] = True
        np.add.at(mine.trades, rows, 0 if repeats else trades)
        np.add.at(mine.failed_trades, rows, failed - trades if repeats else failed)
        for some in _each_once(rows):
            at = rows[some]
            total = mine.limbs[at, :, :width] + limbs[some]
            if not in_range(total):
                worst = int(np.argmax(np.abs(total).max(axis=(1, 2))))
                book = self.books[at[worst]]
                raise InputError(f"the sum of {key.measure} over book {book!r} is out of range: check the notionals")
            mine.limbs[at, :, :width] = total

    def table(self) -> pa.Table:
        """Rows of the table `partials`; their books are all of the range's, in no order that matters."""
        names = pa.array(self.books, pa.string())
        tables = [_rows(names, key, sums) for key, sums in sorted(self.sums.items())]
        return pa.concat_tables(tables) if tables else SCHEMAS["partials"].empty_table()


def _by_key(table: pa.Table) -> Iterator[tuple[SumKey, NDArray[np.bool_]]]:
    """Keys with the rows that have them, of one width each."""
    sets, measures = (table.column(name).combine_chunks().dictionary_encode() for name in ("scenario_set", "measure"))
    widths = pc.list_value_length(table.column("high")).to_numpy()
    rows = np.stack([sets.indices.to_numpy(), measures.indices.to_numpy(), table.column("first").to_numpy(), widths])
    distinct, which = np.unique(rows, axis=1, return_inverse=True)
    which = which.ravel()
    for k, (set_code, measure_code, first, _) in enumerate(distinct.T.tolist()):
        yield SumKey(sets.dictionary[set_code].as_py(), measures.dictionary[measure_code].as_py(), first), which == k


def _each_once(rows: NDArray[np.int32]) -> Iterator[NDArray[np.int64]]:
    """Positions of rows, such that no row comes twice at a time."""
    left = np.arange(len(rows))
    while len(left):
        _, first = np.unique(rows[left], return_index=True)
        yield left[first]
        left = np.delete(left, first)


def _limbs(table: pa.Table) -> NDArray[np.int64]:
    """int64[n, 3, width] of rows of one width."""
    flat = [pc.list_flatten(table.column(name)).to_numpy() for name in _LIMB_COLUMNS]
    return np.stack([values.reshape(len(table), -1) for values in flat], axis=1)


def _rows(names: pa.Array, key: SumKey, sums: Sums) -> pa.Table:
    used = np.flatnonzero(sums.present)
    n = len(used)
    return pa.table(
        {
            "book": names.take(pa.array(used)),
            "scenario_set": pa.repeat(pa.scalar(key.scenario_set, pa.string()), n),
            "measure": pa.repeat(pa.scalar(key.measure, pa.string()), n),
            "first": pa.repeat(pa.scalar(key.first, pa.int64()), n),
            "trades": pa.array(sums.trades[used]),
            "failed_trades": pa.array(sums.failed_trades[used]),
            **{name: limb_lists(sums.limbs[used, k]) for k, name in enumerate(_LIMB_COLUMNS)},
        },
        schema=SCHEMAS["partials"],
    )


def limb_lists(matrix: NDArray[np.int64]) -> pa.Array:
    """A list a row of int64[n, columns]."""
    offsets = np.arange(matrix.shape[0] + 1, dtype=np.int64) * matrix.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.ascontiguousarray(matrix).ravel()))


class PartialFile(Struct, frozen=True):
    """A file of partial sums.

    :param repeats: its trades are counted, as failed, by another file already.
    :param void: of a block that failed as a whole: it counts the trades, and sums nothing.
    :param sha256: what its content must be; None: it is not looked at.
    """

    path: str
    repeats: bool = False
    void: bool = False
    sha256: str | None = None


class SumPayload(Struct, frozen=True):
    """Partial sums to add up.

    :param name: of the file; follows from what is summed, so a file that is there is the right one.
    :param files: relative to the output.
    :param group: whose blocks' sums these are (plan.neighbours); None: sums of several.
    """

    root: str
    run_id: str
    name: str
    files: tuple[PartialFile, ...]
    group: Group | None = None


def sum_partials(payload: SumPayload) -> WrittenFile:
    """Add up partial sums and put the result in place."""
    context = open_context(payload.root, payload.run_id)
    tables = (sums.table() for sums in read_sums(context, payload.files, RANGE_BYTES))
    path = context.folder.combined_file(payload.name)
    return write_result_stream(context.store, path, "partials", tables, context.spec.provenance)


def read_sums(context: Context, files: Iterable[PartialFile], range_bytes: int = RANGE_BYTES) -> Iterator[BookSums]:
    """What partial sums add up to, a range of books after the other, in ascending order.

    :param range_bytes: about what the sums of a range may take.
    :raises InputError: see `BookSums.add`. :raises StorageError: a file cannot be read, or is not the one recorded.
    """
    store = context.store
    found = list(store.overlapped(lambda file: _SumFile(store, file), files))
    books = sorted(set().union(*(file.books for file in found)))
    size = max(range_bytes // max(context.bytes_a_book, 1), 1)
    for start in range(0, len(books), size):
        some = tuple(books[start : start + size])
        sums = BookSums(some, next_book=books[start + size] if start + size < len(books) else None)
        tables = store.overlapped(partial(_SumFile.rows, first=some[0], last=some[-1]), found)
        for file, table in zip(found, tables, strict=True):
            if table is not None:
                sums.add(table, repeats=file.repeats)
        yield sums


class _SumFile:
    """A file of partial sums, whose row groups have books in ascending order; a small one is held."""

    def __init__(self, store: Store, file: PartialFile) -> None:
        self.repeats = file.repeats
        self._store, self._path = store, file.path
        self._table: pa.Table | None = None
        self._groups: list[tuple[str, str]] = []
        with open_parquet(store, file.path, sha256=file.sha256) as parquet:
            if _values(parquet.metadata) * 8 <= _SMALL_BYTES:
                self._table = parquet.read()
                names = pc.unique(self._table.column("book")).to_pylist()
            else:
                names = []
                for group in range(parquet.metadata.num_row_groups):
                    mine = pc.unique(parquet.read_row_group(group, ["book"]).column("book")).to_pylist()
                    self._groups.append((min(mine), max(mine)))
                    names += mine
        self.books = frozenset(names)

    def rows(self, first: str, last: str) -> pa.Table | None:
        """Those of all books from the first to the last, and perhaps of others; None: there are none."""
        if self._table is not None:
            return self._table
        wanted = [k for k, (low, high) in enumerate(self._groups) if low <= last and high >= first]
        if not wanted:
            return None
        with open_parquet(self._store, self._path) as parquet:
            return parquet.read_row_groups(wanted)


def _values(metadata: Any) -> int:
    groups = (metadata.row_group(k) for k in range(metadata.num_row_groups))
    return sum(group.column(k).num_values for group in groups for k in range(group.num_columns))
