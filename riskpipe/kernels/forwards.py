"""Outright forwards, and positions whose value is linear in one level."""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Forwards, Indices, LinearTerms, NodeValues, RateAgreements
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma


@kernel
def exchange_two_amounts(
    rows: Indices,
    rate: NodeValues,
    bought_discount: NodeValues,
    sold_discount: NodeValues,
    amounts: tuple[FloatArray, FloatArray],
    out: FloatArray,
) -> None:
    """An amount against an amount of another currency: out = bought D_bought rate - sold D_sold.

    :param rows: int32[m], the trades to price among n.
    :param rate: units of the sold currency per one bought.
    :param amounts: bought and sold, float64[n], each in its own currency.
    :param out: float64[m, S], written, in the sold currency.
    """
    rates, rate_position = rate
    near_factors, bought_position = bought_discount
    far_factors, sold_position = sold_discount
    bought, sold = amounts
    for i in range(rows.size):
        row = rows[i]
        fx = rates[rate_position[row]]
        near, far = near_factors[bought_position[row]], far_factors[sold_position[row]]
        gain, cost = bought[row], sold[row]
        values = out[i]
        for s in range(values.size):
            values[s] = fma(gain * near[s], fx[s], -(cost * far[s]))


@kernel
def forward_contracts(
    rows: Indices, forward: NodeValues, discount: NodeValues, terms: Forwards, out: FloatArray
) -> None:
    """Present values of forwards: out = quantity discount (forward - strike).

    :param out: float64[m, S], written.
    """
    forwards, forward_position = forward
    discounts, discount_position = discount
    strike, quantity = terms
    for i in range(rows.size):
        row = rows[i]
        f, d = forwards[forward_position[row]], discounts[discount_position[row]]
        amount, k = quantity[row], strike[row]
        values = out[i]
        for s in range(values.size):
            values[s] = amount * d[s] * (f[s] - k)


@kernel
def linear_positions(rows: Indices, level: NodeValues, terms: LinearTerms, out: FloatArray) -> None:
    """Values of positions: out = constant + size (level - reference).

    :param out: float64[m, S], written.
    """
    levels, position = level
    constant, size, reference = terms
    for i in range(rows.size):
        row = rows[i]
        x, values = levels[position[row]], out[i]
        base, amount, k = constant[row], size[row], reference[row]
        for s in range(values.size):
            values[s] = fma(amount, x[s] - k, base)


@kernel
def forward_rate_agreements(
    rows: Indices,
    start: NodeValues,
    end: NodeValues,
    payment: NodeValues,
    terms: RateAgreements,
    out: FloatArray,
) -> None:
    """Rate agreements settled at the start of their period: D (amount - owed / (1 + ratio (P(start) / P(end) - 1))).

    With amount N, owed N (1 + K tau) and a ratio tau over the index's own length of the period this is
    N tau (F - K) / (1 + F tau) discounted from the start (Brigo and Mercurio, Interest Rate Models, 2nd edition 2006,
    definition 1.5.1). An owed of zero leaves a known amount.

    :param start, end: discount factors of the projection curve; `payment` of the discount curve.
    :param out: float64[m, S], written.
    """
    starts, start_position = start
    ends, end_position = end
    payments, payment_position = payment
    amount, owed, ratio = terms
    for i in range(rows.size):
        row = rows[i]
        near, far, d = starts[start_position[row]], ends[end_position[row]], payments[payment_position[row]]
        a, b, r = amount[row], owed[row], ratio[row]
        values = out[i]
        for s in range(values.size):
            growth = fma(r, near[s] / far[s] - 1.0, 1.0)
            values[s] = d[s] * (a - b / growth)


@kernel
def add_converted(rows: Indices, rate: NodeValues, foreign: FloatArray, value: FloatArray) -> None:
    """value += rate foreign, in place.

    :param rate: units of the currency of `value` per one of `foreign`.
    :param foreign, value: float64[m, S].
    """
    rates, position = rate
    for i in range(rows.size):
        fx, far, near = rates[position[rows[i]]], foreign[i], value[i]
        for s in range(near.size):
            near[s] = fma(fx[s], far[s], near[s])
