"""Amounts on dates put in order, trade by trade."""

from __future__ import annotations

import numpy as np

from riskpipe.kernels.arguments import Flows, Offsets
from riskpipe.kernels.compiler import inline, kernel

_NONE = 2**63 - 1


@inline
def _key(flows: Flows, at: int, stop: int) -> int:
    """Of the flow at a position: greater for a later trade, and a later day of a trade; the greatest at the end."""
    return int((flows[0][at] << 32) + flows[1][at]) if at < stop else _NONE


@kernel
def merge(bounds: Offsets, flows: Flows, merged: Flows) -> int:
    """Flows of several parts by trade and day, one a trade and day; sums of zero are left out.

    Amounts of one day are added part by part, and within a part in the order given.

    :param bounds: int64[parts + 1]: part p has the flows bounds[p] to bounds[p + 1], by trade and day.
    :param merged: likewise, as long as all flows, written.
    :return: how many there are; -1: a part is not in order.
    """
    parts = bounds.size - 1
    at, head = bounds[:-1].copy(), np.empty(parts, np.int64)
    for p in range(parts):
        head[p] = _key(flows, at[p], bounds[p + 1])
    trade, day, amount = flows
    out_trade, out_day, out_amount = merged
    count = 0
    while True:
        key = _NONE
        for p in range(parts):
            key = min(key, head[p])
        if key == _NONE:
            return count
        total, last = 0.0, 0
        for p in range(parts):
            while head[p] == key:
                last = at[p]
                total += amount[last]
                at[p] += 1
                head[p] = _key(flows, at[p], bounds[p + 1])
            if head[p] < key:
                return -1
        if total != 0.0:
            out_trade[count], out_day[count], out_amount[count] = trade[last], day[last], total
            count += 1
