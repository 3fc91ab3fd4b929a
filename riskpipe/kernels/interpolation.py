"""Finding keys in many sorted grids at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel


@kernel
def bracket(
    grid: FloatArray,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    key: FloatArray,
) -> NDArray[np.int64]:
    """The last position in [start[k], stop[k]) whose grid value is at most key[k]; start[k] - 1 if none.

    :param grid: float64[m], ascending within every range; ranges may overlap.
    :param start, stop, key: [n], one range and one key each. A NaN key is below everything.
    :return: int64[n].
    """
    n = key.shape[0]
    found = np.empty(n, np.int64)
    for k in range(n):
        low = start[k]
        high = stop[k]
        while low < high:
            middle = (low + high) // 2
            if grid[middle] <= key[k]:
                low = middle + 1
            else:
                high = middle
        found[k] = low - 1
    return found
