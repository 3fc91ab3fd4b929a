"""Sums of discounted, projected and credit-risky terms against plain loops and exact integrals."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from riskpipe.kernels import credit as credit
from riskpipe.kernels import legs

TRADES, NODES, WIDTH, FIRST = 6, 11, 19, 3
COUNTS = [0, 1, 3, 4, 5, 9]


class Terms:
    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.offsets = np.concatenate(([0], np.cumsum(COUNTS))).astype(np.int64)
        size = int(self.offsets[-1])
        self.a, self.b, self.c = (random.integers(0, NODES, size).astype(np.int32) for _ in range(3))
        self.coefficient = random.normal(0.0, 1.0, size)
        # nodes in an order of their own
        self.position = random.permutation(NODES).astype(np.int32)
        self.hazard_position = random.permutation(NODES).astype(np.int32)
        self.discount = random.uniform(0.5, 1.0, (NODES, WIDTH))
        self.survival = random.uniform(0.5, 1.0, (NODES, WIDTH))
        self.factors, self.survivals = (self.discount, self.position), (self.survival, self.hazard_position)
        self.rows = np.array([5, 0, 4, 3, 2, 1, 5], np.int32)
        self.value = random.normal(0.0, 1.0, (len(self.rows), WIDTH + 10))

    def d(self, node: int) -> np.ndarray:
        return np.asarray(self.discount[self.position[node]])

    def q(self, node: int) -> np.ndarray:
        return np.asarray(self.survival[self.hazard_position[node]])

    def check(self, before: np.ndarray, term: object) -> None:
        """Compare with a loop over `term(j)`; columns outside of the tile stay as they were."""
        expected = before.copy()
        for k, row in enumerate(self.rows):
            for j in range(self.offsets[row], self.offsets[row + 1]):
                expected[k, FIRST : FIRST + WIDTH] += term(j, row)  # type: ignore[operator]
        np.testing.assert_allclose(self.value, expected, rtol=0.0, atol=1e-14)
        outside = np.r_[0:FIRST, FIRST + WIDTH : WIDTH + 10]
        assert np.array_equal(self.value[:, outside], before[:, outside])


def test_discounted_terms() -> None:
    t = Terms(1)
    before = t.value.copy()
    legs.add_discounted(t.rows, t.factors, (t.offsets, t.a, t.coefficient), FIRST, t.value, False)
    t.check(before, lambda j, row: t.coefficient[j] * t.d(t.a[j]))


def test_discounted_terms_that_begin_a_sum() -> None:
    """What the columns held does not count, not even where a trade has no terms; bits are those of a sum from zero."""
    t, other = Terms(1), Terms(1)
    t.value[:, FIRST : FIRST + WIDTH] = np.nan
    other.value[:, FIRST : FIRST + WIDTH] = 0.0
    for terms, begins in ((t, True), (other, False)):
        arguments = terms.rows, terms.factors, (terms.offsets, terms.a, terms.coefficient)
        legs.add_discounted(*arguments, FIRST, terms.value, begins)
    assert np.array_equal(t.value, other.value)


def test_projected_terms() -> None:
    t = Terms(2)
    before = t.value.copy()
    legs.add_projected(t.rows, t.factors, (t.offsets, t.a, t.b, t.coefficient), FIRST, t.value)
    t.check(before, lambda j, row: t.coefficient[j] * t.d(t.a[j]) * t.d(t.b[j]))


def test_terms_on_survival() -> None:
    t = Terms(3)
    before = t.value.copy()
    credit.add_survival(t.rows, t.factors, t.survivals, (t.offsets, t.a, t.b, t.coefficient), FIRST, t.value)
    t.check(before, lambda j, row: t.coefficient[j] * t.d(t.a[j]) * t.q(t.b[j]))


def test_terms_on_default_with_and_without_a_recovery_factor() -> None:
    t = Terms(4)
    before = t.value.copy()
    levels = np.random.default_rng(5).uniform(0.1, 0.9, (2, WIDTH))
    recovery = np.array([-1, 0, 1, -1, 0, 1], np.int32)
    terms = (t.offsets, t.a, t.b, t.c, t.coefficient)
    credit.add_default(t.rows, t.factors, t.survivals, terms, (recovery, levels), FIRST, t.value)

    def term(j: int, row: int) -> np.ndarray:
        factor = 1.0 if recovery[row] < 0 else levels[recovery[row]]
        return np.asarray(t.coefficient[j] * factor * t.d(t.a[j]) * (t.q(t.b[j]) - t.q(t.c[j])))

    t.check(before, term)


@pytest.mark.parametrize("g", [0.0, 1e-12, 3e-5, 9.99e-5, 1.01e-4, 0.02, 1.5, -3e-5, -0.03])
def test_default_integral_of_one_step(g: float) -> None:
    """h V integral over u in [0, 1] of (amount + slope u) exp(-g u) du, V = exp(-(0.1 + 0.2))."""
    hazard = 0.5 * abs(g) + 1e-3
    rates = np.array([[0.1], [0.1 + g - hazard]])
    hazards = np.array([[0.2], [0.2 + hazard]])
    node, offsets = np.array([0, 1], np.int32), np.array([0, 2], np.int64)
    with mpmath.workdps(40):
        step = mpmath.mpf(float(rates[1, 0])) - rates[0, 0] + (mpmath.mpf(float(hazards[1, 0])) - hazards[0, 0])
        h = mpmath.mpf(float(hazards[1, 0])) - hazards[0, 0]
        scale = h * mpmath.exp(-(mpmath.mpf(float(rates[0, 0])) + hazards[0, 0]))
        integrals = [mpmath.quad(lambda u, n=n: u**n * mpmath.exp(-step * u), [0, 1]) for n in (0, 1)]
        expected = [float(scale * value) for value in integrals]
    for amount, slope, exact in ((1.0, 0.0, expected[0]), (0.0, 1.0, expected[1])):
        value = np.zeros((1, 1))
        chain = (offsets, node, node, np.array([9.0, amount]), np.array([9.0, slope]))
        credit.add_default_integrals(np.zeros(1, np.int32), (rates, node), (hazards, node), chain, 0, value)
        # differences of exponentials over g, and over g again for the slope
        tolerance = 1e-13 + (5e-16 / abs(g) ** (1 + slope) if abs(g) >= 1e-4 else 0.0)
        assert value[0, 0] == pytest.approx(exact, rel=tolerance)


def test_cumulative_rates_are_the_logarithms() -> None:
    random = np.random.default_rng(6)
    index = random.integers(0, 4, (NODES, 2)).astype(np.int32)
    weight, levels = random.uniform(0.0, 3.0, (NODES, 2)), random.normal(0.03, 0.01, (4, WIDTH))
    out = np.empty((NODES, WIDTH))
    credit.cumulative_rates(index, weight, levels, out)
    expected = weight[:, :1] * levels[index[:, 0]] + weight[:, 1:] * levels[index[:, 1]]
    np.testing.assert_allclose(out, expected, rtol=1e-15)


def test_marked_nodes() -> None:
    t = Terms(7)
    used = np.zeros(NODES, np.bool_)
    rows = np.array([2, 4], np.int32)
    legs.mark_nodes(rows, t.offsets, t.a, used)
    expected = {int(n) for row in rows for n in t.a[t.offsets[row] : t.offsets[row + 1]]}
    assert set(np.flatnonzero(used).tolist()) == expected
