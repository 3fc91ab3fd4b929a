"""What a session's done blocks let expect of the others."""

from __future__ import annotations

import pytest
from plans import block

from riskpipe.runs.pace import Pace


def test_nothing_is_expected_before_a_block_is_done() -> None:
    assert Pace().expected(block()) is None


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        ({"bond": 1.0}, 2.0),  # twice its projection
        ({"swap": 1.5}, 3.0),  # of other products where there is none of its own
        ({"swap": 10.0, "bond": 0.5}, 10.5),  # of all, where its own are fast by chance
        ({"swap": 0.1, "bond": 5.0}, 10.0),  # of its own, which are slower than all
    ],
)
def test_by_the_slower_of_its_product_and_all(took: dict[str, float], expected: float) -> None:
    pace = Pace()
    for number, (product, seconds) in enumerate(took.items()):
        pace.finished(block(number, product=product), "w", seconds, 0.0)
    assert pace.expected(block(9, projected_seconds=1.0)) == pytest.approx(expected)


def test_compiling_is_no_pace() -> None:
    pace = Pace()
    pace.finished(block(0), "w", seconds=20.5, compile_seconds=20.0)
    pace.finished(block(1), "w", seconds=0.5, compile_seconds=0.0)
    assert pace.expected(block(2, projected_seconds=1.0)) == pytest.approx(1.0)
    assert pace.longest_compiled == 20.0


def test_products_that_have_their_kernels_are_counted_of_those_that_are_left() -> None:
    pace = Pace()
    pace.begin(3.0, {"swap", "bond"})
    assert pace.compiling() is None
    pace.finished(block(1, product="bond"), "w", seconds=20.5, compile_seconds=20.0)
    assert pace.compiling() == (1, 2)
    pace.finished(block(0, product="swap"), "w", seconds=0.5, compile_seconds=0.0)
    assert pace.compiling() is None
