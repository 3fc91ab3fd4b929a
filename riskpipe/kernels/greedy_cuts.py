"""Greedy cutting of a sequence of rows under three limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel


@kernel
def cut_rows(
    seconds: FloatArray,
    memory: FloatArray,
    counted: NDArray[np.bool_],
    max_seconds: float,
    max_memory: float,
    max_count: int,
) -> NDArray[np.int64]:
    """Boundaries such that no piece passes a limit, unless a single row does.

    :param seconds, memory: float64[n].
    :param counted: bool[n], rows that count towards `max_count`.
    :return: int64[pieces + 1]: 0, ..., n.
    """
    n = seconds.shape[0]
    boundaries = np.empty(n + 1, np.int64)
    boundaries[0] = 0
    pieces = 0
    first = 0
    s = 0.0
    m = 0.0
    c = 0
    for k in range(n):
        one = 1 if counted[k] else 0
        if k > first and (s + seconds[k] > max_seconds or m + memory[k] > max_memory or c + one > max_count):
            pieces += 1
            boundaries[pieces] = k
            first = k
            s = 0.0
            m = 0.0
            c = 0
        s += seconds[k]
        m += memory[k]
        c += one
    if n > 0:
        pieces += 1
        boundaries[pieces] = n
    return boundaries[: pieces + 1].copy()
