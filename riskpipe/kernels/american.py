"""American options: Andersen, Lake and Offengenden, Fast American Option Pricing (2016).

Everything is of a put with strike and time to expiry one, see `riskpipe.kernels.put_terms`. Regimes of a put:

- rate > 0, or rate = 0 > dividend: one boundary, found by collocation, on more nodes where dividend < 0: it then goes
  farther than its cheap polynomial follows;
- rate <= 0 and dividend >= rate: never exercised early, the European price;
- dividend < rate < 0: exercised between two boundaries (`riskpipe.kernels.two_boundaries`); where the drift is of tens
  of deviations, and these are not found, by a lattice (`riskpipe.kernels.lattice`).

A boundary comes from that of the base scenario (`riskpipe.kernels.expansion`), or from cold. Of an option few scenarios
need the latter: those of many options wait for each other, and are solved for as lanes of whole vectors.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Exercise, Expansions, Indices, NodeValues, Offsets, Vanillas, Variances
from riskpipe.kernels.black import black
from riskpipe.kernels.boundary import (
    DIVIDEND,
    LANES,
    PARAMETERS,
    RATE,
    SIGMA,
    START,
    STEPS,
    WORTH,
    boundaries,
    factors,
    images,
    parameters,
    scratch,
)
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.exercise_premium import add_premiums
from riskpipe.kernels.expansion import SETTLED, chord, predict, steps_of
from riskpipe.kernels.lattice import lattice_put
from riskpipe.kernels.mathematics import select
from riskpipe.kernels.put_terms import (
    BOUNDARY,
    CERTAIN,
    DIVIDEND_TERM,
    EUROPEAN,
    FAR_BOUNDARY,
    MONEYNESS,
    ONE_BOUNDARY,
    PREMIUM,
    RATE_TERM,
    SIGMA_TERM,
    SPOT,
    STEPS_TERM,
    TERMS,
    TWO_BOUNDARIES,
    WHOLE,
    certain_put,
    normalise,
    regime_of,
)
from riskpipe.kernels.two_boundaries import two_boundary_put
from riskpipe.kernels.volatility import smile_of, total_variance

# Lanes below which vectors do not pay.
_FEW = 3
# Scenarios that may wait for a boundary from cold, beside those of one option.
_WAITING = 8 * LANES
# In the place of steps: the scenario waits.
_QUEUED = -2.0


@inline
def _lanes(work: FloatArray, terms: FloatArray, first: Offsets) -> int:
    """Parameters of the scenarios first[0], first[1] ..., in a lane each; how many lanes to work with."""
    lanes = first.size - 1
    # A few lanes take the scalar tails of loops; more are filled up to whole vectors with the last one.
    padded = lanes if lanes < _FEW else (lanes + 7) // 8 * 8
    for k in range(padded):
        s = first[min(k, lanes - 1)]
        work[SIGMA, k] = terms[SIGMA_TERM, s]
        work[RATE, k] = terms[RATE_TERM, s]
        work[DIVIDEND, k] = terms[DIVIDEND_TERM, s]
        work[STEPS, k], work[WORTH, k] = terms[STEPS_TERM, s], 0.0
    return padded


@inline
def _solve(
    scratches: tuple[FloatArray, FloatArray],
    scheme: Scheme,
    terms: FloatArray,
    first: Offsets,
    one_each: bool,
    option: int,
    expansions: Expansions,
) -> None:
    """Boundaries of the scenarios first[0], first[1] ... from the expansion of `option`, and the premium of every
    scenario.

    A boundary that does not settle is NaN.

    :param scratches: of `scratch`, and float64[4, LANES].
    :param first: int64[lanes + 1], the first scenario of each lane, and the end of the last.
    """
    work, quadrature = scratches
    lanes, padded = first.size - 1, _lanes(work, terms, first)
    most = 0
    for k in range(lanes):
        most = max(most, int(work[STEPS, k]))
    parameters(work, padded)
    predict(work, option, expansions, scheme.time.size, padded)
    if most > 0:
        factors(work, scheme, padded)
    for taken in range(most):
        images(work, scheme, padded, False)
        chord(work, scheme, expansions[6][option], 0, padded, taken)
    add_premiums(work, quadrature, scheme, lanes, first, terms, one_each)
    last = work[PARAMETERS + 2 * scheme.time.size - 1]
    for k in range(lanes):
        settled = work[WORTH, k] <= SETTLED[int(work[STEPS, k])]
        for s in range(first[k], first[k + 1]):
            terms[BOUNDARY, s] = work[START, k] - last[k] if settled else math.nan


@inline
def _same(terms: FloatArray, s: int, t: int) -> bool:
    """Whether two scenarios have the same boundary."""
    rates = terms[RATE_TERM, s] == terms[RATE_TERM, t] and terms[DIVIDEND_TERM, s] == terms[DIVIDEND_TERM, t]
    return bool(rates and terms[SIGMA_TERM, s] == terms[SIGMA_TERM, t])


@inline
def _mostly_other(terms: FloatArray, count: int) -> bool:
    """Whether most of the first scenarios have another boundary than the one before."""
    distinct = 1
    for s in range(1, count):
        distinct += 0 if _same(terms, s, s - 1) else 1
    return bool(2 * distinct > count)


@inline
def _solve_all(
    scratches: tuple[FloatArray, FloatArray],
    scheme: Scheme,
    terms: FloatArray,
    count: int,
    first: Offsets,
    option: int,
    expansions: Expansions,
) -> None:
    """Premiums of one option in the first scenarios; a boundary serves the next ones until another is needed."""
    one_each = _mostly_other(terms, count)
    lanes = 0
    for s in range(count + 1):
        other = s < count and (s == 0 or one_each or not _same(terms, s, s - 1))
        if s == count or (other and lanes == LANES):
            first[lanes] = s
            _solve(scratches, scheme, terms, first[: lanes + 1], one_each, option, expansions)
            lanes = 0
        if other:
            first[lanes] = s
            lanes += 1


@inline
def _without_boundary(terms: FloatArray, s: int, regime: int) -> float:
    """Value of the put in regimes that have no boundary, or two."""
    sigma, rate, dividend = terms[SIGMA_TERM, s], terms[RATE_TERM, s], terms[DIVIDEND_TERM, s]
    if regime == CERTAIN:
        return certain_put(terms[SPOT, s], rate, dividend)
    if regime != TWO_BOUNDARIES:
        return math.nan
    value = two_boundary_put(terms[SPOT, s], rate, dividend, sigma)
    return value if abs(value) < math.inf else lattice_put(terms[SPOT, s], rate, dividend, sigma * sigma)


@inline
def _packed(
    terms: FloatArray,
    regime: NDArray[np.int8],
    wanted: int,
    steps: tuple[int, int],
    packed: FloatArray,
    place: Offsets,
) -> int:
    """Scenarios of a regime that take steps [begin, stop), side by side and in order of steps; how many they are."""
    count = 0
    for taken in range(steps[0], steps[1]):
        for s in range(regime.size):
            if regime[s] == wanted and terms[STEPS_TERM, s] == taken:
                packed[:, count] = terms[:, s]
                place[count] = s
                count += 1
    return count


@inline
def _exercise(
    scratches: tuple[FloatArray, FloatArray],
    exercise: Exercise,
    terms: FloatArray,
    packed: FloatArray,
    first: Offsets,
    regime: NDArray[np.int8],
    place: Offsets,
    option: int,
) -> None:
    """The rows premium and boundary where the expansion serves, and the row whole where there is not one boundary.

    The others keep -1 steps.

    :param packed, place: as `terms`, and of the scenarios, scratch.
    """
    schemes, expansions = exercise
    kind = expansions[1][option]
    for s in range(regime.size):
        terms[STEPS_TERM, s] = -1.0
        if regime[s] > FAR_BOUNDARY:
            terms[WHOLE, s] = _without_boundary(terms, s, regime[s])
        elif regime[s] == kind:
            sigma, rate, dividend = terms[SIGMA_TERM, s], terms[RATE_TERM, s], terms[DIVIDEND_TERM, s]
            terms[STEPS_TERM, s] = steps_of(option, expansions, sigma, rate, dividend)
    count = _packed(terms, regime, kind, (0, len(SETTLED)), packed, place)
    if count == 0:
        return
    _solve_all(scratches, schemes[kind], packed, count, first, option, expansions)
    for k in range(count):
        s = place[k]
        if math.isnan(packed[BOUNDARY, k]):
            terms[STEPS_TERM, s] = -1.0
        else:
            terms[PREMIUM, s], terms[BOUNDARY, s] = packed[PREMIUM, k], packed[BOUNDARY, k]


@inline
def _worth(
    european: float, premium: float, boundary: float, moneyness: float, terms: tuple[float, float, float]
) -> float:
    """Of an option that one boundary exercises.

    :param terms: spot, strike and side.
    """
    spot, strike, side = terms
    intrinsic = side * (spot - strike)
    alive = european + select(side > 0.0, spot, strike) * premium
    alive = select(alive < intrinsic, intrinsic, alive)
    return select(moneyness <= boundary, intrinsic, alive)


@kernel
def _solve_cold(
    scratches: tuple[FloatArray, FloatArray],
    scheme: Scheme,
    queue: tuple[FloatArray, Offsets, Offsets, Offsets],
    rows: Indices,
    spot: NodeValues,
    options: Vanillas,
    out: FloatArray,
) -> None:
    """Write the values of the scenarios that wait: their boundaries are solved for from cold.

    :param queue: terms, the first scenario of each lane, position and scenario in `out` of each that waits, and how
        many lanes and scenarios there are; emptied.
    """
    work, quadrature = scratches
    spots, spot_position = spot
    strike, sign, quantity = options
    terms, first, place, size = queue
    lanes, count = size[0], size[1]
    first[lanes] = count
    size[:] = 0
    boundaries(work, scheme, _lanes(work, terms, first[: lanes + 1]), scheme.sweeps)
    add_premiums(work, quadrature, scheme, lanes, first[: lanes + 1], terms, lanes == count)
    last = work[PARAMETERS + 2 * scheme.time.size - 1]
    for k in range(lanes):
        boundary = work[START, k] - last[k]
        for q in range(first[k], first[k + 1]):
            i, s = place[0, q], place[1, q]
            row = rows[i]
            at = spots[spot_position[row], s], strike[row], sign[row]
            out[i, s] = quantity[row] * _worth(out[i, s], terms[PREMIUM, q], boundary, terms[MONEYNESS, q], at)


@kernel
def american_options(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    exercise: Exercise,
    out: FloatArray,
) -> None:
    """Present values of American options under scenarios.

    Rate and dividend yield are the constant ones that the discount factor and the forward imply, volatility that of
    the expiry.

    :param variances: one an option.
    :param exercise: its expansions written by `expand_boundaries` in the base scenario.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    # The finer scheme's scratch serves both.
    scratches = scratch(exercise[0][1]), np.empty((4, LANES))
    terms, packed = np.empty((TERMS, out.shape[1])), np.empty((TERMS, out.shape[1]))
    first = np.empty(LANES + 1, np.int64)
    regime = np.empty(out.shape[1], np.int8)
    place = np.empty(out.shape[1], np.int64)
    most = _WAITING + out.shape[1]
    cold_terms, cold_first = np.empty((2, TERMS, most)), np.empty((2, LANES + 1), np.int64)
    cold_place, cold_size = np.empty((2, 2, most), np.int64), np.zeros((2, 2), np.int64)
    for i in range(rows.size):
        row = rows[i]
        smile = smile_of(variances, row)
        k, side = strike[row], sign[row]
        levels, f, d = spots[spot_position[row]], forwards[forward_position[row]], discounts[discount_position[row]]
        european = out[i]
        for s in range(european.size):
            variance = total_variance(smile, s)
            terms[SIGMA_TERM, s] = math.sqrt(variance)
            european[s] = d[s] * black(f[s], k, variance, side)
        normalise(terms, levels, f, d, k, side)
        for s in range(european.size):
            regime[s] = regime_of(terms[SIGMA_TERM, s], terms[RATE_TERM, s], terms[DIVIDEND_TERM, s])
        _exercise(scratches, exercise, terms, packed, first, regime, place, exercise[1][0][row])
        for kind in range(2):
            count = _packed(terms, regime, kind, (-1, 0), packed, place)
            one_each = _mostly_other(packed, count)
            for n in range(count):
                size, waiting = cold_size[kind], cold_terms[kind]
                if n == 0 or one_each or not _same(packed, n, n - 1):
                    if size[0] == LANES or size[1] > _WAITING:
                        queue = waiting, cold_first[kind], cold_place[kind], size
                        _solve_cold(scratches, exercise[0][kind], queue, rows, spot, options, out)
                    cold_first[kind, size[0]] = size[1]
                    size[0] += 1
                waiting[:, size[1]] = packed[:, n]
                cold_place[kind, 0, size[1]], cold_place[kind, 1, size[1]] = i, place[n]
                size[1] += 1
                terms[STEPS_TERM, place[n]] = _QUEUED
        for s in range(european.size):
            at = levels[s], k, side
            value = _worth(european[s], terms[PREMIUM, s], terms[BOUNDARY, s], terms[MONEYNESS, s], at)
            intrinsic = side * (levels[s] - k)
            other = select(side > 0.0, levels[s], k) * terms[WHOLE, s]
            other = select(regime[s] == EUROPEAN, european[s], other)
            other = select(other < intrinsic, intrinsic, other)
            bounded = (regime[s] == ONE_BOUNDARY) | (regime[s] == FAR_BOUNDARY)
            value = quantity[row] * select(bounded, value, other)
            european[s] = select(terms[STEPS_TERM, s] == _QUEUED, european[s], value)
    for kind in range(2):
        if cold_size[kind, 0] > 0:
            queue = cold_terms[kind], cold_first[kind], cold_place[kind], cold_size[kind]
            _solve_cold(scratches, exercise[0][kind], queue, rows, spot, options, out)
