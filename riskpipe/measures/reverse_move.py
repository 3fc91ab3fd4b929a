"""The most plausible move of the market that loses a given amount: what it is made of, and each factor's part in it."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.tiles import exponentials, logarithms
from riskpipe.market.covariance import COMPONENTS
from riskpipe.market.covariance_directions import PAIRS, STEP, directions_of
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.measures.nearest_loss import nearest_loss

DELTA_GAMMA = PNL_SETS["delta_gamma_var"]
_SHIFT_TYPES = {"absolute": "absolute", "log": "log", "relative": "relative", "none": "absolute"}


class ReverseMove(Struct, frozen=True):
    """:param distance: Mahalanobis distance under the history's covariance, in deviations.
    :param weights: float64[columns], how much of the move of each column of the set `DELTA_GAMMA` it has.
    """

    distance: float
    weights: FloatArray


def reverse_move(pnl: FloatArray, loss: float) -> ReverseMove | None:
    """The nearest move that loses an amount to second order; None: there is none.

    Beside the components lies the rest of the delta: the sum of the directions by their P&Ls, less its parts along
    components, which are the deltas along these.

    :param pnl: float64[columns], of a book under the set `DELTA_GAMMA`. :param loss: above 0.
    """
    half = directions_of(len(pnl))
    along = pnl[2 * half :]
    up, down, both = along[:COMPONENTS], along[COMPONENTS : 2 * COMPONENTS], along[2 * COMPONENTS :]
    first = (pnl[:half] - pnl[half : 2 * half]) / (2.0 * STEP)
    delta, gamma = 0.5 * (up - down), np.diag(up + down)
    for (i, j), pair in zip(PAIRS, both, strict=True):
        gamma[i, j] = gamma[j, i] = pair - up[i] - up[j]
    rest = math.sqrt(max(float(np.mean(first**2)) - float(np.sum(delta**2)), 0.0))
    found = nearest_loss(delta, gamma, rest, loss)
    if found is None:
        return None
    weights = np.zeros(len(pnl))
    share = found.beside / rest if rest > 0.0 else 0.0
    weights[:half] = share * first / (half * STEP)
    weights[2 * half : 2 * half + COMPONENTS] = found.along - share * delta
    return ReverseMove(found.distance, weights)


class FactorMoves(Struct, frozen=True):
    """:param factors: int32[k], positions in the snapshot. :param types: str[k], as scenarios' files name them.
    :param shifts: float64[k], finite.
    """

    factors: NDArray[np.int32]
    types: NDArray[np.str_]
    shifts: FloatArray

    def levels(self, today: FloatArray) -> FloatArray:
        """float64[k]: where the factors are moved to. :param today: float64[n_factors]."""
        x = today[self.factors]
        moved: FloatArray = np.select(
            [self.types == "log", self.types == "relative"],
            [x * exponentials(np.where(self.types == "log", self.shifts, 0.0)), x * (1.0 + self.shifts)],
            x + self.shifts,
        )
        return moved


def factor_moves(snapshot: MarketSnapshot, scenarios: ScenarioSet, weights: FloatArray) -> FactorMoves:
    """The sum of the moves of the columns of `DELTA_GAMMA` by weights, factor by factor; derived points among them, to
    first order as in the columns. A factor that has no level in a column stays.
    """
    columns = scenarios.columns_of(DELTA_GAMMA)
    factors, _ = scenarios.shocks(columns.start)
    kinds = [snapshot.kind_of_factor[k] for k in factors]
    types = np.array([_SHIFT_TYPES[kind.move] for kind in kinds], np.str_)
    total = np.zeros(len(factors))
    for column, weight in zip(range(columns.start, columns.stop), weights, strict=True):
        if weight != 0.0:
            total += weight * _move(snapshot.x0[factors], scenarios.shocks(column)[1], types)
    kept = np.flatnonzero(np.isfinite(total) & ~np.array([kind.fact for kind in kinds], np.bool_))
    return FactorMoves(factors[kept], types[kept], total[kept])


def _move(today: FloatArray, level: FloatArray, types: NDArray[np.str_]) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = level / today
    by_ratio = [logarithms(ratio), ratio - 1.0]
    moves: FloatArray = np.select([types == "log", types == "relative"], by_ratio, level - today)
    return moves
