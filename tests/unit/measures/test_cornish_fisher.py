"""Figures to second order against the quadratic form's own cumulants, quadrature and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from riskpipe.arrays import FloatArray
from riskpipe.measures.cornish_fisher import Cumulants, cornish_fisher, cumulants, normal_figure

N = 300


@pytest.fixture(scope="module")
def form() -> tuple[FloatArray, FloatArray]:
    """delta and gamma of independent standard normal factors."""
    random = np.random.default_rng(5)
    delta = random.normal(size=N)
    half = random.normal(size=(N, N)) / N
    return delta, half + half.T + 0.04 * np.outer(delta, delta) / np.linalg.norm(delta) + 0.01 * np.eye(N)


def along(form: tuple[FloatArray, FloatArray], moves: FloatArray) -> FloatArray:
    delta, gamma = form
    return np.asarray(moves @ delta + 0.5 * np.einsum("ni,ij,nj->n", moves, gamma, moves))


def test_cumulants_are_those_of_the_quadratic_form(form) -> None:
    """Mathai and Provost (1992), theorem 3.2b.2: the first two exactly, by moves that are orthogonal."""
    delta, gamma = form
    moves = np.linalg.qr(np.random.default_rng(1).normal(size=(N, N)))[0] * np.sqrt(N)
    found = cumulants(along(form, 0.2 * moves)[None], along(form, -0.2 * moves)[None], 0.2)
    square = gamma @ gamma
    k2 = delta @ delta + 0.5 * np.trace(square)
    k3 = 3.0 * delta @ gamma @ delta + np.trace(square @ gamma)
    k4 = 12.0 * delta @ square @ delta + 3.0 * np.trace(square @ square)
    assert found.delta[0] == pytest.approx(np.linalg.norm(delta), rel=1e-10)
    assert found.mean[0] == pytest.approx(0.5 * np.trace(gamma), rel=1e-9)
    assert found.deviation[0] == pytest.approx(np.sqrt(k2), rel=5e-3)
    assert k3 / k2**1.5 > 0.1
    assert found.skewness[0] == pytest.approx(k3 / k2**1.5, abs=0.05)
    assert found.kurtosis[0] == pytest.approx(k4 / k2**2, abs=0.05)


@pytest.mark.slow
def test_figures_are_those_of_the_simulated_form(form) -> None:
    moves = np.random.default_rng(2).normal(size=(100_000, N))
    pnl = along(form, moves)
    of = cumulants(along(form, 0.2 * moves[:20_000])[None], along(form, -0.2 * moves[:20_000])[None], 0.2)
    assert cornish_fisher("var", 0.99, of)[0] == pytest.approx(-np.quantile(pnl, 0.01), rel=0.01)
    worst = np.sort(pnl)[: int(0.025 * len(pnl))]
    assert cornish_fisher("es", 0.975, of)[0] == pytest.approx(-worst.mean(), rel=0.01)


@pytest.mark.parametrize("confidence", [0.9, 0.975, 0.99])
def test_expected_shortfall_is_the_mean_of_the_quantiles_beyond(confidence: float) -> None:
    of = Cumulants(*(np.array([number]) for number in (2.0, 0.3, 2.1, -0.4, 0.7)))
    area, _ = integrate.quad(lambda p: cornish_fisher("var", p, of)[0], confidence, 1.0, epsabs=1e-12, limit=200)
    assert cornish_fisher("es", confidence, of)[0] == pytest.approx(area / (1.0 - confidence), rel=1e-7)


def test_a_linear_book_is_normal() -> None:
    moves = np.random.default_rng(3).normal(size=(2, 40))
    found = cumulants(0.2 * moves, -0.2 * moves, 0.2)
    np.testing.assert_allclose(found.deviation, np.sqrt(np.mean(moves**2, axis=1)), rtol=1e-14)
    assert not found.mean.any()
    assert not found.skewness.any()
    for kind, expected in (("var", stats.norm.ppf(0.99)), ("es", stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01)):
        assert normal_figure(kind, 0.99) == pytest.approx(expected, rel=1e-12)  # type: ignore[arg-type]
        figure = cornish_fisher(kind, 0.99, found)  # type: ignore[arg-type]
        np.testing.assert_allclose(figure, expected * found.deviation, rtol=1e-12)


def test_a_book_without_any_move() -> None:
    found = cumulants(np.zeros((1, 8)), np.zeros((1, 8)), 0.2)
    assert cornish_fisher("var", 0.99, found)[0] == 0.0
