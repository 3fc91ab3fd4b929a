"""Sums of books into sums of every node of the tree of books, while the books come in ascending order.

A node is closed when no book at it or below it can follow. Beyond the nodes of the books that have just come, those
that are open are few: a book's path begins with the path of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.measures.summed_columns import Summed
from riskpipe.valuation.book_sums import BookSums, SumKey, Sums

ROOT = ""


class Nodes(Struct, frozen=True):
    """Some nodes of the tree, and the sums of each measure over all scenarios of a set.

    :param sums: a row a node, of what the books below it have.
    """

    paths: tuple[str, ...]
    sums: Mapping[Summed, Sums]

    def take(self, rows: NDArray[np.int64]) -> Nodes:
        """Those at some positions."""
        sums = {what: found.take(rows) for what, found in self.sums.items()}
        return Nodes(tuple(self.paths[k] for k in rows.tolist()), sums)


def ancestors(book: str) -> Iterator[tuple[int, str]]:
    """(level, path) from the root (0, "") down to the book itself."""
    parts = book.split("/") if book else []
    for level in range(len(parts) + 1):
        yield level, "/".join(parts[:level])


def level_of(path: str) -> int:
    """The root's is 0."""
    return path.count("/") + 1 if path else 0


def closed_nodes(ranges: Iterable[BookSums], columns_of: Callable[[Summed], int]) -> Iterator[Nodes]:
    """Every node once, with the nodes that close with it.

    :param ranges: of books in ascending order, as `read_sums` has them.
    :param columns_of: how many sums there are of something.
    """
    carried = Nodes((), {})
    for books in ranges:
        nodes = _with_books(carried, books, columns_of)
        is_closed = np.array([_closes(path, books.next_book) for path in nodes.paths], np.bool_)
        yield nodes.take(np.flatnonzero(is_closed))
        carried = nodes.take(np.flatnonzero(~is_closed))


def _closes(path: str, next_book: str | None) -> bool:
    """Whether neither that book nor one after it is at the path or below it."""
    if next_book is None:
        return True
    # "0" is the character after "/": before it is all that begins with the path and a slash.
    return path != ROOT and path + "0" <= next_book


def _with_books(carried: Nodes, books: BookSums, columns_of: Callable[[Summed], int]) -> Nodes:
    position = {path: k for k, path in enumerate(carried.paths)}
    pairs: dict[int, tuple[list[int], list[int]]] = {}
    for k, book in enumerate(books.books):
        for level, path in ancestors(book):
            of_level = pairs.setdefault(level, ([], []))
            of_level[0].append(k)
            of_level[1].append(position.setdefault(path, len(position)))
    mine = _whole(books, columns_of)
    sums = {}
    for what in dict.fromkeys((*carried.sums, *mine)):
        total = sums[what] = Sums.empty(len(position), columns_of(what))
        if what in carried.sums:
            _add(total, np.arange(len(carried.paths)), carried.sums[what])
        if what in mine:
            for rows, nodes in pairs.values():
                _add(total, np.array(nodes), mine[what], np.array(rows))
    return Nodes(tuple(position), sums)


def _add(total: Sums, nodes: NDArray[np.int64], part: Sums, rows: NDArray[np.int64] | None = None) -> None:
    """Add rows of `part` (None: all) to the nodes they belong to."""
    rows = np.arange(len(nodes)) if rows is None else rows
    order = np.argsort(nodes, kind="stable")
    nodes, rows = nodes[order], rows[order]
    first = np.flatnonzero(np.diff(nodes, prepend=-1))
    into = nodes[first]
    total.present[into] |= np.logical_or.reduceat(part.present[rows], first)
    total.trades[into] += np.add.reduceat(part.trades[rows], first)
    total.failed_trades[into] += np.add.reduceat(part.failed_trades[rows], first)
    total.limbs[into] += np.add.reduceat(part.limbs[rows], first, axis=0)


def _whole(books: BookSums, columns_of: Callable[[Summed], int]) -> dict[Summed, Sums]:
    """Sums over all columns, from the pieces of each scenario range."""
    pieces: dict[Summed, list[tuple[SumKey, Sums]]] = {}
    for key, found in books.sums.items():
        pieces.setdefault(Summed(key.scenario_set, key.measure), []).append((key, found))
    return {what: _assembled(found, columns_of(what)) for what, found in pieces.items()}


def _assembled(pieces: Sequence[tuple[SumKey, Sums]], columns: int) -> Sums:
    if len(pieces) == 1 and pieces[0][1].limbs.shape[2] == columns:
        return pieces[0][1]
    whole = Sums.empty(len(pieces[0][1].present), columns)
    for key, found in pieces:
        # Each range counts the same trades; one that failed in any of them is counted there.
        whole = replace(
            whole,
            present=whole.present | found.present,
            trades=np.maximum(whole.trades, found.trades),
            failed_trades=np.maximum(whole.failed_trades, found.failed_trades),
        )
        whole.limbs[:, :, key.first : key.first + found.limbs.shape[2]] += found.limbs
    return whole
