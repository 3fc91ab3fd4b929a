"""P&L in base currency from values in trade currency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compiler import kernel


@kernel
def pnl_into(
    values: FloatArray,
    base: FloatArray,
    fx: FloatArray,
    fx_position: NDArray[np.int32],
    fx0: FloatArray,
    rows: NDArray[np.int32],
    columns: NDArray[np.int64],
    out: FloatArray,
) -> None:
    """out[rows[k], columns[s]] = values[k, s] x fx[p, s] - base[rows[k]] x fx0[p], p = fx_position[rows[k]].

    A scenario that moves neither the value nor the conversion gives an exact zero.

    :param values: float64[m, S], in the trades' currencies.
    :param base: float64[n], values in the base scenario.
    :param fx: float64[f, S], base currency per unit, by scenario; fx0: float64[f], in the base scenario.
    :param out: float64[n, C], written at `rows` and `columns`.
    """
    for k in range(rows.shape[0]):
        row = rows[k]
        position = fx_position[row]
        before = base[row] * fx0[position]
        for s in range(columns.shape[0]):
            out[row, columns[s]] = values[k, s] * fx[position, s] - before
