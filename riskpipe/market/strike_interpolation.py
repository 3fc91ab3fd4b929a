"""Volatility between strikes as weights on those at given strikes; flat beyond the ends."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray

LINEAR, LOG_LINEAR, SPLINE = "linear", "linear_log_strike", "cubic_spline"
REFINEMENT = 32
"""Pieces that a cubic spline is cut into between two strikes."""


def strike_weights(interpolation: str, strikes: FloatArray, at: FloatArray) -> FloatArray:
    """Weights w with vol(at) = w vol(strikes), each row adding up to one.

    :param strikes: float64[n], ascending; above zero for LOG_LINEAR.
    :param at: float64[m].
    :return: float64[m, n].
    """
    inside = np.clip(at, strikes[0], strikes[-1])
    if interpolation == SPLINE and len(strikes) > 2:
        return _spline_weights(strikes, inside)
    if interpolation == LOG_LINEAR:
        strikes, inside = np.log(strikes), np.log(inside)
    return _linear_weights(strikes, inside)


def refined(strikes: FloatArray) -> FloatArray:
    """REFINEMENT equal pieces of every gap, float64[REFINEMENT (n - 1) + 1], with the strikes themselves."""
    share = np.arange(REFINEMENT) / REFINEMENT
    between = strikes[:-1, None] + share * np.diff(strikes)[:, None]
    return np.append(between.ravel(), strikes[-1])


def _linear_weights(grid: FloatArray, at: FloatArray) -> FloatArray:
    weights = np.zeros((len(at), len(grid)))
    rows = np.arange(len(at))
    left = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, max(len(grid) - 2, 0))
    right = np.minimum(left + 1, len(grid) - 1)
    gap = np.where(right > left, grid[right] - grid[left], 1.0)
    fraction = (at - grid[left]) / gap
    weights[rows, left] += 1.0 - fraction
    weights[rows, right] += fraction
    return weights


def _spline_weights(grid: FloatArray, at: FloatArray) -> FloatArray:
    """Natural cubic spline: second derivatives are linear in the values (de Boor 2001, A practical guide to splines,
    chapter IV), so the spline is as well.
    """
    n, h = len(grid), np.diff(grid)
    system, right_side = np.eye(n), np.zeros((n, n))
    for i in range(1, n - 1):
        system[i, i - 1 : i + 2] = h[i - 1], 2.0 * (h[i - 1] + h[i]), h[i]
        right_side[i, i - 1 : i + 2] = 6.0 / h[i - 1], -6.0 / h[i - 1] - 6.0 / h[i], 6.0 / h[i]
    curvature = np.linalg.solve(system, right_side)
    linear = _linear_weights(grid, at)
    left = np.clip(np.searchsorted(grid, at, side="right") - 1, 0, n - 2)
    a, b = (grid[left + 1] - at) / h[left], (at - grid[left]) / h[left]
    bend = (a**3 - a)[:, None] * curvature[left] + (b**3 - b)[:, None] * curvature[left + 1]
    return np.asarray(linear + bend * (h[left] ** 2 / 6.0)[:, None])
