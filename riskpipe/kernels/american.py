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
from riskpipe.kernels.volatility import total_variance

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
    x: float, spot: float, boundary: float, level: float, step: float, sigma: float, inverse: float, drift: float,
    rate: float, dividend: float, rate_factor: float, dividend_factor: float
) -> float:  # fmt: skip
    """What exercise at a time adds to the European price: r N(-d2) - q S N(-d1), discounted.

    :param x, spot: logarithm of spot / strike, and spot / strike.
    :param boundary, level: the boundary at that time, likewise; `step`: the root of the time until then.
    """
    d1 = fma((x - boundary) / step, inverse, drift * step)
    d2 = fma(-sigma, step, d1)
    # S exp(-q s) times the density at d1 is the boundary times exp(-r s) times the density at d2.
    density = rate_factor * gauss(-0.5 * d2 * d2)
    near, far = density * tail_ratio(abs(d2)), level * (density * tail_ratio(abs(d1)))
    cash = select(d2 < 0.0, rate_factor - near, near)
    asset = select(d1 < 0.0, fma(spot, dividend_factor, -far), far)
    return fma(rate, cash, -dividend * asset)


@inline
def _add_premiums(
    work: NDArray[np.float64],
    quadrature: NDArray[np.float64],
    scheme: Scheme,
    lanes: int,
    first: NDArray[np.int64],
    x: NDArray[np.float64],
    spot: NDArray[np.float64],
    premium: NDArray[np.float64],
    one_each: bool,
) -> None:
    """Early-exercise premiums of the scenarios whose boundaries have been solved for.

    :param first: int64[lanes + 1], lane k serves the scenarios first[k] to first[k + 1], one if `one_each`.
    """
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
                sums[k] += weight * _premium(
                    x_lanes[k], spot_lanes[k], boundary[k], level[k], step, sigma[k], inverse[k], drift[k],
                    rate[k], dividend[k], rates[k], dividends[k],
                )  # fmt: skip
        else:
            for k in range(lanes):
                b, e, r, q = boundary[k], level[k], rates[k], dividends[k]
                sd, over, slope, r0, q0 = sigma[k], inverse[k], drift[k], rate[k], dividend[k]
                # A loop from zero: indices that might be negative would keep it from vectorising.
                x_run, spot_run = x[first[k] : first[k + 1]], spot[first[k] : first[k + 1]]
                run = premium[first[k] : first[k + 1]]
                for s in range(run.size):
                    run[s] += weight * _premium(x_run[s], spot_run[s], b, e, step, sd, over, slope, r0, q0, r, q)


@inline
def _solve(
    work: NDArray[np.float64],
    quadrature: NDArray[np.float64],
    scheme: Scheme,
    terms: NDArray[np.float64],
    first: NDArray[np.int64],
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
    x, spot, premium = terms[_MONEYNESS], terms[_SPOT], terms[_PREMIUM]
    _add_premiums(work, quadrature, scheme, lanes, first, x, spot, premium, one_each)
    last = work[PARAMETERS + 2 * scheme.time.size - 1]
    for k in range(lanes):
        for s in range(first[k], first[k + 1]):
            terms[_BOUNDARY, s] = work[START, k] - last[k]


@inline
def _same(terms: NDArray[np.float64], s: int, t: int) -> bool:
    """Whether two scenarios have the same boundary."""
    rates = terms[_RATE_TERM, s] == terms[_RATE_TERM, t] and terms[_DIVIDEND_TERM, s] == terms[_DIVIDEND_TERM, t]
    return bool(rates and terms[_SIGMA_TERM, s] == terms[_SIGMA_TERM, t])


@inline
def _solve_all(
    work: NDArray[np.float64],
    quadrature: NDArray[np.float64],
    scheme: Scheme,
    terms: NDArray[np.float64],
    first: NDArray[np.int64],
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
    terms: NDArray[np.float64],
    levels: NDArray[np.float64],
    forwards: NDArray[np.float64],
    factors: NDArray[np.float64],
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
    work: NDArray[np.float64],
    quadrature: NDArray[np.float64],
    schemes: tuple[Scheme, Scheme],
    terms: NDArray[np.float64],
    solved: NDArray[np.float64],
    first: NDArray[np.int64],
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
    rows: NDArray[np.int32],
    spot: NDArray[np.float64],
    spot_position: NDArray[np.int32],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    index: NDArray[np.int32],
    strike_weight: NDArray[np.float64],
    time_weight: NDArray[np.float64],
    x: NDArray[np.float64],
    strike: NDArray[np.float64],
    sign: NDArray[np.float64],
    quantity: NDArray[np.float64],
    schemes: tuple[Scheme, Scheme],
    out: NDArray[np.float64],
) -> None:
    """Present values of American options under scenarios; arguments as of `black_options`, with spots.

    Rate and dividend yield are the constant ones that the discount factor and the forward imply, volatility that of
    the expiry. Where neither they nor the volatility move from one scenario to the next, the boundary is kept.

    :param schemes: the usual collocation, and one that is at least as fine for dividends (of the put) below zero.
    """
    # The finer scheme's scratch serves both.
    work = scratch(schemes[1])
    quadrature = np.empty((4, LANES))
    terms, solved = np.empty((_TERMS, x.shape[1])), np.empty((_TERMS, x.shape[1]))
    first = np.empty(LANES + 1, np.int64)
    regime = np.empty(x.shape[1], np.int8)
    for i in range(rows.size):
        row = rows[i]
        v0, v1, v2, v3 = x[index[row, 0]], x[index[row, 1]], x[index[row, 2]], x[index[row, 3]]
        w, t = strike_weight[row], time_weight[row]
        k, side = strike[row], sign[row]
        levels, forwards = spot[spot_position[row]], forward[forward_position[row]]
        factors = discount[discount_position[row]]
        european = out[i]
        for s in range(european.size):
            variance = total_variance(v0[s], v1[s], v2[s], v3[s], w[0], w[1], w[2], w[3], t[0], t[1])
            terms[_SIGMA_TERM, s] = math.sqrt(variance)
            european[s] = factors[s] * black(forwards[s], k, variance, side)
        _normalise(terms, levels, forwards, factors, k, side)
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
