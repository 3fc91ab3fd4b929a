"""Options on the average of the spot over given fixings.

The fixings still to come are lognormal with forwards F_i and covariances sigma^2 min(t_i, t_j). Their average with
weights 1 / N, and a strike less what the fixings of the past make up, are what is priced.

Geometric: exact (Kemna and Vorst 1990 for discrete fixings). Arithmetic: conditional on the geometric average (Curran
1994; Rogers and Shi 1995): with Z the standardised logarithm of the geometric average,

    E[(A - K)+] = E[(M(Z) - K)+] + V(z*) phi(z*) / (2 M'(z*)) + ...,    M(z) = E[A | Z = z], V(z) = Var[A | Z = z]

where M(z*) = K. The first term is their lower bound, the second what the variance left is worth at the strike. Error
against an accurate method, of the spot: with twelve fixings 5e-7 where the deviation to expiry is 0.3, 4e-6 where it is
0.5 and 3e-5 where it is 1; with fewer, below 1e-4 deviation^3. Where it is 2, 7e-4.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Averages, Fixings, Indices, NodeValues, Offsets, Vanillas, Variances
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, fma, log, select, tail_ratio
from riskpipe.kernels.volatility import smile_of, total_variance

_SQRT_TWO_PI_INVERSE = 0.3989422804014327
# Newton steps to z*; it starts from the strike of the geometric average.
_STEPS = 5
_FARTHEST = 12.0
_LEAST_DEVIATION = 1e-7
# Rows of the scratch array, by scenario.
_SIGMA, _STRIKE, _WHOLE, _LOG, _Z, _LEVEL, _SLOPE, _CURVE, _FIRST, _SECOND, _UP = range(11)
_ROWS = 11


@inline
def _geometric(
    work: FloatArray,
    past_log: float,
    weight: float,
    mean_time: float,
    spread: float,
    strike: float,
    sign: float,
    values: FloatArray,
) -> None:
    """Undiscounted prices on the geometric average.

    :param past_log: logarithm of the past's part of the average; `weight`: 1 / N.
    :param mean_time, spread: sums of t_i / N and of min(t_i, t_j) / N^2.
    """
    for s in range(values.size):
        variance = work[_SIGMA, s] * work[_SIGMA, s]
        mean = fma(weight, work[_LOG, s], past_log)
        # The mean of the average: its logarithm has mean - variance mean_time / 2, and variance variance spread.
        forward = exp(fma(0.5 * variance, spread - mean_time, mean))
        values[s] = black(forward, strike, variance * spread, sign)


@inline
def _root(
    work: FloatArray,
    fixings: NodeValues,
    share: FloatArray,
    weight: float,
    mean_time: float,
    root_spread: float,
    living: int,
) -> None:
    """z*: where the conditional mean of what is to come is the strike that is left for it.

    :param share: float64[m], k_i, so that the logarithm of fixing i has covariance sigma k_i with Z.
    :param living: fixings to come that are not of today.
    """
    forward, position = fixings
    sigma, strike, z = work[_SIGMA], work[_STRIKE], work[_Z]
    level, slope, logs = work[_LEVEL], work[_SLOPE], work[_LOG]
    count = forward.shape[1]
    for s in range(count):
        target = select(strike[s] > 0.0, strike[s], 1.0) / (weight * living)
        # ln G, of the living fixings alone, has mean log / living - sigma^2 mean_time / 2.
        mean = fma(-0.5 * sigma[s] * sigma[s], mean_time, logs[s] / living)
        start = (log(target) - mean) / (sigma[s] * root_spread)
        start = select(start < -_FARTHEST, -_FARTHEST, start)
        z[s] = select(start > _FARTHEST, _FARTHEST, start)
    for _ in range(_STEPS):
        level[:] = 0.0
        slope[:] = 0.0
        for i in range(position.size - living, position.size):
            f, k = forward[position[i]], share[i]
            for s in range(count):
                c = sigma[s] * k
                part = weight * f[s] * exp(c * fma(-0.5, c, z[s]))
                level[s] += part
                slope[s] = fma(part, c, slope[s])
        for s in range(count):
            target = select(strike[s] > 0.0, strike[s], level[s])
            step = log(level[s] / target) * level[s] / slope[s]
            moved = z[s] - step
            moved = select(moved < -_FARTHEST, -_FARTHEST, moved)
            z[s] = select(moved > _FARTHEST, _FARTHEST, moved)


@inline
def _arithmetic(
    work: FloatArray,
    fixings: NodeValues,
    time: FloatArray,
    share: FloatArray,
    weight: float,
    living: int,
    sign: float,
    values: FloatArray,
) -> None:
    """Undiscounted prices on the arithmetic average, z* given: the lower bound and its correction."""
    forward, position = fixings
    sigma, strike, z, slope, curve = work[_SIGMA], work[_STRIKE], work[_Z], work[_SLOPE], work[_CURVE]
    first, second, total, cross = work[_FIRST], work[_SECOND], work[_LEVEL], work[_UP]
    at_strike = work[_LOG]
    count = forward.shape[1]
    for s in range(count):
        square = z[s] * z[s]
        at_strike[s] = exp(-0.5 * square)
        tail = at_strike[s] * tail_ratio(abs(z[s]))
        values[s] = -strike[s] * select(sign * z[s] > 0.0, tail, 1.0 - tail)
        slope[s], curve[s], first[s], second[s], total[s], cross[s] = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    # From the last fixing to the first: total and cross are sums over what is at or after it.
    for i in range(position.size - 1, position.size - living - 1, -1):
        f, k = forward[position[i]], share[i]
        before = time[i - 1] if i > position.size - living else 0.0
        step, square_step = time[i] - before, time[i] * time[i] - before * before
        for s in range(count):
            c = sigma[s] * k
            mean = weight * f[s]
            part = mean * exp(c * fma(-0.5, c, z[s]))
            d = c - z[s]
            # mean times the density at d is part times the density at z.
            tail = part * at_strike[s] * tail_ratio(abs(d))
            values[s] += select(sign * d > 0.0, mean - tail, tail)
            slope[s] = fma(part, k, slope[s])
            curve[s] = fma(part, k * k, curve[s])
            total[s] += part
            cross[s] = fma(part, k, cross[s])
            first[s] = fma(step, total[s] * total[s], first[s])
            second[s] += fma(square_step, total[s] * total[s], -2.0 * step * cross[s] * cross[s])
    for s in range(count):
        variance = sigma[s] * sigma[s]
        # exp(x) - 1 = x + x^2 / 2 of the conditional covariances x.
        left = variance * (first[s] - slope[s] * slope[s])
        left += 0.5 * variance * variance * fma(curve[s], curve[s], second[s])
        values[s] = fma(0.5 * _SQRT_TWO_PI_INVERSE * at_strike[s], left / (sigma[s] * slope[s]), sign * values[s])


@kernel
def asian_options(
    rows: Indices,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    averages: Averages,
    fixings: Fixings,
    out: FloatArray,
) -> None:
    """Present values of Asian options under scenarios.

    :param forward: of the fixings.
    :param variances: one an option.
    :param out: float64[m, S], written.
    """
    forwards, position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    years, is_geometric, count, done, average, certain_part = averages
    offset, time, share = fixings
    work = np.empty((_ROWS, out.shape[1]))
    for i in range(rows.size):
        row = rows[i]
        smile = smile_of(variances, row)
        factors, values = discounts[discount_position[row]], out[i]
        nodes, times = position[offset[row] : offset[row + 1]], time[offset[row] : offset[row + 1]]
        shares_ = share[offset[row] : offset[row + 1]]
        weight, part, side = 1.0 / count[row], done[row] / count[row], sign[row]
        sigma, left, logs, whole = work[_SIGMA], work[_STRIKE], work[_LOG], work[_WHOLE]
        span = years[row] if years[row] > 0.0 else 1.0
        for s in range(values.size):
            sigma[s] = math.sqrt(total_variance(smile, s) / span)
            logs[s] = 0.0
            whole[s] = 0.0
            left[s] = strike[row] - part * average[row]
        if certain_part.shape[0] > 0:
            for s in range(values.size):
                left[s] -= certain_part[i, s]
        living, mean_time, spread = 0, 0.0, 0.0
        for j in range(nodes.size):
            f = forwards[nodes[j]]
            living += 1 if times[j] > 0.0 else 0
            mean_time += times[j]
            spread += times[j] * (2.0 * (nodes.size - j) - 1.0)
            if is_geometric[row] or times[j] > 0.0:
                for s in range(values.size):
                    logs[s] += log(f[s])
            if times[j] > 0.0:
                for s in range(values.size):
                    whole[s] = fma(weight, f[s], whole[s])
            else:
                for s in range(values.size):
                    left[s] = fma(-weight, f[s], left[s])
        if is_geometric[row]:
            past = part * math.log(average[row]) if done[row] > 0.0 else 0.0
            spread *= weight * weight
            _geometric(work, past, weight, weight * mean_time, spread, strike[row], side, values)
        elif living > 0:
            root_spread = math.sqrt(spread) / living
            _root(work, (forwards, nodes), shares_, weight, mean_time / living, root_spread, living)
            _arithmetic(work, (forwards, nodes), times, shares_, weight, living, side, values)
            for s in range(values.size):
                intrinsic = side * (whole[s] - left[s])
                certain = (left[s] <= 0.0) | (sigma[s] * root_spread < _LEAST_DEVIATION)
                # Far from where the correction is small it would go beyond what there is to win.
                most = whole[s] if side > 0.0 else left[s]
                values[s] = select(values[s] > most, most, values[s])
                values[s] = select(certain, select(intrinsic < 0.0, 0.0, intrinsic), values[s])
        else:
            for s in range(values.size):
                intrinsic = -side * left[s]
                values[s] = select(intrinsic < 0.0, 0.0, intrinsic)
        for s in range(values.size):
            values[s] = quantity[row] * factors[s] * values[s]


@kernel
def escrowed_fixings(
    rows: Indices,
    offset: Offsets,
    forward: NodeValues,
    escrows: tuple[FloatArray, Indices],
    count: FloatArray,
    lognormal: FloatArray,
    certain: FloatArray,
) -> None:
    """Fixings of a spot of which a part is escrowed for cash dividends to come (`riskpipe.kernels.dividend_lattice`).

    :param forward: of the fixings.
    :param escrows: C of `riskpipe.kernels.payouts`, float64[m, S]; the last ex date of each fixing, int32[k], -1: none;
        of a trade's last fixing there is one.
    :param count: float64[n], fixings of a trade.
    :param lognormal: float64[j, S], written: what the fixings of the trades have as forwards of their other part.
    :param certain: float64[len(rows), S], written: what the escrowed parts make of the average.
    """
    forwards, position = forward
    escrow, last = escrows
    place = 0
    for i in range(rows.size):
        begin, end = offset[rows[i]], offset[rows[i] + 1]
        whole, weight, known = escrow[last[end - 1]], 1.0 / count[rows[i]], certain[i]
        for s in range(known.size):
            known[s] = 0.0
        for k in range(begin, end):
            f, own = forwards[position[k]], lognormal[place]
            for s in range(known.size):
                gone = escrow[last[k], s] if last[k] >= 0 else 0.0
                own[s] = f[s] * (1.0 - whole[s]) / (1.0 - gone)
                known[s] = fma(weight, f[s] - own[s], known[s])
            place += 1


@kernel
def shares(offset: Offsets, time: FloatArray) -> FloatArray:
    """k_i = sum_j min(t_i, t_j) / sqrt(sum_ij min(t_i, t_j)), over the fixings of each trade; zero where all are now.

    :param time: float64[m], ascending within a trade.
    """
    out = np.zeros(time.size)
    for row in range(offset.size - 1):
        begin, end = offset[row], offset[row + 1]
        spread, before = 0.0, 0.0
        for i in range(begin, end):
            spread += time[i] * (2.0 * (end - i) - 1.0)
        for i in range(begin, end):
            if spread > 0.0:
                out[i] = (before + time[i] * (end - i)) / math.sqrt(spread)
            before += time[i]
    return out
