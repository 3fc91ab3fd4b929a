"""Quantiles of the chi-square distribution."""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, log


@inline
def _log_gamma(a: float) -> float:
    """ln Gamma(a), a > 0: Stirling's series beyond 12 (Abramowitz and Stegun 6.1.41), 1e-14 relative."""
    shift, x = 0.0, a
    while x < 12.0:
        shift += log(x)
        x += 1.0
    z = 1.0 / (x * x)
    series = (1.0 / 12.0 - z * (1.0 / 360.0 - z * (1.0 / 1260.0 - z * (1.0 / 1680.0 - z / 1188.0)))) / x
    return (x - 0.5) * log(x) - x + 0.9189385332046727 + series - shift


@inline
def _distribution(a: float, x: float, log_gamma: float) -> tuple[float, float]:
    """P(a, x) and Q(a, x), regularised incomplete gamma functions (Numerical Recipes, section 6.2)."""
    scale = exp(a * log(x) - x - log_gamma)
    if x < a + 1.0:
        term, total, n = 1.0 / a, 1.0 / a, a
        while term > total * 1e-17:
            n += 1.0
            term *= x / n
            total += term
        below = scale * total
        return below, 1.0 - below
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    fraction = d
    for k in range(1, 10_000):
        step = -k * (k - a)
        b += 2.0
        d = 1.0 / (step * d + b)
        c = b + step / c
        fraction *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    above = scale * fraction
    return 1.0 - above, above


@kernel
def chi_square_quantiles(probability: FloatArray, degrees_of_freedom: float) -> FloatArray:
    """Each probability's quantile, by bisection of its logarithm; 1e-12 relative.

    :param probability: float64[n], above 0 and below 1. :param degrees_of_freedom: above 0.
    """
    a = 0.5 * degrees_of_freedom
    log_gamma = _log_gamma(a)
    out = np.empty(probability.shape[0])
    for k in range(probability.shape[0]):
        p = probability[k]
        low, high = log(p) / a - 50.0, log(a + 10.0 * math.sqrt(a) + 800.0)
        for _ in range(64):
            middle = 0.5 * (low + high)
            below, above = _distribution(a, exp(middle), log_gamma)
            if (below < p) if p < 0.5 else (above > 1.0 - p):
                low = middle
            else:
                high = middle
        out[k] = 2.0 * exp(0.5 * (low + high))
    return out
