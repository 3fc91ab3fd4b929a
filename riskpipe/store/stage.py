"""A table's day is put together beside the published ones: few files, sorted, with everything in the footer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from types import MappingProxyType

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.store.filesystem import Store
from riskpipe.store.layout import published_day
from riskpipe.store.parquet import Remnant, open_parquet
from riskpipe.store.result_tables import Provenance, TableSink, metadata, row_group_rows, schema_of, table_sink
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import WINDOW_BYTES, Source, merge_open, merge_to_file
from riskpipe.store.table_schemas import OPEN, SCHEMAS, SORT_KEYS
from riskpipe.store.written_files import WrittenFile

FILE_BYTES = 256 << 20
_ROW_GROUP_BYTES = 64 << 20
# Beyond it a replacement begins afresh, under another name: a sparse file is copied in full by some tools.
_MOST_HOLE = 64 << 20
# The same in every row of a day, so not read from the blocks: a reused block was made under another run's id.
_CONSTANT = ("as_of_date", "run_id")

Columns = Mapping[str, pa.ChunkedArray]
"""By name, of some rows."""


class Added(Struct, frozen=True):
    """Columns that follow from others, and are not in blocks' files.

    :param names: of the columns. :param of: makes them of rows, whose strings are dictionaries.
    """

    names: tuple[str, ...]
    of: Callable[[pa.Table], Columns]


def merge_part(
    store: Store,
    table: str,
    sources: Sequence[Source],
    path: str,
    provenance: Provenance,
    replaces: str | None = None,
    window_bytes: int = WINDOW_BYTES,
    added: Added | None = None,
) -> WrittenFile:
    """One file of a day of a table that has a row a trade, merged from blocks' files; without rows if there are none.

    Rows are in the order of `SORT_KEYS[table]`, whatever the blocks. Memory is bounded by about three windows.

    :param sources: at most `most_open`, each sorted by (book, trade_id); as_of_date and run_id are taken from
        `provenance` instead.
    :param replaces: the published file whose bytes it keeps before its own (parquet.Remnant).
    :param added: columns that the sources lack.
    :raises InvalidResultError: sources that are not sorted, rows that are there twice, or a broken contract.
    :raises StorageError: a source cannot be read, or the file not written.
    """
    before = _remnant(store, [] if replaces is None else [replaces])
    schema = _schema_of(store, table, sources)
    wanted = _varying(schema, () if added is None else added.names)
    windows = merge_open(store, sources, wanted, SORT_KEYS[table], window_bytes)
    with table_sink(store, path, table, provenance, before, schema=schema) as sink:
        for rows in _row_groups(windows):
            further = {} if added is None else added.of(rows)
            sink.write(_with_constants(rows, table, provenance, further), max(rows.num_rows, 1))
    return sink.written


def part_paths(
    folder: RunFolder, table: str, as_of: date, count: int, merged: bool = True
) -> tuple[list[str], str | None]:
    """Where the files of a table's day are put together; and the published file whose bytes the only one is to keep.

    :param merged: they are written anew, by `merge_part`; else they keep nothing of what they replace.
    """
    published = _published(folder.store, table, as_of)
    directory = folder.staged_day(table, as_of)
    in_place = merged and _in_place(folder.store, count, published)
    paths = [f"{directory}/{name}" for name in _names(count, published, in_place)]
    return paths, published[0] if in_place else None


def merge_some(
    store: Store, table: str, sources: Sequence[Source], path: str, window_bytes: int = WINDOW_BYTES
) -> WrittenFile:
    """Some of the sources of `merge_part` as one file, which then stands for them."""
    schema = _varying(_schema_of(store, table, sources))
    return merge_to_file(store, sources, schema, SORT_KEYS[table], path, window_bytes)


def _schema_of(store: Store, table: str, sources: Sequence[Source]) -> pa.Schema:
    """The columns of a table; those of one that is open are what its sources have."""
    if table not in OPEN:
        return SCHEMAS[table]

    def schema(source: Source) -> pa.Schema:
        with open_parquet(store, source.path) as file:
            return file.schema_arrow

    return schema_of(table, *store.overlapped(schema, sources))


def _varying(schema: pa.Schema, added: Sequence[str] = ()) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in (*_CONSTANT, *added)])


def stage(
    folder: RunFolder,
    table: str,
    rows: Iterable[pa.Table],
    provenance: Provenance,
    file_bytes: int = FILE_BYTES,
) -> list[WrittenFile]:
    """The day's files of a table whose rows come in its order. Replaces what was staged before.

    They are made to replace what is published now (see publish.py): a single part begins with what the published part
    holds, several parts take numbers that the published ones do not have.
    """
    directory = folder.staged_day(table, provenance.as_of_date)
    folder.store.delete_tree(directory)
    published = _published(folder.store, table, provenance.as_of_date)
    before = _remnant(folder.store, published)
    with ExitStack() as stack:
        parts = _Parts(folder.store, directory, table, provenance, file_bytes, stack, before)
        for group in _row_groups(rows):
            parts.write(group)
        parts.finish()
    return _renumbered(folder.store, parts.written, published)


def _in_place(store: Store, count: int, published: Sequence[str]) -> bool:
    """Whether the day's only file takes the name of the only published one: on this machine it then keeps its bytes."""
    if not count == len(published) == 1:
        return False
    return store.local_path(published[0]) is None or _remnant(store, published) is not None


