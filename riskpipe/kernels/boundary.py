"""Early-exercise boundaries of American puts: Andersen, Lake and Offengenden (2016), many at a time.

The boundary B of a put with strike and time to expiry one is kept as H = ln^2(B / X), X = min(1, rate / dividend) its
value at expiry, on the nodes of a `Scheme`. Boundaries are lanes of a scratch array, float64[rows, LANES], of which the
rows `SIGMA`, `RATE` and `DIVIDEND` are given; `boundaries` fills the others. All is branch-free over lanes.
"""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import cdf, exp, exp_normal, fma, log, select, tail_ratio

# Boundaries solved for at a time: the innermost loops run over them.
LANES = 64
_SQRT_TWO_PI = 2.5066282746310002
_LEAST_ROOT = 1e-7
# Drifts (in deviations) above which steps of system A are shortened, of which it then takes twice as many, and above
# which system B takes its place.
_BRISK, _FAST = 0.5, 0.8

# Rows of the scratch array: parameters of the lanes, what a sweep adds up, then (from `PARAMETERS` on, a row a node
# each) H, its root and its next root, and a row for each point of quadrature.
SIGMA, INVERSE, DRIFT, RATE, DIVIDEND, START, _ABOVE, _BELOW, _ROOT = range(9)
PARAMETERS = 9


@inline
def scratch(scheme: Scheme) -> FloatArray:
    """An array for `boundaries`."""
    n, points = scheme.elapsed.shape
    return np.empty((PARAMETERS + 3 * n + n * points, LANES))


@inline
def gauss(exponent: float) -> float:
    """e^x, with 1e-304 in place of what is smaller."""
    return exp_normal(select(exponent < -700.0, -700.0, exponent))


@inline
def _pull(sigma: float, rate: float, dividend: float) -> float:
    """Drift of the spot until expiry, in deviations."""
    return (rate - dividend) / sigma


@inline
def _guess(time: float, sigma: float, rate: float, dividend: float, start: float) -> float:
    """Logarithm of the boundary, roughly: Bjerksund and Stensland (1993), for a put by symmetry."""
    variance = sigma * sigma
    carry = rate - dividend
    slope = carry / variance - 0.5
    perpetual = -slope - math.sqrt(fma(slope, slope, (rate + rate) / variance))
    # 1 / boundary: of the perpetual option, and at expiry
    far = 1.0 - 1.0 / select(perpetual > -1e-9, -1e-9, perpetual)
    near = exp(-start)
    gap = select(far - near < 1e-9, 1e-9, far - near)
    width = sigma * math.sqrt(time)
    slide = fma(-carry, time, 2.0 * width)
    slide = select(slide < 0.5 * width, 0.5 * width, slide) * near / gap
    return -log(near + gap * (1.0 - exp(-slide)))


@inline
def _prepare(work: FloatArray, scheme: Scheme, lanes: int) -> None:
    """From the rows sigma, rate and dividend: the other parameters, and dividend factors."""
    n, points = scheme.elapsed.shape
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    for k in range(lanes):
        inverse[k] = 1.0 / sigma[k]
        drift[k] = fma(rate[k] - dividend[k], inverse[k], 0.5 * sigma[k])
        ratio = select(dividend[k] > rate[k], rate[k], 1.0) / select(dividend[k] > rate[k], dividend[k], 1.0)
        start[k] = log(ratio)
    for i in range(n):
        for j in range(points):
            left = scheme.left[i, j]
            factor = work[PARAMETERS + 3 * n + i * points + j]
            for k in range(lanes):
                factor[k] = exp_normal(dividend[k] * left)


