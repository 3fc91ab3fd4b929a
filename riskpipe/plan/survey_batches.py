"""Rows of a portfolio that are looked at together, and what is told of them once for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.products.base import Product
from riskpipe.products.books import normal_book
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, renamed_books
from riskpipe.store.trade_rows import FileRows

SAMPLES: Final = 5
"""Names of rows that a fault shows at most."""


class Batch:
    """Rows of one product that are looked at together, be they of one file or of many.

    :ivar original: as they were read; trades: in canonical form.
    """

    def __init__(
        self, product: Product, pieces: tuple[FileRows, ...], original: pa.Table, calendars: Mapping[str, str]
    ) -> None:
        self.product = product
        self.pieces = pieces
        self.original = original
        self.trades = Trades(canonical(original, product), calendars)
        self.bounds = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])

    def piece_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The position among the pieces of each row of the batch."""
        return np.searchsorted(self.bounds, rows, side="right") - 1

    def by_file(self, rows: NDArray[np.int64]) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
        """Path, rows of the batch and the same as rows of that file, for each file that some of `rows` are of."""
        which = self.piece_of(rows)
        for k in np.unique(which).tolist():
            mine = rows[which == k]
            yield self.pieces[k].file.path, mine, mine - self.bounds[k] + self.pieces[k].start

    def names(self, rows: NDArray[np.int64]) -> tuple[str, ...]:
        """Of a few of the trades: their ids, or where there is none the file and the row."""
        found = []
        for row in rows[:SAMPLES].tolist():
            k = int(self.piece_of(np.array([row]))[0])
            place = f"{self.pieces[k].file.path}#{self.pieces[k].start + row - self.bounds[k]}"
            found.append(str(self.trades.trade_ids[row].as_py() or place))
        return tuple(found)


class RenamedBooks(Struct):
    """Books whose normal form is another name, over all files: told once.

    :param path: the first file that has one. :param names: as given -> as read.
    """

    path: str = ""
    rows: int = 0
    sample: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        rows, given = renamed_books(batch.trades, batch.original)
        if len(rows):
            self.path = self.path or batch.pieces[batch.piece_of(rows[:1])[0]].file.path
            self.rows += len(rows)
            self.sample = (self.sample + batch.names(rows))[:SAMPLES]
            self.names.update({name: normal_book(name) for name in set(given)})

    def extend(self, other: RenamedBooks) -> None:
        """All of another one, of rows that come after."""
        self.path = self.path or other.path
        self.rows += other.rows
        self.sample = (self.sample + other.sample)[:SAMPLES]
        self.names.update(other.names)

    def message(self) -> str:
        shown = [f"{given!a} as {normal!a}" for given, normal in sorted(self.names.items())[:SAMPLES]]
        more = f" and {len(self.names) - SAMPLES} more" if len(self.names) > SAMPLES else ""
        what = "books are read in their normal form (no empty parts, no spaces around a part, Unicode NFC)"
        return f"{what}: {', '.join(shown)}{more}"
