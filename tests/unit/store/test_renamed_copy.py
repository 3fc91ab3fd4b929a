"""A copy with other names: the same rows to every reader, the pages of all other columns byte by byte as they were."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import ChangedFileError
from riskpipe.store.pieces import write_piece
from riskpipe.store.renamed_copy import renamed_copy
from riskpipe.store.result_tables import Provenance, metadata, write_result
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.store.thrift_compact import read_fields, written_fields
from riskpipe.store.written_files import WrittenFile

DAY = date(2026, 11, 20)
EARLIER, LATER = (
    Provenance(run_id, DAY, "c" * 64, "i" * 64, "0.1", "USD") for run_id in ("20261120-1", "20261120-193055-3f9a1c-12")
)
N = 3_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def rows(table: str) -> pa.Table:
    values = {
        "as_of_date": DAY, "run_id": EARLIER.run_id, "book": "rates", "product": "swap", "measure": "pv",
        "scenario_set": "historical", "status": "ok", "value": 1.5, "value_base": 1.5, "currency": "USD",
        "block_id": "b",
    }  # fmt: skip
    columns = {f.name: pa.repeat(pa.scalar(values[f.name], f.type), N) for f in SCHEMAS[table] if f.name in values}
    columns["trade_id"] = pa.array([f"T{k:05d}" for k in range(N)])
    if table == "scenario_pnl":
        offsets, numbers = np.arange(N + 1, dtype=np.int32) * 300, np.random.default_rng(1).normal(size=N * 300)
        columns["pnl"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(numbers))
    return pa.table(columns)


@pytest.fixture
def vectors(store: Store) -> WrittenFile:
    """Of several row groups, with page index and statistics."""
    return write_piece(store, "a.parquet", "scenario_pnl", rows("scenario_pnl"), EARLIER)


def renamed(store: Store, file: WrittenFile, **names: str) -> WrittenFile:
    return renamed_copy(store, file, "b.parquet", names, LATER.metadata("scenario_pnl"))


def test_readers_find_the_same_rows_under_another_name(store, vectors, tmp_path) -> None:
    written = renamed(store, vectors, run_id=LATER.run_id)

    content = (tmp_path / "b.parquet").read_bytes()
    assert written == WrittenFile("b.parquet", N, len(content), hashlib.sha256(content).hexdigest())
    before, after = (
        pq.read_table(tmp_path / name, page_checksum_verification=True) for name in ("a.parquet", "b.parquet")
    )
    assert after["run_id"].unique().to_pylist() == [LATER.run_id]
    assert after.drop_columns("run_id").equals(before.drop_columns("run_id"))
    assert after.schema.metadata[b"riskpipe.run_id"].decode() == metadata(store, "b.parquet")["run_id"] == LATER.run_id
    query = (
        f"select run_id, count(*), sum(list_sum(pnl)) from '{tmp_path}/{{}}.parquet' where run_id = '{{}}' group by 1"
    )
    (found,) = duckdb.sql(query.format("b", LATER.run_id)).fetchall()
    (expected,) = duckdb.sql(query.format("a", EARLIER.run_id)).fetchall()
    assert found == (LATER.run_id, *expected[1:])


def test_no_page_of_another_column_is_touched(store, vectors, tmp_path) -> None:
    renamed(store, vectors, run_id=LATER.run_id)

    before, after = ((tmp_path / name).read_bytes() for name in ("a.parquet", "b.parquet"))
    kept = len(before) - 8 - int.from_bytes(before[-8:-4], "little")
    assert after[:kept] == before[:kept]
    assert len(after) - len(before) < 1_000 * pq.read_metadata(tmp_path / "a.parquet").num_row_groups
    one, other = (pq.read_metadata(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert one.num_row_groups > 1
    for group in range(one.num_row_groups):
        for k, field in enumerate(SCHEMAS["scenario_pnl"]):
            mine, its = one.row_group(group).column(k), other.row_group(group).column(k)
            assert (mine == its) == (field.name != "run_id")
            assert its.has_column_index


def test_a_copy_of_a_copy(store, vectors, tmp_path) -> None:
    first = renamed(store, vectors, run_id=LATER.run_id)
    renamed_copy(store, first, "c.parquet", {"run_id": "x"}, EARLIER.metadata("scenario_pnl"))

    assert pq.read_table(tmp_path / "c.parquet")["run_id"].unique().to_pylist() == ["x"]


def test_two_names_one_of_which_may_be_null_in_a_file_without_indices(store, tmp_path) -> None:
    file = write_result(store, "a.parquet", "valuations", rows("valuations"), EARLIER)

    renamed(store, file, run_id="r", block_id="another")

    before, after = (pq.read_table(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert after.schema.equals(before.schema)
    assert after["block_id"].unique().to_pylist() == ["another"]
    assert after.drop_columns(["run_id", "block_id"]).equals(before.drop_columns(["run_id", "block_id"]))


def test_a_file_that_is_not_what_was_written_is_not_copied(store, vectors, tmp_path) -> None:
    content = (tmp_path / "a.parquet").read_bytes()
    middle = len(content) // 2
    for changed in (
        content[:middle] + b"x" + content[middle + 1 :],
        content[:-99] + b"x" + content[-98:],
        content[:-1],
        b"",
    ):
        (tmp_path / "a.parquet").write_bytes(changed)
        with pytest.raises(ChangedFileError):
            renamed(store, vectors, run_id="r")
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(MissingFileError):
        renamed(store, vectors, run_id="r")
    assert not list(tmp_path.iterdir())


def test_a_footer_is_written_as_it_was_read(vectors, tmp_path) -> None:
    content = (tmp_path / "a.parquet").read_bytes()
    footer = content[-8 - int.from_bytes(content[-8:-4], "little") : -8]

    assert written_fields(read_fields(footer)) == footer
