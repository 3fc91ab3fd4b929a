"""What simulated scenarios are made of, against SciPy and plain NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm, qmc

from riskpipe.arrays import FloatArray
from riskpipe.kernels.chi_square import chi_square_quantiles
from riskpipe.kernels.dense import orthonormalise, product
from riskpipe.kernels.sobol import DIRECTIONS, GROUP, add_noise, sobol_points, to_normal


def points(first: int, count: int, dimensions: int, seed: int = 7) -> FloatArray:
    out = np.empty((count, dimensions))
    sobol_points(first, seed, DIRECTIONS, out)
    return out


def test_directions_are_those_of_joe_and_kuo() -> None:
    """Their sequence, by its numbers in another order than SciPy's Gray code."""
    numbers = np.arange(256)
    digits = np.zeros((256, GROUP), np.uint64)
    for bit in range(8):
        digits ^= np.where((numbers[:, None] >> bit) & 1, DIRECTIONS[:, bit], np.uint64(0))
    expected = qmc.Sobol(GROUP, scramble=False, bits=32).random(256)
    np.testing.assert_array_equal(np.unique(digits / 2.0**32, axis=0), np.unique(expected, axis=0))


def test_scrambled_points_are_nets() -> None:
    found = points(0, 1024, 3 * GROUP)
    for column in found.T:
        np.testing.assert_array_equal(np.sort((column * 1024).astype(int)), np.arange(1024))
    # The first two dimensions of a group are a (0, m, 2)-net: a point in every cell of every shape.
    for first in (0, GROUP, 2 * GROUP):
        for across in (2, 32, 512):
            cells = (found[:, first] * across).astype(int) * (1024 // across)
            cells += (found[:, first + 1] * (1024 // across)).astype(int)
            assert len(np.unique(cells)) == 1024
    ours, random = qmc.discrepancy(found[:, :8]), qmc.discrepancy(np.random.default_rng(1).random((1024, 8)))
    assert ours < 0.2 * random
    assert 0.0 < found.min() < found.max() < 1.0


def test_points_follow_from_their_numbers_alone() -> None:
    whole = points(0, 100, 40)
    np.testing.assert_array_equal(points(37, 20, 40), whole[37:57])
    np.testing.assert_array_equal(points(0, 100, 20), whole[:, :20])
    assert not np.isin(points(0, 100, 40, seed=8), whole).any()


def test_normal_numbers() -> None:
    found = points(0, 4096, 60)
    uniform = found.copy()
    to_normal(found)
    np.testing.assert_allclose(found, norm.ppf(uniform), rtol=1e-12)
    assert np.abs(np.corrcoef(found.T) - np.eye(60)).max() < 0.08
    noise = np.zeros((2000, 50))
    add_noise(0, 3, 2.0, noise)
    part = np.zeros((10, 50))
    add_noise(40, 3, 2.0, part)
    np.testing.assert_array_equal(part, noise[40:50])
    assert noise.std() == pytest.approx(2.0, rel=0.02)
    assert abs(noise.mean()) < 0.03
    assert np.abs(np.corrcoef(noise.T) - np.eye(50)).max() < 0.11


@pytest.mark.parametrize("degrees", [2.1, 3.0, 4.0, 7.5, 30.0, 200.0])
def test_quantiles_of_chi_square(degrees: float) -> None:
    probability = np.array([1e-10, 1e-5, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0 - 1e-9])
    np.testing.assert_allclose(chi_square_quantiles(probability, degrees), chi2.ppf(probability, degrees), rtol=1e-12)


def test_products() -> None:
    random = np.random.default_rng(2)
    a, b = random.normal(size=(7, 13)), random.normal(size=(13, 1100))
    found = product(a, b)
    np.testing.assert_allclose(found, a @ b, rtol=0, atol=1e-13)
    for rows in (slice(0, 1), slice(2, 7)):
        np.testing.assert_array_equal(product(np.ascontiguousarray(a[rows]), b), found[rows])
    np.testing.assert_array_equal(product(a, np.ascontiguousarray(b[:, 600:])), found[:, 600:])
    vectors = random.normal(size=(4, 9))
    vectors[2] = vectors[0] - 3.0 * vectors[1]
    orthonormalise(vectors)
    np.testing.assert_allclose(vectors @ vectors.T, np.diag([1.0, 1.0, 0.0, 1.0]), atol=1e-14)
