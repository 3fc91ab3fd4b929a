"""Single barriers in closed form: Reiner and Rubinstein, Breaking down the barriers (1991); Rich (1994) for rebates.

Time to expiry is one: g = ln(forward / spot), R = -ln(discount factor) and w = sigma^2 T stand for carry, rate and
variance. Haug (The Complete Guide to Option Pricing Formulas, 2007, section 4.17.1) writes prices as sums of A, B, C, D
(options), E (rebate at expiry) and F (rebate at the hit); here E and F are probabilities and factors, times the rebate.

All scalars are branch-free, so that loops over scenarios vectorise.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Barriers, Indices, NodeValues, Vanillas, Variances
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, exp_normal, fma, log, select, tail_ratio
from riskpipe.kernels.volatility import smile_of, total_variance

# Variance below which the spot is taken to move along its forward with certainty.
CERTAIN = 1e-12
# Rows of the scratch array, by scenario.
_REACH, _CARRY, _RATE, _VARIANCE = range(4)


@inline
def gauss(exponent: float) -> float:
    """e^x within the normal numbers."""
    near = select(exponent < -700.0, -700.0, exponent)
    return exp_normal(select(near > 700.0, 700.0, near))


@inline
def weighted_tail(x: float, density: float, whole: float) -> float:
    """whole x Phi(x), where density is whole x exp(-x^2 / 2)."""
    tail = density * tail_ratio(abs(x))
    return select(x > 0.0, whole - tail, tail)


@inline
def option_part(
    forward: float, strike: float, level: float, log_level: float, log_power: float, variance: float, eta: float
) -> float:
    """exp(log_power) (forward Phi(eta d1) - strike Phi(eta d2)), d1, d2 of forward against level.

    Haug's A and B (log_power zero), C and D (forward reflected in the barrier, power (H / S)^(2 mu)).

    :param level: the strike or the barrier; `log_level`: ln(forward / level).
    """
    deviation = math.sqrt(variance)
    d2 = fma(-0.5, variance, log_level) / deviation
    power = gauss(log_power)
    density = gauss(fma(-0.5 * d2, d2, log_power))
    # forward exp(-d1^2 / 2) = level exp(-d2^2 / 2)
    above = weighted_tail(eta * (d2 + deviation), density * (level / forward), power)
    below = weighted_tail(eta * d2, density, power)
    return forward * above - strike * below


@inline
def _power(reach: float, carry: float, variance: float) -> float:
    """2 mu ln(H / S): logarithm of the weight of paths reflected in the barrier."""
    return 2.0 * reach * fma(-0.5, variance, carry) / variance


@inline
def hit_probability(reach: float, drift: float, variance: float, eta: float) -> float:
    """Probability that the spot reaches the barrier before expiry.

    :param reach: ln(barrier / spot); `eta` +1 where the barrier is below, -1 where it is above.
    :param drift: of the logarithm of the spot, carry - variance / 2 where cash is the measure.
    """
    deviation = math.sqrt(variance)
    direct = eta * (reach - drift) / deviation
    reflected = eta * (reach + drift) / deviation
    # The weight of the reflected paths times the density at `reflected` is the density at `direct`.
    density, power = gauss(-0.5 * direct * direct), gauss(2.0 * reach * drift / variance)
    return weighted_tail(direct, density, 1.0) + weighted_tail(reflected, density, power)


@inline
def hit_factor(reach: float, carry: float, rate: float, variance: float, eta: float) -> float:
    """Value today of one unit paid when the spot reaches the barrier, if it does before expiry: Haug's F.

    NaN where drift^2 + 2 rate variance < 0, which takes a rate below zero: `slow_hit_factor` is for these.
    """
    deviation, drift = math.sqrt(variance), fma(-0.5, variance, carry)
    root = math.sqrt(fma(2.0 * rate, variance, drift * drift))
    near, far = eta * (reach + root) / deviation, eta * (reach - root) / deviation
    direct = (reach - drift) / deviation
    density = gauss(fma(-0.5 * direct, direct, -rate))
    near_power, far_power = gauss(reach * (drift + root) / variance), gauss(reach * (drift - root) / variance)
    return weighted_tail(near, density, near_power) + weighted_tail(far, density, far_power)


@kernel
def slow_hit_factor(reach: float, carry: float, rate: float, variance: float, eta: float) -> float:
    """`hit_factor` for any rate: e^-R P(1) + R times the integral of e^(-R t) P(t), P the probability of a hit.

    The integral by the midpoint rule after a double exponential change of variable (Takahasi and Mori 1974).
    """
    drift = carry - 0.5 * variance
    total, step = 0.0, 0.0625
    for k in range(-72, 73):
        u = 0.5 * math.pi * math.sinh(k * step)
        time = 1.0 / (1.0 + math.exp(-2.0 * u))
        weight = 0.5 * math.pi * math.cosh(k * step) * 2.0 * time * (1.0 - time) * step
        if time > 1e-300 and weight > 1e-300:
            total += weight * math.exp(-rate * time) * hit_probability(reach, drift * time, variance * time, eta)
    return math.exp(-rate) * hit_probability(reach, drift, variance, eta) + rate * total


@inline
def _fill(
    work: FloatArray,
    spot: FloatArray,
    forward: FloatArray,
    discount: FloatArray,
    barrier: float,
) -> None:
    reach, carry, rate, variance = work[_REACH], work[_CARRY], work[_RATE], work[_VARIANCE]
    for s in range(spot.size):
        reach[s] = log(barrier / spot[s])
        carry[s] = log(forward[s] / spot[s])
        rate[s] = -log(discount[s])
        variance[s] = select(variance[s] < CERTAIN, CERTAIN, variance[s])


@inline
def _add_options(
    work: FloatArray,
    forward: FloatArray,
    strike: float,
    barrier: float,
    sign: float,
    eta: float,
    weight: FloatArray,
    values: FloatArray,
) -> None:
    """Add weight[0] A + weight[1] B + weight[2] C + weight[3] D, undiscounted, to the values."""
    reach, carry, variance = work[_REACH], work[_CARRY], work[_VARIANCE]
    log_strike = math.log(barrier / strike)
    for term in range(4):
        amount = sign * weight[term]
        if amount == 0.0:
            continue
        level, shift = (strike, log_strike) if term % 2 == 0 else (barrier, 0.0)
        if term < 2:
            for s in range(values.size):
                # ln(F / H) = g - ln(H / S)
                log_level = (carry[s] - reach[s]) + shift
                values[s] += amount * option_part(forward[s], strike, level, log_level, 0.0, variance[s], sign)
        else:
            for s in range(values.size):
                # The reflected forward, F H^2 / S^2; its logarithm over H is g + ln(H / S).
                mirrored = forward[s] * exp(reach[s] + reach[s])
                power = _power(reach[s], carry[s], variance[s])
                log_level = (carry[s] + reach[s]) + shift
                values[s] += amount * option_part(mirrored, strike, level, log_level, power, variance[s], eta)


@inline
def _rebates(work: FloatArray, eta: float, at_hit: bool, out: FloatArray) -> None:
    """Undiscounted value of one unit: at the hit, grown to expiry; or at expiry unless there was one."""
    reach, carry, rate, variance = work[_REACH], work[_CARRY], work[_RATE], work[_VARIANCE]
    if not at_hit:
        for s in range(out.size):
            drift = fma(-0.5, variance[s], carry[s])
            out[s] = 1.0 - hit_probability(reach[s], drift, variance[s], eta)
        return
    for s in range(out.size):
        out[s] = hit_factor(reach[s], carry[s], rate[s], variance[s], eta) * exp(rate[s])
    for s in range(out.size):
        drift = fma(-0.5, variance[s], carry[s])
        if fma(2.0 * rate[s], variance[s], drift * drift) < 0.0:
            out[s] = slow_hit_factor(reach[s], carry[s], rate[s], variance[s], eta) * exp(rate[s])


@inline
def _settle(
    value: float,
    vanilla: float,
    forward: float,
    state: tuple[float, float, float, float],
    terms: tuple[float, float, float, float, bool],
) -> float:
    """Undiscounted value where the barrier is reached already, or where the spot is certain; else as it is.

    :param state: reach, carry, rate and variance.
    :param terms: strike, sign, eta, rebate, and whether the barrier brings in.
    """
    reach, carry, rate, variance = state
    strike, sign, eta, rebate, is_in = terms
    intrinsic = sign * (forward - strike)
    intrinsic = select(intrinsic > 0.0, intrinsic, 0.0)
    will_hit = eta * (carry - reach) <= 0.0
    when = reach / select(carry == 0.0, 1.0, carry)
    paid_when_hit = rebate * exp(fma(-rate, when, rate))
    certain = select(will_hit == is_in, intrinsic, select(is_in, rebate, paid_when_hit))
    value = select(variance <= CERTAIN, certain, value)
    touched = select(is_in, select(variance <= CERTAIN, intrinsic, vanilla), rebate * exp(rate))
    value = select(eta * reach >= 0.0, touched, value)
    # No price without a spot, even where the terms that count do without.
    return select(reach == reach, value, math.nan)


@kernel
def barrier_options(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    barriers: Barriers,
    out: FloatArray,
) -> None:
    """Present values of barrier options under scenarios.

    :param variances: one an option.
    :param options: what they are without the barrier.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    barrier, rebate, eta, is_in, knocked, weight = barriers
    work = np.empty((4, out.shape[1]))
    reach, carry, rate, variance = work[_REACH], work[_CARRY], work[_RATE], work[_VARIANCE]
    rebates, vanilla = np.empty(out.shape[1]), np.empty(out.shape[1])
    plain = np.array([1.0, 0.0, 0.0, 0.0])
    for i in range(rows.size):
        row = rows[i]
        smile = smile_of(variances, row)
        f, d = forwards[forward_position[row]], discounts[discount_position[row]]
        k, h, side, direction, inside = strike[row], barrier[row], sign[row], eta[row], is_in[row]
        values = out[i]
        values[:] = 0.0
        if knocked[row] and not inside:
            continue
        for s in range(values.size):
            variance[s] = total_variance(smile, s)
        _fill(work, spots[spot_position[row]], f, d, h)
        vanilla[:] = 0.0
        if inside:
            _add_options(work, f, k, h, side, direction, plain, vanilla)
        if knocked[row]:
            for s in range(values.size):
                reach[s] = direction
        else:
            _add_options(work, f, k, h, side, direction, weight[row], values)
        paid = rebate[row]
        if paid != 0.0 and not knocked[row]:
            _rebates(work, direction, not inside, rebates)
            for s in range(values.size):
                values[s] += paid * rebates[s]
        terms = k, side, direction, paid, inside
        for s in range(values.size):
            state = reach[s], carry[s], rate[s], variance[s]
            values[s] = quantity[row] * d[s] * _settle(values[s], vanilla[s], f[s], state, terms)
