"""A table's day is put together beside the published ones: few files, sorted, with everything in the footer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

import pyarrow as pa

from riskpipe.store.filesystem import Store
from riskpipe.store.layout import RunLayout
from riskpipe.store.merge import WINDOW_BYTES, Source, merge_sorted
from riskpipe.store.parquet import ROW_GROUP_ROWS, WrittenFile
from riskpipe.store.tables import SCHEMAS, SORT_KEYS, Provenance, TableSink, table_sink

FILE_BYTES = 256 << 20
_ROW_GROUP_BYTES = 64 << 20
_LEAST_ROW_GROUP = 1024
# The same in every row of a day, so not read from the blocks: a reused block was made under another run's id.
_CONSTANT = ("as_of_date", "run_id")


def stage_merged(
    store: Store,
    layout: RunLayout,
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
    read = pa.schema([field for field in SCHEMAS[table] if field.name not in _CONSTANT])
    scratch = f"{layout.staging}/merge-{table}"
    windows = merge_sorted(store, sources, read, SORT_KEYS[table], scratch, window_bytes)
    return stage(store, layout, table, windows, provenance, file_bytes)


def stage(
    store: Store,
    layout: RunLayout,
    table: str,
    rows: Iterable[pa.Table],
    provenance: Provenance,
    file_bytes: int = FILE_BYTES,
) -> list[WrittenFile]:
    """The day's files of a table whose rows come in order; see `stage_merged`. Replaces what was staged before."""
    directory = layout.staged_day(table, provenance.as_of_date)
    store.delete_tree(directory)
    with _Parts(store, directory, table, provenance, file_bytes) as parts:
        for group in _row_groups(rows):
            parts.write(group)
    return parts.written


class _Parts:
    """`part-000.parquet` and so on; a new one is begun when the last has grown to its size."""

    def __init__(self, store: Store, directory: str, table: str, provenance: Provenance, file_bytes: int) -> None:
        self._store = store
        self._directory = directory
        self._table = table
        self._provenance = provenance
        self._file_bytes = file_bytes
        self._stack = ExitStack()
        self._sink: TableSink | None = None
        self.written: list[WrittenFile] = []

    def write(self, rows: pa.Table) -> None:
        sink = self._sink or self._open()
        sink.write(_with_constants(rows, self._table, self._provenance), max(rows.num_rows, 1))
        if sink.bytes_so_far >= self._file_bytes:
            self._close()

    def _open(self) -> TableSink:
        path = f"{self._directory}/part-{len(self.written):03d}.parquet"
        self._sink = self._stack.enter_context(table_sink(self._store, path, self._table, self._provenance))
        return self._sink

    def _close(self) -> None:
        self._stack.close()
        if self._sink is not None:
            self.written.append(self._sink.written)
        self._sink = None

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self._stack.__exit__(*error)  # type: ignore[arg-type]
            return
        if not self.written and self._sink is None:
            self._open()
        self._close()


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
