"""What it is projected to take to price trades again under a few scenarios."""

from __future__ import annotations

import pytest

from riskpipe.plan.block import Block
from riskpipe.plan.costs import SECONDS_PER_BLOCK, CostModel
from riskpipe.runs.tails import projected_seconds

COSTS = CostModel({"bond": 2.0})


def block(trades: int, projected: float) -> Block:
    return Block(
        block_id="0" * 16, product="bond", path="p", row_start=0, row_stop=trades, trades=trades, scenario_start=0,
        scenario_stop=500, measures=("historical_var",), inputs="i", projected_bytes=0, projected_seconds=projected,
    )  # fmt: skip


def test_few_scenarios_take_as_long_to_prepare_as_many() -> None:
    preparing = SECONDS_PER_BLOCK + 50_000 * COSTS.seconds_per_trade("bond")
    assert preparing == pytest.approx(1.22)
    assert projected_seconds(COSTS, block(50_000, preparing + 10.0), 24) == pytest.approx(preparing + 0.5)


@pytest.mark.parametrize(("projected", "columns"), [(3.0, 499), (3.0, 5_000), (0.01, 3)])
def test_never_longer_than_the_block(projected: float, columns: int) -> None:
    assert projected_seconds(COSTS, block(100, projected), columns) == pytest.approx(projected)
