"""A table's day is put together beside the published ones: few files, sorted, with everything in the footer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

import pyarrow as pa

from riskpipe.store.filesystem import Store
from riskpipe.store.layout import published_day
from riskpipe.store.parquet import ROW_GROUP_ROWS, Remnant, WrittenFile
from riskpipe.store.result_tables import SCHEMAS, SORT_KEYS, Provenance, TableSink, metadata, table_sink
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import WINDOW_BYTES, Source, merge_sorted, merge_to_file

FILE_BYTES = 256 << 20
_ROW_GROUP_BYTES = 64 << 20
_LEAST_ROW_GROUP = 1024
# Beyond it a replacement begins afresh: a sparse file is copied in full by some tools.
_MOST_HOLE = 4 << 30
# The same in every row of a day, so not read from the blocks: a reused block was made under another run's id.
_CONSTANT = ("as_of_date", "run_id")


def stage_merged(
    folder: RunFolder,
    table: str,
    sources: Sequence[Source],
    provenance: Provenance,
    window_bytes: int = WINDOW_BYTES,
    file_bytes: int = FILE_BYTES,
) -> list[WrittenFile]:
    """The day's files of a table that has a row a trade, merged from the blocks' files.

    Rows are in the order of `SORT_KEYS[table]`, whatever the blocks. Memory is bounded by about three windows.

    :param sources: each sorted by (book, trade_id); as_of_date and run_id are taken from `provenance` instead.
    :return: `part-000.parquet`, ... of about `file_bytes`; one without rows if there are none.
    :raises InvalidResultError: sources that are not sorted, rows that are there twice, or a broken contract.
    :raises StorageError: a source cannot be read, or the output not written.
    """
    scratch = f"{folder.staging}/merge-{table}"
    windows = merge_sorted(folder.store, sources, _varying(table), SORT_KEYS[table], scratch, window_bytes)
    return stage(folder, table, windows, provenance, file_bytes)


def merge_some(
    store: Store, table: str, sources: Sequence[Source], path: str, window_bytes: int = WINDOW_BYTES
) -> WrittenFile:
    """Some of the sources of `stage_merged` as one file, which then stands for them."""
    return merge_to_file(store, sources, _varying(table), SORT_KEYS[table], path, window_bytes)


def _varying(table: str) -> pa.Schema:
    return pa.schema([field for field in SCHEMAS[table] if field.name not in _CONSTANT])


def stage(
    folder: RunFolder,
    table: str,
    rows: Iterable[pa.Table],
    provenance: Provenance,
    file_bytes: int = FILE_BYTES,
) -> list[WrittenFile]:
    """The day's files of a table whose rows come in order; see `stage_merged`. Replaces what was staged before.

    They are made to replace what is published now (see publish.py): a single part begins with what the published part
    holds, several parts take numbers that the published ones do not have.
    """
    directory = folder.staged_day(table, provenance.as_of_date)
    folder.store.delete_tree(directory)
    published = [e.path for e in folder.store.list_files(published_day(table, provenance.as_of_date), recursive=False)]
    before = _remnant(folder.store, published)
    with ExitStack() as stack:
        parts = _Parts(folder.store, directory, table, provenance, file_bytes, stack, before)
        for group in _row_groups(rows):
            parts.write(group)
        parts.finish()
    return _renumbered(folder.store, parts.written, published)


def _remnant(store: Store, published: Sequence[str]) -> Remnant | None:
    local = store.local_path(published[0]) if len(published) == 1 else None
    if local is None:
        return None
    begins_at = int(metadata(store, published[0]).get("begins_at", "0"))
    return Remnant(local, begins_at) if begins_at <= _MOST_HOLE else None


def _renumbered(store: Store, parts: list[WrittenFile], published: Sequence[str]) -> list[WrittenFile]:
    # A reader that listed the replaced day's parts must miss them, rather than find another run's under their names.
    if not published or max(len(parts), len(published)) == 1:
        return parts
    taken = [int(number) for path in published for number in re.findall(r"part-(\d+)\.parquet$", path)]
    first = max(taken, default=-1) + 1 if min(taken, default=0) < len(parts) else 0
    renamed = [
        replace(part, path=store.rename(part.path, f"part-{first + number:03d}.parquet"))
        for number, part in reversed(list(enumerate(parts)))  # from the last: numbers only grow
    ]
    return renamed[::-1]


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
        sink = self._sink or self._open()
        sink.write(_with_constants(rows, self._table, self._provenance), max(rows.num_rows, 1))
        if sink.bytes_so_far >= self._file_bytes:
            self._close(sink)

    def finish(self) -> None:
        """Ends the last part; there is one even if there are no rows."""
        if self._sink is not None or not self.written:
            self._close(self._sink or self._open())

    def _open(self) -> TableSink:
        path = f"{self._directory}/part-{len(self.written):03d}.parquet"
        before, self._before = self._before, None
        self._sink = self._stack.enter_context(table_sink(self._store, path, self._table, self._provenance, before))
        return self._sink

    def _close(self, sink: TableSink) -> None:
        # The part is in place when its context ends; an error in between reaches it through the stack.
        self._stack.pop_all().close()
        self.written.append(sink.written)
        self._sink = None


def _with_constants(rows: pa.Table, table: str, provenance: Provenance) -> pa.Table:
    values = {"as_of_date": provenance.as_of_date, "run_id": provenance.run_id}
    columns = {name: rows[name] for name in rows.column_names}
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
        if not size:
            width = table.nbytes // table.num_rows + 1
            size = min(ROW_GROUP_ROWS, max(_ROW_GROUP_BYTES // width, _LEAST_ROW_GROUP))
        waiting.append(table)
        rows += table.num_rows
        while rows >= size:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, size)
            waiting = [whole.slice(size)]
            rows -= size
    if rows:
        yield pa.concat_tables(waiting)
