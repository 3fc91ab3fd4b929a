"""Parquet files that appear whole or not at all, with their checksum taken while they are written."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from riskpipe.errors import Reason, StorageError
from riskpipe.fault_points import FaultPoint, fault_point
from riskpipe.store.checksums import hexdigest
from riskpipe.store.filesystem import Store, explained
from riskpipe.store.written_files import WrittenFile

ROW_GROUP_ROWS = 131_072
# INT96 holds days beyond 2262, which nanoseconds do not: they would come back as others, in silence.
READING: Mapping[str, Any] = {"page_checksum_verification": True, "coerce_int96_timestamp_unit": "us"}
"""How pyarrow reads every Parquet file."""
_ZEROS = bytes(1 << 20)
# Levels of zstd. Vectors of doubles are 0.92 of their size by the one and 0.99 by the other, which takes half of the
# time to write, and to read; other columns a fifth more, in three quarters of the time.
_SMALL, _FAST = 1, -7


class ChangedFileError(StorageError):
    """A file is not the one that was recorded: no attempt will find another."""

    reason = Reason.INPUT_CHANGED


class Remnant(Struct, frozen=True):
    """The part of an older local file that a new one keeps at the same place, before its own rows.

    Some readers open a file twice, once for the footer and once for the rows. When the file is replaced in between,
    they still find at every offset what the older footer promised; the new footer does not mention those bytes.

    :param path: of the operating system. :param begins_at: what comes before was itself a remnant, and becomes a hole.
    """

    path: str
    begins_at: int


class HashingSink:
    """What pyarrow writes to: hashes and counts. After an error it swallows what a closing writer adds."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.bytes = 0
        self.broken = False
        self.leaves_hole = False

    def write(self, data: Any) -> int:
        size = len(data)
        if not self.broken:
            try:
                if self.leaves_hole:
                    self._file.seek(size, os.SEEK_CUR)
                else:
                    self._file.write(data)
            except BaseException:
                self.broken = True
                raise
            self._digest.update(data)
            self.bytes += size
        return size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class ParquetSink:
    """A Parquet file being written; see `atomic_parquet`."""

    def __init__(
        self,
        path: str,
        file: IO[bytes],
        schema: pa.Schema,
        metadata: Mapping[str, str],
        before: Remnant | None,
        transient: bool,
        compressed: bool,
        repeating: Collection[str],
    ) -> None:
        self._path = path
        self._schema = schema
        self._sink = HashingSink(file)
        self._rows = 0
        coded = [f.name for f in schema if _is_text(f.type) or f.name in repeating]
        levels = (_levels(field.name, field.type, _FAST if transient else _SMALL) for field in schema)
        output = pa.PythonFile(self._sink, mode="w")
        self._writer = pq.ParquetWriter(
            output,
            schema.with_metadata(dict(metadata) or None),
            compression="zstd" if compressed else "none",
            compression_level=dict(itertools.chain.from_iterable(levels)) if compressed else None,
            use_dictionary=coded or False,
            write_page_index=not transient,
            write_statistics=not transient,
            write_page_checksum=True,
            # Without Arrow's own schema, what was written as dictionaries is read as the strings that it is.
            store_schema=not transient,
        )
        if transient and metadata:
            self._writer.add_key_value_metadata(dict(metadata))
        if before is not None:
            self._keep(output, before)
        self._begins_at = self._sink.bytes

    def _keep(self, output: Any, before: Remnant) -> None:
        # The writer has put Parquet's four magic bytes and asks `output` where it is before every row group.
        self._sink.leaves_hole = True
        for start in range(self._sink.bytes, before.begins_at, len(_ZEROS)):
            output.write(_ZEROS[: before.begins_at - start])
        self._sink.leaves_hole = False
        with open(before.path, "rb") as older:
            older.seek(self._sink.bytes)
            while piece := older.read(len(_ZEROS)):
                output.write(piece)

    @property
    def bytes_so_far(self) -> int:
        """Bytes of the row groups written so far."""
        return self._sink.bytes - self._begins_at

    def write(self, data: pa.Table, row_group_rows: int = ROW_GROUP_ROWS) -> None:
        """Appends rows; each call begins a row group. The columns must be the schema's."""
        self._writer.write_table(data, row_group_size=row_group_rows)
        self._rows += data.num_rows

    def finish(self) -> None:
        fault_point(FaultPoint.CLOSE_PARQUET)
        self._writer.close()

    def discard(self) -> None:
        self._sink.broken = True
        with suppress(Exception):
            self._writer.close()

    @property
    def written(self) -> WrittenFile:
        """The file's rows, bytes and checksum; after the `with` of `atomic_parquet` has ended."""
        return WrittenFile(self._path, self._rows, self._sink.bytes, self._sink.hexdigest())


