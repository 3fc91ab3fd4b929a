"""The trades of a portfolio, `<portfolio>/<product>/*.parquet`: found, hashed, read by row ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.errors import InputError, Level, Reason, StorageError
from riskpipe.store.filesystem import FileEntry, Store
from riskpipe.store.fingerprints import Span, is_unchanged, take_fingerprints
from riskpipe.store.listing import FileFault, is_text, list_data, partitions, with_partitions
from riskpipe.store.parquet import READING, open_parquet, reading

_FEW_ROWS = 2_000


class InputChangedError(InputError):
    """A trade file is not the one that was planned."""

    reason = Reason.INPUT_CHANGED


class TradeFile(Struct, frozen=True):
    """One Parquet file of trades of one product.

    :param path: relative to the portfolio.
    :param row_group_offsets: first row of each row group, and the number of rows last.
    :param columns: the names in the file.
    :param spans: checksums of its row groups and, last, of its footer; none: of a file that is not planned yet.
    """

    product: str
    path: str
    rows: int
    bytes: int
    row_group_offsets: tuple[int, ...]
    columns: tuple[str, ...]
    spans: tuple[Span, ...] = ()

    @property
    def partitions(self) -> dict[str, str | None]:
        """Columns that its directories below the product's give it, those that it has itself left out."""
        return {k: v for k, v in partitions(self.path.partition("/")[2]).items() if k not in self.columns}

    def row_groups_around(self, start: int, stop: int) -> tuple[int, int]:
        """First row, and the one past the last, of the row groups that hold the rows [start, stop): one or more."""
        offsets = self.row_group_offsets
        return offsets[bisect_right(offsets, start) - 1], offsets[bisect_left(offsets, stop)]


class Discovery(Struct, frozen=True):
    """What there is in a portfolio, files sorted by path. Unknown products are the caller's matter.

    :param schemas: path -> of the file's own columns.
    """

    files: tuple[TradeFile, ...]
    faults: tuple[FileFault, ...]
    schemas: Mapping[str, pa.Schema]

    @property
    def products(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(file.product for file in self.files))


def discover(store: Store) -> Discovery:
    """All trade files of a portfolio and every fault of its files, in one pass over the footers.

    :raises StorageError: the directory cannot be listed.
    """
    if not store.is_directory(""):
        where = store.full_path("")
        message = f"there is no directory {where}"
        return Discovery((), (FileFault(Level.ERROR, where, "no such directory", message),), {})
    listing = list_data(store, depth=1)
    files: list[TradeFile] = []
    faults = list(listing.faults)
    schemas: dict[str, pa.Schema] = {}
    distinct: dict[pa.Schema, pa.Schema] = {}  # of many files most are the same: kept once
    for found in store.overlapped(lambda entry: _inspect(store, entry), listing.files):
        if isinstance(found, FileFault):
            faults.append(found)
            continue
        file, schema = found
        files.append(file)
        schemas[file.path] = distinct.setdefault(schema, schema)
    faults.sort(key=lambda fault: fault.path)
    faults += _empty_products(store, files, faults)
    if not any(file.rows for file in files) and not any(fault.level == Level.ERROR for fault in faults):
        where = store.full_path("")
        faults.append(FileFault(Level.ERROR, where, "no trades", f"there are no trades in {where}"))
    return Discovery(tuple(files), tuple(faults), schemas)


def _inspect(store: Store, entry: FileEntry) -> tuple[TradeFile, pa.Schema] | FileFault:
    product = entry.path.partition("/")[0]
    try:
        with open_parquet(store, entry.path) as file:
            metadata = file.metadata
            offsets = [0]
            for group in range(metadata.num_row_groups):
                offsets.append(offsets[-1] + metadata.row_group(group).num_rows)
            schema = file.schema_arrow.remove_metadata()
    except StorageError as error:
        return FileFault(Level.ERROR, entry.path, "not parquet", str(error))
    return TradeFile(product, entry.path, offsets[-1], entry.bytes, tuple(offsets), tuple(schema.names)), schema


def _empty_products(store: Store, files: Sequence[TradeFile], faults: Sequence[FileFault]) -> list[FileFault]:
    used = {file.product for file in files} | {
        fault.path.split("/")[0] for fault in faults if fault.level == Level.ERROR
    }
    return [
        FileFault(Level.WARNING, name, "empty product", f"the directory {name} has no *.parquet file")
        for name in store.list_directories()
        if name not in used and is_text(name) and not name.startswith((".", "_"))
    ]


