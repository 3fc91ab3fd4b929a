"""American options by a binomial lattice, for where exercise boundaries are not found."""

from __future__ import annotations

import math

import numpy as np

from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import exp

STEPS = 400


@kernel
def lattice_put(spot: float, rate: float, dividend: float, variance: float) -> float:
    """American put with strike and time to expiry one, for any signs of `rate` and `dividend`.

    Equally likely moves (Jarrow and Rudd 1983), European prices a step before expiry and extrapolation in the number
    of steps (Broadie and Detemple 1996, BBSR). Error below 2e-5 where the root of `variance` is 0.05 or more.

    :param rate, dividend: r T and q T; `variance`: sigma^2 T.
    """
    fine = _put(spot, rate, dividend, variance, STEPS)
    return 2.0 * fine - _put(spot, rate, dividend, variance, STEPS // 2)


@kernel
def _put(spot: float, rate: float, dividend: float, variance: float, steps: int) -> float:
    step = 1.0 / steps
    width = math.sqrt(variance * step)
    drift = (rate - dividend - 0.5 * variance) * step
    discount, growth = exp(-rate * step), exp((rate - dividend) * step)
    up = exp(2.0 * width)
    value = np.empty(steps)
    level = spot * exp((steps - 1) * (drift - width))
    for k in range(steps):
        value[k] = max(discount * black(level * growth, 1.0, variance * step, -1.0), 1.0 - level)
        level *= up
    for layer in range(steps - 2, -1, -1):
        level = spot * exp(layer * (drift - width))
        for k in range(layer + 1):
            value[k] = max(0.5 * discount * (value[k] + value[k + 1]), 1.0 - level)
            level *= up
    return float(value[0])
