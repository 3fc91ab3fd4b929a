"""Schedules of periods, backwards from maturity with a short first stub, for all trades at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.periods import join_periods, step_dates, step_range, whole_periods
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import FREQUENCIES, FREQUENCY_MONTHS
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

LONGEST_ADJUSTMENT: Final = 31
"""No adjustment moves a date further than so many days: the longest run of holidays is far below a month."""

_EVER = (-(2**40), 2**40)  # beyond every date


@dataclass(frozen=True)
class Schedule:
    """Periods of n trades in compressed rows: trade k has `offsets[k]:offsets[k + 1]`, in time order.

    :param offsets: int64[n + 1].
    :param start: int32[periods], adjusted to business days.
    :param end: int32[periods], adjusted; the start of the next period.
    :param unadjusted_start: int32[periods].
    :param unadjusted_end: int32[periods].
    """

    offsets: Integers
    start: Days
    end: Days
    unadjusted_start: Days
    unadjusted_end: Days

    @cached_property
    def trades(self) -> Integers:
        """int64[periods]: the trade of each period."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True)
class Adjustment:
    """What moves the dates of n trades to business days.

    :param start, maturity: conventions of the first and of the last date; None: as of all others.
    """

    calendar: Labels
    convention: Labels
    start: Labels | None = None
    maturity: Labels | None = None


def schedule(
    start: Days,
    maturity: Days,
    frequency: Labels,
    adjustment: Adjustment,
    *,
    after: int | None = None,
    before: int | None = None,
) -> Schedule:
    """Periods between `start` and `maturity`, counted back from maturity in months (clipped to month ends).

    Every date is adjusted; a first date that would fall on the same business day as the next is left out, as QuantLib
    does. No end-of-month rule.

    :param start: int32[n], days since 1970-01-01.
    :param maturity: int32[n], after `start`.
    :param frequency: 1M, 3M, 6M, 1Y or 1T (one period).
    :param after: leave out the periods whose adjusted end is not after this day; None: all periods.
    :param before: leave out the periods whose adjusted start is after this day; None: all periods.
    :raises ValueError: unknown frequency, calendar or convention.
    """
    months = months_of(frequency)
    window = (_EVER[0] if after is None else after, _EVER[1] if before is None else before)
    near_enough = (window[0] - LONGEST_ADJUSTMENT, window[1] + LONGEST_ADJUSTMENT)
    far, near, whole = (np.empty(len(start), np.int64) for _ in range(3))
    step_range(start, maturity, months, near_enough, far, near, whole)
    from_start = far == whole
    # dates of each trade: its start, then `far` steps back from maturity to `near` steps (0 is maturity itself)
    offsets = _offsets(far + 2 - near)
    dates = np.empty(offsets[-1], np.int32)
    step_dates(start, maturity, months, near, offsets, dates)
    first, calendar = offsets[:-1], adjustment.calendar
    adjusted = adjust(dates, calendar, adjustment.convention, offsets)
    if adjustment.start is not None:
        begins = adjust(start, calendar, adjustment.start)
        for date in (first, first + 1):  # the start may be the date that is a whole number of steps back
            at_start = from_start & (dates[date] == start)
            adjusted[date] = np.where(at_start, begins, adjusted[date])
    if adjustment.maturity is not None:
        last = near == 0
        adjusted[offsets[1:][last] - 1] = adjust(maturity, calendar, adjustment.maturity)[last]
    ends = np.empty_like(offsets)
    begin, end, unadjusted_begin, unadjusted_end = (np.empty(len(dates), np.int32) for _ in range(4))
    periods = (begin, end, unadjusted_begin, unadjusted_end)
    join_periods(offsets, from_start, dates, adjusted, window, ends, periods)
    return Schedule(ends, *(days[: ends[-1]].copy() for days in periods))


def _offsets(counts: Integers) -> Integers:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))


def months_of(frequency: Labels) -> Integers:
    """int64[n]: months a period; 0 for 1T.

    :raises ValueError: unknown frequency.
    """
    table = np.array([*(FREQUENCY_MONTHS.get(name, -1) for name in frequency.names), -1], np.int64)
    months = table[frequency.codes]
    if np.any(months < 0):
        code = int(frequency.codes[np.argmax(months < 0)])
        name = repr(frequency.names[code]) if code >= 0 else "none"
        raise ValueError(f"unknown frequency {name}: one of {', '.join(FREQUENCIES)}")
    return months


def period_count(start: Days, maturity: Days, frequency: Labels) -> Integers:
    """int64[n]: about how many periods lie between two dates, at least one; for estimates of cost."""
    count = np.empty(len(start), np.int64)
    whole_periods(np.minimum(start, maturity), maturity, months_of(frequency), count)
    return count + 1
