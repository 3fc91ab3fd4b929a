"""Pieces of a portfolio, each surveyed by itself: cut by the footers of its files, whoever is to do them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from riskpipe.store.portfolio import TradeFile

PIECE_ROWS = 262_144
"""Rows of a piece at most, where its row groups allow it."""

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class Mapper(Protocol):
    """Who does pieces: `function(shared, item)` of every item, handed over in the order of the items.

    `shared` goes to each process once. All of it can be pickled. What a function raises is raised where its result
    would be.
    """

    def __call__(self, function: Callable[[S, T], R], shared: S, items: Iterable[T]) -> Iterator[R]: ...


def in_turn(function: Callable[[S, T], R], shared: S, items: Iterable[T]) -> Iterator[R]:
    """The `Mapper` that does one after the other in this process."""
    return (function(shared, item) for item in items)


class FileGroups(Struct, frozen=True):
    """Row groups [first, stop) of a trade file."""

    file: TradeFile
    first: int
    stop: int

    @property
    def start(self) -> int:
        """The first of their rows."""
        return self.file.row_group_offsets[self.first]

    def __len__(self) -> int:
        return self.file.row_group_offsets[self.stop] - self.start


class Piece(Struct, frozen=True):
    """Rows that follow each other. :param number: from 0, of all pieces of the portfolio."""

    number: int
    parts: tuple[FileGroups, ...]


def pieces_of(files: Sequence[TradeFile], most_rows: int) -> list[Piece]:
    """All rows, in pieces of at most so many rows or one row group; a file is cut where one piece does not hold it."""
    pieces: list[tuple[FileGroups, ...]] = []
    waiting: list[FileGroups] = []
    rows = 0
    for file in files:
        if waiting and rows + file.rows > most_rows:
            pieces.append(tuple(waiting))
            waiting, rows = [], 0
        if file.rows > most_rows:
            pieces += ((part,) for part in _cut(file, most_rows))
        else:
            waiting.append(FileGroups(file, 0, len(file.row_group_offsets) - 1))
            rows += file.rows
    if waiting:
        pieces.append(tuple(waiting))
    return [Piece(number, parts) for number, parts in enumerate(pieces)]


def _cut(file: TradeFile, most_rows: int) -> Iterator[FileGroups]:
    offsets, first = file.row_group_offsets, 0
    for group in range(1, len(offsets) - 1):
        if offsets[group + 1] - offsets[first] > most_rows:
            yield FileGroups(file, first, group)
            first = group
    yield FileGroups(file, first, len(offsets) - 1)
