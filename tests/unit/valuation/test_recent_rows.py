"""The rows of short blocks come from row groups that are read once, and are those of a read of their own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from desk import Desk

from riskpipe.products.validation import canonical
from riskpipe.store.location import open_store
from riskpipe.store.portfolio import InputChangedError, TradeFile, discover, fingerprinted, read_rows
from riskpipe.store.trade_rows import FileRows
from riskpipe.valuation import recent_rows
from riskpipe.valuation.recent_rows import RecentRows

ROWS, GROUP = 100, 40
COLUMNS = ["trade_id", "book", "quantity", "currency"]


@pytest.fixture
def file(tmp_path: Path) -> TradeFile:
    """A file of three row groups, of rows that have other forms than the canonical one."""
    (tmp_path / "desk").mkdir()
    table = pa.table(
        {
            "trade_id": [f"T{n} " for n in range(ROWS)],
            "book": [f"/é//{n % 3}/" for n in range(ROWS)],
            "quantity": pa.array(range(ROWS), pa.int32()),
            "currency": pa.array(["EUR", None] * (ROWS // 2)).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "desk" / "a.parquet", row_group_size=GROUP)
    store = open_store(str(tmp_path))
    (found,) = discover(store).files
    return fingerprinted(store, found)[0]


def alone(directory: Path, file: TradeFile, start: int, stop: int) -> pa.Table:
    return canonical(read_rows(open_store(str(directory)), file, start, stop, COLUMNS), Desk())


def test_rows_are_those_of_a_read_of_their_own(tmp_path: Path, file: TradeFile) -> None:
    recent = RecentRows(open_store(str(tmp_path)))
    for start, stop in [(0, 10), (10, 20), (35, 45), (39, 41), (40, 80), (90, 100), (0, 100), (5, 6), (0, 40)]:
        assert recent.read(Desk(), FileRows(file, start, stop), COLUMNS).equals(alone(tmp_path, file, start, stop))


def test_a_row_group_is_read_once_for_its_short_blocks(tmp_path: Path, file: TradeFile) -> None:
    recent = RecentRows(open_store(str(tmp_path)))
    expected = alone(tmp_path, file, 10, 20)
    recent.read(Desk(), FileRows(file, 0, 10), COLUMNS)
    (tmp_path / file.path).write_bytes(b"overwritten")
    assert recent.read(Desk(), FileRows(file, 10, 20), COLUMNS).equals(expected)
    with pytest.raises(InputChangedError):
        recent.read(Desk(), FileRows(file, 40, 50), COLUMNS)


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_large_or_whole_is_not_kept(
    tmp_path: Path, file: TradeFile, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr(recent_rows, "KEPT_BYTES", 100)
    recent = RecentRows(open_store(str(tmp_path)))
    start, stop = (0, GROUP) if whole else (0, 10)
    assert recent.read(Desk(), FileRows(file, start, stop), COLUMNS).equals(alone(tmp_path, file, start, stop))
    (tmp_path / file.path).write_bytes(b"overwritten")
    with pytest.raises(InputChangedError):
        recent.read(Desk(), FileRows(file, 10, 20), COLUMNS)
