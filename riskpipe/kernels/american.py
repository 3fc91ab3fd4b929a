"""American options: Andersen, Lake and Offengenden, Fast American Option Pricing (2016).

Everything is of a put with strike and time to expiry one, see `riskpipe.kernels.put_terms`. Regimes of a put:

- rate > 0, or rate = 0 > dividend: one boundary, found by collocation, on more nodes where dividend < 0: it then goes
  farther than its cheap polynomial follows;
- rate <= 0 and dividend >= rate: never exercised early, the European price;
- dividend < rate < 0: exercised between two boundaries (`riskpipe.kernels.two_boundaries`); where the drift is of tens
  of deviations, and these are not found, by a lattice (`riskpipe.kernels.lattice`).

A boundary comes from that of the base scenario (`riskpipe.kernels.expansion`), or from cold.
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


@inline
def _solve(
    scratches: tuple[FloatArray, FloatArray],
    scheme: Scheme,
    terms: FloatArray,
    first: Offsets,
    one_each: bool,
    cold: bool,
    option: int,
    expansions: Expansions,
) -> None:
    """Boundaries of the scenarios first[0], first[1] ..., and with them the premium of every scenario.

    A boundary that does not settle is NaN.

    :param scratches: of `scratch`, and float64[4, LANES].
    :param cold: from cold, not from the expansion of `option`.
    :param first: int64[lanes + 1], the first scenario of each lane, and the end of the last.
    """
    work, quadrature = scratches
    lanes = first.size - 1
    # A few lanes take the scalar tails of loops; more are filled up to whole vectors with the last one.
    padded = lanes if lanes < _FEW else (lanes + 7) // 8 * 8
    most = 0
    for k in range(padded):
        s = first[min(k, lanes - 1)]
        work[SIGMA, k] = terms[SIGMA_TERM, s]
        work[RATE, k] = terms[RATE_TERM, s]
        work[DIVIDEND, k] = terms[DIVIDEND_TERM, s]
        work[STEPS, k], work[WORTH, k] = terms[STEPS_TERM, s], 0.0
        most = max(most, int(terms[STEPS_TERM, s]))
    if cold:
        boundaries(work, scheme, padded, scheme.sweeps)
    else:
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
        settled = cold or work[WORTH, k] <= SETTLED[int(work[STEPS, k])]
        for s in range(first[k], first[k + 1]):
            terms[BOUNDARY, s] = work[START, k] - last[k] if settled else math.nan


@inline
def _same(terms: FloatArray, s: int, t: int) -> bool:
    """Whether two scenarios have the same boundary."""
    rates = terms[RATE_TERM, s] == terms[RATE_TERM, t] and terms[DIVIDEND_TERM, s] == terms[DIVIDEND_TERM, t]
    return bool(rates and terms[SIGMA_TERM, s] == terms[SIGMA_TERM, t])


@inline
def _solve_all(
    scratches: tuple[FloatArray, FloatArray],
    scheme: Scheme,
    terms: FloatArray,
    count: int,
    first: Offsets,
    cold: bool,
    option: int,
    expansions: Expansions,
) -> None:
    """Premiums of one option in the first scenarios; a boundary serves the next ones until another is needed."""
    distinct = 1
    for s in range(1, count):
        distinct += 0 if _same(terms, s, s - 1) else 1
    one_each = 2 * distinct > count
    lanes = 0
    for s in range(count + 1):
        other = s < count and (s == 0 or one_each or not _same(terms, s, s - 1))
        if s == count or (other and lanes == LANES):
            first[lanes] = s
            _solve(scratches, scheme, terms, first[: lanes + 1], one_each, cold, option, expansions)
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
    """The rows premium and boundary where there is one boundary, and the row whole elsewhere.

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
    # One loop, so that it is compiled once: from the base boundary, then from cold in either regime.
    for turn in range(3):
        cold = turn > 0
        wanted = turn - 1 if cold else kind
        count = 0
        for steps in range(-1 if cold else 0, 0 if cold else len(SETTLED)):
            for s in range(regime.size):
                if regime[s] == wanted and terms[STEPS_TERM, s] == steps:
                    packed[:, count] = terms[:, s]
                    place[count] = s
                    count += 1
        if count == 0:
            continue
        _solve_all(scratches, schemes[wanted], packed, count, first, cold, option, expansions)
        for k in range(count):
            s = place[k]
            if math.isnan(packed[BOUNDARY, k]):
                terms[STEPS_TERM, s] = -1.0
            else:
                terms[PREMIUM, s], terms[BOUNDARY, s] = packed[PREMIUM, k], packed[BOUNDARY, k]


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
        for s in range(european.size):
            intrinsic = side * (levels[s] - k)
            scale = select(side > 0.0, levels[s], k)
            alive = european[s] + scale * terms[PREMIUM, s]
            alive = select(alive < intrinsic, intrinsic, alive)
            value = select(terms[MONEYNESS, s] <= terms[BOUNDARY, s], intrinsic, alive)
            other = select(regime[s] == EUROPEAN, european[s], scale * terms[WHOLE, s])
            other = select(other < intrinsic, intrinsic, other)
            bounded = (regime[s] == ONE_BOUNDARY) | (regime[s] == FAR_BOUNDARY)
            european[s] = quantity[row] * select(bounded, value, other)
