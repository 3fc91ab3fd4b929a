"""A copy of a Parquet file in which columns that are the same in all rows have another value.

Which run rows are of is such a column, beside vectors that take a thousand times as much and stay as they are: neither
are they decoded, nor compressed anew. The copy has the bytes of the file up to its footer, then the pages of the
columns that are others, and a footer that names these in the place of what was there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from riskpipe.store.filesystem import Store, explained
from riskpipe.store.parquet import ChangedFileError, HashingSink
from riskpipe.store.thrift_compact import BINARY, LIST, STRUCT, Fields, Sequence, read_fields, written_fields
from riskpipe.store.written_files import WrittenFile

_MAGIC = b"PAR1"
_ARROW_SCHEMA = b"ARROW:schema"
_CHUNK = 8 << 20
_ZEROS = bytes(1 << 20)

# Fields of the format (parquet.thrift): of the footer, a row group, a column of one, what its pages are, a pair.
_ROW_GROUPS, _PAIRS = 4, 5
_COLUMNS, _GROUP_BYTES, _ROWS, _GROUP_COMPRESSED = 1, 2, 3, 6
_META, _COLUMN_INDEX = 3, 6
_PATH, _UNCOMPRESSED, _COMPRESSED = 3, 6, 7
_KEY, _VALUE = 1, 2


def renamed_copy(
    store: Store, file: WrittenFile, path: str, values: Mapping[str, str], metadata: Mapping[str, str]
) -> WrittenFile:
    """Puts it in place, atomically; complete for whoever reads it, and durable once it is copied.

    :param values: column -> what all of its rows have. :param metadata: keys of the footer that are others.
    :raises MissingFileError: there is no such file. :raises ChangedFileError: it is not what was written.
    """
    where = store.full_path(file.path)
    with store.open_input_file(file.path) as source, explained(where, "read"):
        begin = _footer_place(source, where)
        with store.atomic_sink(path, durable=False) as target:
            sink, digest = HashingSink(target), hashlib.sha256()
            source.seek(0)
            for start in range(0, begin, _CHUNK):
                piece = source.read_buffer(min(_CHUNK, begin - start))
                digest.update(piece)
                sink.write(piece)
            tail = source.read()
            digest.update(tail)
            if digest.hexdigest() != file.sha256:
                raise ChangedFileError(f"{where} is not the file that was written there: something else changed it")
            footer = read_fields(tail)
            source.seek(0)
            schema = pq.ParquetFile(source).schema_arrow
            pages, others = _pages(schema, footer, begin, values)
            sink.write(pages)
            _replace(footer, others)
            _rename(footer, metadata, schema)
            text = written_fields(footer)
            sink.write(text + len(text).to_bytes(4, "little") + _MAGIC)
    return WrittenFile(path, file.rows, sink.bytes, sink.hexdigest())


def _footer_place(source: Any, where: str) -> int:
    """Where it begins."""
    size = source.size()
    source.seek(max(size - 8, 0))
    tail = source.read(8)
    begin = int(size - 8 - int.from_bytes(tail[:4], "little"))
    if tail[4:] != _MAGIC or begin < len(_MAGIC):
        raise ChangedFileError(f"{where} is truncated, or not a Parquet file")
    return begin


class _After:
    """What pyarrow writes to: keeps what comes after so many bytes, which stand in the file already."""

    closed = False

    def __init__(self, standing: int) -> None:
        self._standing = standing
        self.kept = bytearray()

    def write(self, data: Any) -> int:
        size = len(data)
        if not self._standing:
            self.kept += data
        self._standing -= min(size, self._standing)
        return size

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _columns_of(group: Fields) -> list[Fields]:
    columns: list[Fields] = group[_COLUMNS][1].items
    return columns


def _name(column: Fields) -> str:
    return b".".join(column[_META][1][_PATH][1].items).decode()


def _pages(schema: pa.Schema, footer: Fields, begin: int, values: Mapping[str, str]) -> tuple[bytes, Fields]:
    """Pages and indices of the columns as they are to stand from `begin` on, and a footer of them alone."""
    groups = footer[_ROW_GROUPS][1].items
    sink = _After(begin)
    fields = [pa.field(name, pa.string(), schema.field(name).nullable) for name in values]
    indexed = any(_COLUMN_INDEX in column for group in groups for column in _columns_of(group))
    with pa.PythonFile(sink, mode="w") as output:
        writer = pq.ParquetWriter(
            output, pa.schema(fields), compression="none", write_page_index=indexed, write_page_checksum=True
        )
        for start in range(len(_MAGIC), begin, len(_ZEROS)):  # it has put the magic bytes
            output.write(_ZEROS[: begin - start])
        for group in groups:
            rows = group[_ROWS][1]
            columns = [pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [value]) for value in values.values()]
            writer.write_table(pa.table([column.cast(pa.string()) for column in columns], pa.schema(fields)), rows)
        writer.close()
    size = int.from_bytes(sink.kept[-8:-4], "little")
    return bytes(sink.kept[: -8 - size]), read_fields(bytes(sink.kept[-8 - size : -8]))


def _replace(footer: Fields, others: Fields) -> None:
    """Have a footer's row groups name the columns of another one's in the place of theirs."""
    for group, other in zip(footer[_ROW_GROUPS][1].items, others[_ROW_GROUPS][1].items, strict=True):
        columns, by_name = _columns_of(group), {_name(column): column for column in _columns_of(other)}
        for k, column in enumerate(columns):
            if _name(column) not in by_name:
                continue
            columns[k] = by_name[_name(column)]
            for of_group, of_column in ((_GROUP_BYTES, _UNCOMPRESSED), (_GROUP_COMPRESSED, _COMPRESSED)):
                if of_group in group:
                    less, more = (each[_META][1][of_column][1] for each in (column, columns[k]))
                    kind, size = group[of_group]
                    group[of_group] = kind, size - less + more


def _rename(footer: Fields, metadata: Mapping[str, str], schema: pa.Schema) -> None:
    """Have a footer's pairs other values; all others stay. Arrow's own schema repeats them, and is one of them."""
    pairs = footer[_PAIRS][1].items if _PAIRS in footer else []
    found = {pair[_KEY][1]: pair[_VALUE][1] for pair in pairs}
    found |= {key.encode(): value.encode() for key, value in metadata.items()}
    if _ARROW_SCHEMA in found:
        known = {key: value for key, value in found.items() if key != _ARROW_SCHEMA}
        found[_ARROW_SCHEMA] = base64.b64encode(schema.with_metadata(known).serialize().to_pybytes())
    made = [{_KEY: (BINARY, key), _VALUE: (BINARY, value)} for key, value in found.items()]
    footer[_PAIRS] = LIST, Sequence(STRUCT, made)
