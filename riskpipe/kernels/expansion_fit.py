"""Expansions of exercise boundaries about the base scenario, see `riskpipe.kernels.expansion`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Exercise, Expansions, Indices, NodeValues, Vanillas, Variances
from riskpipe.kernels.boundary import (
    DIVIDEND,
    FAST,
    LANES,
    PARAMETERS,
    RATE,
    SIGMA,
    STEPS,
    boundaries,
    factors,
    images,
    parameters,
    pull_of,
    scratch,
)
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.expansion import AT_BEND, UNMOVED, chord, weight_of
from riskpipe.kernels.put_terms import DIVIDEND_TERM, FAR_BOUNDARY, RATE_TERM, TERMS, normalise, regime_of
from riskpipe.kernels.volatility import smile_of, total_variance

# Parameters of which there are products.
_PAIRS = ((0, 1), (0, 2), (1, 2))
# Steps in a node's distance and in a parameter's unit for first derivatives; in its unit for the others.
_STEP, _SMALL, _FAR = 1e-6, 1e-5, 0.1
# A carry below so much of the rates is at the bend where they are equal.
_BEND = 1e-3
# What the last step to the base boundary may be worth: it squares what is left.
_SOLVED = 1e-6


@inline
def _invert(matrix: FloatArray, inverse: FloatArray) -> None:
    """Gauss-Jordan, with the largest pivot of each column; `matrix` is overwritten."""
    n = len(matrix)
    inverse[:] = 0.0
    for i in range(n):
        inverse[i, i] = 1.0
    for column in range(n):
        best = column
        for i in range(column + 1, n):
            best = i if abs(matrix[i, column]) > abs(matrix[best, column]) else best
        for j in range(n):
            matrix[column, j], matrix[best, j] = matrix[best, j], matrix[column, j]
            inverse[column, j], inverse[best, j] = inverse[best, j], inverse[column, j]
        scale = 1.0 / matrix[column, column]
        for j in range(n):
            matrix[column, j] *= scale
            inverse[column, j] *= scale
        for i in range(n):
            if i != column:
                much = matrix[i, column]
                for j in range(n):
                    matrix[i, j] -= much * matrix[column, j]
                    inverse[i, j] -= much * inverse[column, j]


@inline
def _units(origin: FloatArray, unit: FloatArray) -> None:
    """In which the moves of sigma, rate and carry are told: carries do not go to zero, where the boundary bends."""
    sigma, rate, carry = origin[0], origin[1], origin[2]
    largest = max(rate, abs(rate - carry))
    unit[0], unit[1] = sigma, max(rate, 0.01 * largest)
    unit[2] = largest if abs(carry) <= _BEND * largest else min(largest, 2.0 * abs(carry))


@inline
def _lane(work: FloatArray, n: int, lane: int, at: FloatArray, boundary: FloatArray) -> None:
    """One lane's parameters and boundary."""
    work[SIGMA, lane], work[RATE, lane], work[DIVIDEND, lane] = at[0], at[1], at[1] - at[2]
    for i in range(n):
        work[PARAMETERS + n + i, lane] = boundary[i]
        work[PARAMETERS + i, lane] = boundary[i] * boundary[i]


