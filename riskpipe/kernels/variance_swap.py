"""Fair variance by replication: Demeterfi, Derman, Kamal and Zou, More than you ever wanted to know about volatility
swaps (1999), equation 26, over a smile that is flat beyond its ends."""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, NodeValues, Strips, Variances, VarianceSwaps
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, fma, log, pdf, select
from riskpipe.kernels.volatility import smile_of, total_variance

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
    forward: FloatArray,
    strips: Strips,
    variances: Variances,
    flat: FloatArray,
    out: FloatArray,
) -> None:
    """Add amount times the fair total variance of a leg in every scenario.

    What a flat smile at the variance of the centre replicates is known, it is that variance; the strip of options makes
    up for the difference. The first node of a leg is the centre, the next two, if there are any, are the ends of the
    smile, beyond which it is flat.
    """
    offset, strike, weight = strips
    begin, end = offset[leg], offset[leg + 1]
    for node in range(begin, end):
        smile = smile_of(variances, node)
        k = strike[node]
        if node == begin:
            for s in range(out.size):
                # A forward of zero or below has no logarithm.
                flat[s] = select(forward[s] > 0.0, total_variance(smile, s), math.nan)
                out[s] = fma(amount, flat[s], out[s])
        elif node <= begin + 2:
            sign = -1.0 if node == begin + 1 else 1.0
            for s in range(out.size):
                variance = total_variance(smile, s)
                difference = _beyond(forward[s], k, variance, sign) - _beyond(forward[s], k, flat[s], sign)
                out[s] = fma(amount, difference, out[s])
        else:
            # By put-call parity either side of the centre will do, and the same differences come of it.
            sign = 1.0 if k > strike[begin] else -1.0
            share = 2.0 * amount * weight[node] / (k * k)
            for s in range(out.size):
                variance = total_variance(smile, s)
                difference = black(forward[s], k, variance, sign) - black(forward[s], k, flat[s], sign)
                out[s] = fma(share, difference, out[s])


@kernel
def variance_swaps(
    rows: Indices,
    legs: Indices,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    strips: Strips,
    swaps: VarianceSwaps,
    out: FloatArray,
) -> None:
    """Present values of variance swaps under scenarios.

    :param legs: int32[n, 2], the leg to expiry and (-1: none) the one to the start, whose variance does not count.
    :param forward: of the legs.
    :param variances: one an option of the strips.
    :param out: float64[m, S], written; NaN where the variance between start and expiry is negative.
    """
    forwards, forward_position = forward
    discounts, discount_position = discount
    past, years, strike_variance, notional = swaps
    flat = np.empty(out.shape[1])
    for i in range(rows.size):
        row = rows[i]
        values, d = out[i], discounts[discount_position[row]]
        values[:] = 0.0
        for side in range(2):
            leg = legs[row, side]
            if leg >= 0:
                f = forwards[forward_position[leg]]
                _add_fair_variance(leg, 1.0 - 2.0 * side, f, strips, variances, flat, values)
        for s in range(values.size):
            left = select(values[s] < 0.0, math.nan, values[s])
            values[s] = notional[row] * d[s] * ((past[row] + left) / years[row] - strike_variance[row])
