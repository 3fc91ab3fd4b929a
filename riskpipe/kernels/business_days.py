"""Dates moved to business days, by tables of a calendar.

A table has, for each day from `first` on, which of the business days is the first at or after it: first, following
int32[days], business int32[m], ascending. What it does not reach is left as it is and counted, for the caller.
"""

from __future__ import annotations

from riskpipe.kernels.arguments import BusinessTable, Indices, Offsets
from riskpipe.kernels.civil_dates import month_of
from riskpipe.kernels.compiler import kernel

FOLLOWING, MODIFIED_FOLLOWING, PRECEDING = 0, 1, 2


@kernel
def roll(rows: Offsets, offsets: Offsets, table: BusinessTable, rule: int, days: Indices) -> int:
    """Move the days of `rows` to business days, in place.

    :param rows: int64[m]; those of row r are offsets[r] to offsets[r + 1].
    :param rule: one of `FOLLOWING`, `MODIFIED_FOLLOWING`, `PRECEDING`.
    :param days: int32[k].
    :return: how many the table does not reach.
    """
    first, following, business = table
    missed = 0
    for r in rows:
        for j in range(offsets[r], offsets[r + 1]):
            place = days[j] - first
            if place < 0 or place >= following.size:
                missed += 1
                continue
            at = following[place]
            moved = business[at]
            if moved != days[j] and (
                rule == PRECEDING or (rule == MODIFIED_FOLLOWING and month_of(moved)[0] != month_of(days[j])[0])
            ):
                moved = business[at - 1]
            days[j] = moved
    return missed


@kernel
def step(rows: Offsets, counts: Offsets, table: BusinessTable, days: Indices) -> int:
    """Move the days at `rows` by so many business days, in place; 0: to the following one.

    From a holiday the first step leads to the next, or the previous, business day.

    :param rows: int64[m]; counts int64[k], days int32[k].
    :return: how many days, or the days that they lead to, the table does not reach.
    """
    first, following, business = table
    missed = 0
    for r in rows:
        place = days[r] - first
        if place < 0 or place >= following.size:
            missed += 1
            continue
        at = following[place] + counts[r]
        if counts[r] > 0 and business[following[place]] != days[r]:
            at -= 1
        if at < 0 or at >= business.size:
            missed += 1
            continue
        days[r] = business[at]
    return missed