def fingerprinted(store: Store, file: TradeFile) -> tuple[TradeFile, str]:
    """The file with the checksums that `read_rows` holds what it reads against, and the SHA-256 of all of it.

    :raises StorageError: it cannot be read.
    """
    with store.open_input_file(file.path) as source, reading(store.full_path(file.path)):
        sha256, spans = take_fingerprints(source)
    return replace(file, spans=spans), sha256


def read_rows(store: Store, file: TradeFile, start: int, stop: int, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows [start, stop) of a trade file; only the row groups that hold them are read, and held against the plan.

    :param columns: those wanted, in this order; ones that the file does not have are left out. None: all.
    :raises InputChangedError: it is not what it was when it was planned.
    :raises StorageError: it cannot be read.
    """
    offsets = file.row_group_offsets
    if not 0 <= start <= stop <= file.rows:
        raise ValueError(f"rows [{start}, {stop}) of {file.path}, which has {file.rows}")
    first = max(bisect_right(offsets, start) - 1, 0)
    last = bisect_left(offsets, stop)
    groups = [g for g in range(first, last) if offsets[g + 1] > start] if stop > start else []
    with _opened(store, file, groups) as source:
        read = source.read_row_groups(groups, columns=_present(file, columns), use_threads=_in_threads(file))
        table = with_partitions(read, _given(file, columns))
    base = offsets[groups[0]] if groups else start
    return table.slice(start - base, stop - start)


def iter_batches(
    store: Store, file: TradeFile, columns: Sequence[str] | None, max_rows: int, groups: Sequence[int] | None = None
) -> Iterator[pa.Table]:
    """The rows of a trade file in order, at most `max_rows` at a time, in memory bounded by that.

    :param groups: of these row groups; None: of all.
    :raises InputChangedError: the file has other row groups than when it was discovered.
    :raises StorageError: it cannot be read.
    """
    with open_parquet(store, file.path) as source:
        _refuse_changed(file, source.metadata)
        options: dict[str, Any] = {"columns": _present(file, columns), "use_threads": _in_threads(file)}
        if groups is not None:
            options["row_groups"] = list(groups)
        for batch in source.iter_batches(batch_size=max_rows, **options):
            yield with_partitions(pa.Table.from_batches([batch]), _given(file, columns))


@contextmanager
def _opened(store: Store, file: TradeFile, groups: Sequence[int]) -> Iterator[Any]:
    """The file for reading some row groups; when they are read, their bytes are held against the plan."""
    if not file.spans:
        with open_parquet(store, file.path) as parquet:
            _refuse_changed(file, parquet.metadata)
            yield parquet
        return
    wanted = [*(file.spans[group] for group in groups), file.spans[-1]]
    with store.open_input_file(file.path) as source, reading(store.full_path(file.path)):
        if source.size() != file.bytes:
            raise _changed(file)
        source = store.with_ranges(source, [(span.start, span.stop) for span in wanted])
        if not is_unchanged(source, wanted[-1:]):
            raise _changed(file)
        try:
            yield pq.ParquetFile(source, **READING)
        except (pa.ArrowException, OSError) as error:
            if not is_unchanged(source, wanted):
                raise _changed(file) from error
            raise
        # Not before: what is decoded is private, what is mapped may change under the reader.
        if not is_unchanged(source, wanted):
            raise _changed(file)


def _present(file: TradeFile, columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else [name for name in columns if name in file.columns]


def _in_threads(file: TradeFile) -> bool:
    """Of a small file, handing columns to threads takes longer than reading them."""
    return file.rows > _FEW_ROWS


def _given(file: TradeFile, columns: Sequence[str] | None) -> dict[str, str | None]:
    """The columns of the file's directories that are wanted."""
    return {k: v for k, v in file.partitions.items() if columns is None or k in columns}


def _refuse_changed(file: TradeFile, metadata: Any) -> None:
    sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    planned = [b - a for a, b in zip(file.row_group_offsets, file.row_group_offsets[1:], strict=False)]
    if sizes != planned:
        raise _changed(file)


def _changed(file: TradeFile) -> InputChangedError:
    return InputChangedError(
        f"{file.path} changed since it was planned: `riskpipe run` starts a new run; with the file as it was again, "
        "`riskpipe retry` repeats what failed"
    )
