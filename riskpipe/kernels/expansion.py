"""How an exercise boundary moves with volatility, rate and carry, about those of the base scenario.

A scenario's boundary is close to that of today's market, so it is not solved for from cold. Once a trade, the base
boundary y (see `riskpipe.kernels.boundary`) is solved for with its Jacobian A = 1 - dG/dy, G being what the equation
makes of a boundary; with it come the first derivatives by the three parameters p, A^-1 dG/dp, and from boundaries at
some distance the second ones, and the third ones by a single parameter. A scenario takes

- the expansion, to second order and with the third of each parameter, where that is small enough for prices;
- else that and one to three steps of the chord method, y + A^-1 (G(y) - y), as many as the third order asks for. Where
  the last step was not small, or the expansion does not apply, the boundary is solved for from cold.

Which of these follows from the trade, its base scenario and the scenario alone. `riskpipe.kernels.expansion_fit` makes
expansions.
"""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Expansions, Indices
from riskpipe.kernels.boundary import (
    ABOVE,
    BELOW,
    DIVIDEND,
    FAST,
    LEAST_ROOT,
    PARAMETERS,
    RATE,
    ROOT,
    SIGMA,
    START,
    STEPS,
    WORTH,
    pull_of,
    within,
)
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import fma, log, select

# Coefficients of a node's expansion: the boundary, then of the moves of sigma, rate and carry, of their squares, of
# their products and of their cubes.
COEFFICIENTS = 13
# After no, one, two, three steps of the chord method: up to which cube root of the error of a price (of the strike), as
# the third order has it, they serve; how far the parameters may have moved, in their units; and what the last step may
# have been worth, of the strike. What is left is below 1e-7: tests/reference/test_american_scenarios.py.
_REACH, _MOVED, SETTLED = (7e-3, 2e-2, 0.08, 0.3), (0.3, 1.0, 2.0, 2.0), (np.inf, 2e-5, 2e-6, 1e-6)
# The reach of the carry where it is zero, the bend of the boundary: it has no expansion in the carry.
AT_BEND = 0.0
# That of a boundary that serves where nothing moves.
UNMOVED = 1e300


def unexpanded(place: Indices, options: int, nodes: int) -> Expansions:
    """Room for the expansions of so many options, none of which has one yet.

    :param place: int32[n], of each trade among the options.
    """
    kind, parameters = np.full(options, -1, np.int8), [np.zeros((options, 3)) for _ in range(3)]
    origin, unit, reach = parameters
    terms, inverse = np.zeros((options, COEFFICIENTS, nodes)), np.zeros((options, nodes, nodes))
    return place, kind, origin, unit, reach, terms, inverse


@inline
def steps_of(option: int, expansions: Expansions, sigma: float, rate: float, dividend: float) -> int:
    """Steps of the chord method that a scenario of the expansion's regime takes; -1: the expansion does not apply."""
    _, _, origin, unit, reach, _, _ = expansions
    carry = rate - dividend
    if not pull_of(sigma, rate, dividend) <= FAST:
        return -1
    # Where rates and dividends are on the other side of each other, the boundary begins elsewhere.
    crossed, at_bend = (carry < 0.0) != (origin[option, 2] < 0.0), reach[option, 2] == AT_BEND
    a = abs(sigma - origin[option, 0]) / unit[option, 0]
    b = abs(rate - origin[option, 1]) / unit[option, 1]
    c = abs(carry - origin[option, 2]) / unit[option, 2]
    far, moved = reach[option, 0] * a + reach[option, 1] * b + reach[option, 2] * c, max(a, b, c)
    for steps in range(len(_REACH)):
        if far <= _REACH[steps] and moved <= _MOVED[steps]:
            if at_bend:
                return len(_REACH) - 1 if c > 0.0 else steps
            return -1 if crossed and steps != 1 else steps
    return -1


