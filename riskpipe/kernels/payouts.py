"""Discrete dividends in forwards: what of a spot that grows without them they leave.

With G(t) the forward without discrete dividends, ratios p and cash d at ex dates t_1 < t_2 < ...,

    F(t_i) = F(t_i-) (1 - p_i) - d_i = G(t_i) A_i (1 - C_i)
    A_i = A_(i-1) (1 - p_i),  C_i = C_(i-1) + d_i / (G(t_i) A_i)

A is what ratios leave of a share, C what of it the cash so far is worth.
"""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma, select


@kernel
def pay_outs(
    grown: FloatArray,
    chain: Indices,
    events: tuple[Indices, Indices],
    x: FloatArray,
    kept: FloatArray,
    escrow: FloatArray,
) -> None:
    """A and C after each ex date; C is one or more where cash dividends are worth the spot or more.

    :param grown: float64[m, S], G at the ex dates, those of an underlying in ascending order.
    :param chain: int32[m], the underlying of each.
    :param events: cash and ratio, int32[m], rows of x; -1: none.
    :param x: float64[n_factors, S].
    :param kept, escrow: float64[m, S], overwritten.
    """
    cash, ratio = events
    for k in range(chain.size):
        left, gone, level = kept[k], escrow[k], grown[k]
        follows = k > 0 and chain[k] == chain[k - 1]
        for s in range(left.size):
            left[s] = kept[k - 1, s] if follows else 1.0
            gone[s] = escrow[k - 1, s] if follows else 0.0
        if ratio[k] >= 0:
            share = x[ratio[k]]
            for s in range(left.size):
                left[s] = fma(-share[s], left[s], left[s])
        if cash[k] >= 0:
            amount = x[cash[k]]
            for s in range(left.size):
                gone[s] += amount[s] / (level[s] * left[s])


@kernel
def less_dividends(kept: FloatArray, escrow: FloatArray, last: Indices, out: FloatArray) -> None:
    """Forwards less discrete dividends, in place: out *= A (1 - C) of the last ex date; NaN where that is not positive.

    :param kept, escrow: float64[m, S], of `pay_outs`. :param last: int32[n], rows of them; -1: no dividend yet.
    :param out: float64[n, S].
    """
    for k in range(last.size):
        if last[k] >= 0:
            row, left, gone = out[k], kept[last[k]], escrow[last[k]]
            for s in range(row.size):
                share = left[s] * (1.0 - gone[s])
                row[s] *= select(share > 0.0, share, math.nan)


@kernel
def dividends_until(
    grown: FloatArray, kept: FloatArray, escrow: FloatArray, chain: Indices, last: Indices, out: FloatArray
) -> None:
    """What a share pays until some ex dates: the sum of F(t_i-) - F(t_i). Zero where there is none.

    :param grown, kept, escrow: float64[m, S], of `pay_outs`; the latter two are overwritten.
    :param chain: int32[m], as of `pay_outs`. :param last: int32[n], rows of them; -1: none.
    :param out: float64[n, S].
    """
    for k in range(chain.size):
        left, gone, level = kept[k], escrow[k], grown[k]
        follows = k > 0 and chain[k] == chain[k - 1]
        for s in range(left.size):
            share = left[s] * (1.0 - gone[s])
            # From here on kept holds what of a share is left, escrow what has been paid.
            before, paid = (kept[k - 1, s], escrow[k - 1, s]) if follows else (1.0, 0.0)
            left[s] = share
            gone[s] = fma(level[s], before - share, paid)
    for k in range(last.size):
        if last[k] >= 0:
            out[k] = escrow[last[k]]
        else:
            out[k] = 0.0
