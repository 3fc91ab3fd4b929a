"""What is known of a file from whoever wrote it."""

from __future__ import annotations

from msgspec import Struct

Key = tuple[str, str]
"""Book and trade_id: the first two columns of the order of every table with a row a trade."""


class WrittenFile(Struct, frozen=True):
    """A file as it was written; `path` is relative to the store's root."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Piece(WrittenFile, frozen=True):
    """A file of rows in their table's order, with the keys of its first and its last row.

    :param of_run: the run whose id its rows bear, where that is not the one that it was recorded in: of versions that
        gave files of an earlier run a second name.
    """

    first: Key
    last: Key
    of_run: str | None = None
