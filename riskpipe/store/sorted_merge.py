"""Many files sorted by book and trade become one stream in order, with no more than a window of it in memory.

A window takes from every source the rows below the smallest of the last keys read so far: whatever is still to
be read is not smaller. The window's rows are then put in order at once, by the integer ranks of their keys, so
nothing here loops over rows and the order does not depend on how the sources were cut.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import atomic_parquet, open_parquet, reading
from riskpipe.store.result_tables import InvalidResultError
from riskpipe.store.written_files import Key, WrittenFile

WINDOW_BYTES = 256 << 20
_LEAST_BATCH = 64
MOST_SOURCES = 512
"""Files that are merged at once, if the store lets so many be open."""


class Source(Struct, frozen=True):
    """A file sorted by (book, trade_id) as bytes; the rows of one trade in any order.

    :param drop: trades whose rows here do not count, because another source has them.
    :param sha256: what its content must be; None: it is not looked at.
    :param check: whether who reads it looks: of several that read parts of it, one does.
    :param rows: first and last (exclusive) of the rows that count; None: all.
    :param bytes: its size, where that is known.
    :param keys: of its first and last row, if it is a piece that can be published as it is.
    """

    path: str
    drop: frozenset[str] = field(default_factory=frozenset)
    sha256: str | None = None
    check: bool = True
    rows: tuple[int, int] | None = None
    bytes: int = 0
    keys: tuple[Key, Key] | None = None

    @property
    def expected(self) -> str | None:
        """What its content is held against."""
        return self.sha256 if self.check else None


def merge_sorted(
    store: Store,
    sources: Sequence[Source],
    schema: pa.Schema,
    keys: tuple[str, ...],
    scratch: str,
    window_bytes: int = WINDOW_BYTES,
    most_sources: int | None = None,
) -> Iterator[pa.Table]:
    """The rows of all sources in the order of `keys`, as tables of any size.

    :param schema: the columns wanted; string columns other than trade_id come as dictionaries. A nullable
        column that a source does not have is null.
    :param keys: string columns that together name a row, the first two ("book", "trade_id").
    :param scratch: a directory for intermediate files, which are needed above `most_sources` (default:
        `most_open`) and deleted in the end.
    :param window_bytes: about how much is held in memory.
    :raises InvalidResultError: a source is not sorted, or two rows have the same key: a bug.
    :raises StorageError: a source cannot be read.
    """
    most = most_sources or most_open(store)
    layer = list(sources)
    depth = 0
    try:
        while len(layer) > most:
            depth += 1
            groups = [layer[i : i + most] for i in range(0, len(layer), most)]
            paths = [f"{scratch}/{depth}-{number:06d}.parquet" for number in range(len(groups))]
            for group, path in zip(groups, paths, strict=True):
                merge_to_file(store, group, schema, keys, path, window_bytes)
            layer = [Source(path) for path in paths]
        yield from merge_open(store, layer, schema, keys, window_bytes)
    finally:
        if depth:
            store.delete_tree(scratch)


def most_open(store: Store) -> int:
    """How many sources are merged at once."""
    return min(MOST_SOURCES, store.most_open_files)


def merge_to_file(
    store: Store,
    sources: Sequence[Source],
    schema: pa.Schema,
    keys: tuple[str, ...],
    path: str,
    window_bytes: int = WINDOW_BYTES,
) -> WrittenFile:
    """As `merge_sorted`, into one file that can take the sources' place. At most `most_open` of them."""
    with atomic_parquet(store, path, schema, transient=True) as sink:
        for window in merge_open(store, sources, schema, keys, window_bytes):
            sink.write(window.cast(schema))
    return sink.written


def _window_schema(schema: pa.Schema) -> pa.Schema:
    coded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [pa.field(f.name, coded if pa.types.is_string(f.type) and f.name != "trade_id" else f.type) for f in schema]
    )


