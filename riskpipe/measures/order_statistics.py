"""What the order statistics of a sample say of a quantile: weights of an estimate, and ranks of an interval."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from riskpipe.arrays import FloatArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@cache
def harrell_davis_weights(size: int, probability: float) -> FloatArray:
    """Weights of the ascending order statistics in the quantile of Harrell and Davis (1982, equation 2), float64[size].

    W_i = I(i / n) - I((i - 1) / n), I the regularised incomplete beta function of (n + 1) p and (n + 1) (1 - p).
    """
    a, b = (size + 1) * probability, (size + 1) * (1.0 - probability)
    scale = math.lgamma(size + 1.0) - math.lgamma(a) - math.lgamma(b)
    at = (np.arange(size)[:, None] + 0.5 * (1.0 + _NODES)) / size
    density = np.exp(scale + (a - 1.0) * np.log(at) + (b - 1.0) * np.log1p(-at))
    weights: FloatArray = np.sum(density * (0.5 * _WEIGHTS), axis=1) / size
    # Where an end is a pole (a or b below one) its cell is what the others leave.
    end = 0 if a < b else size - 1
    weights[end] = 0.0
    weights[end] = max(1.0 - math.fsum(weights), 0.0)
    return weights


@cache
def quantile_ranks(size: int, probability: float, confidence: float = 0.95) -> tuple[int, int]:
    """Ranks r and s, from 1, of the order statistics between which a quantile lies; 0 or size + 1: no telling.

    At most (1 - confidence) / 2 of the binomial distribution is below r, and as much at or above s (David and Nagaraja,
    Order Statistics, 2003, section 7.1).
    """
    tail = 0.5 * (1.0 - confidence)
    k = np.arange(size + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
    log_mass = log_factorial[size] - log_factorial[k] - log_factorial[size - k]
    log_mass += k * math.log(probability) + (size - k) * math.log1p(-probability)
    # P(X < k) and P(X >= k), each summed from its own end.
    below = np.concatenate([[0.0], np.cumsum(np.exp(log_mass))])
    above = np.concatenate([np.cumsum(np.exp(log_mass[::-1]))[::-1], [0.0]])
    lower = int(np.flatnonzero(below <= tail).max())
    upper = int(np.flatnonzero(above <= tail).min())
    return lower, upper
