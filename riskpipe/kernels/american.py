"""American options: Andersen, Lake and Offengenden, Fast American Option Pricing (2016).

Everything is of a put with strike and time to expiry one: `rate`, `dividend` are r T and q T, `variance` is
sigma^2 T, spots are logarithms of spot / strike. A call is the put with rate and dividend exchanged, at strike /
spot, times the spot (McDonald and Schroder 1998). Regimes of a put:

- rate > 0, or rate = 0 > dividend: one boundary, solved for by collocation, on more nodes where dividend < 0: it then
  goes farther than its cheap polynomial follows;
- rate <= 0 and dividend >= rate: never exercised early, the European price;
- dividend < rate < 0: exercised between two boundaries (`riskpipe.kernels.two_boundaries`); where the drift is of tens
  of deviations, and these are not found, by a lattice (`riskpipe.kernels.lattice`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, NodeValues, Offsets, Vanillas, Variances
from riskpipe.kernels.black import black
from riskpipe.kernels.boundary import (
    DIVIDEND,
    DRIFT,
    INVERSE,
    LANES,
    PARAMETERS,
    RATE,
    SIGMA,
    START,
    boundaries,
    gauss,
    interpolate,
    scratch,
)
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.lattice import lattice_put
from riskpipe.kernels.mathematics import exp, floor, fma, log, select, tail_ratio
from riskpipe.kernels.two_boundaries import two_boundary_put
from riskpipe.kernels.volatility import smile_of, total_variance

# Rows of one option's terms, by scenario.
_SIGMA_TERM, _RATE_TERM, _DIVIDEND_TERM, _MONEYNESS, _SPOT, _PREMIUM, _BOUNDARY, _WHOLE = range(8)
_TERMS = 8

_EUROPEAN, _ONE_BOUNDARY, _FAR_BOUNDARY, _TWO_BOUNDARIES, _CERTAIN, _BROKEN = range(6)
# Rates and dividends (times time) below which exercise is worth nothing that a price would show.
_NOTHING = 1e-10
# Deviation below which the spot is taken to be certain.
_LEAST_SIGMA = 1e-4
# Lanes below which vectors do not pay.
_FEW = 3
# Carries are multiples of 2^-44.
_GRID = 17592186044416.0


@inline
def _premium(
    option: tuple[float, float],
    boundary: tuple[float, float],
    lane: tuple[float, float, float, float, float],
    elapsed: tuple[float, float, float],
) -> float:
    """What exercise at a time adds to the European price: r N(-d2) - q S N(-d1), discounted.

    :param option: logarithm of spot / strike, and spot / strike.
    :param boundary: at that time, likewise.
    :param lane: sigma, its inverse, drift, rate and dividend.
    :param elapsed: the root of the time until then, and what rate and dividend discount over it.
    """
    x, spot = option
    sigma, inverse, drift, rate, dividend = lane
    step, rate_factor, dividend_factor = elapsed
    d1 = fma((x - boundary[0]) / step, inverse, drift * step)
    d2 = fma(-sigma, step, d1)
    # S exp(-q s) times the density at d1 is the boundary times exp(-r s) times the density at d2.
    density = rate_factor * gauss(-0.5 * d2 * d2)
    near, far = density * tail_ratio(abs(d2)), boundary[1] * (density * tail_ratio(abs(d1)))
    cash = select(d2 < 0.0, rate_factor - near, near)
    asset = select(d1 < 0.0, fma(spot, dividend_factor, -far), far)
    return fma(rate, cash, -dividend * asset)


@inline
def _add_premiums(
    work: FloatArray,
    quadrature: FloatArray,
    scheme: Scheme,
    lanes: int,
    first: Offsets,
    terms: FloatArray,
    one_each: bool,
) -> None:
    """Early-exercise premiums of the scenarios whose boundaries have been solved for.

    :param first: int64[lanes + 1], lane k serves the scenarios first[k] to first[k + 1], one if `one_each`.
    """
    x, spot, premium = terms[_MONEYNESS], terms[_SPOT], terms[_PREMIUM]
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    boundary, level, rates, dividends = quadrature[0], quadrature[1], quadrature[2], quadrature[3]
    for j in range(scheme.last_elapsed.size):
        elapsed = scheme.last_elapsed[j]
        step = math.sqrt(elapsed)
        weight = 2.0 * scheme.last_weight[j] * step
        interpolate(work, scheme.last_basis[j], boundary, lanes)
        for k in range(lanes):
            boundary[k] = start[k] - boundary[k]
            level[k] = exp(boundary[k])
            rates[k] = exp(-rate[k] * elapsed)
            dividends[k] = exp(-dividend[k] * elapsed)
        if one_each:
            begin = first[0]
            x_lanes, spot_lanes, sums = x[begin : begin + lanes], spot[begin : begin + lanes], premium[begin:]
            for k in range(lanes):
                lane = sigma[k], inverse[k], drift[k], rate[k], dividend[k]
                discounts = step, rates[k], dividends[k]
                option = x_lanes[k], spot_lanes[k]
                sums[k] += weight * _premium(option, (boundary[k], level[k]), lane, discounts)
        else:
            for k in range(lanes):
                exercise = boundary[k], level[k]
                lane = sigma[k], inverse[k], drift[k], rate[k], dividend[k]
                discounts = step, rates[k], dividends[k]
                # A loop from zero: indices that might be negative would keep it from vectorising.
                x_run, spot_run = x[first[k] : first[k + 1]], spot[first[k] : first[k + 1]]
                run = premium[first[k] : first[k + 1]]
                for s in range(run.size):
                    run[s] += weight * _premium((x_run[s], spot_run[s]), exercise, lane, discounts)


@inline
def _solve(
    work: FloatArray,
    quadrature: FloatArray,
    scheme: Scheme,
    terms: FloatArray,
    first: Offsets,
    one_each: bool,
) -> None:
    """Boundaries of the scenarios first[0], first[1] ..., and with them the premium of every scenario.

    :param first: int64[lanes + 1], the first scenario of each lane, and the end of the last.
    """
    lanes = first.size - 1
    # A few lanes take the scalar tails of loops; more are filled up to whole vectors with the last one.
    padded = lanes if lanes < _FEW else (lanes + 7) // 8 * 8
    for k in range(padded):
        s = first[min(k, lanes - 1)]
        work[SIGMA, k] = terms[_SIGMA_TERM, s]
        work[RATE, k] = terms[_RATE_TERM, s]
        work[DIVIDEND, k] = terms[_DIVIDEND_TERM, s]
    boundaries(work, scheme, padded)
    _add_premiums(work, quadrature, scheme, lanes, first, terms, one_each)
    last = work[PARAMETERS + 2 * scheme.time.size - 1]
    for k in range(lanes):
        for s in range(first[k], first[k + 1]):
            terms[_BOUNDARY, s] = work[START, k] - last[k]


@inline
def _same(terms: FloatArray, s: int, t: int) -> bool:
    """Whether two scenarios have the same boundary."""
    rates = terms[_RATE_TERM, s] == terms[_RATE_TERM, t] and terms[_DIVIDEND_TERM, s] == terms[_DIVIDEND_TERM, t]
    return bool(rates and terms[_SIGMA_TERM, s] == terms[_SIGMA_TERM, t])


@inline
def _solve_all(
    work: FloatArray,
    quadrature: FloatArray,
    scheme: Scheme,
    terms: FloatArray,
    first: Offsets,
) -> None:
    """Premiums of one option in every scenario; a boundary serves the next scenarios until another is needed."""
    count = terms.shape[1]
    distinct = 1
    for s in range(1, count):
        distinct += 0 if _same(terms, s, s - 1) else 1
    one_each = 2 * distinct > count
    lanes = 0
    for s in range(count + 1):
        other = s < count and (s == 0 or one_each or not _same(terms, s, s - 1))
        if s == count or (other and lanes == LANES):
            first[lanes] = s
            _solve(work, quadrature, scheme, terms, first[: lanes + 1], one_each)
            lanes = 0
        if other:
            first[lanes] = s
            lanes += 1


@inline
def _certain(spot: float, rate: float, dividend: float) -> float:
    """The put where the spot has no volatility: exercised at the best of all times, in [0, 1]."""
    best = max(0.0, 1.0 - spot, exp(-rate) - spot * exp(-dividend))
    if rate != dividend and rate * dividend > 0.0:
        time = log(rate / (dividend * spot)) / (rate - dividend)
        if 0.0 < time < 1.0:
            best = max(best, exp(-rate * time) - spot * exp(-dividend * time))
    return best


@inline
def _regime(sigma: float, rate: float, dividend: float) -> int:
    if not (sigma >= 0.0 and abs(rate) < math.inf and abs(dividend) < math.inf):
        return _BROKEN
    if max(rate, 0.0) + max(-dividend, 0.0) <= _NOTHING or (rate < 0.0 and dividend >= rate - _NOTHING):
        return _EUROPEAN
    if sigma < _LEAST_SIGMA:
        return _CERTAIN
    if rate < 0.0:
        return _TWO_BOUNDARIES
    # Without dividends rounding may leave some.
    return _FAR_BOUNDARY if dividend < -_NOTHING else _ONE_BOUNDARY


@inline
def _normalise(
    terms: FloatArray,
    levels: FloatArray,
    forwards: FloatArray,
    factors: FloatArray,
    strike: float,
    side: float,
) -> None:
    """Moneyness, rates and dividends of the put with strike one that each scenario's option is."""
    for s in range(levels.size):
        rate = -log(factors[s])
        # Rounded, so that the same rates give the same carry at any spot.
        carry = floor(fma(log(forwards[s] / levels[s]), _GRID, 0.5)) * (1.0 / _GRID)
        dividend = rate - carry
        put_rate = select(side > 0.0, dividend, rate)
        terms[_RATE_TERM, s] = select(abs(put_rate) < _NOTHING, 0.0, put_rate)
        terms[_DIVIDEND_TERM, s] = select(side > 0.0, rate, dividend)
        ratio = select(side > 0.0, strike, levels[s]) / select(side > 0.0, levels[s], strike)
        terms[_SPOT, s] = ratio
        terms[_MONEYNESS, s] = log(ratio)
        terms[_PREMIUM, s] = 0.0
        terms[_BOUNDARY, s] = -math.inf
        terms[_WHOLE, s] = math.nan