@inline
def _begin(work: FloatArray, scheme: Scheme, lanes: int, drifting: bool) -> None:
    """A first boundary; with `drifting` for the lanes alone that drift."""
    n = scheme.time.size
    sigma, rate, dividend, start = work[SIGMA], work[RATE], work[DIVIDEND], work[START]
    for i in range(n):
        time = scheme.time[i]
        square, root = work[PARAMETERS + i], work[PARAMETERS + n + i]
        for k in range(lanes):
            y = start[k] - _guess(time, sigma[k], rate[k], dividend[k], start[k])
            y = select(y > _LEAST_ROOT, y, _LEAST_ROOT)
            y = select(drifting & (_pull(sigma[k], rate[k], dividend[k]) <= _FAST), root[k], y)
            root[k] = y
            square[k] = y * y


@inline
def interpolate(work: FloatArray, basis: FloatArray, out: FloatArray, lanes: int) -> None:
    """Distance of the boundary from its start, at one time: the root of the polynomial in the squares."""
    for block in range(0, basis.size, 4):
        b0, b1, b2, b3 = basis[block], basis[block + 1], basis[block + 2], basis[block + 3]
        h0, h1 = work[PARAMETERS + block], work[PARAMETERS + block + 1]
        h2, h3 = work[PARAMETERS + block + 2], work[PARAMETERS + block + 3]
        if block == 0:
            for k in range(lanes):
                out[k] = fma(b0, h0[k], b1 * h1[k]) + fma(b2, h2[k], b3 * h3[k])
        else:
            for k in range(lanes):
                out[k] += fma(b0, h0[k], b1 * h1[k]) + fma(b2, h2[k], b3 * h3[k])
    for k in range(lanes):
        y = out[k]
        out[k] = math.sqrt(select(y > 0.0, y, 0.0))


@inline
def _contact(work: FloatArray, scheme: Scheme, lanes: int, i: int) -> None:
    """System A of the paper (equations 34 to 36), from smooth contact: numerator and denominator at node i."""
    n, points = scheme.elapsed.shape
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    above, below, root, y = work[_ABOVE], work[_BELOW], work[_ROOT], work[PARAMETERS + n + i]
    width = math.sqrt(scheme.time[i])
    for k in range(lanes):
        d1 = fma((start[k] - y[k]) / width, inverse[k], drift[k] * width)
        d2 = fma(-sigma[k], width, d1)
        density = gauss(-0.5 * d1 * d1)
        tail = density * tail_ratio(abs(d1))
        above[k] = gauss(-0.5 * d2 * d2) * inverse[k] / width
        below[k] = fma(density, inverse[k] / width, _SQRT_TWO_PI * select(d1 > 0.0, 1.0 - tail, tail))
    for j in range(points):
        step, left, weight = math.sqrt(scheme.elapsed[i, j]), scheme.left[i, j], 2.0 * scheme.weight[i, j]
        across = 1.0 / step
        factor = work[PARAMETERS + 3 * n + i * points + j]
        interpolate(work, scheme.basis[i, j], root, lanes)
        for k in range(lanes):
            d1 = fma((root[k] - y[k]) * across, inverse[k], drift[k] * step)
            d2 = fma(-sigma[k], step, d1)
            density = gauss(fma(dividend[k], left, -0.5 * d1 * d1))
            tail = density * tail_ratio(abs(d1))
            whole = select(d1 > 0.0, factor[k] - tail, tail)
            above[k] = fma(weight * rate[k] * inverse[k], gauss(fma(rate[k], left, -0.5 * d2 * d2)), above[k])
            below[k] = fma(weight * dividend[k], fma(density, inverse[k], _SQRT_TWO_PI * step * whole), below[k])


@inline
def _matching(work: FloatArray, scheme: Scheme, lanes: int, i: int) -> None:
    """System B of the paper (equations 31 to 33), from matching values: numerator and denominator at node i."""
    n, points = scheme.elapsed.shape
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    above, below, root, y = work[_ABOVE], work[_BELOW], work[_ROOT], work[PARAMETERS + n + i]
    width = math.sqrt(scheme.time[i])
    for k in range(lanes):
        d1 = fma((start[k] - y[k]) / width, inverse[k], drift[k] * width)
        above[k] = cdf(fma(-sigma[k], width, d1))
        below[k] = cdf(d1)
    for j in range(points):
        step, left = math.sqrt(scheme.elapsed[i, j]), scheme.left[i, j]
        across, weight = 1.0 / step, 2.0 * step * scheme.weight[i, j]
        factor = work[PARAMETERS + 3 * n + i * points + j]
        interpolate(work, scheme.basis[i, j], root, lanes)
        for k in range(lanes):
            d1 = fma((root[k] - y[k]) * across, inverse[k], drift[k] * step)
            cash = exp_normal(rate[k] * left) * cdf(fma(-sigma[k], step, d1))
            above[k] = fma(weight * rate[k], cash, above[k])
            below[k] = fma(weight * dividend[k], factor[k] * cdf(d1), below[k])


