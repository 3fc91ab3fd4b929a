"""Tiles of shocked factor levels, and how shocks are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import exp, log


@kernel
def fill_levels(
    x0: FloatArray,
    indptr: NDArray[np.int64],
    value: FloatArray,
    first: NDArray[np.int64],
    factor: NDArray[np.int32],
    columns: NDArray[np.int64],
    out: FloatArray,
) -> None:
    """Levels of every factor in some scenarios: x0 everywhere, then the shocked ones.

    :param x0: float64[n_factors].
    :param indptr: int64[n_columns + 1]; the shocked levels of column c are `value[indptr[c]:indptr[c + 1]]`.
    :param first: int64[n_columns]; they are those of `factor[first[c]]` and of the factors after it.
    :param columns: int64[m], the columns wanted, in any order.
    :param out: float64[n_factors, m], overwritten.
    """
    for f in range(x0.shape[0]):
        row = out[f]
        for s in range(columns.shape[0]):
            row[s] = x0[f]
    for s in range(columns.shape[0]):
        begin = indptr[columns[s]]
        shift = first[columns[s]] - begin
        for k in range(begin, indptr[columns[s] + 1]):
            out[factor[k + shift], s] = value[k]


@kernel
def exponentials(x: FloatArray) -> FloatArray:
    """e^x of each element, the same bits whatever the length and alignment of the array."""
    out = np.empty(x.shape[0])
    for k in range(x.shape[0]):
        out[k] = exp(x[k])
    return out


@kernel
def logarithms(x: FloatArray) -> FloatArray:
    """The natural logarithm of each element, likewise."""
    out = np.empty(x.shape[0])
    for k in range(x.shape[0]):
        out[k] = log(x[k])
    return out
