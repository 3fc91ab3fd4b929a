"""Returns between the prices of two days, and what is paid on them."""

from __future__ import annotations

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, NodePairs, ReturnTerms, UsedNodes
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import fma, select


@kernel
def add_returns(
    rows: Indices, discount: UsedNodes, market: NodePairs, terms: ReturnTerms, first: int, value: FloatArray
) -> None:
    """value[k, first + s] += sum over the terms j of trade rows[k] of coefficient[j] R[j, s] D[payment[j], s].

    With prices S0 and S1 of a term's first and last day, exchange rates X, dividends until then V and factors of the
    dividend yield Y, the last price with its dividends is

        L = X1 (S1 + part (received + V1 - V0 + S1 (Y0 / Y1 - 1)))

    and the return is L - K, or relative L / K - 1, where K is the term's price that is known, or X0 S0.

    :param market: prices, rates, dividends and yields.
    :param first: column of `value` that the first scenario goes to.
    :param value: float64[m, n_scenarios], added to.
    """
    factors, position = discount
    (price, price0, price1), (rate, rate0, rate1), (dividend, paid0, paid1), (growth, growth0, growth1) = market
    offsets, payment, coefficient, known, received, part, relative = terms
    width = factors.shape[1]
    for k in range(rows.size):
        total = value[k, first : first + width]
        for j in range(offsets[rows[k]], offsets[rows[k] + 1]):
            c, d = coefficient[j], factors[position[payment[j]]]
            begin, end, before, after = price[price0[j]], price[price1[j]], rate[rate0[j]], rate[rate1[j]]
            gone, paid, near, far = dividend[paid0[j]], dividend[paid1[j]], growth[growth0[j]], growth[growth1[j]]
            agreed, share, so_far, in_parts = known[j], part[j], received[j], relative[j]
            is_known = agreed == agreed
            for s in range(width):
                passed_on = fma(end[s], near[s] / far[s] - 1.0, so_far + (paid[s] - gone[s]))
                last = fma(share, passed_on, end[s]) * after[s]
                opening = select(is_known, agreed, begin[s] * before[s])
                gain = select(in_parts, last / opening - 1.0, last - opening)
                total[s] = fma(c * gain, d[s], total[s])
