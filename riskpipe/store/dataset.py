"""A table that is one Parquet file, or a directory of them: found, read whole or in pieces, hashed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from functools import cached_property

import pyarrow as pa
from msgspec import Struct

from riskpipe.errors import StorageError
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.listing import FileFault, list_data, partitions, with_partitions
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import open_parquet, read_parquet

BATCH_ROWS = 32_768


class DataSet(Struct, frozen=True, dict=True):
    """The files of an input.

    :param parts: paths relative to `store`, sorted. :param faults: of what else lies in the directory.
    :param is_directory: else it is the one file.
    """

    store: Store
    parts: tuple[str, ...]
    faults: tuple[FileFault, ...]
    is_directory: bool

    def read(self) -> pa.Table:
        """All rows; columns that directories name as text (`store.columns.FROM_PATH`).

        :raises MissingFileError: there is no such file.
        :raises StorageError: a file is unreadable, truncated or not Parquet, or the files do not fit together.
        """
        if not self.is_directory:
            return read_parquet(self.store, self.parts[0])
        return self._joined([self._plain(path, read_parquet(self.store, path)) for path in self._found()])

    @cached_property
    def rows(self) -> int:
        """How many there are, by the footers. :raises StorageError: as `read`."""
        count = 0
        for path in self.parts:
            with open_parquet(self.store, path) as file:
                count += file.metadata.num_rows
        return count

    @cached_property
    def schema(self) -> pa.Schema:
        """Of `read`, by the footers alone. :raises StorageError: as `read`."""
        if not self.is_directory:
            return self._schema_of(self.parts[0])
        empty = [self._plain(path, self._schema_of(path).empty_table()) for path in self._found()]
        return self._joined(empty).schema

    def batches(self, columns: Collection[str]) -> Iterator[pa.Table]:
        """The rows of `read` in pieces of at most `BATCH_ROWS`; text may be dictionaries.

        :param columns: those that the pieces have, of those that the schema has.
        :raises StorageError: as `read`.
        """
        schema = pa.schema([field for field in self.schema if field.name in columns])
        text = [field.name for field in schema if pa.types.is_string(field.type)]
        for path in self._found():
            with open_parquet(self.store, path, dictionaries=text) as file:
                names = file.schema_arrow.names
                mine = [name for name in names if name in columns] or names[:1]
                for batch in file.iter_batches(BATCH_ROWS, columns=mine, use_threads=False):
                    table = pa.Table.from_batches([batch])
                    if self.is_directory:
                        table = _joined([schema.empty_table(), self._plain(path, table, schema.names)])
                    yield table.select(schema.names)

    def _found(self) -> tuple[str, ...]:
        if not self.parts:
            raise StorageError(f"cannot read {self.store.full_path('')}: a directory without Parquet files")
        return self.parts

    def _schema_of(self, path: str) -> pa.Schema:
        with open_parquet(self.store, path) as file:
            return file.schema_arrow

    def _plain(self, path: str, table: pa.Table, names: Collection[str] | None = None) -> pa.Table:
        """A file's table with the columns that its directories name, of types that are the same in every file."""
        found = partitions(path).items()
        given = {k: v for k, v in found if k not in table.column_names and (names is None or k in names)}
        return _plain(with_partitions(table, given))

    def _joined(self, tables: list[pa.Table]) -> pa.Table:
        try:
            whole = _joined(tables)
        except pa.ArrowException as error:
            where = self.store.full_path("")
            why = str(error).splitlines()[0]
            raise StorageError(f"cannot read {where}: its files do not fit together ({why})") from error
        return whole.replace_schema_metadata(_footers(tables))

    def sha256(self) -> str:
        """Of the file's bytes, or of every file's path and bytes. :raises StorageError: one cannot be read."""
        if not self.is_directory:
            return content_sha256(self.store, self.parts[0])
        parts = {path: content_sha256(self.store, path) for path in self.parts}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def open_dataset(location: str) -> DataSet:
    """The files at a location, a local path or URI of a file or a directory.

    :raises StorageError: it cannot be looked at.
    """
    bare, mark, query = location.partition("?") if "://" in location else (location, "", "")
    store, name = store_of_file(bare.rstrip("/") + mark + query)
    if not store.is_directory(name):
        return DataSet(store, (name,), (), False)
    directory = open_store(location)
    listing = list_data(directory)
    return DataSet(directory, tuple(entry.path for entry in listing.files), listing.faults, True)


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")


def _footers(tables: list[pa.Table]) -> dict[bytes, bytes]:
    """The keys of all footers; one that differs between files has all its values, joined by commas."""
    values: dict[bytes, set[bytes]] = {}
    for table in tables:
        for key, value in (table.schema.metadata or {}).items():
            values.setdefault(key, set()).add(value)
    return {key: b",".join(sorted(found)) for key, found in values.items()}


def _plain(table: pa.Table) -> pa.Table:
    """Without dictionaries and views, which differ between files that say the same."""
    for k, field in enumerate(table.schema):
        plain = table.column(k)
        if pa.types.is_dictionary(plain.type):
            chunks = [chunk.dictionary_decode() for chunk in plain.chunks]
            plain = pa.chunked_array(chunks, plain.type.value_type)
        if pa.types.is_string_view(plain.type):
            plain = plain.cast(pa.string())
        if plain.type != field.type:
            table = table.set_column(k, field.with_type(plain.type), plain)
    return table
