"""Rates at which flows are worth a price: yields of bonds and spreads over curves.

Newton's method on the logarithm of the value, which is convex and nearly linear in a continuously compounded rate: of
flows that are not negative it converges from anywhere.
"""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Offsets, TimedFlows
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, fma, log

_STEPS = 100
_TOLERANCE = 4e-15
_FURTHEST = 600.0  # beyond any exponent of a flow's factor


@inline
def _value(time: FloatArray, amount: FloatArray, rate: float) -> tuple[float, float]:
    """The flows' value, and its derivative by the rate, but for the sign."""
    value = weighted = 0.0
    for k in range(time.size):
        worth = amount[k] * exp(-max(min(rate * time[k], _FURTHEST), -_FURTHEST))
        value += worth
        weighted = fma(time[k], worth, weighted)
    return value, weighted


@inline
def _solve(time: FloatArray, amount: FloatArray, price: float) -> float:
    """Infinite where there is none to be found."""
    if not (price > 0.0 and np.isfinite(price)):
        return np.inf
    rate = 0.0
    for _ in range(_STEPS):
        value, weighted = _value(time, amount, rate)
        if not (value > 0.0 and weighted != 0.0):
            return np.inf
        # (log value - log price) / duration
        step = log(value / price) * value / weighted
        rate += step
        if abs(step) <= _TOLERANCE * max(1.0, abs(rate)):
            return rate
    return np.inf


@kernel
def rates_of_prices(flows: TimedFlows, price: FloatArray, frequency: FloatArray, out: FloatArray) -> None:
    """Rates at which flows are worth their price, and how far the price falls with them.

    :param price: float64[n].
    :param frequency: float64[n], compounding periods a year; 0: continuous.
    :param out: float64[n, 2], written: the rate a year, and minus the derivative of the logarithm of the value by it
        (modified duration); infinite where there is no rate.
    """
    offsets, time, amount = flows
    for k in range(price.size):
        own = slice(offsets[k], offsets[k + 1])
        rate = _solve(time[own], amount[own], price[k])
        out[k] = rate
        if not np.isfinite(rate):
            continue
        out[k, 1] = _value(time[own], amount[own], rate)[1] / price[k]
        if frequency[k] > 0.0:
            growth = exp(rate / frequency[k])
            out[k, 0] = frequency[k] * (growth - 1.0)
            out[k, 1] /= growth


@kernel
def times_from(offsets: Offsets, years: FloatArray, since: FloatArray, out: FloatArray) -> None:
    """Times of the ends of periods that follow on one another.

    :param offsets: int64[n + 1], as of flows.
    :param years: float64[flows], lengths of the periods. :param since: float64[n], what of the first is over.
    :param out: float64[flows], written.
    """
    for k in range(since.size):
        time = -since[k]
        for j in range(offsets[k], offsets[k + 1]):
            time += years[j]
            out[j] = time
