from __future__ import annotations

import numpy as np

from riskpipe.kernels.compounding import distinct_ratios, ratios


def test_each_ratio_is_made_once() -> None:
    random = np.random.default_rng(3)
    numerator, denominator = (random.integers(0, 12, 400).astype(np.int32) for _ in range(2))
    over, under, place = distinct_ratios(numerator, denominator, 12)
    assert np.array_equal(over[place], numerator)
    assert np.array_equal(under[place], denominator)
    pairs = list(zip(over.tolist(), under.tolist(), strict=True))
    # in the order in which they come
    assert pairs == list(dict.fromkeys(zip(numerator.tolist(), denominator.tolist(), strict=True)))
    discount, out = random.uniform(0.5, 1.0, (12, 19)), np.empty((len(pairs), 19))
    ratios(over, under, discount, out)
    assert np.array_equal(out[place], discount[numerator] / discount[denominator])


def test_no_ratios() -> None:
    empty = np.empty(0, np.int32)
    assert [len(of) for of in distinct_ratios(empty, empty, 5)] == [0, 0, 0]
