"""Total variance to an expiry, read from the points of a volatility surface or cube."""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import CubeVariances, Variances
from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import fma

Quad = tuple[float, float, float, float]
Rows = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
Smile = tuple[Rows, Quad, tuple[float, float]]
"""Of one trade: four volatilities by scenario (normal: of price a year), their weights in strike, and weights in years
of the two squared volatilities that these make."""


@inline
def smile_of(variances: Variances, row: int) -> Smile:
    """The points of a trade: two strikes of the near expiry, two of the far one."""
    index, strike_weight, time_weight, x = variances
    points = x[index[row, 0]], x[index[row, 1]], x[index[row, 2]], x[index[row, 3]]
    weight = strike_weight[row, 0], strike_weight[row, 1], strike_weight[row, 2], strike_weight[row, 3]
    return points, weight, (time_weight[row, 0], time_weight[row, 1])


@inline
def total_variance(smile: Smile, s: int) -> float:
    """In a scenario: volatility linear in strike at two expiries, total variance linear in time between them.

    :return: volatility squared times years; NaN where a volatility is.
    """
    points, weight, time = smile
    near = fma(weight[0], points[0][s], weight[1] * points[1][s])
    far = fma(weight[2], points[2][s], weight[3] * points[3][s])
    return fma(time[0], near * near, time[1] * (far * far))


Cube = tuple[Rows, Rows, Quad, Quad, tuple[float, float]]
"""Of one trade: four volatilities by scenario at the near expiry and four at the far one, their weights, and weights in
years of the two squared volatilities that these make."""


@inline
def cube_of(variances: CubeVariances, row: int) -> Cube:
    """The points of a trade: at each expiry two strikes of the shorter tenor of the underlying, two of the longer."""
    index, weight, time_weight, x = variances
    i, w = index[row], weight[row]
    near, far = (x[i[0]], x[i[1]], x[i[2]], x[i[3]]), (x[i[4]], x[i[5]], x[i[6]], x[i[7]])
    return near, far, (w[0], w[1], w[2], w[3]), (w[4], w[5], w[6], w[7]), (time_weight[row, 0], time_weight[row, 1])


@inline
def cube_variance(cube: Cube, s: int) -> float:
    """In a scenario: as `total_variance`, the volatilities linear in the tenor too."""
    near_points, far_points, near_weight, far_weight, time = cube
    near, far = _plane(near_points, near_weight, s), _plane(far_points, far_weight, s)
    return fma(time[0], near * near, time[1] * (far * far))


@inline
def _plane(points: Rows, weight: Quad, s: int) -> float:
    """Volatility at one expiry of a cube: linear in strike at two tenors of the underlying, and between these."""
    shorter = fma(weight[0], points[0][s], weight[1] * points[1][s])
    return fma(weight[3], points[3][s], fma(weight[2], points[2][s], shorter))
