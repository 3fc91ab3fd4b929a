"""Outright forwards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma


@kernel
def exchange_two_amounts(
    rows: NDArray[np.int32],
    bought: NDArray[np.float64],
    sold: NDArray[np.float64],
    rate: NDArray[np.float64],
    rate_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    bought_position: NDArray[np.int32],
    sold_position: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """An amount against an amount of another currency: out = bought D_bought rate - sold D_sold.

    :param rows: int32[m], the trades to price among n.
    :param bought, sold: float64[n], each in its own currency.
    :param rate: float64[., S], units of the sold currency per one bought; node of each trade int32[n].
    :param discount: float64[., S]; nodes of each trade int32[n].
    :param out: float64[m, S], written, in the sold currency.
    """
    for i in range(rows.size):
        row = rows[i]
        fx = rate[rate_position[row]]
        near, far = discount[bought_position[row]], discount[sold_position[row]]
        gain, cost = bought[row], sold[row]
        values = out[i]
        for s in range(values.size):
            values[s] = fma(gain * near[s], fx[s], -(cost * far[s]))


@kernel
def forward_contracts(
    rows: NDArray[np.int32],
    quantity: NDArray[np.float64],
    strike: NDArray[np.float64],
    forward: NDArray[np.float64],
    forward_position: NDArray[np.int32],
    discount: NDArray[np.float64],
    discount_position: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """Present values of forwards: out = quantity discount (forward - strike).

    :param rows: int32[m], the trades to price among n.
    :param quantity, strike: float64[n].
    :param forward, discount: float64[., S]; nodes of each trade int32[n].
    :param out: float64[m, S], written.
    """
    for i in range(rows.size):
        row = rows[i]
        f, d = forward[forward_position[row]], discount[discount_position[row]]
        amount, k = quantity[row], strike[row]
        values = out[i]
        for s in range(values.size):
            values[s] = amount * d[s] * (f[s] - k)


@kernel
def forward_rate_agreements(
    rows: NDArray[np.int32],
    amount: NDArray[np.float64],
    owed: NDArray[np.float64],
    ratio: NDArray[np.float64],
    discount: NDArray[np.float64],
    start: NDArray[np.int32],
    end: NDArray[np.int32],
    payment: NDArray[np.int32],
    out: NDArray[np.float64],
) -> None:
    """Rate agreements settled at the start of their period: D (amount - owed / (1 + ratio (P(start) / P(end) - 1))).

    With amount N, owed N (1 + K tau) and a ratio tau over the index's own length of the period this is
    N tau (F - K) / (1 + F tau) discounted from the start (Brigo and Mercurio, Interest Rate Models, 2nd edition 2006,
    definition 1.5.1). An owed of zero leaves a known amount.

    :param rows: int32[m], the trades to price among n.
    :param amount, owed, ratio: float64[n].
    :param discount: float64[., S]; the nodes of each trade int32[n]: `start` and `end` of the projection curve.
    :param out: float64[m, S], written.
    """
    for i in range(rows.size):
        row = rows[i]
        near, far, d = discount[start[row]], discount[end[row]], discount[payment[row]]
        a, b, r = amount[row], owed[row], ratio[row]
        values = out[i]
        for s in range(values.size):
            growth = fma(r, near[s] / far[s] - 1.0, 1.0)
            values[s] = d[s] * (a - b / growth)


@kernel
def add_converted(
    rows: NDArray[np.int32],
    rate: NDArray[np.float64],
    rate_position: NDArray[np.int32],
    foreign: NDArray[np.float64],
    value: NDArray[np.float64],
) -> None:
    """value += rate foreign, in place.

    :param rows: int32[m], the trades among n.
    :param rate: float64[., S], units of the currency of `value` per one of `foreign`; nodes of each trade int32[n].
    :param foreign, value: float64[m, S].
    """
    for i in range(rows.size):
        fx, far, near = rate[rate_position[rows[i]]], foreign[i], value[i]
        for s in range(near.size):
            near[s] = fma(fx[s], far[s], near[s])
