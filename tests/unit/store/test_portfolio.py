"""Trade files are found with every fault at once, and read by row ranges."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from riskpipe.errors import StorageError
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.object_store import ObjectStore
from riskpipe.store.portfolio import InputChangedError, TradeFile, discover, fingerprinted, iter_batches, read_rows


def write(path: Path, rows: int, group: int = 4, first: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = list(range(first, first + rows))
    table = pa.table(
        {"trade_id": [f"t{n}" for n in numbers], "book": ["b"] * rows, "strike": [n * 1.5 for n in numbers]}
    )
    pq.write_table(table, path, row_group_size=group)


@pytest.fixture
def portfolio(tmp_path: Path) -> Path:
    write(tmp_path / "fx_option/b.parquet", 10)
    write(tmp_path / "fx_option/a.parquet", 3)
    write(tmp_path / "bond/part.parquet", 5)
    return tmp_path


def only(store: Store, path: str) -> TradeFile:
    return next(file for file in discover(store).files if file.path == path)


def test_files_are_found_in_order(portfolio: Path) -> None:
    (portfolio / "fx_option/.hidden.parquet").write_bytes(b"")
    (portfolio / "fx_option/_SUCCESS").write_bytes(b"")
    found = discover(open_store(str(portfolio)))
    assert found.faults == ()
    assert found.products == ("bond", "fx_option")
    assert [file.path for file in found.files] == [
        "bond/part.parquet",
        "fx_option/a.parquet",
        "fx_option/b.parquet",
    ]
    assert found.files[2] == TradeFile(
        "fx_option",
        "fx_option/b.parquet",
        10,
        (portfolio / "fx_option/b.parquet").stat().st_size,
        (0, 4, 8, 10),
        ("trade_id", "book", "strike"),
    )


def test_all_faults_come_at_once(portfolio: Path) -> None:
    broken = portfolio / "bond/part.parquet"
    broken.write_bytes(broken.read_bytes()[:100])
    (portfolio / "swaption").mkdir()
    (portfolio / "swaption/x.parquet").write_bytes(b"trade_id,book\n")
    write(portfolio / "stray.parquet", 1)
    write(portfolio / "fx_option/2026/deep.parquet", 1)
    (portfolio / "cap_floor").mkdir()
    found = discover(open_store(str(portfolio)))
    assert [(fault.level, fault.path, fault.rule) for fault in found.faults] == [
        ("error", "bond/part.parquet", "not parquet"),
        ("error", "fx_option/2026/deep.parquet", "misplaced file"),
        ("error", "stray.parquet", "misplaced file"),
        ("error", "swaption/x.parquet", "not parquet"),
        ("warning", "cap_floor", "empty product"),
    ]
    assert str(broken) in found.faults[0].message
    assert [file.path for file in found.files] == ["fx_option/a.parquet", "fx_option/b.parquet"]


def test_no_directory_and_no_trades(tmp_path: Path) -> None:
    (fault,) = discover(open_store(str(tmp_path / "none"))).faults
    assert (fault.level, fault.rule) == ("error", "no such directory")
    assert str(tmp_path / "none") in fault.message
    (fault,) = discover(open_store(str(tmp_path))).faults
    assert fault.rule == "no trades"
    write(tmp_path / "bond/x.parquet", 0)
    (fault,) = discover(open_store(str(tmp_path))).faults
    assert fault.rule == "no trades"


@pytest.mark.parametrize(("start", "stop"), [(0, 10), (0, 4), (4, 8), (3, 5), (9, 10), (5, 5), (0, 0), (10, 10)])
def test_row_ranges(portfolio: Path, start: int, stop: int) -> None:
    store = open_store(str(portfolio))
    table = read_rows(store, only(store, "fx_option/b.parquet"), start, stop)
    assert table["trade_id"].to_pylist() == [f"t{n}" for n in range(start, stop)]
    assert table["strike"].to_pylist() == [n * 1.5 for n in range(start, stop)]


@pytest.mark.parametrize(
    ("start", "stop", "around"), [(0, 1, (0, 4)), (3, 5, (0, 8)), (4, 8, (4, 8)), (8, 9, (8, 10)), (0, 10, (0, 10))]
)
def test_the_row_groups_around_rows(portfolio: Path, start: int, stop: int, around: tuple[int, int]) -> None:
    file = only(open_store(str(portfolio)), "fx_option/b.parquet")
    assert file.row_groups_around(start, stop) == around


def test_only_the_row_groups_needed_are_read(portfolio: Path) -> None:
    path = portfolio / "fx_option/b.parquet"
    store = open_store(str(portfolio))
    file = only(store, "fx_option/b.parquet")
    chunk = pq.read_metadata(path).row_group(0).column(0)
    data = bytearray(path.read_bytes())
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)
    assert read_rows(store, file, 4, 10)["trade_id"].to_pylist() == [f"t{n}" for n in range(4, 10)]
    with pytest.raises(StorageError, match=r"fx_option/b\.parquet"):
        read_rows(store, file, 3, 10)


def test_columns_are_projected_in_the_order_asked_for(portfolio: Path) -> None:
    store = open_store(str(portfolio))
    file = only(store, "fx_option/b.parquet")
    assert read_rows(store, file, 3, 5, ["strike", "nothing", "book"]).column_names == ["strike", "book"]
    (batch,) = iter_batches(store, file, ["strike", "trade_id"], 100)
    assert batch.column_names == ["strike", "trade_id"]


def test_rows_out_of_range_are_a_bug(portfolio: Path) -> None:
    store = open_store(str(portfolio))
    with pytest.raises(ValueError, match="which has 10"):
        read_rows(store, only(store, "fx_option/b.parquet"), 5, 11)


def test_batches_are_whole_and_bounded(portfolio: Path) -> None:
    store = open_store(str(portfolio))
    batches = list(iter_batches(store, only(store, "fx_option/b.parquet"), None, 3))
    assert max(batch.num_rows for batch in batches) == 3
    assert pa.concat_tables(batches)["trade_id"].to_pylist() == [f"t{n}" for n in range(10)]


def test_a_file_that_changed_since_the_plan_is_refused(portfolio: Path) -> None:
    store = open_store(str(portfolio))
    file = only(store, "fx_option/b.parquet")
    write(portfolio / "fx_option/b.parquet", 10, group=5)
    with pytest.raises(InputChangedError, match="changed since it was planned"):
        read_rows(store, file, 0, 3)
    with pytest.raises(InputChangedError):
        next(iter_batches(store, file, None, 3))


def test_content_hash(portfolio: Path) -> None:
    data = (portfolio / "bond/part.parquet").read_bytes()
    assert content_sha256(open_store(str(portfolio)), "bond/part.parquet") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("in_bucket", [False, True])
def test_what_is_read_is_held_against_the_plan(
    tmp_path: Path, in_bucket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row group by row group, in a directory and, of an object too large to be read at once, in a bucket."""
    (tmp_path / "bond").mkdir()
    path = tmp_path / "bond" / "a.parquet"
    table = pa.table({"trade_id": [f"T{k}" for k in range(100)], "x": np.arange(100.0), "y": np.arange(100.0)})
    pq.write_table(table, path, row_group_size=30, compression="none", use_dictionary=False)
    monkeypatch.setattr("riskpipe.store.objects.SMALL_BYTES", 100)
    remote = pafs.SubTreeFileSystem("/", pafs.LocalFileSystem())
    store = ObjectStore(str(tmp_path).lstrip("/"), remote) if in_bucket else open_store(str(tmp_path))
    (found,) = discover(store).files
    file, sha256 = fingerprinted(store, found)
    content = path.read_bytes()

    assert sha256 == hashlib.sha256(content).hexdigest()
    assert len(file.spans) == 5
    assert read_rows(store, file, 25, 65, ["trade_id", "y"]).equals(table.select(["trade_id", "y"]).slice(25, 40))
    assert read_rows(store, file, 100, 100).num_rows == 0
    at = content.index(np.array([61.0, 62.0, 63.0]).tobytes())
    changed = bytearray(content)
    changed[at + 3] ^= 1  # a number of the third row group
    path.write_bytes(changed)
    assert read_rows(store, file, 0, 60).equals(table.slice(0, 60))
    for start, stop in ((0, 61), (60, 61), (89, 100)):
        with pytest.raises(InputChangedError, match=r"bond/a\.parquet changed since it was planned"):
            read_rows(store, file, start, stop)
    for size in (len(content) - 1, len(content) + 1):
        path.write_bytes((content + b"?")[:size])
        with pytest.raises(InputChangedError):
            read_rows(store, file, 0, 10)
    changed = bytearray(content)
    changed[-20] ^= 1  # of the footer
    path.write_bytes(changed)
    with pytest.raises(InputChangedError):
        read_rows(store, file, 0, 10)


def test_planned_files_are_read_as_they_were_looked_at(tmp_path: Path) -> None:
    """Days beyond 2262 in INT96, as Spark writes: by the survey's way and by the worker's."""
    days = [dt.datetime(2263, 1, 1), dt.datetime(2027, 3, 1)]
    table = pa.table({"trade_id": ["a", "b"], "paid": pa.array(days, pa.timestamp("us"))})
    (tmp_path / "bond").mkdir()
    pq.write_table(table, tmp_path / "bond/x.parquet", use_deprecated_int96_timestamps=True)
    store = open_store(str(tmp_path))
    file = only(store, "bond/x.parquet")
    (batch,) = iter_batches(store, file, None, 10)
    planned, _ = fingerprinted(store, file)
    assert planned.spans
    assert batch.column("paid").to_pylist() == days
    assert read_rows(store, planned, 0, 2).column("paid").to_pylist() == days
