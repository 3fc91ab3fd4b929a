"""Single barriers on what pays discrete dividends: the escrowed model, from ex date to ex date.

As for American options (`riskpipe.kernels.dividend_lattice`) the spot is a part that moves by a lognormal martingale M,
M(0) = 1, and what the cash dividends to come are worth. Reached is thus a barrier of M that follows growth between ex
dates and leaps at them:

    b(t) = (H / (G(t) A(t)) - C(T) + C(t)) / (1 - C(T))

Between two ex dates ln b is taken as linear, or in pieces where it bends (by the part that dividends are of the spot).
Then y(t) = eta ln(M(t) / b(t)) is a Brownian motion with drift that is killed at zero, with a density in closed form.
After the last ex date the value is one, too (Reiner and Rubinstein 1991); at the earlier ones it is integrated over
this density, by Gauss and Legendre's rule on panels as wide as the densities on both sides allow.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Barriers, Escrows, Indices, NodeValues, Payouts, Vanillas, Variances
from riskpipe.kernels.barrier import gauss, hit_factor, option_part, slow_hit_factor, weighted_tail
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp_normal, fma
from riskpipe.kernels.volatility import smile_of, total_variance

_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(8)
# Of a panel, in deviations of the density that it is for; and how many of these densities and reaches go.
_PANEL, _REACH = 2.5, 6.5
_LEAST_VARIANCE = 1e-10
# Nodes at an ex date at most: panels get wider then.
_MOST_NODES = 4096
# How far ln b may be from a straight line, and in how many pieces that is sought at most.
_BEND, _MOST_PIECES = 2e-6, 8
# Of an interval between ex dates, or a piece of it: variance; drift of y; what y leaps by at its end; -ln of what b
# grows by; the rate over it, and from its start to the expiry; ln b at its start.
_VARIANCE, _DRIFT, _LEAP, _CARRY, _RATE, _LEFT, _LEVEL = range(7)
_COLUMNS = 7


@inline
def _alive_beyond(y: float, drift: float, variance: float, limit: float) -> float:
    """Probability that y gets beyond a limit without having been at zero."""
    deviation = math.sqrt(variance)
    power = -2.0 * drift * y / variance
    direct, mirrored = (y + drift - limit) / deviation, (drift - y - limit) / deviation
    reached = weighted_tail(direct, gauss(-0.5 * direct * direct), 1.0)
    return reached - weighted_tail(mirrored, gauss(fma(-0.5 * mirrored, mirrored, power)), gauss(power))


@inline
def _paid_when_hit(interval: FloatArray, y: float, eta: float) -> float:
    """One unit when the barrier is reached within an interval, at its end at the latest; grown to the expiry."""
    variance, carry, rate = interval[_VARIANCE], interval[_CARRY], interval[_RATE]
    drift, reach = carry - 0.5 * variance, -eta * y
    if fma(2.0 * rate, variance, drift * drift) < 0.0:
        value = slow_hit_factor(reach, carry, rate, variance, eta)
    else:
        value = hit_factor(reach, carry, rate, variance, eta)
    value *= gauss(interval[_LEFT])
    gap = -interval[_LEAP]
    if gap > 0.0:
        alive = _alive_beyond(y, interval[_DRIFT], variance, 0.0)
        fallen = alive - _alive_beyond(y, interval[_DRIFT], variance, gap)
        value += fallen * gauss(interval[_LEFT] - interval[_RATE])
    return value


@inline
def _part(
    ends: tuple[float, float], strike: float, level: float, log_power: float, variance: float, side: float
) -> float:
    """Of (spot - strike) above a level (side +1) or below it, of paths that live until the end of an interval.

    :param ends: forwards to the expiry from a spot, and from the one mirrored in the barrier.
    """
    forward, mirrored = ends
    direct = option_part(forward, strike, level, math.log(forward / level), 0.0, variance, side)
    return direct - option_part(mirrored, strike, level, math.log(mirrored / level), log_power, variance, side)


@inline
def _out(interval: FloatArray, y: float, option: tuple[float, float, float], eta: float) -> float:
    """What an option is worth that lives until the end of the last interval, undiscounted.

    :param option: forward, strike and sign.
    """
    forward, strike, sign = option
    level, variance = interval[_LEVEL], interval[_VARIANCE]
    power = -2.0 * interval[_DRIFT] * y / variance
    ends = forward * gauss(level + eta * y), forward * gauss(level - eta * y)
    edge = forward * gauss(level - interval[_CARRY] + eta * max(-interval[_LEAP], 0.0))
    if sign == eta:
        beyond = max(edge, strike) if eta > 0.0 else min(edge, strike)
        return sign * _part(ends, strike, beyond, power, variance, eta)
    if eta * (strike - edge) <= 0.0:
        return 0.0
    near = _part(ends, strike, edge, power, variance, eta)
    return sign * (near - _part(ends, strike, strike, power, variance, eta))


@kernel
def _last_value(
    interval: FloatArray, y: float, option: tuple[float, float, float], eta: float, rebate: float, is_in: bool
) -> float:
    """At the start of the last interval, grown to the expiry: less the option that is out, for one that comes in."""
    out = _out(interval, y, option, eta)
    if not is_in:
        return out + rebate * (_paid_when_hit(interval, y, eta) if rebate != 0.0 else 0.0)
    alive = _alive_beyond(y, interval[_DRIFT], interval[_VARIANCE], max(-interval[_LEAP], 0.0))
    return rebate * alive - out


@kernel
def _place_nodes(
    window: tuple[float, float], widths: tuple[float, float, float], kink: float, node: FloatArray, weight: FloatArray
) -> int:
    """Nodes and weights of panels that fill a window.

    :param widths: at most; at zero; at the kink. :return: how many there are.
    """
    low, high = window
    widest, at_zero, at_kink = widths
    least = (high - low) * _ROOTS.size / (node.size - _ROOTS.size)
    count, begin = 0, low
    while begin < high:
        width = min(widest, max(at_zero, 0.5 * begin), max(at_kink, 0.5 * abs(begin - kink)))
        half = 0.5 * min(max(width, least), high - begin)
        for j in range(_ROOTS.size):
            node[count + j] = begin + half * (1.0 + _ROOTS[j])
            weight[count + j] = half * _WEIGHTS[j]
        count += _ROOTS.size
        begin += 2.0 * half
        if high - begin <= 1e-12 * (high - low) or count + _ROOTS.size > node.size:
            break
    return count


@inline
def _add_density(y: FloatArray, z: float, drift: float, variance: float, amount: float, out: FloatArray) -> None:
    """Add amount x density of z from y, killed at zero."""
    scale, mean = amount / math.sqrt(2.0 * math.pi * variance), z - drift
    for i in range(y.size):
        away = y[i] - mean
        killed = 2.0 * y[i] * z / variance
        killed = killed if killed < 700.0 else 700.0
        out[i] += scale * exp_normal(-0.5 * away * away / variance) * (1.0 - exp_normal(-killed))


@kernel
def _roll_back(interval: FloatArray, z: FloatArray, value: FloatArray, y: FloatArray, out: FloatArray) -> None:
    """Values at the start of an interval of those at the end of it.

    :param z: float64[m], ascending. :param value: float64[m], times their weights.
    :param y: float64[k], ascending. :param out: float64[k], overwritten.
    """
    drift, variance = interval[_DRIFT], interval[_VARIANCE]
    reach = (_REACH + 1.0) * math.sqrt(variance)
    first, last = 0, 0
    out[:] = 0.0
    for j in range(z.size):
        while first < y.size and y[first] < z[j] - drift - reach:
            first += 1
        last = max(last, first)
        while last < y.size and y[last] <= z[j] - drift + reach:
            last += 1
        _add_density(y[first:last], z[j], drift, variance, value[j], out[first:last])


@kernel
def _value(
    intervals: FloatArray,
    option: tuple[float, float, float],
    barrier: tuple[float, float, bool],
    work: FloatArray,
) -> float:
    """Value today, grown to the expiry, as of `_last_value`.

    :param intervals: float64[m, _COLUMNS]. :param option: forward, strike and sign.
    :param barrier: eta, rebate, and whether it brings in.
    :param work: float64[6, .], scratch.
    """
    (eta, rebate, is_in), last = barrier, intervals.shape[0] - 1
    start = -eta * intervals[0, _LEVEL]
    if last == 0:
        return _last_value(intervals[0], start, option, eta, rebate, is_in)
    total = 0.0
    for k in range(last + 1):
        total += intervals[k, _VARIANCE]
    kink = math.log(option[1] / option[0])
    later, later_count = work[:3], 0
    here, gone = work[3:], total
    mean = start
    for k in range(last + 1):
        mean += intervals[k, _DRIFT] + intervals[k, _LEAP]
    for k in range(last, 0, -1):
        # Nodes at the ex date that interval k begins with, of y after it.
        mean -= intervals[k, _DRIFT] + intervals[k, _LEAP]
        gone -= intervals[k, _VARIANCE]
        leap = intervals[k - 1, _LEAP]
        reach = fma(_REACH, math.sqrt(gone), gone)
        low, high = max(max(leap, 0.0), mean - reach), mean + reach
        node, weight, value = here[0], here[1], here[2]
        count = 0
        if low < high:
            widths = (
                _PANEL * math.sqrt(intervals[k - 1, _VARIANCE]),
                _PANEL * math.sqrt(intervals[k, _VARIANCE]),
                _PANEL * math.sqrt(total - gone),
            )
            at = eta * (kink - intervals[k, _LEVEL])
            count = _place_nodes((low, high), widths, at, node, weight)
        if k == last:
            for i in range(count):
                value[i] = _last_value(intervals[k], node[i], option, eta, rebate, is_in)
        else:
            _roll_back(intervals[k], later[0, :later_count], later[2, :later_count], node[:count], value[:count])
            if rebate != 0.0 and not is_in:
                for i in range(count):
                    value[i] += rebate * _paid_when_hit(intervals[k], node[i], eta)
        for i in range(count):
            value[i] *= weight[i]
            node[i] -= leap
        here, later, later_count = later, here, count
    _roll_back(intervals[0], later[0, :later_count], later[2, :later_count], np.full(1, start), here[2, :1])
    value_now = float(here[2, 0])
    if rebate != 0.0 and not is_in:
        value_now += rebate * _paid_when_hit(intervals[0], start, eta)
    return value_now


@inline
def _level(barrier: float, grown: float, left: float, ahead: float, whole: float, floor: float) -> float:
    """ln b; where the dividends to come are worth more than the barrier it is out of reach."""
    return math.log(max((barrier / (grown * left) - ahead) / (1.0 - whole), floor))


@inline
def _fill_intervals(
    intervals: FloatArray,
    events: tuple[int, int],
    market: tuple[float, float, float, float, float],
    barrier: tuple[float, float],
    escrows: Escrows,
    s: int,
) -> int:
    """:param market: years to the expiry, the spot, the forward without discrete dividends, variance, rate to it.
    :param barrier: its level, and eta.
    :return: how many intervals there are.
    """
    time, grown, kept, escrow = escrows
    first, last = events
    years, level, end_level, variance, rate = market
    height, eta = barrier
    whole = escrow[last - 1, s]
    floor = math.exp(fma(-12.0, math.sqrt(variance), -0.5 * variance))
    begin, left, gone, count = 0.0, 1.0, 0.0, 0
    for k in range(first, last + 1):
        end = time[k] if k < last else years
        if k == last and end <= begin:
            break
        next_level = grown[k, s] if k < last else end_level
        ahead = whole - gone
        from_ = _level(height, level, left, ahead, whole, floor)
        to = _level(height, next_level, left, ahead, whole, floor)
        bend = abs(_level(height, math.sqrt(level * next_level), left, ahead, whole, floor) - 0.5 * (from_ + to))
        pieces = min(max(math.ceil(math.sqrt(bend / _BEND)), 1), _MOST_PIECES)
        share = (end - begin) / years / pieces
        at = from_
        for piece in range(pieces):
            row = intervals[count]
            count += 1
            until = to
            if piece < pieces - 1:
                reached = level * (next_level / level) ** ((piece + 1.0) / pieces)
                until = _level(height, reached, left, ahead, whole, floor)
            row[_VARIANCE], row[_RATE] = variance * share, rate * share
            row[_LEFT] = rate * (1.0 - begin / years - share * piece)
            row[_LEVEL], row[_CARRY], row[_LEAP] = at, at - until, 0.0
            row[_DRIFT] = eta * fma(-0.5, row[_VARIANCE], row[_CARRY])
            at = until
        if k < last:
            left, gone = kept[k, s], escrow[k, s]
            row[_LEAP] = eta * (to - _level(height, next_level, left, whole - gone, whole, floor))
        begin, level = end, next_level
    return count


@kernel
def barriers_with_dividends(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    barriers: Barriers,
    payouts: Payouts,
    out: FloatArray,
) -> None:
    """Present values of barrier options with ex dates until their expiry; NaN where dividends are worth the spot.

    On the ex date the barrier is watched before the fall of the spot and after it.

    :param forward: to the expiry, less dividends. :param variances: one an option.
    :param options: what they are without the barrier.
    :param payouts: of the trades `rows`, one ex date at least.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    barrier, rebate, eta, is_in, knocked, _ = barriers
    first, last, years, escrows = payouts
    kept, escrow = escrows[2], escrows[3]
    most = 0
    for i in range(rows.size):
        most = max(most, last[i] - first[i])
    intervals = np.empty(((most + 1) * _MOST_PIECES, _COLUMNS))
    work = np.empty((6, _MOST_NODES))
    for i in range(rows.size):
        row = rows[i]
        s0, f0, d0 = spots[spot_position[row]], forwards[forward_position[row]], discounts[discount_position[row]]
        smile, side, k, h = smile_of(variances, row), sign[row], strike[row], barrier[row]
        direction, inside, paid = eta[row], is_in[row], rebate[row]
        values = out[i]
        if knocked[row] and not inside:
            values[:] = 0.0
            continue
        for s in range(values.size):
            f, v = f0[s], total_variance(smile, s)
            if not (f > 0.0 and f < math.inf and v >= 0.0 and v < math.inf and d0[s] > 0.0 and s0[s] > 0.0):
                values[s] = math.nan
                continue
            vanilla = black(f, k, v, side) if inside else 0.0
            if knocked[row] or direction * (s0[s] - h) <= 0.0:
                values[s] = quantity[row] * (d0[s] * vanilla if inside else paid)
                continue
            left = kept[last[i] - 1, s] * (1.0 - escrow[last[i] - 1, s])
            market = years[i], s0[s], f / left, max(v, _LEAST_VARIANCE), -math.log(d0[s])
            count = _fill_intervals(intervals, (first[i], last[i]), market, (h, direction), escrows, s)
            value = _value(intervals[:count], (f, k, side), (direction, paid, inside), work)
            values[s] = quantity[row] * d0[s] * (vanilla + value)
