"""Fair variance by replication: Demeterfi, Derman, Kamal and Zou, More than you ever wanted to know about volatility
swaps (1999), equation 26, over a smile that is flat beyond its ends."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, fma, log, pdf, select
from riskpipe.kernels.volatility import total_variance

# Stands in for a zero deviation.
_LEAST_DEVIATION = 1e-150


@inline
def _beyond(forward: float, strike: float, variance: float, sign: float) -> float:
    """Calls above (sign +1) or puts below (-1) a strike over the strikes' squares, at one variance, twice.

    The strip pays 2 (S / K - 1 - ln(S / K)) where S ends beyond K; expectations are those of a lognormal S.
    """
    deviation = math.sqrt(variance)
    deviation = select(deviation < _LEAST_DEVIATION, _LEAST_DEVIATION, deviation)
    moneyness = log(forward / strike)
    d1 = fma(moneyness, 1.0 / deviation, 0.5 * deviation)
    d2 = d1 - deviation
    level = fma(-0.5, variance, 1.0 + moneyness)
    part = fma(forward / strike, cdf(sign * d1), -level * cdf(sign * d2))
    return 2.0 * fma(-sign * deviation, pdf(d2), part)


@inline
def _add_fair_variance(
    leg: int,
    amount: float,
    forward: NDArray[np.float64],
    offset: NDArray[np.int64],
    strike: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    flat: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Add amount times the fair total variance of a leg in every scenario.

    What a flat smile at the variance of the centre replicates is known, it is that variance; the strip of options makes
    up for the difference. The first node of a leg is the centre, the next two, if there are any, are the ends of the
    smile, beyond which it is flat.
    """
    begin, end = offset[leg], offset[leg + 1]
    for node in range(begin, end):
        v0, v1, v2, v3 = x[index[node, 0]], x[index[node, 1]], x[index[node, 2]], x[index[node, 3]]
        w0, w1 = strike_weight[node, 0], strike_weight[node, 1]
        w2, w3 = strike_weight[node, 2], strike_weight[node, 3]
        t0, t1 = time_weight[node, 0], time_weight[node, 1]
        k = strike[node]
        if node == begin:
            for s in range(out.size):
                variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                # A forward of zero or below has no logarithm.
                flat[s] = select(forward[s] > 0.0, variance, math.nan)
                out[s] = fma(amount, flat[s], out[s])
        elif node <= begin + 2:
            sign = -1.0 if node == begin + 1 else 1.0
            for s in range(out.size):
                variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                difference = _beyond(forward[s], k, variance, sign) - _beyond(forward[s], k, flat[s], sign)
                out[s] = fma(amount, difference, out[s])
        else:
            # By put-call parity either side of the centre will do, and the same differences come of it.
            sign = 1.0 if k > strike[begin] else -1.0
            share = 2.0 * amount * weight[node] / (k * k)
            for s in range(out.size):
                variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                difference = black(forward[s], k, variance, sign) - black(forward[s], k, flat[s], sign)
                out[s] = fma(share, difference, out[s])


@kernel
def variance_swaps(
    rows: NDArray[np.int32],
    legs: NDArray[np.int32],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    offset: NDArray[np.int64],
    strike: NDArray[np.float64],
    weight: NDArray[np.float64],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    past: NDArray[np.float64],
    years: NDArray[np.float64],
    strike_variance: NDArray[np.float64],
    notional: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Present values of variance swaps under scenarios.

    :param rows: int32[m], the swaps to price among n.
    :param legs: int32[n, 2], the leg to expiry and (-1: none) the one to the start, whose variance does not count.
    :param forward, discount: float64[., S], nodes; `forward_position` int32[legs], `discount_position` int32[n].
    :param offset: int64[legs + 1], of the nodes: `strike`, `weight` (of d strike), and the weights of `VarianceNodes`.
        A leg has its centre alone, or that, the ends of its smile and the strikes between them.
    :param x: float64[n_factors, S].
    :param past: float64[n], variance realised so far, not annual; `years`: over which all of it is taken.
    :param strike_variance, notional: float64[n], a year, and the amount paid for one of it.
    :param out: float64[m, S], written; NaN where the variance between start and expiry is negative.
    """
    flat = np.empty(x.shape[1])
    for i in range(rows.size):
        row = rows[i]
        values, factors = out[i], discount[discount_position[row]]
        values[:] = 0.0
        for side in range(2):
            leg = legs[row, side]
            if leg >= 0:
                forwards = forward[forward_position[leg]]
                _add_fair_variance(
                    leg, 1.0 - 2.0 * side, forwards, offset, strike, weight, index, strike_weight, time_weight, x, flat,
                    values,
                )  # fmt: skip
        for s in range(values.size):
            left = select(values[s] < 0.0, math.nan, values[s])
            values[s] = notional[row] * factors[s] * ((past[row] + left) / years[row] - strike_variance[row])
