"""European options in closed form: Black (1976), its shifted form, and Bachelier (1900).

Black-Scholes-Merton, Garman-Kohlhagen and Black-76 are one formula of the forward, the total variance and the
discount factor. All scalars here are undiscounted and branch-free, so that loops over scenarios vectorise.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp_normal, fma, log, select, tail_ratio
from riskpipe.kernels.volatility import total_variance

# Stands in for a zero deviation: every option off the money is then infinitely far from it.
_LEAST_DEVIATION = 1e-150
# Squared distance beyond which exp(-d^2 / 2) < 1e-304 counts as zero.
_FARTHEST_SQUARE = 1400.0
_SQRT_TWO_PI_INVERSE = 0.3989422804014327


@inline
def _gauss(square: float) -> float:
    """exp(-square / 2); 0 where that is below 1e-304."""
    near = select(square > _FARTHEST_SQUARE, _FARTHEST_SQUARE, square)
    return select(square > _FARTHEST_SQUARE, 0.0, exp_normal(-0.5 * near))


@inline
def black(forward: float, strike: float, variance: float, sign: float) -> float:
    """Undiscounted Black price of a call (sign +1) or put (sign -1), each by its own formula.

    Black, The pricing of commodity contracts (1976), with F exp(-d1^2 / 2) = K exp(-d2^2 / 2), so that one
    exponential serves both terms. Error below 1e-15 (F + K).

    :param variance: volatility squared times years; 0 gives the intrinsic value of the forward.
    :return: NaN for a negative forward, strike or variance, or where an argument is NaN.
    """
    strike = select(strike < 0.0, math.nan, strike)
    deviation = math.sqrt(variance)
    deviation = select(deviation < _LEAST_DEVIATION, _LEAST_DEVIATION, deviation)
    d1 = fma(log(forward * (1.0 / strike)), 1.0 / deviation, 0.5 * deviation)
    d2 = d1 - deviation
    density = strike * _gauss(d2 * d2)
    tail1 = density * tail_ratio(abs(d1))
    tail2 = density * tail_ratio(abs(d2))
    forward_part = select(sign * d1 > 0.0, forward - tail1, tail1)
    strike_part = select(sign * d2 > 0.0, strike - tail2, tail2)
    return sign * (forward_part - strike_part)


@inline
def shifted_black(forward: float, strike: float, shift: float, variance: float, sign: float) -> float:
    """Undiscounted price where forward + shift is lognormal (displaced diffusion, Rubinstein 1983)."""
    return black(forward + shift, strike + shift, variance, sign)


@inline
def bachelier(forward: float, strike: float, variance: float, sign: float) -> float:
    """Undiscounted price of a call (sign +1) or put (sign -1) on a normal forward, Bachelier (1900).

    :param variance: normal volatility squared times years; 0 gives the intrinsic value of the forward.
    """
    moneyness = sign * (forward - strike)
    deviation = math.sqrt(variance)
    distance = abs(moneyness) / select(deviation < _LEAST_DEVIATION, _LEAST_DEVIATION, deviation)
    time_value = _SQRT_TWO_PI_INVERSE - distance * tail_ratio(distance)
    return fma(deviation * _gauss(distance * distance), time_value, select(moneyness > 0.0, moneyness, 0.0))


@kernel
def black_options(
    rows: NDArray[np.int32],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    strike: NDArray[np.float64],
    sign: NDArray[np.float64],
    quantity: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Present values of European options under scenarios: quantity x discount x Black price.

    :param rows: int32[m], the options to price among n.
    :param forward, discount: float64[., S], per node and scenario; the options' nodes are `forward_position`,
        `discount_position`, int32[n].
    :param index, strike_weight, time_weight: int32[n, 4], float64[n, 4], float64[n, 2] of `VarianceNodes`.
    :param x: float64[n_factors, S].
    :param strike, sign, quantity: float64[n]; sign is +1 for calls and -1 for puts.
    :param out: float64[m, S], written.
    """
    for i in range(rows.size):
        row = rows[i]
        f = forward[forward_position[row]]
        d = discount[discount_position[row]]
        v0, v1, v2, v3 = x[index[row, 0]], x[index[row, 1]], x[index[row, 2]], x[index[row, 3]]
        w0, w1, w2, w3 = (
            strike_weight[row, 0],
            strike_weight[row, 1],
            strike_weight[row, 2],
            strike_weight[row, 3],
        )
        t0, t1 = time_weight[row, 0], time_weight[row, 1]
        k, side, amount = strike[row], sign[row], quantity[row]
        values = out[i]
        for s in range(values.size):
            variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
            values[s] = amount * d[s] * black(f[s], k, variance, side)


@kernel
def bachelier_options(
    rows: NDArray[np.int32],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    strike: NDArray[np.float64],
    sign: NDArray[np.float64],
    quantity: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Likewise by Bachelier (1900): volatilities are normal, forwards and strikes may be negative."""
    for i in range(rows.size):
        row = rows[i]
        f = forward[forward_position[row]]
        d = discount[discount_position[row]]
        v0, v1, v2, v3 = x[index[row, 0]], x[index[row, 1]], x[index[row, 2]], x[index[row, 3]]
        w0, w1, w2, w3 = (
            strike_weight[row, 0],
            strike_weight[row, 1],
            strike_weight[row, 2],
            strike_weight[row, 3],
        )
        t0, t1 = time_weight[row, 0], time_weight[row, 1]
        k, side, amount = strike[row], sign[row], quantity[row]
        values = out[i]
        for s in range(values.size):
            variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
            values[s] = amount * d[s] * bachelier(f[s], k, variance, side)
