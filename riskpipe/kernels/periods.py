"""Dates of schedules: counted back in months from a maturity, clipped to month ends."""

from __future__ import annotations

from riskpipe.kernels.arguments import Codes, Flags, Indices, Offsets, Periods, Window
from riskpipe.kernels.civil_dates import day_in_month, month_of
from riskpipe.kernels.compiler import inline, kernel

WHOLE, FRONT_STUB, BACK_STUB = 0, 1, 2
"""Of periods: one of the schedule's length, or one that is not, at its front or at its back."""


@inline
def _whole(start: int, maturity: int, months: int) -> int:
    """How many whole periods fit between the dates; 0 where there is but one."""
    if months <= 0:
        return (maturity - start) // -months if months < 0 else 0
    month, day = month_of(maturity)
    whole = (month - month_of(start)[0]) // months
    if whole > 0 and day_in_month(month - whole * months, day) < start:
        whole -= 1
    return whole


@kernel
def whole_periods(start: Indices, maturity: Indices, months: Offsets, whole: Offsets) -> None:
    """How many whole periods fit between two dates, into int64[n]; 0 where `months` is 0, for a single period.

    :param months: int64[n]; below zero, days.
    """
    for k in range(start.size):
        whole[k] = _whole(start[k], maturity[k], months[k])


@kernel
def step_range(
    start: Indices, maturity: Indices, months: Offsets, window: Window, far: Offsets, near: Offsets, whole: Offsets
) -> None:
    """Which steps back from maturity give a date between those of `window`, and one more.

    :param start, maturity: int32[n], the first not after the last; months int64[n], of a step.
    :param far, near: int64[n], the most and the fewest steps; whole int64[n], all that fit.
    """
    after, before = window
    for k in range(start.size):
        first, last = start[k], maturity[k]
        whole[k] = _whole(first, last, months[k])
        far[k] = min(whole[k], _whole(min(max(first, after), last), last, months[k]) + 1)
        near[k] = min(_whole(min(max(first, before), last), last, months[k]), far[k])


@kernel
def step_dates(
    start: Indices, maturity: Indices, months: Offsets, near: Offsets, offsets: Offsets, dates: Indices
) -> None:
    """Each row's start, then its dates from the farthest step back to the nearest, into int32[k].

    :param offsets: int64[n + 1], of the rows.
    """
    for k in range(start.size):
        month, day = month_of(maturity[k])
        begin, stop = offsets[k], offsets[k + 1]
        dates[begin] = start[k]
        for j in range(begin + 1, stop):
            dates[j] = day_in_month(month - (near[k] + stop - 1 - j) * months[k], day)


@kernel
def join_periods(
    offsets: Offsets,
    from_start: Flags,
    months: Offsets,
    dates: tuple[Indices, Indices],
    window: Window,
    ends: Offsets,
    periods: Periods,
    stub: Codes,
) -> None:
    """Neighbouring dates of a row become periods: those that end after the first day of `window` and begin by the last.

    The first date counts where `from_start`, unless it is the same business day as the next.

    :param dates: int32[k], and on business days, in rows at `offsets` int64[n + 1].
    :param ends: int64[n + 1], where the periods of each row begin, written; periods int32[k] each and stub int8[k],
        likewise, as many as `ends` says.
    """
    after, before = window
    counted, adjusted = dates
    start, end, unadjusted_start, unadjusted_end = periods
    made = 0
    ends[0] = 0
    for k in range(from_start.size):
        first = offsets[k]
        previous = first if from_start[k] and adjusted[first] != adjusted[first + 1] else first + 1
        for j in range(previous + 1, offsets[k + 1]):
            if adjusted[j] > after and adjusted[j - 1] <= before:
                start[made], end[made] = adjusted[j - 1], adjusted[j]
                unadjusted_start[made], unadjusted_end[made] = counted[j - 1], counted[j]
                stub[made] = FRONT_STUB if j - 1 == first and months[k] != 0 else WHOLE
                made += 1
        ends[k + 1] = made


@kernel
def later_by_months(days: Indices, months: int, later: Indices) -> None:
    """The same day of the month so many months later, or that month's last.

    :param days: int32[n]. :param later: int32[n], overwritten.
    """
    for k in range(days.size):
        month, of_month = month_of(days[k])
        later[k] = day_in_month(month + months, of_month)
