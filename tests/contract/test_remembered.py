"""A market and scenarios that were kept are those that would be made, whatever else has changed since."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from selections import one_in

from riskpipe.config import Settings, load_settings
from riskpipe.errors import StorageError
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.market_input import open_market
from riskpipe.inputs.opened import OpenedInputs, RefusedInputs, open_inputs
from riskpipe.inputs.remembered import remembered_market
from riskpipe.plan.selection import parse_selection
from riskpipe.products.catalogue import catalogue
from riskpipe.store.kept import KeptResults
from riskpipe.store.location import open_store

ALL = "measures=[pv, delta, vega, bucketed_delta, theta, stress, historical_var]"

# Besides the rule that all of the settings count but those that are named: what counts, changed, makes others.
CHANGES = [
    "measures=[pv]",
    "measures=[stress]",
    "bumps.spot=0.002",
    "bumps.rate=0.0002",
    "as_of=2026-11-19",
    "base_currency=EUR",
    "market.credit_model=isda",
    "market.credit_step_in=next_day",
    "market.curves={EUR.ESTR: {interpolation: linear_zero}}",
    "history.returns={'zero_rate:*': relative}",
    "check.market_date=warning",
    "check.tolerances.fx_cross=0.5",
    "check.ranges={spot: [1e9, 1e10]}",
    "inputs.unknown_columns=error",
    "on_invalid=error",
    "warnings_as_errors=true",
    "partition.max_trades=7",
    "partition.max_scenarios=8",
    "cluster.kind=serial",
    "scenario_pnl.historical=false",
    "publish=never",
    "lease_seconds=5",
    "grace_seconds=5",
    "retry.storage=1",
    "output=elsewhere",
]


def seen(inputs: OpenedInputs | RefusedInputs) -> dict[str, Any]:
    """All that a run has of its inputs."""
    found: dict[str, Any] = {"faults": inputs.faults, "blocking": inputs.blocking, "files": inputs.files}
    if isinstance(inputs, OpenedInputs):
        found |= {
            "hashes": inputs.hashes,
            "snapshot": inputs.snapshot.sha256,
            "factors": inputs.snapshot.factors.to_pydict(),
            "levels": inputs.snapshot.x0.tobytes(),
            "scenarios": inputs.scenarios.columns.sha256,
            "left out": inputs.model._left_out,
            "blocks": inputs.block_inputs(parse_selection([])),
        }
    return found


@pytest.fixture(scope="module")
def kept_of_all(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is kept of the small book and `ALL`. Read only."""
    directory = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKPIPE_MARKET_CACHE", str(directory))
        given = ("cluster.kind=serial", f"output={directory / 'output'}", ALL)
        open_inputs(load_settings(small_book / "riskpipe.yaml", assignments=given, environment={}))
    assert entries(directory)
    return directory


@pytest.fixture
def keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "kept"
    monkeypatch.setenv("RISKPIPE_MARKET_CACHE", str(directory))
    return directory


def made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    with monkeypatch.context() as without:
        without.setenv("RISKPIPE_MARKET_CACHE", "off")
        return seen(open_inputs(settings))


def entries(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir() if not path.name.startswith("calendar")}


