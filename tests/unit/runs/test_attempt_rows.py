"""blocks.parquet while it grows: the same rows in whatever pieces they are written, and no file before the end."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from plans import block, done, failed, split, stored

from riskpipe.plan.state import RunState
from riskpipe.runs import attempt_rows
from riskpipe.runs.attempt_rows import AttemptRows
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.records import BlockStartedAgain, Record, SessionStarted
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder

RUN_ID = "20261120-193055-3f9a1c-1"
PROVENANCE = Provenance(RUN_ID, date(2026, 11, 20), "c", "i", "0.1", "USD")
BLOCKS = [block(k, product="bond" if k % 2 else "swaption") for k in range(5)]
HALVES = [BLOCKS[3].part((300, 301, 302)), BLOCKS[3].part(tuple(range(303, 310)))]


def session(name: str, version: str) -> SessionStarted:
    return SessionStarted(name, 1.0, "host", 42, version)


RECORDS: list[Record] = [
    session("20261120T193055Z-3f9a1c", "0.1"),
    replace(done(BLOCKS[0], 10), started_at=1.25, ended_at=1764018000.000001),
    failed(BLOCKS[1], final=False),
    BlockStartedAgain(BLOCKS[2].block_id, 2, "slow", 40.0, 3.0),
    replace(done(BLOCKS[2], 10), attempt=2),
    session("20261120T203055Z-3f9a1c", "0.2"),
    replace(done(BLOCKS[1], 10), attempt=2),
    split(BLOCKS[3], *((half, None) for half in HALVES)),
    done(HALVES[0], 3),
    failed(HALVES[1]),
    split(BLOCKS[0], (BLOCKS[0].part((5,)), [0, 1, 0]), reason="retry"),
]
EXPECTED = [
    (BLOCKS[0].block_id, 1, "ok", None, "worker", "swaption", 10, "0.1"),
    (BLOCKS[1].block_id, 1, "retried", "WORKER_LOST", "worker", "bond", 10, "0.1"),
    (BLOCKS[2].block_id, 2, "ok", None, "worker", "swaption", 10, "0.1"),
    (BLOCKS[2].block_id, 1, "outrun", None, "slow", "swaption", 10, "0.1"),
    (BLOCKS[1].block_id, 2, "ok", None, "worker", "bond", 10, "0.2"),
    (BLOCKS[3].block_id, 0, "split", "OUT_OF_MEMORY", None, "bond", 10, "0.2"),
    (HALVES[0].block_id, 1, "ok", None, "worker", "bond", 3, "0.2"),
    (HALVES[1].block_id, 1, "failed", "WORKER_LOST", "worker", "bond", 7, "0.2"),
    (BLOCKS[4].block_id, 0, "cancelled", "CANCELLED", None, "swaption", 10, None),
]
NAMES = ["block_id", "attempt", "status", "reason", "worker", "product", "trades", "engine_version"]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "runs" / RUN_ID).mkdir(parents=True)
    return RunFolder(open_store(str(tmp_path)), RUN_ID)


def gathered(folder: RunFolder, tmp_path: Path) -> AttemptRows:
    state = RunState(stored(tmp_path / "plan.parquet", BLOCKS))
    rows = AttemptRows(folder, state, PROVENANCE)
    for record in RECORDS:
        state.apply(record)
        rows.apply(record)
        assert not folder.store.exists(folder.blocks)
    return rows


@pytest.mark.parametrize("size", [1, 2, 100])
def test_rows_as_the_ledger_tells_them(
    folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(attempt_rows, "ROWS_AT_A_TIME", size)
    monkeypatch.setattr(attempt_rows, "ROWS_A_GROUP", 2 * size)

    written = gathered(folder, tmp_path).finish([BLOCKS[4]])

    table = read_parquet(folder.store, folder.blocks, sha256=written.sha256)
    found = table.to_pylist()
    assert [tuple(row[name] for name in NAMES) for row in found] == EXPECTED
    assert {row["scenarios"] for row in found} == {5}
    assert {row["run_id"] for row in found} == {RUN_ID}
    assert found[6]["parent_block_id"] == BLOCKS[3].block_id
    assert found[0]["started_at"] == datetime(1970, 1, 1, 0, 0, 1, 250_000, UTC)
    assert found[0]["ended_at"].microsecond == 1
    assert found[1]["started_at"] is None


def test_what_is_not_finished_is_not_there(folder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_rows, "ROWS_AT_A_TIME", 1)
    monkeypatch.setattr(attempt_rows, "ROWS_A_GROUP", 1)
    rows = gathered(folder, tmp_path)
    assert list((tmp_path / "runs" / RUN_ID).iterdir()), "it grows beside its place"
    rows.close()
    assert not list((tmp_path / "runs" / RUN_ID).iterdir())


def test_a_run_that_did_nothing_has_an_empty_table(folder: RunFolder, tmp_path: Path) -> None:
    rows = AttemptRows(folder, RunState(stored(tmp_path / "plan.parquet", [])), PROVENANCE)
    assert rows.finish([]).rows == 0
    rows.close()
    assert folder.store.exists(folder.blocks)
