"""A file, or a directory of files, as one table: read whole and in pieces alike."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.errors import StorageError
from riskpipe.store.dataset import BATCH_ROWS, DataSet, open_dataset

DAYS = [datetime.date(2026, 11, 19), datetime.date(2026, 11, 20)]
ROWS = BATCH_ROWS + 17


def _pieces(files: DataSet, columns: tuple[str, ...]) -> pa.Table:
    pieces = list(files.batches(columns))
    assert all(0 < piece.num_rows <= BATCH_ROWS for piece in pieces)
    decoded = [
        pa.table(
            {
                name: piece[name].cast(pa.string()) if pa.types.is_dictionary(piece[name].type) else piece[name]
                for name in piece.column_names
            }
        )
        for piece in pieces
    ]
    return pa.concat_tables(decoded)


def _table(value: pa.Array, **more: pa.Array) -> pa.Table:
    names = [f"spot:{k % 5}" for k in range(len(value))]
    return pa.table({"factor": names, "value": value, "unread": pa.nulls(len(value)), **more})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Files of other types, one without the value, their day in the names of their directories."""
    numbers = pa.array([float(k) for k in range(ROWS)])
    for name, table in {
        "date=2026-11-19/a.parquet": _table(numbers),
        "date=2026-11-20/b.parquet": _table(pa.array([1, 2, 3], pa.int32()), made=pa.array(DAYS + DAYS[:1])),
        "date=2026-11-20/c.parquet": pa.table({"factor": pa.array(["x", "y"]).dictionary_encode()}),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table.replace_schema_metadata({"key": name[-9:-8]}), path)
    return tmp_path


@pytest.mark.parametrize("columns", [("date", "factor", "value"), ("value",), ("made", "factor"), ("unread",)])
def test_pieces_are_what_is_read_whole(directory: Path, columns: tuple[str, ...]) -> None:
    for location in (directory, directory / "date=2026-11-20" / "b.parquet"):
        files = open_dataset(str(location))
        whole = files.read()
        assert files.schema.equals(whole.schema, check_metadata=True)
        assert files.rows == whole.num_rows
        wanted = whole.select([name for name in whole.column_names if name in columns])
        if wanted.column_names:
            found = _pieces(files, columns)
            assert found.num_rows == whole.num_rows
            assert found.cast(wanted.schema).equals(wanted)


def test_files_that_do_not_fit_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"value": [1.0]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"value": ["one"]}), tmp_path / "b.parquet")
    files = open_dataset(str(tmp_path))
    for look in (lambda: files.schema, lambda: list(files.batches(["value"])), files.read):
        with pytest.raises(StorageError, match="its files do not fit together"):
            look()


def test_a_directory_without_files(tmp_path: Path) -> None:
    files = open_dataset(str(tmp_path))
    for look in (lambda: files.schema, lambda: list(files.batches(["value"])), files.read):
        with pytest.raises(StorageError, match="a directory without Parquet files"):
            look()
