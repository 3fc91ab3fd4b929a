"""Small moves up and down along directions that make up the covariance of the history's moves.

Along a direction x, P&L to second order is L + Q, L = delta' x odd in x and Q = x' gamma x / 2 even, so that half the
difference and half the sum of the P&Ls of a step up and one down tell them apart, with the gamma of every factor with
every other. The directions are orthonormal in the space of days, in a basis that is drawn at random: with as many of
them as days the mean of L^2 is the variance of the delta, and the mean of Q the mean of the gamma, of the history's
covariance exactly, whatever the basis; each direction has a draw of the shrinkage's own moves as well. Being random,
each is as good as one draw of the normal distribution for the higher moments.

Then come the leading principal components, each up and down by its deviation and each pair of them up together: second
differences are the gamma, with its cross terms, in the directions in which the market moves most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.dense import orthonormalise, product
from riskpipe.kernels.sobol import add_noise
from riskpipe.market.covariance import COMPONENTS, Covariance
from riskpipe.market.stresses import Column

STEP = 0.2
"""Of a move."""
DIRECTIONS = 1024
"""At most: of a longer history not all."""
PAIRS = tuple((i, j) for i in range(COMPONENTS) for j in range(i + 1, COMPONENTS))
ALONG_COMPONENTS = 2 * COMPONENTS + len(PAIRS)
"""Columns after those of the directions: components up, components down, pairs up."""
_BASIS, _OWN = 1, 2


def directions_of(columns: int) -> int:
    """How many directions the set of so many columns has."""
    return max((columns - ALONG_COMPONENTS) // 2, 0)


def delta_gamma_columns(covariance: Covariance, seed: int) -> Iterator[Column]:
    """(name, factors, levels): every direction up, then every direction down, then those along components."""
    moves = delta_gamma_moves(covariance, seed)
    for sign, side in ((1.0, "up"), (-1.0, "down")):
        for k, levels in enumerate(covariance.levels(sign * STEP * moves)):
            yield f"direction {k + 1} {side}", covariance.factors, levels
    kept = math.sqrt((1.0 - covariance.shrinkage) / len(covariance.moves))
    one = product(kept * covariance.components, covariance.moves)
    together = np.array([one[i] + one[j] for i, j in PAIRS])
    names = [f"component {k + 1} {side}" for side in ("up", "down") for k in range(COMPONENTS)]
    names += [f"components {i + 1} and {j + 1} up" for i, j in PAIRS]
    along = covariance.levels(np.concatenate([one, -one, together]))
    yield from ((name, covariance.factors, levels) for name, levels in zip(names, along, strict=True))


def delta_gamma_moves(covariance: Covariance, seed: int) -> FloatArray:
    """Moves along the directions, in deviations: float64[directions, factors of the covariance]."""
    days = len(covariance.moves)
    basis = np.zeros((min(days, DIRECTIONS), days))
    add_noise(_BASIS << 32, seed, 1.0, basis)
    orthonormalise(basis)
    moves = product(math.sqrt(1.0 - covariance.shrinkage) * basis, covariance.moves)
    add_noise(_OWN << 32, seed, math.sqrt(covariance.shrinkage), moves)
    return moves
