"""Flows that depend on survival, and payments on default: sums over discount and survival factors.

Trades are lists of terms in compressed rows, added in order, as in `riskpipe.kernels.legs`; D is a matrix of
discount factors [node, scenario], Q one of survival probabilities.
"""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import (
    DefaultChains,
    DefaultTerms,
    Indices,
    ProjectedSurvivalTerms,
    Recoveries,
    SurvivalTerms,
    UsedNodes,
)
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.mathematics import exp, fma, select

# Below it, the integrals over a step are taken by their series, as differences would cancel.
_SMALL = 1e-4


@kernel
def add_survival(
    rows: Indices, discount: UsedNodes, survival: UsedNodes, terms: SurvivalTerms, first: int, value: FloatArray
) -> None:
    """value[k, first + s] += sum over the terms j of coefficient[j] D[node[j], s] Q[hazard_node[j], s].

    :param rows: int32[m], trades.
    :param survival: of hazard nodes.
    :param first: column of `value` that the first scenario goes to.
    :param value: float64[m, n_scenarios], added to.
    """
    factors, position = discount
    alive, hazard_position = survival
    offsets, node, hazard_node, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, n, q = coefficient[j], position[node[j]], hazard_position[hazard_node[j]]
            for s in range(width):
                total[s] = fma(c * factors[n, s], alive[q, s], total[s])


@kernel
def add_projected_survival(
    rows: Indices,
    discount: UsedNodes,
    survival: UsedNodes,
    terms: ProjectedSurvivalTerms,
    first: int,
    value: FloatArray,
) -> None:
    """value[k, first + s] += sum over terms of coefficient D[growth, s] D[payment, s] Q[hazard_node, s].

    Parameters are those of `add_survival`.
    """
    factors, position = discount
    alive, hazard_position = survival
    offsets, growth, payment, hazard_node, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, q = coefficient[j], hazard_position[hazard_node[j]]
            g, n = position[growth[j]], position[payment[j]]
            for s in range(width):
                total[s] = fma(c * factors[g, s] * factors[n, s], alive[q, s], total[s])


@kernel
def add_default(
    rows: Indices,
    discount: UsedNodes,
    survival: UsedNodes,
    terms: DefaultTerms,
    recoveries: Recoveries,
    first: int,
    value: FloatArray,
) -> None:
    """value[k, first + s] += sum over the terms j of coefficient[j] D[node, s] (Q[start, s] - Q[end, s]).

    The other parameters are those of `add_survival`. Source: O'Kane, Modelling Single-name and Multi-name
    Credit Derivatives (2008), section 6.5: integrals over the time of default with one point a period.
    """
    factors, position = discount
    alive, hazard_position = survival
    offsets, node, start, end, coefficient = terms
    recovery, levels = recoveries
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        factor = recovery[rows[k]]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, n = coefficient[j], position[node[j]]
            a, b = hazard_position[start[j]], hazard_position[end[j]]
            if factor < 0:
                for s in range(width):
                    total[s] = fma(c * factors[n, s], alive[a, s] - alive[b, s], total[s])
            else:
                for s in range(width):
                    amount = c * levels[factor, s]
                    total[s] = fma(amount * factors[n, s], alive[a, s] - alive[b, s], total[s])


@kernel
def cumulative_rates(index: Indices, weight: FloatArray, levels: FloatArray, out: FloatArray) -> None:
    """out[n, s] = minus the logarithm of the discount factor (or survival probability) of node n.

    :param index: int32[nodes, 2], factors; `weight` float64[nodes, 2].
    :param levels: float64[n_factors, width].
    :param out: float64[nodes, width], written.
    """
    for n in range(index.shape[0]):
        near, far = levels[index[n, 0]], levels[index[n, 1]]
        near_weight, far_weight = weight[n, 0], weight[n, 1]
        row = out[n]
        for s in range(levels.shape[1]):
            row[s] = fma(far_weight, far[s], near_weight * near[s])


@inline
def _level_series(g: float) -> float:
    """(1 - exp(-g)) / g for small g."""
    return fma(g, fma(g, fma(g, fma(g, 1.0 / 120.0, -1.0 / 24.0), 1.0 / 6.0), -0.5), 1.0)


@inline
def _ramp_series(g: float) -> float:
    """(1 - (1 + g) exp(-g)) / g^2 for small g."""
    return fma(g, fma(g, fma(g, -1.0 / 30.0, 0.125), -1.0 / 3.0), 0.5)


@kernel
def add_default_integrals(
    rows: Indices, rates: UsedNodes, hazards: UsedNodes, chains: DefaultChains, first: int, value: FloatArray
) -> None:
    """Expected discounted payments on default, integrated exactly over steps of constant rates.

    A trade's terms are a chain of dates; term j pays, on a default between date j - 1 and date j, an amount
    that grows linearly over the step from amount[j] to amount[j] + slope[j]. With f and h the logarithms of
    the ratios of discount factors and of survival probabilities over the step, g = f + h and V = D Q at its
    start, it adds h V (amount E0 + slope E1), E0 = (1 - exp(-g)) / g and E1 = (E0 - exp(-g)) / g.

    :param rates: minus logarithms of discount factors; `hazards` likewise of survival probabilities.

    The other parameters are those of `add_survival`. Source: White, The Pricing and Risk Management of Credit
    Default Swaps, with a Focus on the ISDA Model (OpenGamma Quantitative Research 16, 2014), section 4.
    """
    levels, position = rates
    hazard_levels, hazard_position = hazards
    offsets, node, hazard_node, amount, slope = chains
    width = levels.shape[1]
    value_at_start = np.empty(width)
    for k in range(rows.size):
        total = value[k, first : first + width]
        begin, stop = offsets[rows[k]], offsets[rows[k] + 1]
        if begin == stop:
            continue
        d0, q0 = position[node[begin]], hazard_position[hazard_node[begin]]
        for s in range(width):
            value_at_start[s] = exp(-(levels[d0, s] + hazard_levels[q0, s]))
        for j in range(begin + 1, stop):
            d1, q1 = position[node[j]], hazard_position[hazard_node[j]]
            a, b = amount[j], slope[j]
            for s in range(width):
                h = hazard_levels[q1, s] - hazard_levels[q0, s]
                g = (levels[d1, s] - levels[d0, s]) + h
                v0 = value_at_start[s]
                v1 = exp(-(levels[d1, s] + hazard_levels[q1, s]))
                small = abs(g) < _SMALL
                safe = select(small, 1.0, g)
                level = (v0 - v1) / safe
                ramp = (level - v1) / safe
                level = select(small, v0 * _level_series(g), level)
                ramp = select(small, v0 * _ramp_series(g), ramp)
                total[s] = fma(h, fma(a, level, b * ramp), total[s])
                value_at_start[s] = v1
            d0, q0 = d1, q1
