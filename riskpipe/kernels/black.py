"""European options in closed form: Black (1976), its shifted form, and Bachelier (1900).

Black-Scholes-Merton, Garman-Kohlhagen and Black-76 are one formula of the forward, the total variance and the
discount factor. All scalars here are undiscounted and branch-free, so that loops over scenarios vectorise.
"""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Flags, Indices, NodeValues, Vanillas, Variances
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp_normal, fma, log, select, tail_ratio
from riskpipe.kernels.volatility import smile_of, total_variance

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
def european_options(
    rows: Indices,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    normal: Flags,
    out: FloatArray,
) -> None:
    """Present values under scenarios: quantity x discount x the price of Black, or of Bachelier.

    :param variances: one an option.
    :param normal: bool[n], volatilities are normal, and forwards and strikes may be negative.
    :param out: float64[m, S], written.
    """
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    for i in range(rows.size):
        row = rows[i]
        f, d = forwards[forward_position[row]], discounts[discount_position[row]]
        smile = smile_of(variances, row)
        k, side, amount = strike[row], sign[row], quantity[row]
        values = out[i]
        if normal[row]:
            for s in range(values.size):
                values[s] = amount * d[s] * bachelier(f[s], k, total_variance(smile, s), side)
        else:
            for s in range(values.size):
                values[s] = amount * d[s] * black(f[s], k, total_variance(smile, s), side)
