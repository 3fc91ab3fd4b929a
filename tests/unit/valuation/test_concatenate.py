"""P&L vectors that were cut along the scenarios, joined end to end in the set's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow.compute as pc
import pytest
from valuations import OpenRun, open_run, settings_at

from riskpipe.plan.block import Block
from riskpipe.store.parquet import read_parquet
from riskpipe.store.sorted_merge import Source
from riskpipe.valuation.concatenate import ConcatenationPayload, concatenate_pnl
from riskpipe.valuation.run_block import run_block

OpenDesk = Callable[..., OpenRun]
ROWS = [
    {"trade_id": "A", "book": "x", "quantity": 2.0},
    {"trade_id": "B", "book": "y", "quantity": -3.0, "currency": "USD"},
    {"trade_id": "C", "book": "x", "quantity": 5.0, "behaviour": "nan below 60"},
    {"trade_id": "D", "book": "w", "quantity": 7.0, "behaviour": "nan above 115"},
    {"trade_id": "E", "book": "w", "behaviour": "is nan"},
]


def _vectors(run: OpenRun, path: str) -> dict[str, list[float] | None]:
    return {row["trade_id"]: row["pnl"] for row in read_parquet(run.store, path).to_pylist()}


@pytest.fixture
def cut(open_desk: OpenDesk, tmp_path: Any) -> tuple[dict[str, list[float] | None], OpenRun, list[Block]]:
    """The vectors of one block, and the same trades under three ranges of scenarios."""
    whole = open_desk(ROWS)
    (block,) = whole.blocks
    expected = _vectors(whole, run_block(whole.task(block)).vectors[0].path)
    settings = settings_at(tmp_path / "book", tmp_path / "cut", "measures=[stress]", "partition.max_scenarios=2")
    run = open_run(settings)
    return expected, run, sorted(run.blocks, key=lambda b: b.scenario_start)


def _concatenate(run: OpenRun, ranges: list[tuple[Source, ...]]) -> str:
    return concatenate_pnl(ConcatenationPayload(*run.folder.place, "whole", tuple(ranges))).path


def test_ranges_joined_are_the_whole(cut: tuple[dict[str, list[float] | None], OpenRun, list[Block]]) -> None:
    expected, run, blocks = cut
    assert len(blocks) == 3
    ranges = [(Source(run_block(run.task(b)).vectors[0].path),) for b in blocks]

    path = _concatenate(run, ranges)

    assert _vectors(run, path) == expected
    assert [t for t, pnl in expected.items() if pnl is None] == ["D", "E", "C"]
    rows = read_parquet(run.store, path).to_pylist()
    keys = [(row["book"], row["trade_id"], row["scenario_set"]) for row in rows]
    assert keys == sorted(keys)
    assert all((row["pnl"] is None) == (row["status"] == "failed") for row in rows)


def test_order_of_the_ranges_is_the_order_of_the_scenarios(
    cut: tuple[dict[str, list[float] | None], OpenRun, list[Block]],
) -> None:
    expected, run, blocks = cut
    sources = [Source(run_block(run.task(b)).vectors[0].path) for b in blocks]

    found = _vectors(run, _concatenate(run, [(source,) for source in reversed(sources)]))

    assert found["A"] is not None
    assert found["A"] != expected["A"]
    assert sorted(found["A"]) == sorted(expected["A"] or [])


def test_rows_in_several_files_and_rows_that_are_replaced(
    cut: tuple[dict[str, list[float] | None], OpenRun, list[Block]],
) -> None:
    """The first range of trades in two parts; in the second, one trade of the block is taken from a repetition."""
    expected, run, blocks = cut
    parts = [blocks[0].part((0, 1, 2)), blocks[0].part((3, 4)), blocks[1].part((1,))]
    files = [run_block(run.task(b)).vectors[0].path for b in (*parts, *blocks[1:])]

    path = _concatenate(
        run,
        [
            (Source(files[0]), Source(files[1])),
            (Source(files[3], drop=frozenset({"B"})), Source(files[2])),
            (Source(files[4]),),
        ],
    )

    assert _vectors(run, path) == expected


def test_ranges_of_other_trades_are_a_bug_that_stops(
    cut: tuple[dict[str, list[float] | None], OpenRun, list[Block]],
) -> None:
    _, run, blocks = cut
    files = [run_block(run.task(b)).vectors[0].path for b in (blocks[0], blocks[1].part((0, 1)))]

    with pytest.raises(AssertionError, match="hold different trades"):
        _concatenate(run, [(Source(file),) for file in files])


def test_written_vectors_are_those_of_the_set(open_desk: OpenDesk) -> None:
    run = open_desk(ROWS[:2])
    (block,) = run.blocks

    table = read_parquet(run.store, run_block(run.task(block)).vectors[0].path)

    assert pc.unique(pc.list_value_length(table.column("pnl"))).to_pylist() == [5]
    assert set(table.column("scenario_set").to_pylist()) == {"stress"}
