"""Why numbers are none, for messages."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import LARGEST_TERM
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.dependencies import Dependencies


def trouble(value: float, converted: float) -> str:
    """:param converted: `value` in the base currency."""
    number = value if abs(value) > LARGEST_TERM else converted
    if math.isfinite(value) and abs(number) > LARGEST_TERM and math.isfinite(number):
        return f"is {number:.3g}, too large for exact sums, which end at {LARGEST_TERM:.1e}"
    return "is not a finite number"


def without_level(
    snapshot: MarketSnapshot, needs: Dependencies, rows: NDArray[np.int32], levels: FloatArray
) -> list[str]:
    """For each trade a factor that it depends on and that has no level; nothing where all have one.

    :param levels: float64[n_factors].
    """
    absent = np.flatnonzero(np.isnan(levels))
    if not absent.size:
        return [""] * len(rows)
    first = np.full(len(snapshot.groups) + 1, -1)  # the last element is that of trades without a group
    first[snapshot.group_of_factor[absent[::-1]]] = absent[::-1]
    found = np.full(len(rows), -1)
    for column in (*needs.pricing, *needs.conversion):
        found = np.where(found < 0, first[column[rows]], found)
    ids = snapshot.factor_ids
    return ["" if k < 0 else f"{ids[k]} has no level there, `riskpipe check` says why" for k in found.tolist()]
