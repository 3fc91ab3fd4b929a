"""Two streams of rows in the same order, side by side: which rows belong together, in bounded memory.

Rows are matched by book and trade first, as the streams are sorted. What is left over on both sides, because a trade
moved to another book, is put aside in sorted files and matched once more without the book.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.store.location import open_store
from riskpipe.store.parquet import write_parquet
from riskpipe.store.sorted_merge import Source, merge_sorted

Positions = NDArray[np.int64]
Pair = tuple[pa.Table, pa.Table]

LEFT_OVER_ROWS = 500_000
FORMER_BOOK = "former_book"


def aligned(a: Iterator[pa.Table], b: Iterator[pa.Table], empty: pa.Table) -> Iterator[Pair]:
    """Tables of both streams that cover the same range of (book, trade_id).

    :param a, b: tables without empty ones, in order of (book, trade_id); no trade is in two tables of a stream.
    :param empty: stands for a stream that has nothing in a range.
    """
    left, right = next(a, None), next(b, None)
    while left is not None and right is not None:
        last = min(_key(left, left.num_rows - 1), _key(right, right.num_rows - 1))
        at, bt = _rows_up_to(left, last), _rows_up_to(right, last)
        yield left.slice(0, at), right.slice(0, bt)
        left = left.slice(at) if at < left.num_rows else next(a, None)
        right = right.slice(bt) if bt < right.num_rows else next(b, None)
    while left is not None:
        yield left, empty
        left = next(a, None)
    while right is not None:
        yield empty, right
        right = next(b, None)


def _key(table: pa.Table, row: int) -> tuple[str, str]:
    return table["book"][row].as_py(), table["trade_id"][row].as_py()


def _rows_up_to(table: pa.Table, last: tuple[str, str]) -> int:
    return bisect_right(range(table.num_rows), last, key=lambda row: _key(table, row))


def coded(column: pa.ChunkedArray) -> tuple[Positions, list[str | None]]:
    """Each row's position in a list of values, which may hold one twice; a null's is the last, None."""
    array = column.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = pc.dictionary_encode(array)
    values: list[str | None] = array.dictionary.to_pylist()
    indices = pc.fill_null(array.indices, len(values)).to_numpy()
    return indices.astype(np.int64), [*values, None]


def together(a: pa.Table, b: pa.Table, names: Sequence[str]) -> pa.Table:
    """These columns of both, the rows of `b` below those of `a`, with dictionaries in common."""
    return pa.concat_tables([a.select(names), b.select(names)]).unify_dictionaries()


def row_codes(a: pa.Table, b: pa.Table, names: Sequence[str]) -> tuple[Positions, Positions]:
    """A number for each row, the same exactly where all the columns are the same."""
    both = together(a, b, names)
    codes, size = np.zeros(both.num_rows, np.int64), 1
    for name in names:
        values, texts = coded(both[name])
        if size * len(texts) >= 2**62:
            codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
            size = int(codes.max(initial=0)) + 1
        codes, size = codes * len(texts) + values, size * len(texts)
    return codes[: a.num_rows], codes[a.num_rows :]


def matched(a: pa.Table, b: pa.Table, keys: Sequence[str]) -> tuple[Positions, Positions, Positions, Positions]:
    """Rows with the same keys (of `a`, of `b`, pair by pair) and the rows that have no counterpart (of `a`, of `b`)."""
    left, right = row_codes(a, b, keys)
    if np.array_equal(left, right):
        every, none = np.arange(len(left)), np.empty(0, np.int64)
        return every, every, none, none
    repeats = max(len(left), len(right)) + 1
    dense = np.unique(np.concatenate([left, right]), return_inverse=True)[1].astype(np.int64)
    left, right = dense[: len(left)], dense[len(left) :]
    left, right = left * repeats + _occurrence(left), right * repeats + _occurrence(right)
    _, in_a, in_b = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    order = np.argsort(in_a)
    in_a, in_b = in_a[order], in_b[order]
    return in_a, in_b, _others(len(left), in_a), _others(len(right), in_b)


def _occurrence(codes: Positions) -> Positions:
    """How many earlier rows have the same code: of a trade that is there twice the k-th rows meet."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(codes) else order
    sizes = np.diff(np.append(starts, len(codes)))
    occurrence = np.empty(len(codes), np.int64)
    occurrence[order] = np.arange(len(codes)) - np.repeat(starts, sizes)
    return occurrence


def _others(size: int, taken: Positions) -> Positions:
    left = np.ones(size, np.bool_)
    left[taken] = False
    return np.flatnonzero(left)


class LeftOver:
    """Rows of both sides that found no counterpart in their book; a context manager, files in a temporary directory."""

    def __init__(self, schema: pa.Schema, keys: tuple[str, ...]) -> None:
        """:param schema: of the rows as they are put in; :param keys: what names a row, the first two book, trade_id"""
        fields = [pa.field(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in schema]
        self._schema = pa.schema([*fields, pa.field(FORMER_BOOK, pa.string())])
        self._keys = keys
        self._waiting: tuple[list[pa.Table], list[pa.Table]] = ([], [])
        self._files: tuple[list[Source], list[Source]] = ([], [])

    def __enter__(self) -> LeftOver:
        self._directory = tempfile.TemporaryDirectory(prefix="riskpipe-diff-")
        self._store = open_store(self._directory.name)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._directory.cleanup()

    def put(self, side: int, rows: pa.Table) -> None:
        """:param side: 0 or 1."""
        if rows.num_rows:
            plain = rows.append_column(FORMER_BOOK, rows["book"]).cast(self._schema)
            self._waiting[side].append(plain)
            if sum(table.num_rows for table in self._waiting[side]) >= LEFT_OVER_ROWS:
                self._write(side)

    def pairs(self, window_bytes: int) -> Iterator[Pair]:
        """What was put in, aligned by trade; the column book is empty, `former_book` has what it was."""
        for side in (0, 1):
            if self._waiting[side]:
                self._write(side)
        streams = [
            merge_sorted(
                self._store, files, self._schema, (*self._keys, FORMER_BOOK), f"merge-{side}", window_bytes
            ) if files else iter(())
            for side, files in enumerate(self._files)
        ]  # fmt: skip
        yield from aligned(streams[0], streams[1], _windowed(self._schema).empty_table())

    def empty(self) -> pa.Table:
        """No rows, with the columns that are put in and the types of merge_sorted's windows."""
        return _windowed(self._schema).empty_table().drop([FORMER_BOOK])

    def _write(self, side: int) -> None:
        rows = pa.concat_tables(self._waiting[side])
        self._waiting[side].clear()
        rows = rows.set_column(0, "book", pa.repeat(pa.scalar("", pa.string()), rows.num_rows))
        rows = rows.sort_by([(name, "ascending") for name in self._keys])
        path = f"side-{side}/{len(self._files[side]):06d}.parquet"
        write_parquet(self._store, path, rows)
        self._files[side].append(Source(path))


def _windowed(schema: pa.Schema) -> pa.Schema:
    code = pa.dictionary(pa.int32(), pa.string())
    coded = [pa.types.is_string(field.type) and field.name != "trade_id" for field in schema]
    return pa.schema([f.with_type(code) if is_coded else f for f, is_coded in zip(schema, coded, strict=True)])