@inline
def _exercise(
    work: FloatArray,
    quadrature: FloatArray,
    schemes: tuple[Scheme, Scheme],
    terms: FloatArray,
    solved: FloatArray,
    first: Offsets,
    regime: NDArray[np.int8],
) -> None:
    """The rows premium and boundary where there is one boundary, and the row whole elsewhere.

    :param solved: as `terms`, scratch.
    """
    for s in range(regime.size):
        sigma, rate, dividend = terms[_SIGMA_TERM, s], terms[_RATE_TERM, s], terms[_DIVIDEND_TERM, s]
        if regime[s] == _TWO_BOUNDARIES:
            value = two_boundary_put(terms[_SPOT, s], rate, dividend, sigma)
            if not abs(value) < math.inf:
                value = lattice_put(terms[_SPOT, s], rate, dividend, sigma * sigma)
            terms[_WHOLE, s] = value
        elif regime[s] == _CERTAIN:
            terms[_WHOLE, s] = _certain(terms[_SPOT, s], rate, dividend)
    # One loop, so that it is compiled once.
    for turn in range(2):
        wanted = _ONE_BOUNDARY if turn == 0 else _FAR_BOUNDARY
        solvable = 0
        for s in range(regime.size):
            solvable += 1 if regime[s] == wanted else 0
        if solvable == 0:
            continue
        solved[:] = terms
        for s in range(regime.size):
            if regime[s] != wanted:
                # What is solved for in its lane is not used: no lane of its own, and no trouble.
                solved[_SIGMA_TERM, s] = solved[_SIGMA_TERM, s - 1] if s > 0 else 0.2
                solved[_RATE_TERM, s] = solved[_RATE_TERM, s - 1] if s > 0 else 0.02
                solved[_DIVIDEND_TERM, s] = solved[_DIVIDEND_TERM, s - 1] if s > 0 else 0.0
        _solve_all(work, quadrature, schemes[turn], solved, first)
        for s in range(regime.size):
            if regime[s] == wanted:
                terms[_PREMIUM, s], terms[_BOUNDARY, s] = solved[_PREMIUM, s], solved[_BOUNDARY, s]


