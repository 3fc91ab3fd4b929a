"""American options on what pays discrete dividends: the escrowed model, on a trinomial lattice.

The spot is a part that moves by a lognormal martingale M, M(0) = 1, and what the cash dividends to come until the
expiry T are worth. With G, A and C of `riskpipe.kernels.payouts`, A(t) and C(t) at the last ex date up to t,

    S(t) = G(t) A(t) ((1 - C(T)) M(t) + C(T) - C(t))

so that S(T) = F(T) M(T): a European option is worth what Black's formula makes of the forward. (Haug, Haug and Lewis,
Back to basics: a new approach to the discrete dividend problem, 2003, tell the model's history.)

The lattice is of M alone, the same at all times: exercise pays a M + b with a and b of the time. Its steps end at the
ex dates, where a holder may exercise before the fall of the spot or after it. Prices are European a step before the
expiry, and extrapolated in the number of steps (Broadie and Detemple 1996). Where exercise just before an ex date
begins to pay, values have a kink between two nodes; what the lattice's sums are off by for it (Euler and Maclaurin, to
the third power of a node's width) is given to these two.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Escrows, Indices, NodeValues, Payouts, Vanillas, Variances
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import fma, select
from riskpipe.kernels.volatility import smile_of, total_variance

STEPS = 256
"""Of the coarse lattice, and as many more as there are ex dates at most; the fine one has twice as many."""
_FINE = 2
# Deviations to the expiry that the lattice reaches, and the least variance to it.
_REACH = 6.5
_LEAST_VARIANCE = 1e-12
# Of an interval between ex dates: its end in years, its length, its steps on the coarse lattice; the forward without
# discrete dividends at its start and end; and of that, a and b.
_LENGTH, _STEPS, _BEGIN, _END, _SLOPE, _OFFSET = range(6)
_COLUMNS = 6


@inline
def _exercise(now: FloatArray, node: FloatArray, slope: float, offset: float) -> None:
    """Values and what exercise pays, whichever is more."""
    for j in range(now.size):
        pays = fma(slope, node[j], offset)
        now[j] = select(pays > now[j], pays, now[j])


@inline
def _roll(
    now: FloatArray,
    later: FloatArray,
    node: FloatArray,
    weights: tuple[float, float, float],
    pays: tuple[float, float],
) -> None:
    """A step backwards, and exercise. :param later: two nodes more than `now`."""
    (down, middle, up), (slope, offset) = weights, pays
    below, same, above = later[: now.size], later[1 : now.size + 1], later[2 : now.size + 2]
    for j in range(now.size):
        held = fma(up, above[j], fma(middle, same[j], down * below[j]))
        gained = fma(slope, node[j], offset)
        now[j] = select(gained > held, gained, held)


@kernel
def _exercise_at_kink(now: FloatArray, gain: FloatArray, node: FloatArray, slope: float, offset: float) -> None:
    """`_exercise` just before an ex date, where values have a kink that their sums over the nodes are to see.

    :param gain: scratch, of the size of the others.
    """
    for j in range(now.size):
        gain[j] = fma(slope, node[j], offset) - now[j]
        now[j] += select(gain[j] > 0.0, gain[j], 0.0)
    for j in range(1, now.size - 2):
        if (gain[j] > 0.0) == (gain[j + 1] > 0.0):
            continue
        # The gain from the node where there is none, through a cubic.
        rises = gain[j + 1] > 0.0
        f0, f1, f2, f3 = gain[j - 1], gain[j], gain[j + 1], gain[j + 2]
        if not rises:
            f0, f1, f2, f3 = f3, f2, f1, f0
        c1, c2, c3 = (
            f2 - f1 / 2.0 - f0 / 3.0 - f3 / 6.0,
            0.5 * (f0 - 2.0 * f1 + f2),
            (f3 - 3.0 * f2 + 3.0 * f1 - f0) / 6.0,
        )
        at = f1 / (f1 - f2)
        for _ in range(4):
            at -= (f1 + at * (c1 + at * (c2 + at * c3))) / (c1 + at * (2.0 * c2 + 3.0 * at * c3))
            at = min(max(at, 0.0), 1.0)
        first, second = c1 + at * (2.0 * c2 + 3.0 * at * c3), 2.0 * c2 + 6.0 * at * c3
        # Bernoulli's polynomials: what the sum over the nodes lacks, and its moment about the kink.
        two, three = at * at - at + 1.0 / 6.0, at * (at * (at - 1.5) + 0.5)
        mass, moment = 0.5 * first * two - second * three / 6.0, -first * three / 3.0
        near, far = (1.0 - at) * mass - moment, moment + at * mass
        now[j] += near if rises else far
        now[j + 1] += far if rises else near


@kernel
def _lattice(
    intervals: FloatArray,
    option: tuple[float, float, float],
    rate: float,
    variance: float,
    split: int,
    work: FloatArray,
) -> float:
    """Value today on a lattice of `split` times the coarse steps.

    :param intervals: float64[m + 1, _COLUMNS], between ex dates; the last ends at the expiry.
    :param option: forward, strike and sign. :param rate: to the expiry, a year; `variance` a year.
    :param work: float64[3, .], scratch.
    """
    forward, strike, sign = option
    last, longest = intervals.shape[0] - 1, 0.0
    total, years = 0, 0.0
    for k in range(last + 1):
        if intervals[k, _STEPS] > 0.0:
            longest = max(longest, intervals[k, _LENGTH] / (split * intervals[k, _STEPS]))
        total += int(split * intervals[k, _STEPS])
        years += intervals[k, _LENGTH]
    widest = variance * longest
    width = math.sqrt(3.0 * fma(0.25 * widest, widest, widest))
    up_move = math.exp(width)
    most = min(int(_REACH * math.sqrt(variance * years) / width) + 2, work.shape[1] // 2 - 2)
    centre = work.shape[1] // 2
    now, later, node = work[0], work[1], work[2]
    node[centre] = 1.0
    for j in range(1, most + 2):
        node[centre + j] = node[centre + j - 1] * up_move
        node[centre - j] = node[centre - j + 1] / up_move
    ahead, left = 0.0, total
    for k in range(last, -1, -1):
        steps = int(split * intervals[k, _STEPS])
        slope, offset = intervals[k, _SLOPE], intervals[k, _OFFSET]
        if left < total:
            grown = intervals[k, _END]
            reach = min(left, most)
            here = slice(centre - reach, centre + reach + 1)
            _exercise_at_kink(
                now[here], later[here], node[here], sign * grown * slope, sign * (grown * offset - strike)
            )
        if steps == 0:
            continue
        step = intervals[k, _LENGTH] / steps
        spread = variance * step
        moves = fma(0.25 * spread, spread, spread) / (width * width)
        held = math.exp(-rate * step)
        up = held * moves / (1.0 + up_move)
        weights = up * up_move, held * (1.0 - moves), up
        growth = (intervals[k, _BEGIN] / intervals[k, _END]) ** (1.0 / steps)
        grown = intervals[k, _END]
        for i in range(steps):
            left -= 1
            ahead += step
            grown = grown * growth if i < steps - 1 else intervals[k, _BEGIN]
            pays = sign * grown * slope, sign * (grown * offset - strike)
            reach = min(left, most)
            here = slice(centre - reach, centre + reach + 1)
            if left == total - 1:
                values, level = now[here], node[here]
                for j in range(values.size):
                    values[j] = held * black(forward * level[j], strike, spread, sign)
                _exercise(values, level, pays[0], pays[1])
                continue
            now, later = later, now
            if min(left + 1, most) == reach:
                # Beyond the reach an option is worth what is certain of it.
                certain = math.exp(-rate * (ahead - step))
                for j in (centre - reach - 1, centre + reach + 1):
                    later[j] = max(certain * sign * (forward * node[j] - strike), 0.0)
            wider = slice(centre - reach - 1, centre + reach + 2)
            _roll(now[here], later[wider], node[here], weights, pays)
    return float(now[centre])


@inline
def _fill_intervals(
    intervals: FloatArray,
    events: tuple[int, int],
    years: float,
    ends: tuple[float, float],
    escrows: Escrows,
    s: int,
) -> None:
    """:param ends: the spot, and the forward without discrete dividends at the expiry."""
    time, grown, kept, escrow = escrows
    first, last = events
    whole = escrow[last - 1, s] if last > first else 0.0
    begin, level, left, gone = 0.0, ends[0], 1.0, 0.0
    for k in range(last - first + 1):
        ex = first + k
        end = time[ex] if ex < last else years
        intervals[k, _LENGTH] = end - begin
        intervals[k, _STEPS] = math.ceil((end - begin) / years * STEPS - 1e-9)
        intervals[k, _BEGIN] = level
        intervals[k, _SLOPE], intervals[k, _OFFSET] = left * (1.0 - whole), left * (whole - gone)
        level = grown[ex, s] if ex < last else ends[1]
        intervals[k, _END] = level
        if ex < last:
            begin, left, gone = end, kept[ex, s], escrow[ex, s]


@kernel
def american_with_dividends(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    payouts: Payouts,
    out: FloatArray,
) -> None:
    """Present values of American options with ex dates until their expiry; NaN where dividends are worth the spot.

    :param forward: to the expiry, less dividends.
    :param variances: one an option.
    :param payouts: of the trades `rows`, one ex date at least.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    first, last, years, escrows = payouts
    kept, escrow = escrows[2], escrows[3]
    most = 0
    for i in range(rows.size):
        most = max(most, last[i] - first[i])
    intervals = np.empty((most + 1, _COLUMNS))
    work = np.empty((3, 2 * int(_REACH * math.sqrt(_FINE * (STEPS + most) / 3.0)) + 16))
    for i in range(rows.size):
        row = rows[i]
        s0, f0, d0 = spots[spot_position[row]], forwards[forward_position[row]], discounts[discount_position[row]]
        smile, side, k, whole = smile_of(variances, row), sign[row], strike[row], years[i]
        begin, end = first[i], last[i]
        # A call is exercised before the fall of its last day, as if that were of later.
        if side > 0.0 and escrows[0][end - 1] >= whole:
            end -= 1
        values = out[i]
        for s in range(values.size):
            left = kept[last[i] - 1, s] * (1.0 - escrow[last[i] - 1, s])
            grown, f = f0[s] / left, f0[s]
            if end < last[i]:
                f = grown * kept[end - 1, s] * (1.0 - escrow[end - 1, s]) if end > begin else grown
            v = total_variance(smile, s)
            if not (f > 0.0 and f < math.inf and v >= 0.0 and v < math.inf and d0[s] > 0.0):
                values[s] = math.nan
                continue
            rate, v = -math.log(d0[s]) / whole, max(v, _LEAST_VARIANCE) / whole
            used = intervals[: end - begin + 1]
            _fill_intervals(used, (begin, end), whole, (s0[s], grown), escrows, s)
            fine = _lattice(used, (f, k, side), rate, v, _FINE, work)
            values[s] = quantity[row] * (2.0 * fine - _lattice(used, (f, k, side), rate, v, 1, work))
