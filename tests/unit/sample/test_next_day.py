"""The sample's second day: a market that has moved, a history that is longer, a book that has changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.config import load_settings
from riskpipe.sample.writer import NextDay, write_next_day, write_sample
from riskpipe.workflows.check import check

ARGUMENTS = {"trades": 1500, "scenarios": 12, "seed": 3}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("two days")
    write_sample(found, **ARGUMENTS)
    return found


@pytest.fixture(scope="module")
def later(directory: Path) -> NextDay:
    return write_next_day(directory, **ARGUMENTS)


def trades(directory: Path) -> dict[str, dict[str, object]]:
    rows = [row for path in sorted(directory.glob("*/*.parquet")) for row in pq.read_table(path).to_pylist()]
    found = {str(row["trade_id"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_book_changes_as_is_said(directory: Path, later: NextDay) -> None:
    before, after = (trades(directory / "data" / name / "portfolio") for name in (".", "next_day"))
    both = before.keys() & after.keys()
    changes = later.changes
    assert (later.as_of, changes.new) == (date(2026, 11, 23), len(after.keys() - before.keys()))
    assert changes.cancelled + changes.matured == len(before.keys() - after.keys())
    state = {"realised_variance"}
    differ = [k for k in both if {n for n in before[k] if before[k][n] != after[k][n]} - state]
    assert len(differ) == changes.amended
    assert min(changes.new, changes.amended, changes.cancelled) > 0


def test_the_history_goes_on(directory: Path, later: NextDay) -> None:
    before, after = (pq.read_table(directory / "data" / name / "history.parquet") for name in (".", "next_day"))
    assert after.slice(0, before.num_rows).equals(before)
    market = pq.read_table(directory / "data" / "next_day" / "market.parquet")
    today = after.slice(before.num_rows)
    assert set(today["date"].to_pylist()) == {later.as_of}
    assert today["factor"].to_pylist() == market["factor"].to_pylist()[: today.num_rows]
    assert today["value"].to_pylist() == market["value"].to_pylist()[: today.num_rows]


def test_the_market_moves_as_on_other_days(directory: Path, later: NextDay) -> None:
    history = pq.read_table(directory / "data" / "next_day" / "history.parquet")
    spots = history.filter(pa.compute.equal(history["kind"], "spot"))
    levels = np.array(spots["value"]).reshape(ARGUMENTS["scenarios"] + 2, -1)
    moves = np.diff(np.log(levels), axis=0)
    assert 0.2 < moves[-1].std() / moves[:-1].std() < 5.0


def test_it_has_no_fault(later: NextDay) -> None:
    found = check(load_settings(later.config, environment={}))
    assert (found.faults, found.quarantined) == ((), 0)


def test_the_same_arguments_give_the_same_bytes(directory: Path, later: NextDay, tmp_path: Path) -> None:
    write_sample(tmp_path, **ARGUMENTS)
    again = write_next_day(tmp_path, **ARGUMENTS)
    assert again.changes == later.changes
    names = sorted(path.relative_to(tmp_path) for path in (tmp_path / "data" / "next_day").rglob("*.parquet"))
    assert names
    assert all((tmp_path / name).read_bytes() == (directory / name).read_bytes() for name in names)
