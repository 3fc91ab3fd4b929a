"""Growths: ratios of discount factors, and daily rates compounded."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Flags, Indices, Offsets
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma


@kernel
def ratios(numerator: Indices, denominator: Indices, discount: FloatArray, out: FloatArray) -> None:
    """out[k, s] = D[numerator[k], s] / D[denominator[k], s].

    :param discount: float64[nodes, n_scenarios].
    :param out: float64[n, n_scenarios], overwritten.
    """
    for k in range(numerator.size):
        a, b, row = discount[numerator[k]], discount[denominator[k]], out[k]
        for s in range(row.size):
            row[s] = a[s] / b[s]


@kernel
def distinct_ratios(numerator: Indices, denominator: Indices, nodes: int) -> tuple[Indices, Indices, Indices]:
    """Each pair once, in the order in which they come, and where each given pair is among them.

    :param numerator, denominator: int32[n], below `nodes`.
    :return: int32[m], int32[m], int32[n].
    """
    # pairs of one numerator, of which there are few, in a chain: the last that was found, then each one's predecessor
    last, previous = np.full(nodes, -1, np.int32), np.empty(numerator.size, np.int32)
    over, under, place = np.empty_like(numerator), np.empty_like(numerator), np.empty_like(numerator)
    count = 0
    for k in range(numerator.size):
        a, b = numerator[k], denominator[k]
        at = last[a]
        while at >= 0 and under[at] != b:
            at = previous[at]
        if at < 0:
            at = np.int32(count)
            over[at], under[at], previous[at], last[a] = a, b, last[a], at
            count += 1
        place[k] = at
    return over[:count].copy(), under[:count].copy(), place


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
def observed_growth(offsets: Offsets, interest: FloatArray, averaged: Flags) -> FloatArray:
    """Of one unit over days that are known: the product of 1 + interest, or where averaged one and the sum of interest.

    :param offsets: int64[n + 1], of the days of each period. :param interest: float64[days], rate times length.
    :param averaged: bool[n].
    :return: float64[n], one for no days.
    """
    out = np.ones(offsets.size - 1)
    for k in range(out.size):
        for j in range(offsets[k], offsets[k + 1]):
            if averaged[k]:
                out[k] += interest[j]
            else:
                out[k] *= 1.0 + interest[j]
    return out


@kernel
def daily_growths(
    days: tuple[Indices, Indices, FloatArray],
    periods: tuple[Indices, Indices, Indices, Indices, Flags],
    discount: FloatArray,
    daily: FloatArray,
    out: FloatArray,
) -> None:
    """Growths by daily rates that count for longer or shorter than the days that they are of.

    Day i grows by 1 + weight[i] (D[start[i]] / D[end[i]] - 1), period k by day first[k], those from begin[k] to
    stop[k] - 1, and day last[k] (-1: none), multiplied in this order; where averaged[k], by one and the sum of what
    days grow by.

    :param days: start, end int32[days], rows of `discount`; weight float64[days].
    :param periods: first, begin, stop, last, int32[periods] each; averaged bool[periods].
    :param discount: float64[nodes, n_scenarios].
    :param daily: float64[days, n_scenarios], overwritten.
    :param out: float64[periods, n_scenarios], overwritten.
    """
    start, end, weight = days
    first, begin, stop, last, averaged = periods
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
        if averaged[k]:
            for i in range(begin[k], stop[k]):
                row = daily[i]
                for s in range(width):
                    growth[s] += row[s] - 1.0
            continue
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