@inline
def _slopes(work: FloatArray, scheme: Scheme, members: NDArray[np.int64], expansions: Expansions) -> None:
    """Inverse Jacobians and first derivatives of some options, n + 7 lanes each."""
    _, kind, origin, unit, _, terms, inverse = expansions
    n = scheme.time.size
    width = n + 7
    at, moved, matrix = np.empty(3), np.empty(n), np.empty((n, n))
    for t in range(members.size):
        option = members[t]
        for j in range(width):
            at[:] = origin[option]
            moved[:] = terms[option, 0, :n]
            if j < n:
                moved[j] *= 1.0 + _STEP
            elif j > n:
                side, parameter = 1.0 if (j - n) % 2 else -1.0, (j - n - 1) // 2
                at[parameter] += side * _SMALL * unit[option, parameter]
            _lane(work, n, t * width + j, at, moved)
    lanes = members.size * width
    parameters(work, lanes)
    factors(work, scheme, lanes)
    images(work, scheme, lanes, False)
    for t in range(members.size):
        option, first = members[t], t * width
        image = work[PARAMETERS + 2 * n : PARAMETERS + 3 * n, first : first + width]
        y = terms[option, 0]
        for i in range(n):
            for j in range(n):
                matrix[i, j] = (1.0 if i == j else 0.0) - (image[i, j] - image[i, n]) / (_STEP * y[j])
        _invert(matrix, inverse[option])
        for i in range(n):
            moved[i] = image[i, n] - y[i]
        worth = 0.0
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += inverse[option, i, j] * moved[j]
            y[i] += total
            worth += scheme.share[i] * abs(total)
            for parameter in range(3):
                total = 0.0
                for j in range(n):
                    ahead, behind = image[j, n + 1 + 2 * parameter], image[j, n + 2 + 2 * parameter]
                    total += inverse[option, i, j] * (ahead - behind)
                terms[option, 1 + parameter, i] = total / (2.0 * _SMALL)
        worth *= weight_of(origin[option, 0], origin[option, 1], origin[option, 1] - origin[option, 2])
        if not worth <= _SOLVED:
            kind[option] = -1


