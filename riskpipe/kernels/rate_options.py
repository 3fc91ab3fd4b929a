"""Caps, floors and swaptions under scenarios: Black (1976), its shifted form and Bachelier (1900).

Trades are lists of terms in compressed rows, added in order, as in `riskpipe.kernels.legs`; D is a matrix of discount
factors [node, scenario].

Source: Brigo and Mercurio, Interest Rate Models (2nd edition, 2006), sections 1.6 and 6.2 to 6.4.
"""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import (
    CubeVariances,
    Flags,
    Indices,
    KnownTerms,
    Offsets,
    OptionletSides,
    OptionletTerms,
    ProjectedTerms,
    SwapTerms,
    UsedNodes,
    Variances,
)
from riskpipe.kernels.black import bachelier, shifted_black
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import fma
from riskpipe.kernels.volatility import Smile, cube_of, cube_variance, smile_of, total_variance


@inline
def _add_options(
    grown: FloatArray,
    paid: FloatArray,
    smile: Smile,
    option: tuple[float, float, float, float],
    sides: tuple[float, float],
    normal: bool,
    total: FloatArray,
) -> None:
    """total[s] += amount paid[s] option(F, strike).

    :param option: gearing, constant, amount and strike. :param sides: shift and sign.
    """
    g, c, n, rate = option
    displacement, side = sides
    if normal:
        for s in range(total.size):
            forward = fma(g, grown[s], c)
            value = bachelier(forward, rate, total_variance(smile, s), side)
            total[s] = fma(n * paid[s], value, total[s])
    else:
        for s in range(total.size):
            forward = fma(g, grown[s], c)
            value = shifted_black(forward, rate, displacement, total_variance(smile, s), side)
            total[s] = fma(n * paid[s], value, total[s])


@kernel
def add_optionlets(
    rows: Indices,
    discount: UsedNodes,
    variances: Variances,
    terms: OptionletTerms,
    sides: OptionletSides,
    normal: bool,
    first: int,
    value: FloatArray,
) -> None:
    """value[k, first + s] += sum over terms of amount D(payment) option(F, strike), F = gearing x growth + constant.

    :param variances: one a term.
    :param sides: of the trades.
    :param normal: volatilities are normal (the shift is not used), else those of forward + shift.
    :param first: column of `value` that the first scenario goes to.
    :param value: float64[m, n_scenarios], added to.
    """
    offsets, growth, payment, gearing, constant, amount, strike = terms
    factors, position = discount
    shift, sign = sides
    width = factors.shape[1]
    for k in range(rows.size):
        row = rows[k]
        total = value[k, first : first + width]
        for j in range(offsets[row], offsets[row + 1]):
            grown, paid = factors[position[growth[j]]], factors[position[payment[j]]]
            option = (gearing[j], constant[j], amount[j], strike[j])
            _add_options(grown, paid, smile_of(variances, j), option, (shift[row], sign[row]), normal, total)


@kernel
def add_survival_optionlets(
    rows: Indices,
    discount: UsedNodes,
    survival: UsedNodes,
    variances: Variances,
    terms: tuple[OptionletTerms, Indices],
    sides: OptionletSides,
    normal: bool,
    first: int,
    value: FloatArray,
) -> None:
    """As `add_optionlets`, each term times Q(hazard node): rates and defaults are independent.

    :param terms: with hazard nodes int32[k].
    """
    (offsets, growth, payment, gearing, constant, amount, strike), hazard_node = terms
    factors, position = discount
    alive, hazard_position = survival
    shift, sign = sides
    width = factors.shape[1]
    paid = np.empty(width)
    for k in range(rows.size):
        row = rows[k]
        total = value[k, first : first + width]
        for j in range(offsets[row], offsets[row + 1]):
            grown, d = factors[position[growth[j]]], factors[position[payment[j]]]
            q = alive[hazard_position[hazard_node[j]]]
            for s in range(width):
                paid[s] = d[s] * q[s]
            option = (gearing[j], constant[j], amount[j], strike[j])
            _add_options(grown, paid, smile_of(variances, j), option, (shift[row], sign[row]), normal, total)


