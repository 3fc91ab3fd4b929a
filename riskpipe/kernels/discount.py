"""Market nodes under scenarios: discount factors, forwards and exchange rates from factor levels.

Every row is evaluated scenario by scenario with IEEE operations and explicit fused multiply-adds alone, so
that an element is the same to the last bit whatever the width of the tile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import CubeVariances, Indices, Variances
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import exp, fma
from riskpipe.kernels.volatility import cube_of, cube_variance, smile_of, total_variance


@kernel
def exp_linear(index: Indices, weight: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Discount factors: out[k, s] = exp(-(weight[k, 0] x[index[k, 0], s] + weight[k, 1] x[index[k, 1], s])).

    :param index: int32[n, 2], rows of x.
    :param weight: float64[n, 2], years.
    :param x: float64[n_factors, n_scenarios], C-contiguous.
    :param out: float64[n, n_scenarios], overwritten.
    """
    for k in range(index.shape[0]):
        near, far = x[index[k, 0]], x[index[k, 1]]
        near_weight, far_weight = weight[k, 0], weight[k, 1]
        row = out[k]
        for s in range(x.shape[1]):
            row[s] = exp(-fma(far_weight, far[s], near_weight * near[s]))


@kernel
def linear_times_exp(index: Indices, weight: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Forwards: out = (w0 x0 + w1 x1) exp(w2 x2 + w3 x3 + w4 x4 + w5 x5), x_j = x[index[k, j], s].

    :param index: int32[n, 6].
    :param weight: float64[n, 6].
    """
    for k in range(index.shape[0]):
        a, b = x[index[k, 0]], x[index[k, 1]]
        c, d, e, f = x[index[k, 2]], x[index[k, 3]], x[index[k, 4]], x[index[k, 5]]
        w0, w1, w2, w3, w4, w5 = weight[k]
        row = out[k]
        for s in range(x.shape[1]):
            level = fma(w1, b[s], w0 * a[s])
            exponent = fma(w5, f[s], fma(w4, e[s], fma(w3, d[s], w2 * c[s])))
            row[s] = level * exp(exponent)


@kernel
def products(index: Indices, power: NDArray[np.int8], x: FloatArray, out: FloatArray) -> None:
    """Exchange rates: out = x0^power0 x1^power1 with powers -1, 0 and 1 as division, nothing, multiplication.

    :param index: int32[n, 2].
    :param power: int8[n, 2].
    """
    for k in range(index.shape[0]):
        row = out[k]
        for s in range(x.shape[1]):
            row[s] = 1.0
        for leg in range(2):
            level = x[index[k, leg]]
            if power[k, leg] == 1:
                for s in range(x.shape[1]):
                    row[s] = row[s] * level[s]
            elif power[k, leg] == -1:
                for s in range(x.shape[1]):
                    row[s] = row[s] / level[s]


@kernel
def scale_by_exp(index: Indices, weight: FloatArray, x: FloatArray, out: FloatArray) -> None:
    """Carry: out *= exp(w0 x0 + w1 x1 + w2 x2 + w3 x3), in place.

    :param index: int32[n, 4].
    :param weight: float64[n, 4], years.
    """
    for k in range(index.shape[0]):
        a, b, c, d = x[index[k, 0]], x[index[k, 1]], x[index[k, 2]], x[index[k, 3]]
        w0, w1, w2, w3 = weight[k]
        row = out[k]
        for s in range(x.shape[1]):
            row[s] = row[s] * exp(fma(w3, d[s], fma(w2, c[s], fma(w1, b[s], w0 * a[s]))))


@kernel
def total_variances(variances: Variances, out: FloatArray) -> None:
    """Total variances of `VarianceNodes`, one row a trade: float64[n, n_scenarios], overwritten."""
    for k in range(out.shape[0]):
        smile = smile_of(variances, k)
        row = out[k]
        for s in range(row.size):
            row[s] = total_variance(smile, s)


@kernel
def cube_variances(variances: CubeVariances, out: FloatArray) -> None:
    """Total variances of `CubeNodes`, likewise."""
    for k in range(out.shape[0]):
        cube = cube_of(variances, k)
        row = out[k]
        for s in range(row.size):
            row[s] = cube_variance(cube, s)