@inline
def _curvatures(work: FloatArray, scheme: Scheme, members: NDArray[np.int64], expansions: Expansions) -> None:
    """Second derivatives and the size of the third of some options, from boundaries at twelve points each."""
    _, _, origin, unit, _, terms, inverse = expansions
    n = scheme.time.size
    at, moved = np.empty(3), np.empty(n)
    for t in range(members.size):
        option = members[t]
        for j in range(12):
            side = 1.0 if j % 2 == 0 else -1.0
            at[:] = origin[option]
            moved[:] = terms[option, 0, :n]
            for parameter in range(3):
                if _is_moved(j // 2, parameter):
                    at[parameter] += side * _FAR * unit[option, parameter]
                    for i in range(n):
                        moved[i] = max(moved[i] + side * _FAR * terms[option, 1 + parameter, i], 0.5 * moved[i])
            _lane(work, n, 12 * t + j, at, moved)
            work[STEPS, 12 * t + j] = 2.0
    lanes = 12 * members.size
    parameters(work, lanes)
    factors(work, scheme, lanes)
    for taken in range(2):
        images(work, scheme, lanes, False)
        for t in range(members.size):
            chord(work, scheme, inverse[members[t]], 12 * t, 12 * t + 12, taken)
    for t in range(members.size):
        y = work[PARAMETERS + n : PARAMETERS + 2 * n, 12 * t : 12 * t + 12]
        _fit(y, scheme, members[t], expansions)


@inline
def _is_moved(point: int, parameter: int) -> bool:
    """Whether a parameter is another at a point (pair of points): each alone, then two at a time."""
    if point < 3:
        return point == parameter
    return parameter == _PAIRS[point - 3][0] or parameter == _PAIRS[point - 3][1]


@inline
def _fit(y: FloatArray, scheme: Scheme, option: int, expansions: Expansions) -> None:
    """One option's second derivatives and reach.

    :param y: float64[n, 12], boundaries at points ahead and behind.
    """
    _, _, origin, unit, reach, terms, _ = expansions
    square = _FAR * _FAR
    off = np.zeros(6)
    for i in range(len(y)):
        still = terms[option, 0, i]
        for point in range(6):
            ahead, behind = y[i, 2 * point], y[i, 2 * point + 1]
            even, odd = 0.5 * (ahead + behind) - still, 0.5 * (ahead - behind)
            for parameter in range(3):
                if _is_moved(point, parameter):
                    odd -= _FAR * terms[option, 1 + parameter, i]
                    even -= square * terms[option, 4 + parameter, i] if point >= 3 else 0.0
            terms[option, 4 + point, i] = even / square
            if point < 3:
                terms[option, 10 + point, i] = odd / (square * _FAR)
            off[point] += scheme.share[i] * abs(odd)
    weight = weight_of(origin[option, 0], origin[option, 1], origin[option, 1] - origin[option, 2])
    for point in range(3):
        reach[option, point] = (weight * off[point]) ** (1.0 / 3.0) / _FAR
    at_bend = abs(origin[option, 2]) <= _BEND * unit[option, 2]
    for point in range(3, 4 if at_bend else 6):
        i, j = _PAIRS[point - 3]
        both = (weight * off[point]) ** (1.0 / 3.0) / _FAR
        larger = max(1.0, both / (reach[option, i] + reach[option, j]))
        reach[option, i] *= larger
        reach[option, j] *= larger
    if at_bend:
        for coefficient in (3, 6, 8, 9, 12):
            terms[option, coefficient] = 0.0
        reach[option, 2] = AT_BEND


@inline
def _expand(work: FloatArray, scheme: Scheme, members: NDArray[np.int64], expansions: Expansions, moves: bool) -> None:
    """Expansions of at most `LANES` options that have one scheme."""
    _, _, origin, unit, reach, terms, _ = expansions
    n, lanes = scheme.time.size, members.size
    for k in range(lanes):
        _units(origin[members[k]], unit[members[k]])
        _lane(work, n, k, origin[members[k]], terms[members[k], 0])
    boundaries(work, scheme, lanes, 2 * scheme.sweeps)
    for k in range(lanes):
        for i in range(n):
            terms[members[k], 0, i] = work[PARAMETERS + n + i, k]
    at_a_time = LANES // (n + 7)
    for begin in range(0, lanes, at_a_time):
        some = members[begin : begin + at_a_time]
        _slopes(work, scheme, some, expansions)
        if moves:
            _curvatures(work, scheme, some, expansions)
        else:
            for k in range(some.size):
                reach[some[k]] = UNMOVED


@kernel
def base_regimes(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    expansions: Expansions,
) -> None:
    """Kind and origin of the expansions of the American options `rows`, from the base scenario, the only one given.

    :param expansions: of `unexpanded`; the nodes do not matter.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    place, kind, origin, _, _, _, _ = expansions
    strike, sign, _ = options
    base = np.empty((TERMS, 1))
    for k in range(rows.size):
        row = rows[k]
        option = place[row]
        levels, f, d = spots[spot_position[row]], forwards[forward_position[row]], discounts[discount_position[row]]
        normalise(base, levels, f, d, strike[row], sign[row])
        sigma = math.sqrt(total_variance(smile_of(variances, row), 0))
        rate, dividend = base[RATE_TERM, 0], base[DIVIDEND_TERM, 0]
        origin[option, 0], origin[option, 1], origin[option, 2] = sigma, rate, rate - dividend
        regime = regime_of(sigma, rate, dividend)
        kind[option] = regime if regime <= FAR_BOUNDARY and pull_of(sigma, rate, dividend) <= FAST else -1


@kernel
def expand_boundaries(exercise: Exercise, moves: bool) -> None:
    """Make the expansions of those options that have a kind and an origin.

    :param moves: scenarios move the parameters; else there is the base boundary alone, which takes half the time.
    :param exercise: room for as many nodes as any of these options' schemes has.
    """
    schemes, expansions = exercise
    kind = expansions[1]
    work, members = scratch(schemes[1]), np.empty(kind.size, np.int64)
    for regime in range(2):
        count = 0
        for option in range(kind.size):
            if kind[option] == regime:
                members[count] = option
                count += 1
        for begin in range(0, count, LANES):
            _expand(work, schemes[regime], members[begin : min(begin + LANES, count)], expansions, moves)
