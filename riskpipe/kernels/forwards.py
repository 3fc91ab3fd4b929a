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
