"""Files of a run, and of its inputs, that change after they were written or planned: told by name, never priced."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fault_runs import at_point
from selections import one_in
from spoiled import Book, rewrite, with_cells

from riskpipe.fault_points import FaultPoint
from riskpipe.plan.selection import Selection
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.portfolio import InputChangedError
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.run import run

RESTS_ON = (
    "inputs/market.arrow",
    "inputs/scenarios.arrow",
    "inputs/valuation.json",
    "quarantine.parquet",
    "plan.parquet",
)


@pytest.fixture(scope="module")
def unpublished(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A book with a trade in quarantine, and the output of its run. Read only."""
    directory = tmp_path_factory.mktemp("unpublished")
    shutil.copytree(small_book, directory / "book")
    rewrite(
        directory / "book" / "data" / "portfolio" / "fx_option" / "part-000.parquet", with_cells("strike", {3: -1.0})
    )
    answer = Book(directory / "book", directory / "output").riskpipe(
        "run", "--set", "measures=[pv]", "--publish", "never"
    )
    assert answer.code == 4, answer.stderr
    return directory / "book", directory / "output"


@pytest.mark.parametrize("name", RESTS_ON)
def test_a_bit_of_what_blocks_rest_on_is_told(name: str, unpublished: tuple[Path, Path], tmp_path: Path) -> None:
    book, made = unpublished
    shutil.copytree(made, tmp_path / "output")
    desk = Book(book, tmp_path / "output")
    (root,) = (tmp_path / "output" / "runs").iterdir()
    path = root / name
    content = path.read_bytes()
    # A level of the market, a digit of the specification, whatever lies there of the others.
    for at in (len(content) // 5, len(content) // 2, len(content) - 20):
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)

        answer = desk.riskpipe("publish", "latest")

        assert answer.code == 6, answer.stderr
        assert str(path) in answer.stderr
        assert not (tmp_path / "output" / "published").exists()
    path.unlink()
    answer = desk.riskpipe("run", "--set", "measures=[pv]", "--resume", root.name)
    if name == "plan.parquet":  # which comes last when a run is made
        assert (answer.code, "stopped before it had a plan" in answer.stderr) == (2, True), answer.stderr
    else:
        assert (answer.code, str(path) in answer.stderr) == (6, True), answer.stderr
    path.write_bytes(content)
    assert desk.riskpipe("publish", "latest").code == 0


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"run_id": "x"}', b"\xff\xfe"])
def test_a_damaged_summary_is_told(damage: bytes, unpublished: tuple[Path, Path], tmp_path: Path) -> None:
    book, made = unpublished
    shutil.copytree(made, tmp_path / "output")
    desk = Book(book, tmp_path / "output")
    (summary,) = (tmp_path / "output" / "runs").glob("*/summary.json")
    summary.write_bytes(damage)

    answer = desk.riskpipe("runs", "show", "latest")

    assert answer.code == 6, answer.stderr
    assert str(summary) in answer.stderr
    assert desk.riskpipe("publish", "latest").code == 0  # it can be made again, and is
    assert desk.riskpipe("runs", "show", "latest").code == 0


@pytest.fixture
def plain_trades(book: Path) -> tuple[Path, bytes]:
    """A trade file in four row groups, and one of the same length with other amounts."""
    path = book / "data" / "portfolio" / "fx_forward" / "part-000.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("buy_amount")
    others = table.set_column(at, "buy_amount", pa.array(np.asarray(table.column(at)) * 2.0))
    options = {"row_group_size": -(-len(table) // 4), "compression": "none", "use_dictionary": False}
    pq.write_table(others, path, **options)
    changed = path.read_bytes()
    pq.write_table(table, path, **options)
    assert len(changed) == path.stat().st_size
    return path, changed


def test_a_trade_file_overwritten_in_place_is_no_mixture(
    plain_trades: tuple[Path, bytes], book: Path, settings_of: Any, recorder: Any, tmp_path: Path
) -> None:
    """Same inode, same length, same times; some blocks have read the old file."""
    path, changed = plain_trades
    settings = settings_of("partition.max_trades=20", "measures=[pv]", book=book)
    read: list[str] = []

    def overwrite(task: Any) -> None:
        read.append(task.payload.block.path)
        if sum(name.startswith("fx_forward/") for name in read) == 2:
            before = path.stat()
            with open(path, "r+b") as file:
                file.write(changed)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with (
        at_point(FaultPoint.VALUE, overwrite),
        pytest.raises(InputChangedError, match=r"fx_forward/part-000\.parquet changed since it was planned: .*starts"),
    ):
        run(settings, Selection(), observer=recorder)

    assert not (tmp_path / "output" / "published").exists()
    told = [text for _, text in recorder.messages if "INPUT_CHANGED" in text]
    assert 0 < len(told) < sum(name.startswith("fx_forward/") for name in read)


@pytest.mark.parametrize("name", one_in(2, ["market", "history", "scenarios"]))
def test_an_input_that_changes_while_it_is_read(name: str, book: Path, tmp_path: Path, monkeypatch: Any) -> None:
    desk = Book(book, tmp_path / "out")
    path = book / "data" / f"{name}.parquet"

    @contextmanager
    def opened(store: Store, part: str, *more: Any, **options: Any) -> Iterator[Any]:
        with open_parquet(store, part, *more, **options) as file:
            yield file
        if part == path.name:
            rewrite(path, lambda rows: rows.slice(0, len(rows) - 1))

    monkeypatch.setattr("riskpipe.store.dataset.open_parquet", opened)

    answer = desk.riskpipe("run")

    assert answer.code == 3, answer.stderr
    assert "it changed while it was read" in answer.stderr
    assert not list_runs(open_store(str(tmp_path / "out")))