@inline
def _sum_known(row: int, discount: UsedNodes, terms: KnownTerms, total: FloatArray) -> None:
    """total[s] = sum over the terms of a trade of coefficient D(node)."""
    offsets, node, coefficient = terms
    factors, position = discount
    for s in range(total.size):
        total[s] = 0.0
    for j in range(offsets[row], offsets[row + 1]):
        c, d = coefficient[j], factors[position[node[j]]]
        for s in range(total.size):
            total[s] = fma(c, d[s], total[s])


@inline
def _add_projected(row: int, discount: UsedNodes, terms: ProjectedTerms, total: FloatArray) -> None:
    """total[s] += sum over the terms of a trade of coefficient x growth x D(payment)."""
    offsets, growth, payment, coefficient = terms
    factors, position = discount
    for j in range(offsets[row], offsets[row + 1]):
        c, grown, d = coefficient[j], factors[position[growth[j]]], factors[position[payment[j]]]
        for s in range(total.size):
            total[s] = fma(c * grown[s], d[s], total[s])


@inline
def _par_yield_annuity(
    row: int, lengths: tuple[Offsets, FloatArray], rate: FloatArray, factor: FloatArray, annuity: FloatArray
) -> None:
    """annuity = sum over periods of length_i / ((1 + rate length_1) ... (1 + rate length_i)), by scenario."""
    offsets, length = lengths
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
    discount: UsedNodes,
    variances: CubeVariances,
    swaps: SwapTerms,
    options: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    normal: Flags,
    first: int,
    value: FloatArray,
) -> None:
    """value[k, first + s] += amount annuity option(S, strike - spread), all of a swap of notional one.

    S is the value of the floating leg without its spread over the fixed annuity, sum tau D; the spread is what it is
    worth over that annuity. A trade with settlement terms is settled in cash: its annuity is that of the par yield S,
    discounted from the settlement date.

    :param options: strike, shift (of lognormal rates), sign (+1 for payers, -1 for receivers) and amount, float64[n]
        each.
    :param normal: bool[n], volatilities are normal (the shift is not used), else those of forward + shift.
    :param first, value: as of `add_optionlets`.
    """
    fixed, known, projected, spreads, settlement, lengths = swaps
    strike, shift, sign, amount = options
    width = discount[0].shape[1]
    annuity, floating, spread = np.empty(width), np.empty(width), np.empty(width)
    forward, factor, numeraire = np.empty(width), np.empty(width), np.empty(width)
    for k in range(rows.size):
        row = rows[k]
        total = value[k, first : first + width]
        _sum_known(row, discount, fixed, annuity)
        _sum_known(row, discount, known, floating)
        _add_projected(row, discount, projected, floating)
        _sum_known(row, discount, spreads, spread)
        for s in range(width):
            forward[s] = floating[s] / annuity[s]
            spread[s] = spread[s] / annuity[s]
        if settlement[0][row + 1] > settlement[0][row]:
            _sum_known(row, discount, settlement, numeraire)
            _par_yield_annuity(row, lengths, forward, factor, annuity)
            for s in range(width):
                annuity[s] = annuity[s] * numeraire[s]
        cube = cube_of(variances, row)
        rate, displacement, side, size = strike[row], shift[row], sign[row], amount[row]
        for s in range(width):
            numeraire[s] = cube_variance(cube, s)
        if normal[row]:
            for s in range(width):
                option = bachelier(forward[s], rate - spread[s], numeraire[s], side)
                total[s] = fma(size * annuity[s], option, total[s])
        else:
            for s in range(width):
                option = shifted_black(forward[s], rate - spread[s], displacement, numeraire[s], side)
                total[s] = fma(size * annuity[s], option, total[s])
