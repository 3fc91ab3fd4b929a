"""Which files make a table's day: pieces that stand as workers wrote them, and between these ranges of keys, merged.

A piece stands where nobody else's rows fall between its first and its last. One of two small books may span all that
other products have between them, and keeps nothing of it from standing. What does not stand is cut into ranges of
about `PART_BYTES`, at keys, so that each range is merged by a worker of its own; a range reads of every file only the
row groups that have rows of it. So a day has the same rows in the same order whatever stands and whoever merges.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.plan.block import digest_id
from riskpipe.store.filesystem import Store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source
from riskpipe.store.stage import part_paths
from riskpipe.store.written_files import Key
from riskpipe.valuation.context import open_context
from riskpipe.valuation.merge_files import PartPayload

PART_BYTES = 64 << 20
STANDS_FROM = 1 << 20
"""Smaller pieces are merged: a day is to have few files."""
_SAMPLES_A_PART = 16


class Part(Struct, frozen=True):
    """A file of a day: rows of several files in order, or one that is linked as it is."""

    sources: tuple[Source, ...]
    linked: bool = False


def standing(store: Store, found: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """The sources that can be published as they are, in order, and the others.

    None can when all of them together make no more than one file. One of unknown keys cannot, and is looked into: where
    it has no rows others stand.

    :raises StorageError: one that reaches, or may reach, into others cannot be read.
    """
    known = [source for source in found if source.keys is not None]
    are_few = sum(source.bytes for source in found) <= PART_BYTES
    if are_few or not any(source.bytes >= STANDS_FROM for source in known):
        return [], list(found)
    ordered = sorted(known, key=_keys)
    reaching = [k for k, (one, other) in enumerate(pairwise(ordered)) if _keys(other)[0] <= _keys(one)[1]]
    # what has rows: pieces, by their positions, and the books of those that may reach into others
    spans = [(*_keys(source), k) for k, source in enumerate(ordered)]
    for k in reversed(reaching):
        del spans[k]
    unknown = [source for source in found if source.keys is None]
    for keys in _opened(store, [*(ordered[k] for k in reaching), *unknown]):
        spans += [(first, last, -1) for first, last in keys.books()]
    apart = _apart(sorted(spans))
    alone = [k for k in apart if k >= 0 and not ordered[k].drop and ordered[k].bytes >= STANDS_FROM]
    rest = sorted(set(range(len(ordered))).difference(alone))
    return [ordered[k] for k in alone], [*(ordered[k] for k in rest), *unknown]


def _keys(source: Source) -> tuple[Key, Key]:
    assert source.keys is not None
    return source.keys


def _apart(spans: Sequence[tuple[Key, Key, int]]) -> Iterator[int]:
    """The last elements of those spans that no other overlaps. :param spans: ascending."""
    reach: Key | None = None
    for (first, last, position), following in zip(spans, [*spans[1:], None], strict=True):
        if (reach is None or reach < first) and (following is None or last < following[0]):
            yield position
        reach = last if reach is None else max(reach, last)


def day_parts(store: Store, alone: Sequence[Source], rest: Sequence[Source]) -> list[Part]:
    """The files of a day, in order.

    :param alone: from `standing`. :param rest: the others, few enough to be merged at once.
    :raises StorageError: one of these cannot be read.
    """
    if not alone and sum(source.bytes for source in rest) <= PART_BYTES:
        return [Part(tuple(rest))]
    cuts = _cuts(store, alone, rest)
    ranges = _ranges(store, rest, [key for key, _ in cuts])
    parts: list[Part] = []
    for sources, piece in zip(ranges, [*(piece for _, piece in cuts), None], strict=True):
        if sources:
            parts.append(Part(tuple(sources)))
        if piece is not None:
            parts.append(Part((piece,), linked=True))
    return parts


def _cuts(store: Store, alone: Sequence[Source], rest: Sequence[Source]) -> list[tuple[Key, Source | None]]:
    """Keys before which a range ends: where a piece stands, and where enough of the others' bytes have passed."""
    events: list[tuple[Key, int, Source | None]] = [(_keys(piece)[0], 0, piece) for piece in alone]
    for keys in _opened(store, rest):
        step = max(keys.rows * PART_BYTES // _SAMPLES_A_PART // max(keys.source.bytes, 1), 1)
        weight = keys.source.bytes * step // max(keys.rows, 1)
        events += [(keys.key(row), weight, None) for row in range(step // 2, keys.rows, step)]
    cuts: list[tuple[Key, Source | None]] = []
    passed = 0
    for key, weight, piece in sorted(events, key=lambda event: event[:2]):
        if piece is None and passed < PART_BYTES:
            passed += weight
            continue
        cuts.append((key, piece))
        passed = weight
    return cuts


def _ranges(store: Store, rest: Sequence[Source], cuts: Sequence[Key]) -> list[list[Source]]:
    """Of every range between neighbouring cuts, the rows of the sources that fall into it."""
    ranges: list[list[Source]] = [[] for _ in range(len(cuts) + 1)]
    for keys in _opened(store, rest):
        start, check = 0, True
        for number, sources in enumerate(ranges):
            stop = keys.rows if number == len(cuts) else keys.first_from(cuts[number], start)
            if start < stop:
                sources.append(replace(keys.source, rows=(start, stop), check=check))
                check = False  # the first that reads of a file looks at all of it
            start = stop
    return ranges


class _KeyColumns:
    """Book and trade_id of a source's rows."""

    def __init__(self, source: Source, table: Any) -> None:
        self.source = source
        self._books, self._ids = (table[name].combine_chunks() for name in ("book", "trade_id"))
        self.rows: int = table.num_rows

    def key(self, row: int) -> Key:
        return self._books[row].as_py(), self._ids[row].as_py()

    def books(self) -> Iterator[tuple[Key, Key]]:
        """First and last key of each book."""
        start = 0
        while start < self.rows:
            first = self.key(start)
            stop = bisect_right(range(self.rows), first[0], lo=start, key=lambda row: self._books[row].as_py())
            yield first, self.key(stop - 1)
            start = stop

    def first_from(self, cut: Key, start: int) -> int:
        """The first row, from `start` on, that is not before the cut."""
        return bisect_left(range(self.rows), cut, lo=start, key=self.key)


def _opened(store: Store, sources: Sequence[Source]) -> Iterator[_KeyColumns]:
    def opened(source: Source) -> _KeyColumns:
        with open_parquet(store, source.path, ("book",)) as file:
            return _KeyColumns(source, file.read(columns=["book", "trade_id"]))

    return store.overlapped(opened, sources)


def part_payloads(folder: RunFolder, table: str, parts: Sequence[Part], engine_version: str) -> list[PartPayload]:
    """What workers make of the parts of a table's day, each under its name in the staged day."""
    as_of = open_context(*folder.place).spec.as_of
    merged = not any(part.linked for part in parts)
    paths, replaces = part_paths(folder, table, as_of, len(parts), merged)
    payloads = []
    for path, part in zip(paths, parts, strict=True):
        of = [(s.path, sorted(s.drop), s.sha256, s.rows) for s in part.sources]
        name = digest_id("part", [table, path, part.linked, engine_version, replaces, of])
        payloads.append(
            PartPayload(*folder.place, name, table, path, part.sources, part.linked, engine_version, replaces)
        )
    return payloads


def clear_staged(folder: RunFolder, kept: Collection[str]) -> None:
    """Deletes what an earlier attempt left of a day that is put together, and what it replaced."""
    for entry in folder.store.list_files(folder.staging):
        if entry.path not in kept and not entry.path.startswith(f"{folder.merged}/"):
            folder.store.delete(entry.path)
