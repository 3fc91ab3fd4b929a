"""A block's id changes exactly when something that determines its numbers does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from selections import one_in

from riskpipe.config import Settings
from riskpipe.plan.block import Block
from riskpipe.plan.selection import parse_selection
from riskpipe.runs.planning import make_plan

SettingsOf = Callable[..., Settings]
FEW = ("measures=[pv, vega, stress]", "partition.max_trades=30")


def _blocks(settings: Settings, *select: str) -> dict[str, Block]:
    with make_plan(settings, parse_selection(select)) as planned:
        return {block.block_id: block for _, block in planned.plan.blocks()}


@pytest.fixture
def planned(settings_of: SettingsOf) -> dict[str, Block]:
    return _blocks(settings_of(*FEW))


def test_ids_are_distinct_and_repeatable(planned: dict[str, Block], settings_of: SettingsOf) -> None:
    assert len(planned) > 14
    assert _blocks(settings_of(*FEW)) == planned


@pytest.mark.parametrize(
    "change",
    one_in(
        3,
        [
            "output=elsewhere",
            "cluster.memory_limit=3GiB",
            "retry.storage=1",
            "publish=never",
            "grace_seconds=1",
            "on_invalid=quarantine",
            "warnings_as_errors=false",
        ],
    ),
)
def test_where_and_how_it_runs_is_not_in_them(
    change: str, planned: dict[str, Block], settings_of: SettingsOf, tmp_path: Path
) -> None:
    change = change.replace("elsewhere", str(tmp_path / "elsewhere"))

    assert set(_blocks(settings_of(*FEW, change))) == set(planned)


def test_where_the_inputs_lie_is_not_in_them(planned: dict[str, Block], book: Path, settings_of: SettingsOf) -> None:
    moved = shutil.move(book, book.with_name("moved"))

    assert set(_blocks(settings_of(*FEW, book=Path(moved)))) == set(planned)


@pytest.mark.parametrize(
    "change",
    one_in(
        6,
        [
            "base_currency=EUR",
            "bumps.volatility=0.02",
            "market.credit_model=isda",
            "market.credit_step_in=next_day",
            "measures=[pv, stress]",
            "as_of=2026-11-19",
        ],
    ),
)
def test_what_determines_the_numbers_changes_all(
    change: str, planned: dict[str, Block], settings_of: SettingsOf
) -> None:
    assert not set(_blocks(settings_of(*FEW, "check.market_date=warning", change))) & set(planned)


def test_the_market_changes_all(planned: dict[str, Block], book: Path, settings_of: SettingsOf) -> None:
    path = book / "data" / "market.parquet"
    table = pq.read_table(path)
    position = table.column_names.index("value")
    nudged = pc.multiply(table.column("value"), 1.0 + 1e-15)
    assert nudged != table.column("value")
    pq.write_table(table.set_column(position, "value", nudged), path)

    assert not set(_blocks(settings_of(*FEW, book=book))) & set(planned)


def test_a_stress_changes_all(planned: dict[str, Block], book: Path, settings_of: SettingsOf) -> None:
    path = book / "data" / "scenarios.parquet"
    table = pq.read_table(path)
    position = table.column_names.index("shift")
    pq.write_table(table.set_column(position, "shift", pc.multiply(table.column("shift"), 1.1)), path)

    assert not set(_blocks(settings_of(*FEW, book=book))) & set(planned)


def test_the_row_order_of_the_market_does_not_matter(
    planned: dict[str, Block], book: Path, settings_of: SettingsOf
) -> None:
    path = book / "data" / "market.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(pc.sort_indices(table, [("factor", "descending")])), path)

    assert set(_blocks(settings_of(*FEW, book=book))) == set(planned)


def test_a_trade_file_changes_its_own_blocks(planned: dict[str, Block], book: Path, settings_of: SettingsOf) -> None:
    path = book / "data" / "portfolio" / "bond" / "part-000.parquet"
    table = pq.read_table(path)
    position = table.column_names.index("quantity")
    pq.write_table(table.set_column(position, "quantity", pc.multiply(table.column("quantity"), 2.0)), path)

    changed = _blocks(settings_of(*FEW, book=book))

    gone = {planned[block_id].path for block_id in set(planned) - set(changed)}
    assert gone == {"bond/part-000.parquet"}
    assert not {b.block_id for b in planned.values() if b.product == "bond"} & set(changed)


def test_another_cut_makes_other_blocks_where_it_cuts(planned: dict[str, Block], settings_of: SettingsOf) -> None:
    """Blocks are named by their rows: those that two cuts have in common are the same blocks."""
    other = _blocks(settings_of(*FEW, "partition.max_trades=15"))

    for block_id in set(other) & set(planned):
        assert other[block_id].row_stop == planned[block_id].row_stop
    assert any(b.trades > 15 for b in planned.values())
    assert all(b.trades <= 15 for b in other.values())


def test_trades_that_are_left_out_change_the_blocks_that_had_them(
    planned: dict[str, Block], settings_of: SettingsOf
) -> None:
    some = _blocks(settings_of(*FEW), "book:rates/*")

    assert some
    assert not set(some) & set(planned)


def test_plan_covers_every_row_under_every_range_once(planned: dict[str, Block], settings_of: SettingsOf) -> None:
    with make_plan(settings_of(*FEW), parse_selection([])) as made:
        ranges = {(r.start, r.stop) for r in made.ranges}
        files = {file.path: file.rows for file in made.inputs.files}
    for path, rows in files.items():
        for columns in ranges:
            pieces = sorted(
                (b.row_start, b.row_stop)
                for b in planned.values()
                if b.path == path and (b.scenario_start, b.scenario_stop) == columns
            )
            covered = [row for start, stop in pieces for row in range(start, stop)]
            assert covered == list(range(rows))
