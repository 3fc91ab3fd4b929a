"""What an output takes on the disk, by what it is; a file under two names counts once, as the published one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from riskpipe.store.filesystem import FileEntry, Store
from riskpipe.store.layout import PUBLISHED, RUNS
from riskpipe.store.run_folder import RunFolder

PARTS = {"blocks": "blocks", "combined": "combined", "publish": "staged", "ledger": "ledger"}
"""Directory of a run -> what it holds. What blocks are valued with is `inputs`; anything else is `other`."""


class Usage(Struct):
    """Bytes. :param published: by table. :param runs: by run, then by part. :param other: what is neither."""

    published: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    runs: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    other: int = 0

    @property
    def total(self) -> int:
        return sum(self.published.values()) + sum(sum(parts.values()) for parts in self.runs.values()) + self.other

    def by_part(self) -> Mapping[str, int]:
        """Of all runs together."""
        found: dict[str, int] = defaultdict(int)
        for parts in self.runs.values():
            for part, size in parts.items():
                found[part] += size
        return dict(sorted(found.items()))


def usage_of(store: Store) -> Usage:
    """What there is in an output. What one file's name shares with another, freeing the other does not free."""
    usage, seen = Usage(), set[tuple[int, int]]()
    entries = sorted(store.list_files(), key=lambda entry: not entry.path.startswith(f"{PUBLISHED}/"))
    for path, size in _once(store, entries, seen):
        kind, *rest = path.split("/")
        if kind == PUBLISHED and len(rest) > 1:
            usage.published[rest[0]] += size
        elif kind == RUNS and len(rest) > 1:
            valued_with = path in RunFolder(store, rest[0]).valued_with
            usage.runs[rest[0]]["inputs" if valued_with else PARTS.get(rest[1], "other")] += size
        else:
            usage.other += size
    return usage


def _once(store: Store, entries: list[FileEntry], seen: set[tuple[int, int]]) -> Iterator[tuple[str, int]]:
    """Path and bytes: of the disk where it says so (files may have holes), each file's once."""
    for entry in entries:
        local = store.local_path(entry.path)
        if local is None:
            yield entry.path, entry.bytes
            continue
        try:
            found = os.stat(local)
        except FileNotFoundError:  # replaced or deleted meanwhile
            continue
        if found.st_nlink > 1:
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
        yield entry.path, found.st_blocks * 512
