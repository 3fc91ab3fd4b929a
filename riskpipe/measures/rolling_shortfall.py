"""Expected shortfall of every window of a P&L vector, in one pass."""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.measures.tail import shortfall_of


def rolling_shortfall(pnl: FloatArray, days: int, confidence: float) -> FloatArray:
    """float64[n - days + 1]: `expected_shortfall` of each window of `days` P&Ls, to the bit.

    The window's losses are kept in order; each step takes one out and puts one in, so that nothing is sorted again.

    :param pnl: float64[n], in the order of time, finite; n at least `days`.
    """
    losses = (-pnl).tolist()
    window = sorted(losses[:days])
    found = np.empty(len(losses) - days + 1)
    found[0] = shortfall_of(window, confidence)
    for k, (gone, new) in enumerate(zip(losses, losses[days:], strict=False), 1):
        del window[bisect_left(window, gone)]
        insort(window, new)
        found[k] = shortfall_of(window, confidence)
    return found
