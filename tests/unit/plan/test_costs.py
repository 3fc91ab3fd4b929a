"""What the planner learns from earlier runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskpipe.plan.costs import LEARNING_RANGE, SECONDS_PER_TRADE, SECONDS_PER_UNIT, CostModel

seconds = st.floats(1e-3, 100.0)


def test_without_a_lesson() -> None:
    model = CostModel()

    assert model.seconds_per_unit("bond") == SECONDS_PER_UNIT
    assert model.seconds_per_trade("bond") == SECONDS_PER_TRADE
    assert model.learnt([]) == model


def test_a_product_that_took_twice_as_long() -> None:
    model = CostModel().learnt([("bond", 1.0, 2.0), ("bond", 3.0, 6.0), ("swap", 4.0, 1.0)])

    assert model.factors == {"bond": 2.0, "swap": 0.25}
    assert model.seconds_per_unit("bond") == 2 * SECONDS_PER_UNIT
    assert model.seconds_per_trade("swap") == SECONDS_PER_TRADE / 4
    assert model.seconds_per_unit("cds") == SECONDS_PER_UNIT


def test_blocks_count_by_their_seconds() -> None:
    """Many blocks of no work do not drown the one that says something."""
    model = CostModel().learnt([("bond", 10.0, 20.0)] + [("bond", 0.01, 0.01)] * 10)

    assert model.factors["bond"] == pytest.approx(20.1 / 10.1)


def test_lessons_add_to_what_was_known() -> None:
    model = CostModel({"bond": 3.0, "swap": 5.0}).learnt([("bond", 6.0, 4.0)])

    assert model.factors == {"bond": 2.0, "swap": 5.0}


@given(st.lists(st.tuples(st.sampled_from(["bond", "swap"]), seconds, seconds), max_size=10))
def test_a_second_run_planned_with_the_lesson_teaches_nothing_new(observed: list[tuple[str, float, float]]) -> None:
    model = CostModel().learnt(observed)
    again = [(name, planned * model.factors[name], taken) for name, planned, taken in observed]
    low, high = LEARNING_RANGE

    assert all(low <= factor <= high for factor in model.factors.values())
    for name, factor in model.learnt(again).factors.items():
        if low < factor < high and low < model.factors[name] < high:
            assert factor == pytest.approx(model.factors[name])


@pytest.mark.parametrize(("taken", "expected"), [(1e6, 20.0), (1e-9, 0.05)])
def test_an_odd_run_teaches_only_so_much(taken: float, expected: float) -> None:
    assert CostModel().learnt([("bond", 1.0, taken)]).factors == {"bond": expected}


def test_nothing_projected_or_nothing_taken_teaches_nothing() -> None:
    assert CostModel().learnt([("bond", 0.0, 3.0), ("swap", 3.0, 0.0)]).factors == {}


def test_stored_vectors_take_more_memory() -> None:
    assert CostModel.trade_bytes(500, True) > CostModel.trade_bytes(500, False) > CostModel.trade_bytes(0, True)
    assert CostModel.trade_bytes(0, True) == CostModel.trade_bytes(0, False)
    # Twice each vector at least: as computed, and as written.
    assert CostModel.trade_bytes(500, True) - CostModel.trade_bytes(0, True) >= 2 * 8 * 500
