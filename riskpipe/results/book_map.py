"""Where the whole book's risk sits: each book's and the largest trades' part of one figure, as a tree to look at."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed
from riskpipe.measures.tail_risk import tail_weights
from riskpipe.results.find import Results
from riskpipe.store.parquet import open_parquet

MOST_NODES = 1_200
MOST_BELOW = 40
MOST_TRADES = 15
_BOOKS_AT_A_TIME = 2_048
_HISTORICAL = PNL_SETS["historical_var"]


class Node(Struct):
    """A book, a trade, or what is left of a book when the largest below it are shown.

    :param path: of the book; of others what identifies them in their parent.
    :param part: of the root's figure, in the base currency, positive where it adds to the risk; parts below a book
        add up to the book's.
    :param kind: book, trade, or rest. :param figure: the book's own figure; None: not known.
    """

    path: str
    name: str
    kind: str
    part: float
    trades: int = 1
    figure: float | None = None
    below: list[Node] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """With keys that are as short as the page has many of them."""
        found: dict[str, Any] = {"n": self.name, "k": self.kind[0], "v": _rounded(self.part), "t": self.trades}
        if self.figure is not None:
            found["f"] = _rounded(self.figure)
        if self.below:
            found["c"] = [each.to_json() for each in self.below]
        return found

    def walk(self) -> Iterator[Node]:
        yield self
        for each in self.below:
            yield from each.walk()


class BookMap(Struct, frozen=True):
    """:param books: how many there are. :param shown: of them in the tree."""

    figure: str
    root: Node
    books: int
    shown: int


class _Books(Struct, frozen=True):
    """All books that have a P&L, by path. :param part: float64[k], of the root's figure."""

    place: Mapping[str, int]
    part: FloatArray
    trades: Sequence[int]
    below: Mapping[str, Sequence[str]]


def book_map(
    results: Results, definition: TailDefinition, trades: Sequence[tuple[str, str, float]], figures: Mapping[str, float]
) -> BookMap | None:
    """Parts by Euler's allocation, as in `var_components`, at all levels of the root's figure.

    :param trades: (book, trade id, part) of the largest. :param figures: each book's own figure.
    :returns: None: there is no history of P&L, or it is too short for the figure.
    """
    books = _parts(results, definition)
    if books is None:
        return None
    leaves: dict[str, list[tuple[str, float]]] = {}
    for book, trade, part in trades:
        leaves.setdefault(book, []).append((trade, part))
    root = _node("", books, figures)
    shown = _grow(root, books, figures)
    for node in list(root.walk()):
        if node.kind == "book" and not books.below.get(node.path):
            _add_trades(node, leaves.get(node.path, ()))
    return BookMap(definition.name, root, len(books.place), shown)


def _parts(results: Results, definition: TailDefinition) -> _Books | None:
    names: list[str] = []
    trades: list[int] = []
    parts: list[FloatArray] = []
    weights: FloatArray | None = None
    for rows in _vectors(results):
        pnl = pc.list_flatten(rows["pnl"]).to_numpy().reshape(len(rows), -1)
        if weights is None:
            if rows["book"][0].as_py() != "" or pnl.shape[1] < scenarios_needed(definition):
                return None
            weights = tail_weights(pnl[:1], definition)[0]
        parts.append(-(pnl @ weights))
        names += rows["book"].to_pylist()
        trades += rows["trades"].to_pylist()
    if weights is None:
        return None
    below: dict[str, list[str]] = {}
    for name in names:
        if name:
            below.setdefault(name.rpartition("/")[0], []).append(name)
    return _Books({name: k for k, name in enumerate(names)}, np.concatenate(parts), trades, below)


def _vectors(results: Results) -> Iterator[pa.Table]:
    columns = ["book", "scenario_set", "risk_class", "pnl", "trades"]
    for source in results.files.get("book_pnl", ()):
        with open_parquet(results.store, source.path, sha256=source.sha256) as file:
            for batch in file.iter_batches(_BOOKS_AT_A_TIME, columns=columns):
                rows = pa.Table.from_batches([batch])
                wanted = pc.and_(pc.equal(rows["scenario_set"], _HISTORICAL), pc.equal(rows["risk_class"], WHOLE_RISK))
                rows = rows.filter(pc.and_(wanted, pc.is_valid(rows["pnl"]))).combine_chunks()
                if len(rows):
                    yield rows


def _node(path: str, books: _Books, figures: Mapping[str, float]) -> Node:
    row = books.place[path]
    name = path.rpartition("/")[2] or "all books"
    return Node(path, name, "book", float(books.part[row]), books.trades[row], figures.get(path))


def _grow(root: Node, books: _Books, figures: Mapping[str, float]) -> int:
    """Add books below books, those of the largest parts first, while there is room; how many there are then."""
    shown, waiting = 1, [(0.0, "", root)]
    while waiting:
        _, path, node = heapq.heappop(waiting)
        below = sorted(books.below.get(path, ()), key=lambda each: -abs(books.part[books.place[each]]))
        if not below:
            continue
        room = min(MOST_BELOW, MOST_NODES - shown)
        node.below = [_node(each, books, figures) for each in below[: max(room, 0)]]
        shown += len(node.below)
        _add_rest(node, below[len(node.below) :], books)
        for each in node.below:
            if each.kind == "book":
                heapq.heappush(waiting, (-abs(each.part), each.path, each))
    return shown


def _add_rest(node: Node, left_out: Sequence[str], books: _Books) -> None:
    rows = [books.place[each] for each in left_out]
    if rows:
        trades = sum(books.trades[row] for row in rows)
        name = f"{len(rows):,} smaller books"
        node.below.append(Node(f"{node.path}#books", name, "rest", float(books.part[rows].sum()), trades))
    own = node.trades - sum(each.trades for each in node.below)
    if own > 0:
        part = node.part - sum(each.part for each in node.below)
        node.below.append(Node(f"{node.path}#own", "trades of its own", "rest", part, own))


def _add_trades(node: Node, found: Sequence[tuple[str, float]]) -> None:
    largest = sorted(found, key=lambda each: -abs(each[1]))[:MOST_TRADES]
    node.below = [Node(trade, trade, "trade", part) for trade, part in largest]
    others = node.trades - len(largest)
    if node.below and others > 0:
        part = node.part - sum(each.part for each in node.below)
        node.below.append(Node(f"{node.path}#rest", f"{others:,} other trades", "rest", part, others))


def _rounded(value: float) -> float:
    """To the digits that a page shows."""
    return float(f"{value:.6g}")
