"""Caps, floors and swaptions under scenarios: Black (1976), its shifted form and Bachelier (1900).

Trades are lists of terms in compressed rows, added in order, as in `riskpipe.kernels.legs`; D is a matrix of discount
factors [node, scenario].

Source: Brigo and Mercurio, Interest Rate Models (2nd edition, 2006), sections 1.6 and 6.2 to 6.4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.black import bachelier, shifted_black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import fma
from riskpipe.kernels.volatility import plane_volatility, total_variance

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]
Offsets = NDArray[np.int64]


@kernel
def add_optionlets(
    rows: Indices,
    offsets: Offsets,
    start: Indices,
    end: Indices,
    payment: Indices,
    gearing: Floats,
    constant: Floats,
    amount: Floats,
    index: Indices,
    strike_weight: Floats,
    time_weight: Floats,
    strike: Floats,
    shift: Floats,
    sign: Floats,
    normal: bool,
    levels: Floats,
    position: Indices,
    discount: Floats,
    first: int,
    value: Floats,
) -> None:
    """value[k, first + s] += sum over terms of amount D(payment) option(F), F = gearing P(start) / P(end) + constant.

    :param rows: int32[m], trades; `offsets` int64[n + 1].
    :param start, end, payment: int32[terms], nodes; the first two of the projection curve.
    :param gearing, constant, amount: float64[terms].
    :param index, strike_weight, time_weight: of `VarianceNodes`, one a term.
    :param strike, shift, sign: float64[n]; sign is +1 for caps and -1 for floors.
    :param normal: volatilities are normal (the shift is not used), else those of forward + shift.
    :param levels: float64[n_factors, width], the factors' levels.
    :param position: int32[n_nodes], row of `discount` for each node; `discount` float64[rows, width].
    :param value: float64[m, n_scenarios], added to.
    """
    width = discount.shape[1]
    for k in range(rows.size):
        row = rows[k]
        total = value[k, first : first + width]
        rate, displacement, side = strike[row], shift[row], sign[row]
        for j in range(offsets[row], offsets[row + 1]):
            g, c, n = gearing[j], constant[j], amount[j]
            near, far, d = discount[position[start[j]]], discount[position[end[j]]], discount[position[payment[j]]]
            v0, v1, v2, v3 = levels[index[j, 0]], levels[index[j, 1]], levels[index[j, 2]], levels[index[j, 3]]
            w0, w1, w2, w3 = strike_weight[j, 0], strike_weight[j, 1], strike_weight[j, 2], strike_weight[j, 3]
            t0, t1 = time_weight[j, 0], time_weight[j, 1]
            if normal:
                for s in range(width):
                    forward = fma(g, near[s] / far[s], c)
                    variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                    total[s] = fma(n * d[s], bachelier(forward, rate, variance, side), total[s])
            else:
                for s in range(width):
                    forward = fma(g, near[s] / far[s], c)
                    variance = total_variance(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3, t0, t1)
                    total[s] = fma(n * d[s], shifted_black(forward, rate, displacement, variance, side), total[s])


@inline
def _sum_known(
    row: int, offsets: Offsets, node: Indices, coefficient: Floats, position: Indices, discount: Floats, total: Floats
) -> None:
    """total[s] = sum over the terms of a trade of coefficient D(node)."""
    for s in range(total.size):
        total[s] = 0.0
    for j in range(offsets[row], offsets[row + 1]):
        c, d = coefficient[j], discount[position[node[j]]]
        for s in range(total.size):
            total[s] = fma(c, d[s], total[s])


@inline
def _add_projected(
    row: int,
    offsets: Offsets,
    start: Indices,
    end: Indices,
    payment: Indices,
    coefficient: Floats,
    position: Indices,
    discount: Floats,
    total: Floats,
) -> None:
    """total[s] += sum over the terms of a trade of coefficient P(start) / P(end) D(payment)."""
    for j in range(offsets[row], offsets[row + 1]):
        c, near = coefficient[j], discount[position[start[j]]]
        far, d = discount[position[end[j]]], discount[position[payment[j]]]
        for s in range(total.size):
            total[s] = fma(c * (near[s] / far[s]), d[s], total[s])


@inline
def _par_yield_annuity(
    row: int, offsets: Offsets, length: Floats, rate: Floats, factor: Floats, annuity: Floats
) -> None:
    """annuity = sum over periods of length_i / ((1 + rate length_1) ... (1 + rate length_i)), by scenario."""
    for s in range(rate.size):
        factor[s] = 1.0
        annuity[s] = 0.0
    for j in range(offsets[row], offsets[row + 1]):
        tau = length[j]
        for s in range(rate.size):
            factor[s] = factor[s] / fma(rate[s], tau, 1.0)
            annuity[s] = fma(tau, factor[s], annuity[s])


@kernel
def add_swaptions(
    rows: Indices,
    fixed: tuple[Offsets, Indices, Floats],
    known: tuple[Offsets, Indices, Floats],
    projected: tuple[Offsets, Indices, Indices, Indices, Floats],
    spreads: tuple[Offsets, Indices, Floats],
    settlement: tuple[Offsets, Indices, Floats],
    lengths: tuple[Offsets, Floats],
    variance: tuple[Indices, Floats, Floats],
    terms: tuple[Floats, Floats, Floats, Floats],
    normal: NDArray[np.bool_],
    levels: Floats,
    position: Indices,
    discount: Floats,
    first: int,
    value: Floats,
) -> None:
    """value[k, first + s] += amount annuity option(S, strike - spread), all of a swap of notional one.

    S is the value of the floating leg without its spread over the fixed annuity, sum tau D; the spread is what it is
    worth over that annuity. A trade with settlement terms is settled in cash: its annuity is that of the par yield S,
    discounted from the settlement date.

    :param rows: int32[m], trades.
    :param fixed: offsets int64[n + 1], nodes and lengths of the fixed periods.
    :param known, projected: the floating leg: as in `add_discounted` and `add_projected`.
    :param spreads: terms of the spread, spread x length; `settlement`: one term of one, for cash.
    :param lengths: offsets and lengths of all fixed periods, in time order, for cash.
    :param variance: index int32[n, 8], weight float64[n, 8], time weight float64[n, 2] of `CubeNodes`.
    :param terms: strike, shift, sign (+1 for payers) and amount, float64[n] each.
    :param normal: bool[n]: volatilities are normal, else those of forward + shift.
    :param levels: float64[n_factors, width]; `position`, `discount`, `first` and `value` as in `add_discounted`.
    """
    width = discount.shape[1]
    annuity, floating, spread = np.empty(width), np.empty(width), np.empty(width)
    forward, factor, numeraire = np.empty(width), np.empty(width), np.empty(width)
    for k in range(rows.size):
        row = rows[k]
        total = value[k, first : first + width]
        _sum_known(row, fixed[0], fixed[1], fixed[2], position, discount, annuity)
        _sum_known(row, known[0], known[1], known[2], position, discount, floating)
        _add_projected(
            row, projected[0], projected[1], projected[2], projected[3], projected[4], position, discount, floating
        )
        _sum_known(row, spreads[0], spreads[1], spreads[2], position, discount, spread)
        for s in range(width):
            forward[s] = floating[s] / annuity[s]
            spread[s] = spread[s] / annuity[s]
        if settlement[0][row + 1] > settlement[0][row]:
            _sum_known(row, settlement[0], settlement[1], settlement[2], position, discount, numeraire)
            _par_yield_annuity(row, lengths[0], lengths[1], forward, factor, annuity)
            for s in range(width):
                annuity[s] = annuity[s] * numeraire[s]
        i, w = variance[0][row], variance[1][row]
        v0, v1, v2, v3 = levels[i[0]], levels[i[1]], levels[i[2]], levels[i[3]]
        v4, v5, v6, v7 = levels[i[4]], levels[i[5]], levels[i[6]], levels[i[7]]
        w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
        t0, t1 = variance[2][row, 0], variance[2][row, 1]
        rate, displacement, side, amount = terms[0][row], terms[1][row], terms[2][row], terms[3][row]
        for s in range(width):
            near = plane_volatility(v0[s], v1[s], v2[s], v3[s], w0, w1, w2, w3)
            far = plane_volatility(v4[s], v5[s], v6[s], v7[s], w4, w5, w6, w7)
            numeraire[s] = fma(t0, near * near, t1 * (far * far))
        if normal[row]:
            for s in range(width):
                option = bachelier(forward[s], rate - spread[s], numeraire[s], side)
                total[s] = fma(amount * annuity[s], option, total[s])
        else:
            for s in range(width):
                option = shifted_black(forward[s], rate - spread[s], displacement, numeraire[s], side)
                total[s] = fma(amount * annuity[s], option, total[s])
