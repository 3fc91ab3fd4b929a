"""Payments that depend on where the spot ends or on what it touches: Reiner and Rubinstein, Unscrambling the binary
code (1991), paid at expiry.

A payment in the second currency is valued with cash as the measure, one in the first currency with that currency's:
the logarithm of the spot then drifts by carry + variance / 2 instead of carry - variance / 2, and the value comes out
in the currency of the payment.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.barrier import CERTAIN, hit_probability
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, fma, log, select
from riskpipe.kernels.volatility import total_variance

ONE_TOUCH, NO_TOUCH, DIGITAL_CALL, DIGITAL_PUT = range(4)


@inline
def touch_probability(spot: float, forward: float, level: float, variance: float, half: float, eta: float) -> float:
    """Probability that the spot touches the level; one where it is there or beyond.

    :param half: -1/2 or +1/2, the measure; `eta` +1 where the level is below today's spot, -1 where above.
    """
    reach, carry = log(level / spot), log(forward / spot)
    some = select(variance < CERTAIN, CERTAIN, variance)
    probability = hit_probability(reach, fma(half, some, carry), some, eta)
    sure = select(eta * (carry - reach) <= 0.0, 1.0, 0.0)
    probability = select(variance < CERTAIN, sure, probability)
    return select(eta * reach >= 0.0, 1.0, probability)


@inline
def end_probability(forward: float, level: float, variance: float, half: float, sign: float) -> float:
    """Probability that the spot ends above the level (sign +1) or below it (-1)."""
    some = select(variance < CERTAIN, CERTAIN, variance)
    probability = cdf(sign * fma(half, some, log(forward / level)) / math.sqrt(some))
    sure = select(sign * (forward - level) > 0.0, 1.0, 0.0)
    return select(variance < CERTAIN, sure, probability)


@kernel
def touch_options(
    rows: NDArray[np.int32],
    spot: NDArray[np.float64],
    spot_position: NDArray[np.int32],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    level: NDArray[np.float64],
    eta: NDArray[np.float64],
    half: NDArray[np.float64],
    kind: NDArray[np.int8],
    touched: NDArray[np.bool_],
    payout: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Present values in the currency of the payment; the first arguments as of `barrier_options`, and:

    :param level, eta, half: float64[n], see `touch_probability`.
    :param kind: int8[n], one of `ONE_TOUCH`, `NO_TOUCH`, `DIGITAL_CALL`, `DIGITAL_PUT`.
    :param touched: bool[n], the level was touched before today.
    :param payout: float64[n]; `discount` is of its currency.
    """
    for i in range(rows.size):
        row = rows[i]
        v0, v1, v2, v3 = x[index[row, 0]], x[index[row, 1]], x[index[row, 2]], x[index[row, 3]]
        w0, w1 = strike_weight[row, 0], strike_weight[row, 1]
        w2, w3 = strike_weight[row, 2], strike_weight[row, 3]
        t0, t1 = time_weight[row, 0], time_weight[row, 1]
        levels, forwards = spot[spot_position[row]], forward[forward_position[row]]
        factors, values = discount[discount_position[row]], out[i]
        barrier, direction, measure, amount = level[row], eta[row], half[row], payout[row]
        if kind[row] == DIGITAL_CALL or kind[row] == DIGITAL_PUT:
            sign = 1.0 if kind[row] == DIGITAL_CALL else -1.0
            for s in range(values.size):
                variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                values[s] = amount * factors[s] * end_probability(forwards[s], barrier, variance, measure, sign)
        elif touched[row]:
            paid = amount if kind[row] == ONE_TOUCH else 0.0
            for s in range(values.size):
                values[s] = paid * factors[s]
        else:
            # A no-touch is what a one-touch leaves of the payment.
            whole, sign = (0.0, 1.0) if kind[row] == ONE_TOUCH else (1.0, -1.0)
            for s in range(values.size):
                variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                hit = touch_probability(levels[s], forwards[s], barrier, variance, measure, direction)
                values[s] = amount * factors[s] * fma(sign, hit, whole)