def test_what_is_found_is_what_was_made(settings_of, keeping: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(ALL)
    expected = made(settings, monkeypatch)
    assert seen(open_inputs(settings)) == expected
    kept = entries(keeping)
    assert sorted(name.partition("-")[0] for name in kept) == ["market", "scenarios"]
    with monkeypatch.context() as nothing_is_made:
        for maker in ("market_input.open_market", "scenario_input.open_scenarios"):
            nothing_is_made.setattr(f"riskpipe.inputs.{maker}", None)
        assert seen(open_inputs(settings)) == expected
    assert entries(keeping) == kept


@pytest.mark.parametrize("change", one_in(12, CHANGES))
def test_every_change_counts_that_matters(
    settings_of, keeping: Path, kept_of_all: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    shutil.copytree(kept_of_all, keeping)
    settings = settings_of(ALL, change)
    assert seen(open_inputs(settings)) == made(settings, monkeypatch)


@pytest.mark.parametrize("table", one_in(3, ["market", "scenarios", "history"]))
def test_inputs_that_change_are_read_again(
    settings_of, book: Path, keeping: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    settings = settings_of(ALL, book=book)
    before = seen(open_inputs(settings))
    path = book / f"data/{table}.parquet"
    column = "shift" if table == "scenarios" else "value"
    rows = pq.read_table(path)
    moved = pc.multiply(rows.column(column), 1.0001)
    pq.write_table(rows.set_column(rows.column_names.index(column), column, moved), path)
    after = seen(open_inputs(settings))
    assert after == made(settings, monkeypatch)
    assert after["scenarios"] != before["scenarios"]


def test_faults_come_again(settings_of, book: Path, keeping: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of points that leave curves out, warnings, and columns that nothing reads."""
    path = book / "data/market.parquet"
    rows = pq.read_table(path)
    spots = pc.starts_with(rows.column("factor"), "spot:").to_numpy()
    values = rows.column("value").to_numpy().copy()
    values[np.flatnonzero(spots)[0]] = -1.0
    rows = rows.set_column(rows.column_names.index("value"), "value", [values]).append_column("vallue", [values])
    pq.write_table(rows, path)
    settings = settings_of(ALL, book=book)
    expected = made(settings, monkeypatch)
    assert {fault.rule for fault in expected["faults"]} >= {"unknown_column", "not positive"}
    for _ in range(2):
        assert seen(open_inputs(settings)) == expected


def test_what_cannot_be_used_is_not_kept(settings_of, book: Path, keeping: Path) -> None:
    shutil.copyfile(book / "data/scenarios.parquet", book / "data/market.parquet")
    for _ in range(2):
        refused = open_inputs(settings_of(ALL, book=book))
        assert isinstance(refused, RefusedInputs)
    assert entries(keeping) == set()


def test_a_kept_market_has_its_derivative(settings_of, tmp_path: Path) -> None:
    """Slopes to the bit, and exact curves from other quotes, for which the market is made again."""
    settings = settings_of("measures=[pv]")
    inspection = Inspection(settings, catalogue(), open_store(settings.inputs.portfolio))
    kept = KeptResults(tmp_path)
    first, again = remembered_market(inspection, kept), remembered_market(inspection, kept)
    assert first is not None
    assert again is not None
    groups = first.derivative.groups
    assert len(groups) == len(again.derivative.groups) > 4
    revalued = 0
    for one, other in zip(groups, again.derivative.groups, strict=True):
        assert replace(one, revalue=None, points=None, slope=None) == replace(
            other, revalue=None, points=None, slope=None
        )
        assert one.points.equals(other.points)
        assert one.slope.tobytes() == other.slope.tobytes()
        if one.revalue is not None and revalued < 3:
            assert other.revalue is not None
            snapshot = first.model.snapshot
            levels = np.array([snapshot.x0[snapshot.factor_index(name)] for name in one.inputs]) + 1e-4
            assert one.revalue(levels).tobytes() == other.revalue(levels).tobytes()
            revalued += 1
    assert revalued == 3
    assert open_market(inspection) is not None


def test_a_market_that_changes_meanwhile_is_told(settings_of, book: Path, tmp_path: Path) -> None:
    """A stress asks for curves of its own from quotes that are no longer those that were kept."""
    settings = settings_of("measures=[pv]", book=book)
    inspection = Inspection(settings, catalogue(), open_store(settings.inputs.portfolio))
    (tmp_path / "kept").mkdir()
    kept = KeptResults(tmp_path / "kept")
    remembered_market(inspection, kept)
    found = remembered_market(inspection, kept)
    assert found is not None
    group = next(group for group in found.derivative.groups if group.revalue is not None)
    snapshot = found.model.snapshot
    levels = np.array([snapshot.x0[snapshot.factor_index(name)] for name in group.inputs])
    path = book / "data/market.parquet"
    rows = pq.read_table(path)
    moved = pc.multiply(rows.column("value"), 1.0001)
    pq.write_table(rows.set_column(rows.column_names.index("value"), "value", moved), path)
    with pytest.raises(StorageError, match="changed while it was read"):
        group.revalue(levels)
