"""Payments linked to a price index."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, InflationGrowths, InflationPayments, NodeValues
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
