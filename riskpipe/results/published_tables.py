"""A published table, found by its name and day, and read in pieces."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from msgspec import Struct

from riskpipe.errors import UsageError
from riskpipe.store.filesystem import Store
from riskpipe.store.local_files import CACHE_BYTES, local_file
from riskpipe.store.parquet import open_parquet
from riskpipe.store.published import read_current
from riskpipe.store.written_files import WrittenFile

ROWS_AT_A_TIME = 65_536


class PublishedTable(Struct, frozen=True):
    """Files of one table: of a day, in the order of its rows; or of all days, one after the other.

    :param as_of: None: all days.
    """

    store: Store
    name: str
    as_of: date | None
    files: tuple[WrittenFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    def local_paths(self) -> list[str]:
        """Paths of the operating system; what lies in an object store is fetched, once a machine.

        A table may be larger than what is usually kept of such copies: its own files do not make room for each other.
        """
        most = max(CACHE_BYTES, sum(file.bytes for file in self.files))

        def fetched(file: WrittenFile) -> str:
            return local_file(self.store, file.path, file.sha256, cache_bytes=most)

        return list(self.store.overlapped(fetched, self.files))

    def schema(self) -> pa.Schema:
        """The columns of the first file; those of days that earlier versions published may be fewer."""
        with open_parquet(self.store, self.files[0].path) as file:
            return file.schema_arrow.remove_metadata()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows, in memory bounded by a row group.

        :raises StorageError: a file is not what was published.
        """
        for written in self.files:
            with open_parquet(self.store, written.path, sha256=written.sha256) as file:
                yield from file.iter_batches(ROWS_AT_A_TIME, columns=None if columns is None else list(columns))


class Published:
    """All that is published in an output."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._days: Mapping[str, Any] = read_current(store)

    @property
    def days(self) -> tuple[date, ...]:
        """Ascending."""
        return tuple(sorted(map(date.fromisoformat, self._days)))

    def entry(self, as_of: date | None = None) -> tuple[date, Mapping[str, Any]]:
        """A day and what meta/CURRENT.json says of it; None: the latest.

        :raises UsageError: nothing is published, or not for that day.
        """
        if not self._days:
            raise UsageError(f"nothing is published in {self.store.root}: `riskpipe run` comes first")
        day = self.days[-1] if as_of is None else as_of
        if day.isoformat() not in self._days:
            known = ", ".join(each.isoformat() for each in self.days[-5:])
            raise UsageError(f"nothing is published for {day} in {self.store.root}; the last days there are: {known}")
        return day, self._days[day.isoformat()]

    def tables(self, as_of: date | None = None) -> tuple[str, ...]:
        """Names of the tables of a day."""
        return tuple(sorted(self.entry(as_of)[1]["tables"]))

    def table(self, name: str, as_of: date | None = None) -> PublishedTable:
        """A table of a day, the latest by default. :raises UsageError: there is none of that name or day."""
        day, entry = self.entry(as_of)
        if name not in entry["tables"]:
            near = difflib.get_close_matches(name, entry["tables"], 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(entry['tables'])}"
            raise UsageError(f"{day} has no table {name!r}: {hint}")
        return PublishedTable(self.store, name, day, _files(entry, name))

    def all_days(self, name: str) -> PublishedTable:
        """A table of every day that has it."""
        files = (_files(self._days[day.isoformat()], name) for day in self.days)
        return PublishedTable(self.store, name, None, tuple(file for of_day in files for file in of_day))

    def every_table(self) -> tuple[str, ...]:
        """Names of the tables that any day has."""
        return tuple(sorted({name for day in self._days.values() for name in day["tables"]}))


def _files(entry: Mapping[str, Any], name: str) -> tuple[WrittenFile, ...]:
    described = entry["tables"].get(name, {"files": []})["files"]
    return tuple(WrittenFile(**file) for file in described)
