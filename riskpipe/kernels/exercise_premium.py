"""What early exercise below known boundaries adds to puts with strike and time to expiry one (Kim 1990)."""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Offsets
from riskpipe.kernels.boundary import DIVIDEND, DRIFT, INVERSE, RATE, SIGMA, START, gauss, interpolate
from riskpipe.kernels.collocation import Scheme
from riskpipe.kernels.compiler import inline
from riskpipe.kernels.mathematics import fma, select, tail_ratio
from riskpipe.kernels.put_terms import MONEYNESS, PREMIUM, SPOT


@inline
def _premium(
    option: tuple[float, float],
    boundary: tuple[float, float],
    lane: tuple[float, float, float, float, float],
    elapsed: tuple[float, float, float, float],
) -> float:
    """What exercise at a time adds to the European price: r N(-d2) - q S N(-d1), discounted.

    :param option: logarithm of spot / strike, and spot / strike.
    :param boundary: at that time, likewise.
    :param lane: sigma, its inverse, drift, rate and dividend.
    :param elapsed: the root of the time until then, its inverse, and what rate and dividend discount over it.
    """
    x, spot = option
    sigma, inverse, drift, rate, dividend = lane
    step, across, rate_factor, dividend_factor = elapsed
    d1 = fma((x - boundary[0]) * across, inverse, drift * step)
    d2 = fma(-sigma, step, d1)
    # S exp(-q s) times the density at d1 is the boundary times exp(-r s) times the density at d2.
    density = rate_factor * gauss(-0.5 * d2 * d2)
    near, far = density * tail_ratio(abs(d2)), boundary[1] * (density * tail_ratio(abs(d1)))
    cash = select(d2 < 0.0, rate_factor - near, near)
    asset = select(d1 < 0.0, fma(spot, dividend_factor, -far), far)
    return fma(rate, cash, -dividend * asset)


@inline
def add_premiums(
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
    x, spot, premium = terms[MONEYNESS], terms[SPOT], terms[PREMIUM]
    sigma, inverse, drift = work[SIGMA], work[INVERSE], work[DRIFT]
    rate, dividend, start = work[RATE], work[DIVIDEND], work[START]
    boundary, level, rates, dividends = quadrature[0], quadrature[1], quadrature[2], quadrature[3]
    for j in range(scheme.last_elapsed.size):
        elapsed = scheme.last_elapsed[j]
        step = math.sqrt(elapsed)
        across = 1.0 / step
        weight = 2.0 * scheme.last_weight[j] * step
        interpolate(work, scheme.last_basis[j], boundary, lanes)
        for k in range(lanes):
            boundary[k] = start[k] - boundary[k]
            level[k] = gauss(boundary[k])
            rates[k] = gauss(-rate[k] * elapsed)
            dividends[k] = gauss(-dividend[k] * elapsed)
        if one_each:
            begin = first[0]
            x_lanes, spot_lanes, sums = x[begin : begin + lanes], spot[begin : begin + lanes], premium[begin:]
            for k in range(lanes):
                lane = sigma[k], inverse[k], drift[k], rate[k], dividend[k]
                discounts = step, across, rates[k], dividends[k]
                option = x_lanes[k], spot_lanes[k]
                sums[k] += weight * _premium(option, (boundary[k], level[k]), lane, discounts)
        else:
            for k in range(lanes):
                exercise = boundary[k], level[k]
                lane = sigma[k], inverse[k], drift[k], rate[k], dividend[k]
                discounts = step, across, rates[k], dividends[k]
                # A loop from zero: indices that might be negative would keep it from vectorising.
                x_run, spot_run = x[first[k] : first[k + 1]], spot[first[k] : first[k + 1]]
                run = premium[first[k] : first[k + 1]]
                for s in range(run.size):
                    run[s] += weight * _premium((x_run[s], spot_run[s]), exercise, lane, discounts)