@kernel
def american_options(
    rows: Indices,
    spot: NodeValues,
    forward: NodeValues,
    discount: NodeValues,
    variances: Variances,
    options: Vanillas,
    schemes: tuple[Scheme, Scheme],
    out: FloatArray,
) -> None:
    """Present values of American options under scenarios.

    Rate and dividend yield are the constant ones that the discount factor and the forward imply, volatility that of
    the expiry. Where neither they nor the volatility move from one scenario to the next, the boundary is kept.

    :param variances: one an option.
    :param schemes: the usual collocation, and one that is at least as fine for dividends (of the put) below zero.
    :param out: float64[m, S], written.
    """
    spots, spot_position = spot
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, sign, quantity = options
    # The finer scheme's scratch serves both.
    work = scratch(schemes[1])
    quadrature = np.empty((4, LANES))
    terms, solved = np.empty((_TERMS, out.shape[1])), np.empty((_TERMS, out.shape[1]))
    first = np.empty(LANES + 1, np.int64)
    regime = np.empty(out.shape[1], np.int8)
    for i in range(rows.size):
        row = rows[i]
        smile = smile_of(variances, row)
        k, side = strike[row], sign[row]
        levels, f, d = spots[spot_position[row]], forwards[forward_position[row]], discounts[discount_position[row]]
        european = out[i]
        for s in range(european.size):
            variance = total_variance(smile, s)
            terms[_SIGMA_TERM, s] = math.sqrt(variance)
            european[s] = d[s] * black(f[s], k, variance, side)
        _normalise(terms, levels, f, d, k, side)
        for s in range(european.size):
            regime[s] = _regime(terms[_SIGMA_TERM, s], terms[_RATE_TERM, s], terms[_DIVIDEND_TERM, s])
        _exercise(work, quadrature, schemes, terms, solved, first, regime)
        for s in range(european.size):
            intrinsic = side * (levels[s] - k)
            scale = select(side > 0.0, levels[s], k)
            alive = european[s] + scale * terms[_PREMIUM, s]
            alive = select(alive < intrinsic, intrinsic, alive)
            value = select(terms[_MONEYNESS, s] <= terms[_BOUNDARY, s], intrinsic, alive)
            other = select(regime[s] == _EUROPEAN, european[s], scale * terms[_WHOLE, s])
            other = select(other < intrinsic, intrinsic, other)
            bounded = (regime[s] == _ONE_BOUNDARY) | (regime[s] == _FAR_BOUNDARY)
            european[s] = quantity[row] * select(bounded, value, other)
