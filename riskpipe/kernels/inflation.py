"""Payments linked to a price index."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import (
    IndexedTerms,
    IndexLevels,
    Indices,
    InflationGrowths,
    InflationPayments,
    NodeValues,
    ProjectedTerms,
    UsedNodes,
)
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, fma, log


@inline
def compounded(rate: float, years: float) -> float:
    """(1 + rate)^years; NaN for a rate below -1."""
    return exp(years * log(1.0 + rate))


@kernel
def growths(rate: FloatArray, years: FloatArray) -> FloatArray:
    """(1 + rate)^years of each element, float64[n]: the same bits whatever the length of the arrays."""
    out = np.empty(rate.size)
    for k in range(rate.size):
        out[k] = compounded(rate[k], years[k])
    return out


@kernel
def inflation_payments(
    rows: Indices, discount: NodeValues, growths: InflationGrowths, terms: InflationPayments, out: FloatArray
) -> None:
    """out = D (known + amount_0 (1 + z_0)^years_0 + amount_1 (1 + z_1)^years_1), z_j = w0 x[i0] + w1 x[i1].

    Two months of the index, as a payment that interpolates between them needs.

    :param out: float64[m, S], written.
    """
    discounts, payment = discount
    index, weight, years, x = growths
    known, amount = terms
    for i in range(rows.size):
        row = rows[i]
        a0, b0, a1, b1 = x[index[row, 0, 0]], x[index[row, 0, 1]], x[index[row, 1, 0]], x[index[row, 1, 1]]
        u0, v0, u1, v1 = weight[row, 0, 0], weight[row, 0, 1], weight[row, 1, 0], weight[row, 1, 1]
        c, c0, c1 = known[row], amount[row, 0], amount[row, 1]
        t0, t1 = years[row, 0], years[row, 1]
        d, values = discounts[payment[row]], out[i]
        for s in range(values.size):
            first = compounded(fma(v0, b0[s], u0 * a0[s]), t0)
            second = compounded(fma(v1, b1[s], u1 * a1[s]), t1)
            values[s] = d[s] * fma(c1, second, fma(c0, first, c))


@kernel
def index_levels(used: Indices, levels: IndexLevels, x: FloatArray, out: FloatArray) -> None:
    """out[k, s] = known + amount_0 (1 + z_0)^years_0 + amount_1 (1 + z_1)^years_1 of the index used[k].

    :param x: float64[n_factors, S]. :param out: float64[m, S], written.
    """
    known, amount, index, weight, years = levels
    for k in range(used.size):
        row, total = used[k], out[k]
        for s in range(total.size):
            total[s] = known[row]
        for j in range(2):
            grown = amount[row, j]
            if grown == 0.0:
                continue
            near, far = x[index[row, j, 0]], x[index[row, j, 1]]
            u, v, t = weight[row, j, 0], weight[row, j, 1], years[row, j]
            for s in range(total.size):
                total[s] = fma(grown, compounded(fma(v, far[s], u * near[s]), t), total[s])


@kernel
def add_indexed(
    rows: Indices, discount: UsedNodes, levels: NodeValues, terms: IndexedTerms, first: int, value: FloatArray
) -> None:
    """value[k, first + s] += sum over terms j of coefficient[j] I[above, s] / I[below, s] D[payment, s].

    :param levels: of indices, and int32[indices] the row of each among them, right for those that `rows` use.
    :param first: column of `value` that the first scenario goes to.
    :param value: float64[m, S], added to.
    """
    factors, position = discount
    indices, index_position = levels
    offsets, above, below, payment, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, i, d = coefficient[j], indices[index_position[above[j]]], factors[position[payment[j]]]
            if below[j] < 0:
                for s in range(width):
                    total[s] = fma(c * i[s], d[s], total[s])
            else:
                base = indices[index_position[below[j]]]
                for s in range(width):
                    total[s] = fma(c * (i[s] / base[s]), d[s], total[s])


@kernel
def add_floored(
    rows: Indices,
    discount: UsedNodes,
    levels: NodeValues,
    terms: ProjectedTerms,
    floor: FloatArray,
    first: int,
    value: FloatArray,
) -> None:
    """value[k, first + s] += sum over terms j of coefficient[j] max(I[above, s], floor[j]) D[payment, s].

    :param levels: as `add_indexed` has them. :param terms: indices in place of growths.
    """
    factors, position = discount
    indices, index_position = levels
    offsets, above, payment, coefficient = terms
    for k in range(rows.size):
        total = value[k, first : first + factors.shape[1]]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, i, d = coefficient[j], indices[index_position[above[j]]], factors[position[payment[j]]]
            least = floor[j]
            for s in range(total.size):
                index = least if i[s] < least else i[s]  # what is no number stays none
                total[s] = fma(c * index, d[s], total[s])