@inline
def predict(work: FloatArray, option: int, expansions: Expansions, nodes: int, lanes: int) -> None:
    """Boundaries of all lanes, whose parameters are there, from an option's expansion."""
    _, _, origin, unit, _, terms, _ = expansions
    a, b, c, shift = work[ABOVE], work[BELOW], work[ROOT], work[WORTH]
    for k in range(lanes):
        a[k] = (work[SIGMA, k] - origin[option, 0]) / unit[option, 0]
        b[k] = (work[RATE, k] - origin[option, 1]) / unit[option, 1]
        c[k] = (work[RATE, k] - work[DIVIDEND, k] - origin[option, 2]) / unit[option, 2]
        # The expansion's distances are from where boundaries begin on its side of the bend.
        below = origin[option, 2] < 0.0
        ratio = select(below, work[RATE, k], 1.0) / select(below, work[DIVIDEND, k], 1.0)
        shift[k] = work[START, k] - log(ratio)
    for i in range(nodes):
        still, by_a, by_b, by_c = terms[option, 0, i], terms[option, 1, i], terms[option, 2, i], terms[option, 3, i]
        by_aa, by_bb, by_cc = terms[option, 4, i], terms[option, 5, i], terms[option, 6, i]
        by_ab, by_ac, by_bc = terms[option, 7, i], terms[option, 8, i], terms[option, 9, i]
        by_aaa, by_bbb, by_ccc = terms[option, 10, i], terms[option, 11, i], terms[option, 12, i]
        square, root = work[PARAMETERS + i], work[PARAMETERS + nodes + i]
        for k in range(lanes):
            slope_a = fma(c[k], by_ac, fma(b[k], by_ab, fma(a[k], fma(a[k], by_aaa, by_aa), by_a)))
            slope_b = fma(c[k], by_bc, fma(b[k], fma(b[k], by_bbb, by_bb), by_b))
            slope_c = fma(c[k], fma(c[k], by_ccc, by_cc), by_c)
            y = fma(a[k], slope_a, fma(b[k], slope_b, fma(c[k], slope_c, still))) + shift[k]
            y = select(y > LEAST_ROOT, y, LEAST_ROOT)
            root[k] = y
            square[k] = y * y


@inline
def chord(work: FloatArray, scheme: Scheme, inverse: FloatArray, first: int, end: int, taken: int) -> None:
    """A step of the chord method for the lanes from `first` to `end`, from their images.

    Lanes that have no more than `taken` `STEPS` to take stay where they are.

    :param inverse: float64[>= n, >= n], of the Jacobian.
    """
    n, lanes = scheme.time.size, end - first
    steps, worth, step = work[STEPS, first:end], work[WORTH, first:end], work[ROOT, first:end]
    sigma, rate, dividend = work[SIGMA, first:end], work[RATE, first:end], work[DIVIDEND, first:end]
    for i in range(n):
        y, off = work[PARAMETERS + n + i, first:end], work[PARAMETERS + 2 * n + i, first:end]
        for k in range(lanes):
            off[k] -= y[k]
    for k in range(lanes):
        worth[k] = select((steps[k] > taken) | (taken == 0), 0.0, worth[k])
    for i in range(n):
        for j in range(0, n, 4):
            i0, i1, i2, i3 = inverse[i, j], inverse[i, j + 1], inverse[i, j + 2], inverse[i, j + 3]
            off0, off1 = work[PARAMETERS + 2 * n + j, first:end], work[PARAMETERS + 2 * n + j + 1, first:end]
            off2, off3 = work[PARAMETERS + 2 * n + j + 2, first:end], work[PARAMETERS + 2 * n + j + 3, first:end]
            if j == 0:
                for k in range(lanes):
                    step[k] = fma(i0, off0[k], i1 * off1[k]) + fma(i2, off2[k], i3 * off3[k])
            else:
                for k in range(lanes):
                    step[k] += fma(i0, off0[k], i1 * off1[k]) + fma(i2, off2[k], i3 * off3[k])
        square, y, share = work[PARAMETERS + i, first:end], work[PARAMETERS + n + i, first:end], scheme.share[i]
        for k in range(lanes):
            much = select(steps[k] > taken, step[k], 0.0)
            worth[k] = fma(share * abs(much), weight_of(sigma[k], rate[k], dividend[k]), worth[k])
            value = within(y[k] + much, y[k])
            y[k] = value
            square[k] = value * value


@inline
def weight_of(sigma: float, rate: float, dividend: float) -> float:
    """What distances, times the scheme's shares, may be worth: the interest that exercise wins, by the deviation."""
    return (rate + select(dividend < 0.0, -dividend, 0.0)) / sigma