def _remnant(store: Store, published: Sequence[str]) -> Remnant | None:
    local = store.local_path(published[0]) if len(published) == 1 else None
    if local is None:
        return None
    begins_at = int(metadata(store, published[0]).get("begins_at", "0"))
    return Remnant(local, begins_at) if begins_at <= _MOST_HOLE else None


def _published(store: Store, table: str, as_of: date) -> list[str]:
    return [entry.path for entry in store.list_files(published_day(table, as_of), recursive=False)]


def _renumbered(store: Store, parts: list[WrittenFile], published: Sequence[str]) -> list[WrittenFile]:
    names = _names(len(parts), published, _in_place(store, len(parts), published))
    renamed = [
        replace(part, path=store.rename(part.path, name))
        for part, name in reversed(list(zip(parts, names, strict=True)))  # from the last: numbers only grow
    ]
    return renamed[::-1]


def _names(count: int, published: Sequence[str], in_place: bool) -> list[str]:
    """The names of a day's files: that of the published one whose place is taken, or none that is published.

    A reader that listed the replaced day's parts must miss them, rather than find another run's under their names.
    """
    if in_place:
        return [published[0].rpartition("/")[2]]
    first = 0
    if published:
        taken = [int(number) for path in published for number in re.findall(r"part-(\d+)\.parquet$", path)]
        first = max(taken, default=-1) + 1 if min(taken, default=0) < count else 0
    digits = 3 if first + count <= 1000 else 6  # in the order of their names, too
    return [f"part-{first + number:0{digits}d}.parquet" for number in range(count)]


class _Parts:
    """`part-000.parquet` and so on; a new one is begun when the last has grown to its size."""

    def __init__(
        self,
        store: Store,
        directory: str,
        table: str,
        provenance: Provenance,
        file_bytes: int,
        stack: ExitStack,
        before: Remnant | None,
    ) -> None:
        self._store = store
        self._directory = directory
        self._table = table
        self._provenance = provenance
        self._file_bytes = file_bytes
        self._stack = stack
        self._before = before
        self._sink: TableSink | None = None
        self.written: list[WrittenFile] = []

    def write(self, rows: pa.Table) -> None:
        sink = self._sink or self._open(schema_of(self._table, rows.schema))
        sink.write(_with_constants(rows, self._table, self._provenance), max(rows.num_rows, 1))
        if sink.bytes_so_far >= self._file_bytes:
            self._close(sink)

    def finish(self) -> None:
        """Ends the last part; there is one even if there are no rows."""
        if self._sink is not None or not self.written:
            self._close(self._sink or self._open(SCHEMAS[self._table]))

    def _open(self, schema: pa.Schema) -> TableSink:
        path = f"{self._directory}/part-{len(self.written):03d}.parquet"
        before, self._before = self._before, None
        sink = table_sink(self._store, path, self._table, self._provenance, before, schema=schema)
        self._sink = self._stack.enter_context(sink)
        return self._sink

    def _close(self, sink: TableSink) -> None:
        # The part is in place when its context ends; an error in between reaches it through the stack.
        self._stack.pop_all().close()
        self.written.append(sink.written)
        self._sink = None


def _with_constants(
    rows: pa.Table, table: str, provenance: Provenance, further: Columns = MappingProxyType({})
) -> pa.Table:
    values = {"as_of_date": provenance.as_of_date, "run_id": provenance.run_id}
    columns = {name: rows[name] for name in rows.column_names} | dict(further)
    for name in _CONSTANT:
        if name in SCHEMAS[table].names:
            type_ = SCHEMAS[table].field(name).type
            columns[name] = pa.repeat(pa.scalar(values[name], type_), rows.num_rows)
    return pa.table(columns)


def _row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of the size of a row group."""
    waiting: list[pa.Table] = []
    rows = size = 0
    for table in tables:
        if not table.num_rows:
            continue
        size = size or row_group_rows(table, _ROW_GROUP_BYTES)
        waiting.append(table)
        rows += table.num_rows
        while rows >= size:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, size)
            waiting = [whole.slice(size)]
            rows -= size
    if rows:
        yield pa.concat_tables(waiting)
