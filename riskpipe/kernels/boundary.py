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
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import cdf, exp, exp_normal, fma, log, select, tail_ratio

# Boundaries solved for at a time: the innermost loops run over them.
LANES = 64
_SQRT_TWO_PI = 2.5066282746310002
LEAST_ROOT = 1e-7
# Drifts (in deviations) above which steps of system A are shortened, of which it then takes twice as many, and above
# which system B takes its place.
_BRISK, FAST = 0.5, 0.8

# Rows of the scratch array: parameters of the lanes, what a sweep adds up, steps that a lane takes and what the last
# was worth; then (from `PARAMETERS` on, a row a node each) H, its root and what the equation makes of that, and a row
# for each point of quadrature.
SIGMA, INVERSE, DRIFT, RATE, DIVIDEND, START, ABOVE, BELOW, ROOT, STEPS, WORTH = range(11)
PARAMETERS = 11


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
def pull_of(sigma: float, rate: float, dividend: float) -> float:
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
def parameters(work: FloatArray, lanes: int) -> None:
    """From the rows sigma, rate and dividend: the other parameters."""
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    for k in range(lanes):
        inverse[k] = 1.0 / sigma[k]
        drift[k] = fma(rate[k] - dividend[k], inverse[k], 0.5 * sigma[k])
        ratio = select(dividend[k] > rate[k], rate[k], 1.0) / select(dividend[k] > rate[k], dividend[k], 1.0)
        start[k] = log(ratio)


@inline
def factors(work: FloatArray, scheme: Scheme, lanes: int) -> None:
    """What dividends discount over the times left, which `images` takes."""
    n, points = scheme.elapsed.shape
    dividend = work[DIVIDEND]
    for i in range(n):
        for j in range(points):
            left = scheme.left[i, j]
            factor = work[PARAMETERS + 3 * n + i * points + j]
            for k in range(lanes):
                factor[k] = exp_normal(dividend[k] * left)


@inline
def within(new: float, old: float) -> float:
    """A distance that is at most half or twice as large as the old one."""
    new = select(new < 0.5 * old, 0.5 * old, new)
    return select(new > 2.0 * old, 2.0 * old, new)


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
            y = select(y > LEAST_ROOT, y, LEAST_ROOT)
            y = select(drifting & (pull_of(sigma[k], rate[k], dividend[k]) <= FAST), root[k], y)
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
    above, below, root, y = work[ABOVE], work[BELOW], work[ROOT], work[PARAMETERS + n + i]
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
    above, below, root, y = work[ABOVE], work[BELOW], work[ROOT], work[PARAMETERS + n + i]
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
def _image(work: FloatArray, scheme: Scheme, lanes: int, i: int) -> None:
    """What the equation makes of the boundary at node i, from numerator and denominator."""
    n = scheme.time.size
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    above, below, time = work[ABOVE], work[BELOW], scheme.time[i]
    y, new = work[PARAMETERS + n + i], work[PARAMETERS + 2 * n + i]
    for k in range(lanes):
        sound = (above[k] > 0.0) & (below[k] > 0.0)
        ratio = select(sound, above[k], 1.0) / select(sound, below[k], 1.0)
        new[k] = select(sound, fma(rate[k] - dividend[k], time, start[k]) - log(ratio), y[k] + y[k])


@kernel
def images(work: FloatArray, scheme: Scheme, lanes: int, matching: bool) -> None:
    """Put the boundaries through their equation once: system B with `matching`, else system A."""
    for i in range(scheme.time.size):
        if matching:
            _matching(work, scheme, lanes, i)
        else:
            _contact(work, scheme, lanes, i)
        _image(work, scheme, lanes, i)


@inline
def _move(work: FloatArray, scheme: Scheme, lanes: int, above_pull: float) -> None:
    """Boundaries become their images; by at most half and twice.

    :param above_pull: lanes that drift less stay where they are.
    """
    n = scheme.time.size
    sigma, rate, dividend = work[SIGMA], work[RATE], work[DIVIDEND]
    for i in range(n):
        square, y, image = work[PARAMETERS + i], work[PARAMETERS + n + i], work[PARAMETERS + 2 * n + i]
        for k in range(lanes):
            old, pull = y[k], pull_of(sigma[k], rate[k], dividend[k])
            # System A swings about the boundary where the drift is strong.
            value = select((pull > _BRISK) & (pull <= FAST), fma(0.7, image[k] - old, old), image[k])
            value = select(pull > above_pull, within(value, old), old)
            y[k] = value
            square[k] = value * value


@kernel
def boundaries(work: FloatArray, scheme: Scheme, lanes: int, sweeps: int) -> None:
    """Boundaries of all lanes from cold: system A, then system B for those lanes whose drift it does not bear.

    How a lane is treated follows from its own parameters alone, whatever its neighbours need.

    :param sweeps: how often they are put through their equation; twice as often where the drift is strong.
    """
    parameters(work, lanes)
    factors(work, scheme, lanes)
    _begin(work, scheme, lanes, False)
    brisk, fast = 0, 0
    for k in range(lanes):
        pull = pull_of(work[SIGMA, k], work[RATE, k], work[DIVIDEND, k])
        brisk += 1 if (pull > _BRISK) & (pull <= FAST) else 0
        fast += 0 if pull <= FAST else 1
    for sweep in range(2 * sweeps if brisk > 0 else sweeps):
        images(work, scheme, lanes, False)
        _move(work, scheme, lanes, -math.inf if sweep < sweeps else _BRISK)
    if fast == 0:
        return
    _begin(work, scheme, lanes, True)
    for _ in range(2 * sweeps):
        images(work, scheme, lanes, True)
        _move(work, scheme, lanes, FAST)
