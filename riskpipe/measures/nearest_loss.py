"""The most plausible move that loses a given amount, to second order: the nearest point of a quadric."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray

_STEPS = 200


class NearestLoss(Struct, frozen=True):
    """:param along: float64[k], deviations along the components. :param beside: along the rest of the delta.
    :param distance: of both, in deviations.
    """

    along: FloatArray
    beside: float
    distance: float


def nearest_loss(delta: FloatArray, gamma: FloatArray, rest: float, loss: float) -> NearestLoss | None:
    """The shortest (a, s) with delta' a + a' gamma a / 2 + rest s = -loss; None: there is none.

    With a multiplier m, a = -m (I + m gamma)^-1 delta and s = -m rest; the P&L falls with m as long as I + m gamma is
    positive, which holds up to the shortest solution (Moré and Sorensen, Computing a trust region step, 1983). Where
    delta has nothing along the most negative gamma, what is lacking at the largest m is lost along that.

    :param delta: float64[k], P&L for one deviation along independent components; gamma: float64[k, k], symmetric.
    :param rest: deviation of what is linear and independent of them. :param loss: above 0.
    """
    curvature, axes = _eigen(gamma)
    slope = axes.T @ delta
    lowest = float(curvature.min(initial=0.0))
    scale = float(np.sum(slope**2)) + rest**2
    if scale == 0.0 and lowest == 0.0:
        return None
    # From m = 0, where nothing is lost, to a bracket of the root.
    high = loss / scale if scale > 0.0 else math.inf
    ceiling = -1.0 / lowest if lowest < 0.0 else math.inf
    for _ in range(_STEPS):
        if high >= ceiling * (1.0 - 1e-9) or _pnl(high, slope, curvature, rest) <= -loss:
            break
        high *= 2.0
    high = min(high, ceiling * (1.0 - 1e-9))
    lacking = loss + _pnl(high, slope, curvature, rest)
    if lacking > 0.0:
        return _along_lowest(high, slope, curvature, axes, rest, lacking) if lowest < 0.0 else None
    low = 0.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        if _pnl(middle, slope, curvature, rest) > -loss:
            low = middle
        else:
            high = middle
    return _found(-high * slope / (1.0 + high * curvature), axes, -high * rest)


def _pnl(multiplier: float, slope: FloatArray, curvature: FloatArray, rest: float) -> float:
    along = -multiplier * slope / (1.0 + multiplier * curvature)
    return float(np.sum(slope * along + 0.5 * curvature * along**2)) - multiplier * rest**2


def _along_lowest(
    multiplier: float, slope: FloatArray, curvature: FloatArray, axes: FloatArray, rest: float, lacking: float
) -> NearestLoss:
    along = -multiplier * slope / (1.0 + multiplier * curvature)
    k = int(curvature.argmin())
    b, c = slope[k] + curvature[k] * along[k], 0.5 * curvature[k]
    # b t + c t^2 = -lacking with c < 0: the shorter of the two.
    root = math.sqrt(b * b - 4.0 * c * lacking)
    along[k] += min((-b + root) / (2.0 * c), (-b - root) / (2.0 * c), key=abs)
    return _found(along, axes, -multiplier * rest)


def _found(along: FloatArray, axes: FloatArray, beside: float) -> NearestLoss:
    return NearestLoss(axes @ along, beside, math.sqrt(float(np.sum(along**2)) + beside**2))


def _eigen(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and, as columns, eigenvectors, by Jacobi's rotations: the same bits whatever the library."""
    a, axes = matrix.copy(), np.eye(len(matrix))
    for _ in range(50):
        if not np.abs(a - np.diag(np.diagonal(a))).max(initial=0.0) > 1e-14 * np.abs(a).max(initial=0.0):
            break
        for i in range(len(a)):
            for j in range(i + 1, len(a)):
                if a[i, j] != 0.0:
                    _rotate(a, axes, i, j)
    return np.diagonal(a).copy(), axes


def _rotate(a: FloatArray, axes: FloatArray, i: int, j: int) -> None:
    """Make a[i, j] zero (Golub and Van Loan, Matrix Computations, algorithm 8.5.1)."""
    tau = (a[j, j] - a[i, i]) / (2.0 * a[i, j])
    t = math.copysign(1.0, tau) / (abs(tau) + math.sqrt(1.0 + tau * tau))
    c = 1.0 / math.sqrt(1.0 + t * t)
    s = t * c
    for rows in (a.T, a, axes.T):
        first, second = c * rows[i] - s * rows[j], s * rows[i] + c * rows[j]
        rows[i], rows[j] = first, second
