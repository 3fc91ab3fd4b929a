"""European options that are paid in another currency, at a rate that was agreed."""

from __future__ import annotations

import math

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Indices, NodeValues, Vanillas, Variances
from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import kernel
from riskpipe.kernels.mathematics import exp
from riskpipe.kernels.volatility import smile_of, total_variance

Correlations = tuple[FloatArray, Indices, FloatArray]
"""Of underlyings with exchange rates: their nodes, as `NodeValues`; and sign float64[n], +1 where the rate is the
payment's currency per unit of the underlying's, -1 where it is the other way round."""


@kernel
def quanto_options(
    rows: Indices,
    forward: NodeValues,
    discount: NodeValues,
    variances: tuple[Variances, Variances],
    correlation: Correlations,
    options: Vanillas,
    out: FloatArray,
) -> None:
    """Present values under scenarios: quantity x discount x the Black price of the forward that the payment's
    currency makes of it.

    That is F exp(-rho sigma_S sigma_X t), the two deviations sigma sqrt(t) being the roots of total variances: of the
    underlying at the strike, of the exchange rate at the money. Reiner, Quanto mechanics (1992).

    :param variances: of the underlying, and of the exchange rate, one an option each.
    :param out: float64[m, S], written.
    """
    forwards, forward_position = forward
    discounts, discount_position = discount
    of_underlying, of_rate = variances
    levels, level_position, direction = correlation
    strike, sign, quantity = options
    for i in range(rows.size):
        row = rows[i]
        f, d, rho = forwards[forward_position[row]], discounts[discount_position[row]], levels[level_position[row]]
        smile, rate_smile = smile_of(of_underlying, row), smile_of(of_rate, row)
        k, side, amount, turn = strike[row], sign[row], quantity[row], -direction[row]
        values = out[i]
        for s in range(values.size):
            variance = total_variance(smile, s)
            covariance = rho[s] * (math.sqrt(variance) * math.sqrt(total_variance(rate_smile, s)))
            values[s] = amount * d[s] * black(f[s] * exp(turn * covariance), k, variance, side)
