"""Simulated moves of the market: the history's covariance, shrunk, and normal or t-distributed Sobol points.

A simulated move is, in deviations of the factors,

    z = s (sqrt(1 - shrinkage) X' w / sqrt(T) + sqrt(shrinkage) e),    w = g + Q (a - Q' g)

with X the T historical moves, a and g independent standard normal numbers, e likewise one for each factor, and Q the
leading principal components in the space of days. The covariance of w is the identity whatever orthonormal Q is, so
that z has exactly the shrunk covariance; that Q's are the principal components gives the first and best dimensions of
the points to what moves the market most. Of the copula t, s = sqrt((n - 2) / W) with W of the chi-square distribution
with n degrees of freedom: a multivariate t distribution of the same covariance, whose copula is the t copula; else s
is 1.

Everything is made by kernels whose bits do not depend on the library or on how many scenarios are made at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.chi_square import chi_square_quantiles
from riskpipe.kernels.dense import product
from riskpipe.kernels.sobol import DIRECTIONS, add_noise, sobol_points, to_normal
from riskpipe.market.covariance import COMPONENTS, Covariance
from riskpipe.market.monte_carlo_terms import MonteCarloTerms
from riskpipe.market.stresses import Column

_AT_A_TIME = 256


def simulated_columns(covariance: Covariance, terms: MonteCarloTerms) -> Iterator[Column]:
    """(name, factors, levels) of every scenario, in order."""
    width = len(str(terms.scenarios))
    for first in range(0, terms.scenarios, _AT_A_TIME):
        moves = simulated_moves(covariance, terms, first, min(_AT_A_TIME, terms.scenarios - first))
        for k, levels in enumerate(covariance.levels(moves)):
            yield f"simulated {first + k + 1:0{width}d}", covariance.factors, levels


def simulated_moves(covariance: Covariance, terms: MonteCarloTerms, first: int, count: int) -> FloatArray:
    """Moves of some scenarios, in deviations: float64[count, factors of the covariance]."""
    days = len(covariance.moves)
    points = np.empty((count, 1 + COMPONENTS + days))
    sobol_points(first, terms.seed, DIRECTIONS, points)
    scale = np.ones(count)
    if terms.copula == "t":
        mixed = chi_square_quantiles(points[:, 0].copy(), terms.degrees_of_freedom)
        scale = np.sqrt((terms.degrees_of_freedom - 2.0) / mixed)
    normal = np.ascontiguousarray(points[:, 1:])
    to_normal(normal)
    leading, rest = normal[:, :COMPONENTS], normal[:, COMPONENTS:]
    along = product(np.ascontiguousarray(rest), np.ascontiguousarray(covariance.components.T))
    # A component that the days do not have is a row of zeros and adds nothing.
    weights = rest + product(np.ascontiguousarray(leading - along), covariance.components)
    weights *= math.sqrt((1.0 - covariance.shrinkage) / days)
    found = product(weights, covariance.moves)
    if covariance.shrinkage > 0.0:
        add_noise(first, terms.seed, math.sqrt(covariance.shrinkage), found)
    scaled: FloatArray = found * scale[:, None]
    return scaled
