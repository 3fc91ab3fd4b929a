"""Rows of a published table in files that follow each other, each of which can be a file of the published day.

A piece is written as published files are, under a footer that says the same. Where nobody else's rows fall between
its first and its last, publishing it is giving it another name; else it is merged like any file of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from msgspec.structs import asdict
from numpy.typing import NDArray

from riskpipe.store.filesystem import Store
from riskpipe.store.result_tables import Provenance, row_group_rows, table_sink
from riskpipe.store.written_files import Key, Piece

LEAST_PIECE = 2 << 20
# A merge of a range of keys reads whole row groups: small ones, or it would read far more than the range.
_ROW_GROUP_BYTES = 4 << 20


def cuts_at_books(books: NDArray[np.int32], row_bytes: float) -> list[int]:
    """Where rows are cut into pieces: at changes of the book, each piece of at least `LEAST_PIECE` bytes.

    :param books: int32[n], codes of the rows' books, equal ones beside each other.
    """
    least = max(int(LEAST_PIECE / max(row_bytes, 1.0)), 1)
    cuts: list[int] = []
    for change in (np.flatnonzero(np.diff(books)) + 1).tolist():
        if change - (cuts[-1] if cuts else 0) >= least:
            cuts.append(change)
    if cuts and len(books) - cuts[-1] < least:
        cuts.pop()
    return cuts


def makes_piece(size: int) -> bool:
    """Whether so many bytes of rows beside a piece are worth one of their own."""
    return size >= LEAST_PIECE // 2


def write_piece(store: Store, path: str, table: str, rows: pa.Table, provenance: Provenance) -> Piece:
    """Rows of `table`, in its order, as a file that can be published; durable once it is copied. There must be one.

    :raises InvalidResultError: they break the table's contract. :raises StorageError: it cannot be written.
    """
    with table_sink(store, path, table, provenance, durable=False) as sink:
        sink.write(rows, row_group_rows(rows, _ROW_GROUP_BYTES))
    return Piece(**asdict(sink.written), first=_key(rows, 0), last=_key(rows, rows.num_rows - 1))


def slices(rows: pa.Table, cuts: Sequence[int]) -> Iterator[pa.Table]:
    """The rows between neighbouring cuts."""
    edges = [0, *cuts, rows.num_rows]
    for start, stop in pairwise(edges):
        yield rows.slice(start, stop - start)


def _key(rows: pa.Table, row: int) -> Key:
    return rows["book"][row].as_py(), rows["trade_id"][row].as_py()
