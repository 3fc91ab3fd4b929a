"""What surveyed pieces leave for the driver: files in a directory that is deleted when the plan is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.store.filesystem import Store, explained
from riskpipe.store.trade_rows import FileRows

Digests = NDArray[np.uint64]


class SurveyedRows(Struct, frozen=True):
    """What planning needs of rows of one product that follow each other, by row.

    :param pieces: where they lie: in files one after another.
    :param selected: bool[n].
    :param seconds: float64[n_ranges, n], projected for each scenario range; 0 where not selected.
    :param bytes_: float64[n], the most that the row needs in any range.
    :param books: int32[n], a number for each book of the portfolio.
    """

    product: str
    pieces: tuple[FileRows, ...]
    selected: NDArray[np.bool_]
    seconds: NDArray[np.float64]
    bytes_: NDArray[np.float64]
    books: NDArray[np.int32]


class PieceFiles(Struct, frozen=True):
    """The files, by the number of their piece.

    :param store: that whoever surveys and whoever plans can reach. :param directory: in it, for one plan alone.
    """

    store: Store
    directory: str

    def rows(self, piece: int) -> str:
        """`SurveyedRows`: a record batch for each."""
        return f"{self.directory}/{piece:08d}.rows.arrow"

    def contents(self, piece: int) -> str:
        """What trades are (`trade_contents`), in their order: a record batch for each `SurveyedRows`."""
        return f"{self.directory}/{piece:08d}.contents.arrow"

    def ids(self, piece: int) -> str:
        """Digests of trade ids, ascending: eight bytes each and nothing else."""
        return f"{self.directory}/{piece:08d}.ids"

    @property
    def suspects(self) -> str:
        """Likewise, those that occur more than once in the portfolio."""
        return f"{self.directory}/suspects.ids"

    @contextmanager
    def writer(self, path: str, schema: pa.Schema, compression: str | None = None) -> Iterator[Any]:
        """For record batches. :raises StorageError: they cannot be written."""
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with (
            self.store.atomic_sink(path, durable=False) as file,
            pa.ipc.new_file(file, schema, options=options) as writer,
        ):
            yield writer

    def batches(self, path: str) -> Iterator[pa.RecordBatch]:
        """What `writer` wrote. :raises StorageError: it cannot be read."""
        with self.store.open_input_file(path) as source, explained(self.store.full_path(path), "read"):
            reader = pa.ipc.open_file(source)
            for k in range(reader.num_record_batches):
                yield reader.get_batch(k)

    def write_ids(self, path: str, ids: Digests) -> None:
        """:raises StorageError: they cannot be written."""
        with self.store.atomic_sink(path, durable=False) as file:
            file.write(np.ascontiguousarray(ids).data)

    def read_ids(self, path: str, start: int = 0, stop: int | None = None) -> Digests:
        """Those of the places [start, stop). :raises StorageError: they cannot be read."""
        with self.store.open_input_file(path) as source, explained(self.store.full_path(path), "read"):
            stop = source.size() // 8 if stop is None else stop
            source.seek(8 * start)
            return np.frombuffer(source.read(8 * (stop - start)), np.uint64)


def rows_schema(ranges: int) -> pa.Schema:
    """Of `PieceFiles.rows`, for so many scenario ranges."""
    fields = [("selected", pa.bool_()), ("bytes", pa.float64()), ("books", pa.int32())]
    return pa.schema(fields + [(f"seconds_{k}", pa.float64()) for k in range(ranges)])


def rows_batch(found: SurveyedRows) -> pa.RecordBatch:
    """As `rows_schema`."""
    columns = [found.selected, found.bytes_, found.books, *found.seconds]
    return pa.record_batch([pa.array(column) for column in columns], schema=rows_schema(len(found.seconds)))


def rows_of(batch: pa.RecordBatch, pieces: Sequence[FileRows], books: NDArray[np.int32]) -> SurveyedRows:
    """What `rows_batch` made. :param books: int32[books of the piece], numbers in the portfolio."""
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    seconds = np.stack(columns[3:]) if len(columns) > 3 else np.zeros((0, len(batch)))
    product = pieces[0].file.product
    return SurveyedRows(product, tuple(pieces), columns[0], seconds, columns[1], books[columns[2]])
