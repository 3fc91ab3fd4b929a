"""VaR and ES by hand, and the properties that make them what they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from riskpipe.arrays import FloatArray
from riskpipe.measures.tail import expected_shortfall, value_at_risk

pnl_vectors = arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e9, 1e9, allow_subnormal=False))
pairs = st.integers(1, 200).flatmap(
    lambda n: st.tuples(*[arrays(np.float64, n, elements=st.floats(-1e6, 1e6, allow_subnormal=False))] * 2)
)


def _shuffled(losses: list[float]) -> FloatArray:
    return -np.random.default_rng(3).permutation(np.array(losses, np.float64))


def test_500_days_by_hand() -> None:
    """Losses 1..500: the 495th smallest; the worst 12.5 of 500, which are 12 whole ones and half of the next."""
    pnl = _shuffled([float(k) for k in range(1, 501)])

    assert value_at_risk(pnl, 0.99) == 495.0
    assert expected_shortfall(pnl, 0.975) == pytest.approx((sum(range(489, 501)) + 0.5 * 488) / 12.5, rel=1e-13)


def test_ten_days_by_hand() -> None:
    """With ten outcomes the worst 1 % and the worst 2.5 % are parts of the worst one."""
    pnl = _shuffled([5.0, 1.0, 9.0, 3.0, 7.0, 2.0, 8.0, 4.0, 6.0, 40.0])

    assert value_at_risk(pnl, 0.99) == 40.0
    assert expected_shortfall(pnl, 0.975) == pytest.approx(40.0, rel=1e-13)
    assert value_at_risk(pnl, 0.8) == 8.0
    assert expected_shortfall(pnl, 0.8) == pytest.approx(24.5, rel=1e-13)


@pytest.mark.parametrize(("n", "rank"), [(1, 1), (2, 2), (99, 99), (100, 99), (101, 100), (200, 198), (1000, 990)])
def test_rank_of_the_99_percent_quantile(n: int, rank: int) -> None:
    assert value_at_risk(_shuffled([float(k) for k in range(1, n + 1)]), 0.99) == rank


def test_exact_multiples_do_not_round_up() -> None:
    """n c is whole for these, in exact arithmetic; in floating point it may be a hair above."""
    for n in range(100, 3001, 100):
        assert value_at_risk(_shuffled([float(k) for k in range(1, n + 1)]), 0.99) == n * 99 // 100
    for n in range(40, 2001, 40):
        losses = [float(k) for k in range(1, n + 1)]
        assert expected_shortfall(_shuffled(losses), 0.975) == pytest.approx(np.mean(losses[-n // 40 :]), rel=1e-12)


def test_ties() -> None:
    """Several outcomes at the quantile: the quantile is their loss; ES counts as many of them as it needs."""
    pnl = _shuffled([0.0] * 480 + [100.0] * 20)

    assert value_at_risk(pnl, 0.99) == 100.0
    assert expected_shortfall(pnl, 0.975) == pytest.approx(100.0, rel=1e-13)

    pnl = _shuffled([1.0] * 490 + [2.0] * 10)
    assert value_at_risk(pnl, 0.98) == 1.0
    assert value_at_risk(pnl, 0.981) == 2.0
    assert expected_shortfall(pnl, 0.975) == pytest.approx((10 * 2.0 + 2.5 * 1.0) / 12.5, rel=1e-13)


@pytest.mark.parametrize("pnl", [0.0, -7.5, 3.25])
def test_all_equal(pnl: float) -> None:
    vector = np.full(500, pnl)

    assert value_at_risk(vector) == -pnl
    assert expected_shortfall(vector) == pytest.approx(-pnl, rel=1e-13)


def test_a_book_that_only_gains_has_negative_var() -> None:
    pnl = np.arange(1.0, 501.0)

    assert value_at_risk(pnl) == -6.0
    assert expected_shortfall(pnl) < -6.0


def test_the_vector_is_left_alone() -> None:
    pnl = np.array([3.0, -1.0, 2.0])

    value_at_risk(pnl)
    expected_shortfall(pnl)

    assert pnl.tolist() == [3.0, -1.0, 2.0]


@given(pnl_vectors)
def test_es_is_at_least_var_of_the_same_level(pnl: FloatArray) -> None:
    for confidence in (0.9, 0.975, 0.99):
        var, es = value_at_risk(pnl, confidence), expected_shortfall(pnl, confidence)
        assert es >= var - 1e-9 * max(1.0, abs(var))
        assert es <= float(-pnl.min()) + 1e-9 * max(1.0, abs(float(pnl.min())))


@given(pnl_vectors)
def test_var_is_the_loss_of_some_scenario_that_few_exceed(pnl: FloatArray) -> None:
    var, losses = value_at_risk(pnl), -pnl

    assert var in losses
    assert (losses <= var).sum() >= 0.99 * len(pnl) - 1e-9
    assert (losses < var).sum() < 0.99 * len(pnl)


@given(pnl_vectors)
def test_monotone_in_confidence_and_in_losses(pnl: FloatArray) -> None:
    scale = 1e-9 * max(1.0, float(np.abs(pnl).max()))
    levels = (0.5, 0.9, 0.95, 0.975, 0.99)
    for measure in (value_at_risk, expected_shortfall):
        values = [measure(pnl, c) for c in levels]
        assert all(a <= b + scale for a, b in itertools.pairwise(values))
        assert measure(pnl - 1.0) >= measure(pnl) - scale


@given(pnl_vectors, st.floats(-1e6, 1e6), st.floats(0.01, 100.0))
def test_translation_and_scale(pnl: FloatArray, cash: float, factor: float) -> None:
    scale = 1e-9 * (1.0 + float(np.abs(pnl).max()) + abs(cash)) * max(1.0, factor)
    for measure in (value_at_risk, expected_shortfall):
        assert measure(pnl + cash) == pytest.approx(measure(pnl) - cash, abs=scale)
        assert measure(factor * pnl) == pytest.approx(factor * measure(pnl), abs=scale)


@given(pairs)
def test_es_is_subadditive(vectors: tuple[FloatArray, FloatArray]) -> None:
    one, other = vectors
    apart = expected_shortfall(one) + expected_shortfall(other)

    assert expected_shortfall(one + other) <= apart + 1e-8 * (1.0 + abs(apart) + float(np.abs(one).max()))


def test_var_is_not_subadditive() -> None:
    """Two rare losses: each below the quantile, together beyond it. What ES is for."""
    one, other = np.zeros(1000), np.zeros(1000)
    one[:9], other[9:18] = -100.0, -100.0

    assert value_at_risk(one) + value_at_risk(other) == 0.0
    assert value_at_risk(one + other) == 100.0
    assert expected_shortfall(one + other) <= expected_shortfall(one) + expected_shortfall(other)


@given(pnl_vectors, st.randoms(use_true_random=False))
def test_order_does_not_matter(pnl: FloatArray, random: object) -> None:
    order = list(range(len(pnl)))
    random.shuffle(order)  # type: ignore[attr-defined]

    assert value_at_risk(pnl[order]) == value_at_risk(pnl)
    assert expected_shortfall(pnl[order]) == expected_shortfall(pnl)
