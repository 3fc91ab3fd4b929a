"""Where a run's files lie, and how a run is named and found."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from riskpipe.errors import StorageError, UsageError
from riskpipe.store.filesystem import Store
from riskpipe.store.layout import published_day
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import is_run_id, list_runs, new_run_id, resolve_run, run_number

OLD, MIDDLE, NEW = "20261119-070000-aaaaaa", "20261120-193055-3f9a1c", "20261120-201500-000000"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(str(tmp_path))
    for run in (MIDDLE, NEW, OLD):
        store.write_bytes(RunFolder(store, run).run, b"{}")
    store.write_bytes("runs/20261121-000000-ffffff/plan.parquet", b"")  # died before its run.json
    store.write_bytes("runs/notes/run.json", b"{}")
    return store


def test_paths_of_the_contract(store: Store) -> None:
    run = RunFolder(store, MIDDLE)
    assert run.run == f"runs/{MIDDLE}/run.json"
    assert run.block_output("valuations", "b1") == f"runs/{MIDDLE}/blocks/valuations/b1.parquet"
    assert run.staged_day("valuations", date(2026, 11, 20)).endswith("/publish/valuations/as_of=2026-11-20")
    assert published_day("valuations", date(2026, 1, 2)) == "published/valuations/as_of=2026-01-02"
    properties = [name for name in dir(RunFolder) if isinstance(getattr(RunFolder, name), property)]
    paths = [value for value in (getattr(run, name) for name in properties) if isinstance(value, str)]
    assert len(set(paths)) == len(paths)


def test_a_run_that_does_not_say_its_day_is_damaged(store: Store) -> None:
    with pytest.raises(StorageError, match="which day the run is of"):
        RunFolder(store, MIDDLE).described()


def test_ids_that_lead_elsewhere_are_refused(store: Store) -> None:
    with pytest.raises(StorageError):
        RunFolder(store, "../x")
    with pytest.raises(StorageError):
        RunFolder(store, OLD).block_output("valuations", "../../x")


def test_run_ids_name_the_start_in_utc_and_a_number_above_all_others(store: Store) -> None:
    local = datetime(2026, 11, 20, 14, 30, 55, tzinfo=timezone(timedelta(hours=-5)))
    first, second = new_run_id(store, local), new_run_id(store, local)
    assert re.fullmatch(r"20261120-193055-[0-9a-f]{6}-1", first)
    assert is_run_id(first)
    assert first != second
    store.write_bytes(RunFolder(store, first).run, b"{}")
    assert new_run_id(store, local).endswith("-2")
    assert new_run_id(store, local, [OLD, "20200101-000000-aaaaaa-57"]).endswith("-58")
    assert run_number(OLD) == 0
    assert not is_run_id(first + "-0")
    assert not is_run_id("latest")


def test_runs_are_listed_oldest_first_without_stillborn_ones(store: Store) -> None:
    assert list_runs(store) == [OLD, MIDDLE, NEW]


def test_a_clock_that_was_ahead_makes_no_run_the_newest(store: Store) -> None:
    ahead = new_run_id(store, datetime(2031, 1, 1, tzinfo=UTC))
    store.write_bytes(RunFolder(store, ahead).run, b"{}")
    later = [ahead]
    for _ in range(11):
        later.append(new_run_id(store, datetime(2026, 11, 21, tzinfo=UTC)))
        store.write_bytes(RunFolder(store, later[-1]).run, b"{}")
    assert list_runs(store) == [OLD, MIDDLE, NEW, *later]
    assert resolve_run(store, "latest").run_id == later[-1]


def test_resolving(store: Store) -> None:
    assert resolve_run(store, "latest").run_id == NEW
    assert resolve_run(store, MIDDLE).run_id == MIDDLE
    assert resolve_run(store, "20261119").run_id == OLD


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20261120", rf"fits 2 runs.*{NEW}, {MIDDLE}"),
        ("2027", rf"no run '2027'.*{NEW}, {MIDDLE}, {OLD}"),
        ("", "no run ''"),
        ("../x", "no run"),
    ],
)
def test_what_fits_no_run_or_several(store: Store, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve_run(store, text)


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no runs"):
        resolve_run(open_store(str(tmp_path / "none")), "latest")
