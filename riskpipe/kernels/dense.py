"""Products of dense matrices whose bits do not depend on the library, the processor or the number of threads."""

from __future__ import annotations

import math

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma

_WIDTH = 512
"""Columns at a time: so much of a row stays in the first-level cache."""


@kernel
def product(a: FloatArray, b: FloatArray) -> FloatArray:
    """a b, each element added up in the order of the inner index by fused multiply-adds.

    :param a: float64[n, k]; b: float64[k, m], both C-contiguous. :return: float64[n, m].
    """
    n, inner, m = a.shape[0], a.shape[1], b.shape[1]
    out = np.zeros((n, m))
    for start in range(0, m, _WIDTH):
        stop = min(start + _WIDTH, m)
        for i in range(n):
            whole = inner - inner % 4
            for k in range(0, whole, 4):
                a0, a1, a2, a3 = a[i, k], a[i, k + 1], a[i, k + 2], a[i, k + 3]
                for j in range(start, stop):
                    total = fma(a0, b[k, j], out[i, j])
                    total = fma(a1, b[k + 1, j], total)
                    total = fma(a2, b[k + 2, j], total)
                    out[i, j] = fma(a3, b[k + 3, j], total)
            for k in range(whole, inner):
                for j in range(start, stop):
                    out[i, j] = fma(a[i, k], b[k, j], out[i, j])
    return out


@kernel
def orthonormalise(vectors: FloatArray) -> None:
    """Gram and Schmidt's rows, twice over, in place; a row that depends on those before it becomes zero.

    :param vectors: float64[k, n].
    """
    for i in range(vectors.shape[0]):
        before = 0.0
        for t in range(vectors.shape[1]):
            before = fma(vectors[i, t], vectors[i, t], before)
        for _ in range(2):
            for j in range(i):
                share = 0.0
                for t in range(vectors.shape[1]):
                    share = fma(vectors[i, t], vectors[j, t], share)
                for t in range(vectors.shape[1]):
                    vectors[i, t] = fma(-share, vectors[j, t], vectors[i, t])
        square = 0.0
        for t in range(vectors.shape[1]):
            square = fma(vectors[i, t], vectors[i, t], square)
        scale = 1.0 / math.sqrt(square) if square > 1e-20 * before else 0.0
        for t in range(vectors.shape[1]):
            vectors[i, t] *= scale
