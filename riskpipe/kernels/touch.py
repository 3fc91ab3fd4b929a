"""Payments that depend on where the spot ends or on what it touches: Reiner and Rubinstein, Unscrambling the binary
code (1991), paid at expiry.

A payment in the second currency is valued with cash as the measure, one in the first currency with that currency's:
the logarithm of the spot then drifts by carry + variance / 2 instead of carry - variance / 2, and the value comes out
in the currency of the payment.
"""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, NodeValues, Touches, Variances
from riskpipe.kernels.barrier import CERTAIN, hit_probability
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, fma, log, select
from riskpipe.kernels.volatility import smile_of, total_variance

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
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    touches: Touches,
    out: FloatArray,
) -> None:
    """Present values under scenarios, in the currency of the payment, which `discount` is of.

    :param variances: one a trade.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    level, eta, half, kind, touched, payout = touches
    for i in range(rows.size):
        row = rows[i]
        smile = smile_of(variances, row)
        x, f = spots[spot_position[row]], forwards[forward_position[row]]
        d, values = discounts[discount_position[row]], out[i]
        barrier, direction, measure, amount = level[row], eta[row], half[row], payout[row]
        if kind[row] == DIGITAL_CALL or kind[row] == DIGITAL_PUT:
            sign = 1.0 if kind[row] == DIGITAL_CALL else -1.0
            for s in range(values.size):
                variance = total_variance(smile, s)
                values[s] = amount * d[s] * end_probability(f[s], barrier, variance, measure, sign)
        elif touched[row]:
            paid = amount if kind[row] == ONE_TOUCH else 0.0
            for s in range(values.size):
                values[s] = paid * d[s]
        else:
            # A no-touch is what a one-touch leaves of the payment.
            whole, sign = (0.0, 1.0) if kind[row] == ONE_TOUCH else (1.0, -1.0)
            for s in range(values.size):
                hit = touch_probability(x[s], f[s], barrier, total_variance(smile, s), measure, direction)
                values[s] = amount * d[s] * fma(sign, hit, whole)
