"""Compounding of daily rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.compiler import kernel

Floats = NDArray[np.float64]


@kernel
def compounded_growth(
    first: Floats, factor: Floats, start: NDArray[np.int64], stop: NDArray[np.int64], last: Floats
) -> Floats:
    """Products first[k] factor[start[k]] ... factor[stop[k] - 1] last[k], from left to right.

    :param first, last: float64[n].
    :param factor: float64[m], shared by the products; `start` and `stop` int64[n].
    :return: float64[n].
    """
    out = np.empty(first.size)
    for k in range(first.size):
        growth = first[k]
        for j in range(start[k], stop[k]):
            growth = growth * factor[j]
        out[k] = growth * last[k]
    return out
