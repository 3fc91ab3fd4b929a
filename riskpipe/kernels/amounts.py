"""Amounts on dates put in order, trade by trade."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Flows, Indices, Offsets
from riskpipe.kernels.compiler import inline, kernel


@inline
def _merge_runs(begin: int, stop: int, day: Indices, amount: FloatArray, spare: tuple[Indices, FloatArray]) -> None:
    """Sort [begin, stop) by day, equal ones in the order given: each run in order is merged with what is before it."""
    days, amounts = spare
    middle = begin
    while True:
        while middle < stop and (middle == begin or day[middle - 1] <= day[middle]):
            middle += 1
        if middle >= stop:
            return
        end = middle + 1
        while end < stop and day[end - 1] <= day[end]:
            end += 1
        left, count = begin, middle - begin
        days[:count], amounts[:count] = day[begin:middle], amount[begin:middle]
        k, right = 0, middle
        while k < count:
            if right < end and day[right] < days[k]:
                day[left], amount[left] = day[right], amount[right]
                right += 1
            else:
                day[left], amount[left] = days[k], amounts[k]
                k += 1
            left += 1
        middle = end


@kernel
def merge(trade: Offsets, day: Indices, amount: FloatArray, trades: int, merged: Flows) -> int:
    """Flows by trade and day, one a trade and day, their amounts added in the order given; sums of zero are left out.

    :param trade: int64[k], below `trades`; day int32[k]; amount float64[k].
    :param merged: likewise, written.
    :return: how many there are.
    """
    offsets = np.zeros(trades + 1, np.int64)
    for j in range(trade.size):
        offsets[trade[j] + 1] += 1
    longest = 0
    for k in range(trades):
        longest = max(longest, offsets[k + 1])
        offsets[k + 1] += offsets[k]
    days, amounts, place = np.empty(day.size, np.int32), np.empty(day.size), offsets.copy()
    for j in range(trade.size):
        at = place[trade[j]]
        days[at], amounts[at] = day[j], amount[j]
        place[trade[j]] += 1
    spare = np.empty(longest, np.int32), np.empty(longest)
    out_trade, out_day, out_amount = merged
    count = 0
    for k in range(trades):
        stop = offsets[k + 1]
        _merge_runs(offsets[k], stop, days, amounts, spare)
        j = offsets[k]
        while j < stop:
            this, total = days[j], 0.0
            while j < stop and days[j] == this:
                total += amounts[j]
                j += 1
            if total != 0.0:
                out_trade[count], out_day[count], out_amount[count] = k, this, total
                count += 1
    return count