@inline
def _move(work: FloatArray, scheme: Scheme, lanes: int, i: int, above_pull: float) -> None:
    """The boundary at node i, from numerator and denominator; by at most half and twice.

    :param above_pull: lanes that drift less stay where they are.
    """
    n = scheme.time.size
    sigma, rate, dividend, start = work[SIGMA], work[RATE], work[DIVIDEND], work[START]
    above, below, time = work[_ABOVE], work[_BELOW], scheme.time[i]
    y, new = work[PARAMETERS + n + i], work[PARAMETERS + 2 * n + i]
    for k in range(lanes):
        old, pull = y[k], _pull(sigma[k], rate[k], dividend[k])
        sound = (above[k] > 0.0) & (below[k] > 0.0)
        ratio = select(sound, above[k], 1.0) / select(sound, below[k], 1.0)
        value = fma(rate[k] - dividend[k], time, start[k]) - log(ratio)
        # System A swings about the boundary where the drift is strong.
        value = select((pull > _BRISK) & (pull <= _FAST), fma(0.7, value - old, old), value)
        value = select(sound, value, old + old)
        value = select(value < 0.5 * old, 0.5 * old, value)
        value = select(value > 2.0 * old, 2.0 * old, value)
        new[k] = select(pull > above_pull, value, old)


@inline
def _swap(work: FloatArray, scheme: Scheme, lanes: int) -> None:
    """The new boundary becomes the old one."""
    n = scheme.time.size
    for i in range(n):
        square, y, new = work[PARAMETERS + i], work[PARAMETERS + n + i], work[PARAMETERS + 2 * n + i]
        for k in range(lanes):
            y[k] = new[k]
            square[k] = new[k] * new[k]


@inline
def _sweep(work: FloatArray, scheme: Scheme, lanes: int, sweeps: int, above_pull: float) -> None:
    """System A for those lanes whose drift is above a limit."""
    for _ in range(sweeps):
        for i in range(scheme.time.size):
            _contact(work, scheme, lanes, i)
            _move(work, scheme, lanes, i, above_pull)
        _swap(work, scheme, lanes)


@inline
def boundaries(work: FloatArray, scheme: Scheme, lanes: int) -> None:
    """Boundaries of all lanes: system A, then system B for those lanes whose drift it does not bear.

    How a lane is treated follows from its own parameters alone, whatever its neighbours need.
    """
    _prepare(work, scheme, lanes)
    _begin(work, scheme, lanes, False)
    brisk, fast = 0, 0
    for k in range(lanes):
        pull = _pull(work[SIGMA, k], work[RATE, k], work[DIVIDEND, k])
        brisk += 1 if (pull > _BRISK) & (pull <= _FAST) else 0
        fast += 0 if pull <= _FAST else 1
    # One loop, so that it is compiled once: after the sweeps of all lanes those of the brisk ones.
    for turn in range(2 if brisk > 0 else 1):
        _sweep(work, scheme, lanes, scheme.sweeps, -math.inf if turn == 0 else _BRISK)
    if fast == 0:
        return
    _begin(work, scheme, lanes, True)
    for _ in range(2 * scheme.sweeps):
        for i in range(scheme.time.size):
            _matching(work, scheme, lanes, i)
            _move(work, scheme, lanes, i, _FAST)
        _swap(work, scheme, lanes)
