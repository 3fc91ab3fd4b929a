"""The rows of a product, which run on from one of its trade files to the next, and what is read of several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.store.portfolio import TradeFile


class FileRows(Struct, frozen=True):
    """Rows [start, stop) of a trade file."""

    file: TradeFile
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


class ProductRows:
    """The trade files of one product in the order of their paths, and their rows, numbered through all of them."""

    def __init__(self, files: Iterable[TradeFile]) -> None:
        self._files = sorted(files, key=lambda file: file.path)
        self._bounds = np.concatenate([[0], np.cumsum([file.rows for file in self._files], dtype=np.int64)])
        self._first = {file.path: int(first) for file, first in zip(self._files, self._bounds, strict=False)}

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def first_of(self, path: str) -> int:
        """The number of a file's first row."""
        return self._first[path]

    def pieces(self, start: int, stop: int) -> tuple[FileRows, ...]:
        """Where the rows of these numbers lie.

        :raises ValueError: there are no such rows.
        """
        if not 0 <= start <= stop <= len(self):
            raise ValueError(f"rows [{start}, {stop}) of files that have {len(self)}")
        if start == stop:
            return ()
        first, last = (int(k) for k in np.searchsorted(self._bounds, [start, stop - 1], side="right") - 1)
        found = []
        for k in range(first, last + 1):
            base = int(self._bounds[k])
            found.append(FileRows(self._files[k], max(start - base, 0), min(stop - base, self._files[k].rows)))
        return tuple(found)

    def places(self, rows: NDArray[np.int64]) -> list[str]:
        """For people, file#row of each number."""
        which = np.searchsorted(self._bounds, rows, side="right") - 1
        within = rows - self._bounds[which]
        return [f"{self._files[k].path}#{row}" for k, row in zip(which.tolist(), within.tolist(), strict=True)]


def gathered(
    tables: Iterable[tuple[FileRows, pa.Table]], max_rows: int | None = None
) -> Iterator[tuple[tuple[FileRows, ...], pa.Table]]:
    """Neighbouring tables of one product with the same columns put together: a thousand small ones cost as one does.

    :param tables: pieces of trade files and what was read of them.
    :param max_rows: where a table would pass them another one begins; None: without limit.
    """
    pieces: list[FileRows] = []
    waiting: list[pa.Table] = []
    rows = 0
    for piece, table in tables:
        plain = table.replace_schema_metadata(None)  # pandas writes the number of rows into it
        fits = max_rows is None or rows + len(plain) <= max_rows
        if waiting and not (fits and piece.file.product == pieces[-1].file.product and _same(waiting[-1], plain)):
            yield tuple(pieces), _joined(waiting)
            pieces, waiting, rows = [], [], 0
        pieces.append(piece)
        waiting.append(plain)
        rows += len(plain)
    if waiting:
        yield tuple(pieces), _joined(waiting)


def _same(one: pa.Table, other: pa.Table) -> bool:
    # With the metadata of fields: columns that directories name are marked in it.
    return bool(one.schema.equals(other.schema, check_metadata=True))


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return tables[0] if len(tables) == 1 else pa.concat_tables(map(_decoded, tables)).combine_chunks()


def _decoded(table: pa.Table) -> pa.Table:
    """Without dictionaries: the indices of one file may be too narrow for the names of all."""
    for k, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            plain = field.type.value_type
            table = table.set_column(k, field.with_type(plain), table.column(k).cast(plain))
    return table
