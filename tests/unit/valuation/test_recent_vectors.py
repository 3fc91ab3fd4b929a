"""Vectors that a process keeps: as many bytes as it says, whatever they are slices of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.plan.block import Block
from riskpipe.valuation.recent_vectors import RecentVectors, Vectors

TRADES = 200_000


def block(number: int) -> Block:
    return Block(
        block_id=f"{number:016d}", product="equity_option", path="p", row_start=number, row_stop=number + 10, trades=10,
        scenario_start=0, scenario_stop=1, measures=("pv",), inputs="i", projected_bytes=0, projected_seconds=0.0,
    )  # fmt: skip


def test_a_slice_does_not_keep_what_it_is_a_slice_of() -> None:
    kept = RecentVectors()
    before = pa.total_allocated_bytes()
    every = pa.table({"book": pa.array(["EQ/DESK"] * TRADES), "trade_id": pa.array([f"T{k}" for k in range(TRADES)])})
    pnl = np.ones((TRADES, 3))
    some = Vectors(every.slice(50, 10), np.arange(50, 60), pnl[50:60])

    kept.keep(block(0), [some])

    del every
    found = kept.of(block(0))
    assert found is not None
    assert found[0].names["trade_id"].to_pylist() == [f"T{k}" for k in range(50, 60)]
    assert found[0].pnl.base is None
    del some
    assert pa.total_allocated_bytes() - before < 10_000


def test_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = RecentVectors()
    one = Vectors(pa.table({"book": ["B"] * 10, "trade_id": list("abcdefghij")}), np.arange(10), np.ones((10, 5)))
    monkeypatch.setattr("riskpipe.valuation.recent_vectors.KEPT_BYTES", int(2.5 * one.nbytes))
    for number in range(4):
        kept.keep(block(number), [one])
    assert [kept.of(block(number)) is not None for number in range(4)] == [True, True, False, False]