@contextmanager
def atomic_parquet(
    store: Store,
    path: str,
    schema: pa.Schema,
    metadata: Mapping[str, str] | None = None,
    before: Remnant | None = None,
    transient: bool = False,
    durable: bool = True,
    compressed: bool = True,
    repeating: Collection[str] = (),
) -> Iterator[ParquetSink]:
    """A Parquet file (zstd, page index) in place, durable and complete when the body ends without error.

    After an error nothing is left behind. Read `sink.written` after the `with`.

    :param metadata: for the footer; replaces the schema's own.
    :param before: what the file begins with; local stores only.
    :param transient: not durable, and without statistics and page index, which take as long as all the rest: for files
        that are read whole, and by this package alone. String columns may be dictionaries; they are read as strings.
    :param durable: see `Store.atomic_sink`.
    :param compressed: not worth it for the files of short blocks: setting up a compressor for each column takes longer
        than all the rest.
    :param repeating: columns, besides those of strings, of few distinct values: encoded by a dictionary.
    :raises StorageError: naming the path and what to do.
    """
    with store.atomic_sink(path, durable=durable and not transient) as file:
        sink = ParquetSink(path, file, schema, metadata or {}, before, transient, compressed, repeating)
        try:
            yield sink
            sink.finish()
        except BaseException:
            sink.discard()
            raise


def _levels(path: str, kind: pa.DataType, scalars: int) -> Iterator[tuple[str, int]]:
    """By what is written of a column, its level of zstd.

    :param scalars: that of columns without lists.
    """
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        is_vector = pa.types.is_float64(kind.value_type)
        yield from _levels(f"{path}.list.element", kind.value_type, _FAST if is_vector else _SMALL)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _levels(f"{path}.{field.name}", field.type, scalars)
    else:
        yield path, scalars


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def write_parquet(store: Store, path: str, table: pa.Table, metadata: Mapping[str, str] | None = None) -> WrittenFile:
    """A whole table as one Parquet file, atomically."""
    with atomic_parquet(store, path, table.schema, metadata) as sink:
        sink.write(table)
    return sink.written


@contextmanager
def open_parquet(
    store: Store, path: str, dictionaries: Collection[str] = (), sha256: str | None = None
) -> Iterator[Any]:
    """A `pyarrow.parquet.ParquetFile`, memory-mapped when local.

    :param dictionaries: string columns to be read as dictionaries, where the file has them.
    :param sha256: what the file's content must be; None: it is not looked at.
    :raises MissingFileError: there is no such file. :raises ChangedFileError: it is another.
    :raises StorageError: it cannot be read, or is truncated or not Parquet, when opened or later in the body.
    """
    full = store.full_path(path)
    options: dict[str, Any] = {**READING, "pre_buffer": store.prebuffers}
    with store.open_input_file(path) as source, reading(full):
        if sha256 is not None:
            _refuse_changed(source, full, sha256)
        file = pq.ParquetFile(source, **options)
        coded = [name for name in file.schema_arrow.names if name in dictionaries]
        if coded:
            file = pq.ParquetFile(source, metadata=file.metadata, read_dictionary=coded, **options)
        yield file


def refuse_changed(store: Store, path: str, sha256: str) -> None:
    """:raises ChangedFileError: a file is not of this content. :raises StorageError: it cannot be read."""
    full = store.full_path(path)
    with store.open_input_file(path) as source, explained(full, "read"):
        _refuse_changed(source, full, sha256)


def _refuse_changed(source: Any, full_path: str, sha256: str) -> None:
    if hexdigest(source) != sha256:
        raise ChangedFileError(f"{full_path} is not the file that was written there: something else changed it")
    source.seek(0)


@contextmanager
def reading(full_path: str) -> Iterator[None]:
    """Turns what pyarrow raises while it reads a file into a StorageError that names it."""
    with explained(full_path, "read"):
        try:
            yield
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:  # names of columns in a damaged footer are no text
            why = f"truncated, or not a Parquet file ({_first_line(error)})"
            raise StorageError(f"cannot read {full_path}: {why}") from error


def read_parquet(store: Store, path: str, columns: list[str] | None = None, sha256: str | None = None) -> pa.Table:
    """A whole Parquet file; see `open_parquet`.

    :raises StorageError: missing, unreadable, truncated or not Parquet, or not of the content `sha256`.
    """
    with open_parquet(store, path, sha256=sha256) as file:
        return file.read(columns=columns)


def read_metadata(store: Store, path: str, sha256: str | None = None) -> dict[str, str]:
    """The footer's key-value metadata, without Arrow's own key. :param sha256: see `open_parquet`."""
    with open_parquet(store, path, sha256=sha256) as file:
        pairs = file.metadata.metadata or {}
    return {key.decode(): value.decode() for key, value in pairs.items() if key != b"ARROW:schema"}


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
