from __future__ import annotations

import numpy as np
import pytest

from riskpipe.products.flows import Amounts, merged


def random_parts(seed: int, *, ordered: bool) -> list[Amounts]:
    """Three parts with many flows a day, amounts that cancel among them."""
    random = np.random.default_rng(seed)
    parts = []
    for size in (0, 300, 500):
        trade, day = random.integers(0, 7, size), random.integers(-20, 20, size).astype(np.int32)
        order = np.lexsort((day, trade)) if ordered else np.arange(size)
        parts.append(Amounts(trade[order], day[order], random.choice([-1.0, 1.0, 0.1, 1e17], size)))
    return parts


@pytest.mark.parametrize("ordered", [False, True])
def test_amounts_of_a_day_are_added_in_the_order_given(ordered: bool) -> None:
    for seed in range(5):
        parts = random_parts(seed, ordered=ordered)
        expected: dict[tuple[int, int], float] = {}
        for part in parts:
            for trade, day, amount in zip(part.trade.tolist(), part.day.tolist(), part.amount.tolist(), strict=True):
                expected[trade, day] = expected.get((trade, day), 0.0) + amount
        found = merged(parts)
        keys = list(zip(found.trade.tolist(), found.day.tolist(), strict=True))
        assert keys == sorted(key for key, amount in expected.items() if amount != 0.0)
        assert found.amount.tolist() == [expected[key] for key in keys]


def test_no_amounts() -> None:
    assert len(merged(random_parts(1, ordered=True)[:1])) == 0
