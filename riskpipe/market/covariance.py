"""The covariance of the history's moves, shrunk, as something that moves can be made with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.kernels.dense import orthonormalise, product
from riskpipe.kernels.sobol import DIRECTIONS, sobol_points, to_normal
from riskpipe.kernels.tiles import exponentials
from riskpipe.market.factors import SAMPLE_SIZE, MarketFault
from riskpipe.market.history import PastMoves
from riskpipe.market.snapshot import MarketSnapshot

COMPONENTS = 8
"""Leading principal components that moves are told along."""
_ITERATIONS = 40
"""Of the subspace that becomes the principal components."""


def ledoit_wolf(moves: FloatArray) -> float:
    """The optimal weight of the identity, times the mean variance, in a covariance around zero, from 0 to 1.

    Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004), section 3.2, written
    in products of days: with n moves of p factors, m the mean variance, d^2 the distance of the sample's covariance
    from m I and b^2 that of single moves from it, the weight is min(b^2, d^2) / d^2.

    :param moves: float64[n, p].
    """
    n, p = moves.shape
    days = product(moves, np.ascontiguousarray(moves.T))
    squares = np.diagonal(days)
    mean = math.fsum(squares) / (n * p)
    size = math.fsum((days * days).ravel()) / n**2
    distance = size / p - mean**2
    spread = (math.fsum(squares * squares) / n - size) / (n * p)
    return float(min(max(spread, 0.0) / distance, 1.0)) if distance > 0.0 else 0.0


class Standardised(Struct, frozen=True):
    """Moves over their deviations.

    :param factors: positions in `PastMoves.factors` of those that ever moved. :param deviation: float64[n].
    :param moves: float64[T, n], with mean square one; zero where there is no move.
    """

    factors: NDArray[np.int64]
    deviation: FloatArray
    moves: FloatArray


def standardised(past: PastMoves) -> Standardised:
    """Around zero: the mean move of a day is noise beside its deviation."""
    known = ~np.isnan(past.moves)
    moves = np.where(known, past.moves, 0.0)
    square = np.array([math.fsum(column * column) for column in moves.T])
    factors = np.flatnonzero(square > 0.0)
    count = known.sum(axis=0)[factors]
    deviation = np.sqrt(square[factors] / count)
    scaled = moves[:, factors] / deviation * np.sqrt(len(moves) / count)
    return Standardised(factors, deviation, np.ascontiguousarray(scaled))


def leading_days(moves: FloatArray, components: int) -> FloatArray:
    """The leading principal components in the space of days, float64[k, T], orthonormal rows: X' q / sqrt(T) is the
    move of one deviation along each. Of the subspace of fewer days than components some rows are zero.
    """
    days = product(moves, np.ascontiguousarray(moves.T)) / len(moves)
    vectors = np.empty((components, len(moves)))
    sobol_points(0, 0, DIRECTIONS, vectors)
    to_normal(vectors)
    for _ in range(_ITERATIONS):
        orthonormalise(vectors)
        vectors = product(vectors, days)
    orthonormalise(vectors)
    return vectors


class Covariance:
    """(1 - shrinkage) X' X / T + shrinkage I, in deviations of the factors, with X the T standardised moves.

    Moves are taken over the deviation of each factor, so that the shrinkage does not depend on units.

    :ivar factors: int32[n], positions in x0 of those that ever moved. :ivar moves: float64[T, n], X.
    :ivar components: float64[COMPONENTS, T], the leading principal components in the space of days.
    :ivar faults: of the moves that `levels` could not make a level of.
    """

    def __init__(self, past: PastMoves, snapshot: MarketSnapshot, shrinkage: float | None) -> None:
        """:param shrinkage: None: as Ledoit and Wolf estimate it. :raise ValueError: nothing ever moved."""
        found = standardised(past)
        if not len(found.factors):
            raise ValueError("a history in which nothing moves has no covariance")
        self.moves, self.factors = found.moves, past.factors[found.factors]
        self.components = leading_days(found.moves, COMPONENTS)
        self.shrinkage = ledoit_wolf(found.moves) if shrinkage is None else shrinkage
        self._deviation, self._snapshot = found.deviation, snapshot
        self._is_log, self._is_relative = past.is_log[found.factors], past.is_relative[found.factors]
        kinds = [snapshot.kind_of_factor[k] for k in self.factors]
        self._positive = np.array([kind.positive for kind in kinds], np.bool_)
        self._bounds = np.array([kind.bounds for kind in kinds]).reshape(-1, 2).T
        self._sunk: dict[str, int] = {}

    @property
    def faults(self) -> list[MarketFault]:
        if not self._sunk:
            return []
        message = "a simulated move makes a value one that cannot be: what depends on it has no P&L there (NUMERICAL)"
        sample = tuple(self._sunk)[:SAMPLE_SIZE]
        return [MarketFault(Level.ERROR, "value", "out of range", sum(self._sunk.values()), sample, message)]

    def levels(self, moves: FloatArray) -> Iterator[FloatArray]:
        """Today's levels of `factors`, moved as the history moves them; NaN where there can be none.

        :param moves: float64[m, n], in deviations.
        """
        today, (low, high) = self._snapshot.x0[self.factors], self._bounds
        for standard in moves:
            move = standard * self._deviation
            levels = np.where(self._is_relative, today * (1.0 + move), today + move)
            levels[self._is_log] = today[self._is_log] * exponentials(move[self._is_log])
            bad = (self._positive & (levels <= 0.0)) | (levels < low) | (levels > high) | ~np.isfinite(levels)
            for k in np.flatnonzero(bad):
                name = self._snapshot.factor_ids[self.factors[k]]
                self._sunk[name] = self._sunk.get(name, 0) + 1
            levels[bad] = np.nan
            yield levels
