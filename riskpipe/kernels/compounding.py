"""Compounding of daily rates."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, Offsets
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma


@kernel
def compounded_growth(
    first: FloatArray, factor: FloatArray, start: Offsets, stop: Offsets, last: FloatArray
) -> FloatArray:
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


@kernel
def daily_growths(
    days: tuple[Indices, Indices, FloatArray],
    periods: tuple[Indices, Indices, Indices, Indices],
    discount: FloatArray,
    daily: FloatArray,
    out: FloatArray,
) -> None:
    """Growths by daily rates that count for longer or shorter than the days that they are of.

    Day i grows by 1 + weight[i] (D[start[i]] / D[end[i]] - 1), period k by day first[k], those from begin[k] to
    stop[k] - 1, and day last[k] (-1: none), multiplied in this order.

    :param days: start, end int32[days], rows of `discount`; weight float64[days].
    :param periods: first, begin, stop, last, int32[periods] each.
    :param discount: float64[nodes, n_scenarios].
    :param daily: float64[days, n_scenarios], overwritten.
    :param out: float64[periods, n_scenarios], overwritten.
    """
    start, end, weight = days
    first, begin, stop, last = periods
    width = discount.shape[1]
    for i in range(start.size):
        a, b, w = discount[start[i]], discount[end[i]], weight[i]
        row = daily[i]
        for s in range(width):
            row[s] = fma(w, a[s] / b[s] - 1.0, 1.0)
    for k in range(begin.size):
        growth = out[k]
        for s in range(width):
            growth[s] = 1.0
        if first[k] >= 0:
            row = daily[first[k]]
            for s in range(width):
                growth[s] = row[s]
        for i in range(begin[k], stop[k]):
            row = daily[i]
            for s in range(width):
                growth[s] = growth[s] * row[s]
        if last[k] >= 0:
            row = daily[last[k]]
            for s in range(width):
                growth[s] = growth[s] * row[s]