def merge_open(
    store: Store, sources: Sequence[Source], schema: pa.Schema, keys: tuple[str, ...], window_bytes: int
) -> Iterator[pa.Table]:
    """As `merge_sorted`, of at most `most_open` sources."""
    columns = _window_schema(schema)
    with ExitStack() as stack:
        cursors = list(store.overlapped(lambda source: _Cursor(store, source, columns, stack), sources))
        width = max((cursor.row_bytes for cursor in cursors), default=1)
        # Ordering a window takes a second copy of what is held.
        most_rows = max(window_bytes // (2 * width), 1)
        for cursor in cursors:
            cursor.start(max(most_rows // (2 * len(cursors)), _LEAST_BATCH))
        while cursors := [cursor for cursor in cursors if not cursor.is_done]:
            _read_on(cursors, most_rows)
            yield _next_window(cursors, keys)


def _read_on(cursors: Sequence[_Cursor], most_rows: int) -> None:
    """Always from the source that bounds the window, so that few sources that span what comes next are read in large
    pieces, however many wait for their turn; until about `most_rows` are held, and there is a row to be taken."""
    held = sum(cursor.held for cursor in cursors)
    first = min(key for cursor in cursors if (key := cursor.first_key()) is not None)
    ends = [(key, number) for number, cursor in enumerate(cursors) if (key := cursor.open_end()) is not None]
    heapq.heapify(ends)
    while ends and (held < most_rows or ends[0][0] <= first):
        number = ends[0][1]
        held += cursors[number].read()
        key = cursors[number].open_end()
        if key is None:
            heapq.heappop(ends)
        else:
            heapq.heapreplace(ends, (key, number))


def _next_window(cursors: Sequence[_Cursor], keys: tuple[str, ...]) -> pa.Table:
    """The rows below the smallest of the last keys that were read; there are some."""
    bound = min((end for cursor in cursors if (end := cursor.open_end()) is not None), default=None)
    taken, paths = [], []
    for cursor in cursors:
        rows = cursor.take_below(bound)
        if rows is not None:
            taken.append(rows)
            paths.append(cursor.path)
    return _in_order(taken, paths, keys)


class _Cursor:
    """The rows of a source that were read and not yet taken."""

    def __init__(self, store: Store, source: Source, schema: pa.Schema, stack: ExitStack) -> None:
        self.path = store.full_path(source.path)
        coded = [field.name for field in schema if pa.types.is_dictionary(field.type)]
        self._file = stack.enter_context(open_parquet(store, source.path, coded, source.expected))
        self._range = source.rows or (0, self._file.metadata.num_rows)
        self._present = [name for name in schema.names if name in self._file.schema_arrow.names]
        self._schema = schema
        self._drop = pa.array(sorted(source.drop), pa.string()) if source.drop else None
        self._held: deque[_Rows] = deque()
        self._batches: Iterator[Any] = iter(())
        self._is_exhausted = False
        self.held = 0

    @property
    def row_bytes(self) -> int:
        """About what a row takes in memory."""
        metadata = self._file.metadata
        encoded = sum(metadata.row_group(g).total_byte_size for g in range(metadata.num_row_groups))
        return int(encoded // max(metadata.num_rows, 1) + 12 * len(self._schema))

    def start(self, batch_rows: int) -> None:
        groups, skipped = self._row_groups()
        batches = self._file.iter_batches(batch_size=batch_rows, row_groups=groups, columns=self._present)
        first, last = self._range
        self._batches = _within(batches, first - skipped, last - skipped)
        self.read()

    def _row_groups(self) -> tuple[list[int], int]:
        """Those that hold rows of the range, and how many rows come before them."""
        metadata = self._file.metadata
        ends = np.cumsum([metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)], dtype=np.int64)
        first, last = np.searchsorted(ends, self._range[0], "right"), np.searchsorted(ends, self._range[1], "left")
        groups = list(range(int(first), min(int(last) + 1, len(ends))))
        return groups, int(ends[first - 1]) if first else 0

    @property
    def is_done(self) -> bool:
        return self._is_exhausted and not self._held

    def first_key(self) -> Key | None:
        """Of what is held."""
        return self._held[0].key(0) if self._held else None

    def open_end(self) -> Key | None:
        """The last key that is held, if there may be more rows of it; None: there are no more rows at all."""
        return None if self._is_exhausted else self._held[-1].last

    def read(self) -> int:
        """A batch more, of which some row counts; how many do."""
        while True:
            with reading(self.path):
                batch = next(self._batches, None)
            if batch is None:
                self._is_exhausted = True
                return 0
            rows = self._shaped(batch)
            if rows.num_rows:
                self._held.append(_Rows(rows))
                count: int = rows.num_rows
                self.held += count
                return count

    def take_below(self, bound: Key | None) -> pa.Table | None:
        """The rows before `bound`, or all of them; None: there are none."""
        taken: list[pa.Table] = []
        while self._held:
            rows = self._held.popleft()
            if bound is None or rows.last < bound:
                taken.append(rows.table)
                continue
            count = bisect_left(range(rows.table.num_rows), bound, key=rows.key)
            if count:
                taken.append(rows.table.slice(0, count))
            self._held.appendleft(_Rows(rows.table.slice(count)) if count else rows)
            break
        self.held -= sum(table.num_rows for table in taken)
        return pa.concat_tables(taken) if taken else None

    def _shaped(self, batch: Any) -> pa.Table:
        columns = [
            batch.column(f.name) if f.name in batch.schema.names else pa.nulls(batch.num_rows, f.type)
            for f in self._schema
        ]
        table = pa.table(columns, schema=self._schema)
        if self._drop is not None:
            table = table.filter(pc.invert(pc.is_in(table["trade_id"], value_set=self._drop)))
        return table


class _Rows:
    """Some rows, one or more, and their keys in arrays that are quick to look into."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._books, self._ids = (table[name].combine_chunks() for name in ("book", "trade_id"))
        self.last = self.key(table.num_rows - 1)

    def key(self, row: int) -> Key:
        return self._books[row].as_py(), self._ids[row].as_py()


def _within(batches: Iterable[pa.RecordBatch], first: int, last: int) -> Iterator[pa.RecordBatch]:
    """The rows from `first` on and before `last`."""
    before = 0
    for batch in batches:
        start, stop = max(first - before, 0), min(last - before, batch.num_rows)
        before += batch.num_rows
        if start < stop:
            yield batch.slice(start, stop - start)
        if before >= last:
            return


def key_order(rows: pa.Table, keys: tuple[str, ...]) -> NDArray[np.int64]:
    """int64[n]: the rows in the order of some columns without nulls, equal ones as they come."""
    return np.argsort(_combined([_ranks(rows[key]) for key in keys]), kind="stable")


def _in_order(parts: list[pa.Table], paths: list[str], keys: tuple[str, ...]) -> pa.Table:
    window = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    ranks = [_ranks(window[key]) for key in keys]
    trades = _combined(ranks[:2])
    _refuse_unsorted(trades, parts, paths)
    names = _combined([(trades, int(trades.max()) + 1), *ranks[2:]])
    order = np.argsort(names, kind="stable")
    ordered = window.take(pa.array(order))
    in_order = names[order]
    twice = np.flatnonzero(in_order[1:] == in_order[:-1])
    if twice.size:
        row = ", ".join(str(ordered[key][int(twice[0])].as_py()) for key in keys)
        raise InvalidResultError(f"{twice.size} results are there twice, such as {row}")
    return ordered


def _ranks(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], int]:
    """Each row's position among the column's distinct values, in byte order, and how many there are."""
    coded = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if not pa.types.is_dictionary(coded.type):
        coded = pc.dictionary_encode(coded)
    order = pc.sort_indices(coded.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[coded.indices.to_numpy()], len(order)


def _combined(ranks: list[tuple[NDArray[np.int64], int]]) -> NDArray[np.int64]:
    """One number a row that sorts as the tuple of ranks does."""
    values, size = ranks[0]
    for other, count in ranks[1:]:
        if size * count >= 2**63:
            values = np.unique(values, return_inverse=True)[1].astype(np.int64)
            size = int(values.max()) + 1
        values, size = values * count + other, size * count
    return values


def _refuse_unsorted(trades: NDArray[np.int64], parts: list[pa.Table], paths: list[str]) -> None:
    # A window ends before a row that is not below its bound, after one that is: a fall is never between two windows.
    falls = np.flatnonzero(trades[1:] < trades[:-1]) + 1
    starts = np.cumsum([part.num_rows for part in parts])
    wrong = falls[~np.isin(falls, starts)]
    if wrong.size:
        source = paths[int(np.searchsorted(starts, wrong[0], side="right"))]
        raise InvalidResultError(f"{source} is not sorted by book and trade_id")
