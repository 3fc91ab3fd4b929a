"""Legs of known and projected flows: sums over a (node x scenario) matrix of discount factors.

A trade is a list of terms, in compressed rows: trade r has those in `offsets[r]:offsets[r + 1]`. They are
added in that order, one fused multiply-add each, so that a value does not depend on what else is in the call.
Nodes are looked up in `position` first, which leads to the rows of the matrix at hand.

Source: Brigo and Mercurio, Interest Rate Models (2nd edition, 2006), section 1.5.
"""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import (
    Flags,
    Indices,
    KnownTerms,
    NodeValues,
    Offsets,
    ProjectedTerms,
    ResetTerms,
    UsedNodes,
)
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma


@kernel
def mark_nodes(rows: Indices, offsets: Offsets, nodes: Indices, used: Flags) -> None:
    """Set `used[node]` for every node in the terms of `rows`."""
    for k in range(rows.size):
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            used[nodes[j]] = True


@kernel
def add_discounted(
    rows: Indices, discount: UsedNodes, terms: KnownTerms, first: int, value: FloatArray, begins: bool
) -> None:
    """value[k, first + s] += sum over the terms j of trade rows[k] of coefficient[j] D[node[j], s].

    :param rows: int32[m], trades.
    :param first: column of `value` that the first scenario goes to.
    :param value: float64[m, n_scenarios], added to.
    :param begins: whatever `value` holds counts as zero. A row at a time: zeros in all of it, made before, would go to
        memory and come back.
    """
    factors, position = discount
    offsets, node, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        if begins:
            for s in range(width):
                total[s] = 0.0
        j, stop = offsets[rows[k]], offsets[rows[k] + 1]
        # four terms a pass, in order, to save loads and stores of the sum
        while j + 4 <= stop:
            c0, c1, c2, c3 = coefficient[j], coefficient[j + 1], coefficient[j + 2], coefficient[j + 3]
            n0, n1 = position[node[j]], position[node[j + 1]]
            n2, n3 = position[node[j + 2]], position[node[j + 3]]
            for s in range(width):
                total[s] = fma(
                    c3,
                    factors[n3, s],
                    fma(c2, factors[n2, s], fma(c1, factors[n1, s], fma(c0, factors[n0, s], total[s]))),
                )
            j += 4
        while j < stop:
            c0, n0 = coefficient[j], position[node[j]]
            for s in range(width):
                total[s] = fma(c0, factors[n0, s], total[s])
            j += 1


@kernel
def add_projected(rows: Indices, discount: UsedNodes, terms: ProjectedTerms, first: int, value: FloatArray) -> None:
    """value[k, first + s] += sum over terms j of coefficient[j] D[growth, s] D[payment, s].

    The row D[growth] is P(start) / P(end). A floating coupon N (P(start) / P(end) - 1) D(payment) is such a term and a
    discounted one of the amount -N. Parameters are those of `add_discounted`.
    """
    factors, position = discount
    offsets, growth, payment, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        j, stop = offsets[rows[k]], offsets[rows[k] + 1]
        while j + 4 <= stop:
            c0, c1, c2, c3 = coefficient[j], coefficient[j + 1], coefficient[j + 2], coefficient[j + 3]
            g0, g1 = position[growth[j]], position[growth[j + 1]]
            g2, g3 = position[growth[j + 2]], position[growth[j + 3]]
            n0, n1 = position[payment[j]], position[payment[j + 1]]
            n2, n3 = position[payment[j + 2]], position[payment[j + 3]]
            for s in range(width):
                total[s] = fma(
                    c3 * factors[g3, s],
                    factors[n3, s],
                    fma(
                        c2 * factors[g2, s],
                        factors[n2, s],
                        fma(c1 * factors[g1, s], factors[n1, s], fma(c0 * factors[g0, s], factors[n0, s], total[s])),
                    ),
                )
            j += 4
        while j < stop:
            c0, g0, n0 = coefficient[j], position[growth[j]], position[payment[j]]
            for s in range(width):
                total[s] = fma(c0 * factors[g0, s], factors[n0, s], total[s])
            j += 1


@kernel
def add_reset(
    rows: Indices, discount: UsedNodes, exchange: NodeValues, terms: ResetTerms, first: int, value: FloatArray
) -> None:
    """value[k, first + s] += sum over terms j of coefficient[j] X[rate, s] D[growth, s] D[payment, s].

    X is the exchange rate at which the notional of the term's period is set; a growth of -1 is one. Parameters are
    those of `add_discounted`.

    :param exchange: rates, and int32[rates] the row of each among them, right for those that `rows` use.
    """
    factors, position = discount
    rates, rate_position = exchange
    offsets, rate, growth, payment, coefficient = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, x, d = coefficient[j], rates[rate_position[rate[j]]], factors[position[payment[j]]]
            if growth[j] < 0:
                for s in range(width):
                    total[s] = fma(c * x[s], d[s], total[s])
            else:
                g = factors[position[growth[j]]]
                for s in range(width):
                    total[s] = fma((c * x[s]) * g[s], d[s], total[s])


@kernel
def sum_legs(offsets: Offsets, legs: FloatArray, value: FloatArray) -> None:
    """value[k, s] = sum of legs[j, s] over the legs j from offsets[k] to offsets[k + 1], in this order."""
    for k in range(value.shape[0]):
        total = value[k]
        total[:] = 0.0
        for j in range(offsets[k], offsets[k + 1]):
            leg = legs[j]
            for s in range(total.size):
                total[s] += leg[s]
