"""The nearest loss against a general minimiser, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from riskpipe.measures.nearest_loss import nearest_loss

K = 5


def pnl(delta: np.ndarray, gamma: np.ndarray, rest: float, x: np.ndarray) -> float:
    return float(delta @ x[:K] + 0.5 * x[:K] @ gamma @ x[:K] + rest * x[K])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("loss", [0.5, 20.0])
def test_nothing_that_loses_as_much_is_nearer(seed: int, loss: float) -> None:
    random = np.random.default_rng(seed)
    delta, half, rest = random.normal(size=K), random.normal(size=(K, K)), float(random.normal())
    gamma = 0.3 * (half + half.T)
    found = nearest_loss(delta, gamma, rest, loss)
    assert found is not None
    point = np.append(found.along, found.beside)
    assert pnl(delta, gamma, rest, point) == pytest.approx(-loss, rel=1e-9)
    assert found.distance == pytest.approx(np.linalg.norm(point), rel=1e-12)
    lost = {"type": "eq", "fun": lambda x: pnl(delta, gamma, rest, x) + loss}
    others = [
        optimize.minimize(lambda x: x @ x, random.normal(size=K + 1) * 3.0, constraints=lost, tol=1e-12)
        for _ in range(8)
    ]
    nearest = min(np.sqrt(other.fun) for other in others if other.success)
    assert found.distance == pytest.approx(nearest, rel=1e-5)


def test_a_linear_book_falls_along_its_delta() -> None:
    found = nearest_loss(np.array([3.0, 0.0]), np.zeros((2, 2)), 4.0, 10.0)
    assert found is not None
    np.testing.assert_allclose([*found.along, found.beside], [-1.2, 0.0, -1.6], atol=1e-12)
    assert found.distance == pytest.approx(2.0, rel=1e-12)


def test_a_book_that_cannot_lose_as_much() -> None:
    """Long gamma, and nothing beside it: at most delta^2 / 2 gamma."""
    assert nearest_loss(np.array([2.0]), np.array([[1.0]]), 0.0, 2.5) is None
    found = nearest_loss(np.array([2.0]), np.array([[1.0]]), 0.0, 1.5)
    assert found is not None
    assert found.along[0] == pytest.approx(-1.0, rel=1e-6)
    assert nearest_loss(np.zeros(1), np.zeros((1, 1)), 0.0, 1.0) is None


def test_a_short_straddle_without_delta() -> None:
    """Either way; the gamma that delta has nothing of."""
    found = nearest_loss(np.array([0.0, 1.0]), np.array([[-2.0, 0.0], [0.0, 0.0]]), 0.0, 9.0)
    assert found is not None
    assert abs(found.along[0]) == pytest.approx(np.sqrt(9.0 - 0.5), rel=1e-6)
    assert found.along[1] == pytest.approx(-0.5, rel=1e-6)
