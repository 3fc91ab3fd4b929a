"""Schedules of periods, backwards from maturity with a short first stub, for all trades at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendars import adjust
from riskpipe.market.labels import Labels

FREQUENCY_MONTHS: Final = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12, "1T": 0}
FREQUENCIES: Final = tuple(FREQUENCY_MONTHS)

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

LONGEST_ADJUSTMENT: Final = 31
"""No adjustment moves a date further than so many days: the longest run of holidays is far below a month."""


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

    @property
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
    whole = _whole_periods(start, maturity, months)
    kept, from_start = whole, np.ones(len(start), np.bool_)
    if after is not None:
        early = np.maximum(start, np.int32(after - LONGEST_ADJUSTMENT))
        kept = np.minimum(whole, _whole_periods(np.minimum(early, maturity), maturity, months) + 1)
        from_start = kept == whole
    skipped = np.zeros_like(kept)
    if before is not None:
        late = np.minimum(np.maximum(start, np.int32(before + LONGEST_ADJUSTMENT)), maturity)
        skipped = np.minimum(_whole_periods(late, maturity, months), kept)
    # dates of each trade: its start, then `kept` steps back from maturity to `skipped` steps (0 is maturity itself)
    counts = kept + 2 - skipped
    trade = np.repeat(np.arange(len(start)), counts)
    ends = np.cumsum(counts)
    steps = np.repeat(ends + skipped, counts) - 1 - np.arange(trade.size)
    dates = _months_before(maturity[trade], steps * months[trade])
    first = ends - counts
    dates[first] = start
    calendar = adjustment.calendar
    adjusted = adjust(dates, calendar.take(trade), adjustment.convention.take(trade))
    if adjustment.start is not None:
        begins = adjust(start, calendar, adjustment.start)
        for date in (first, first + 1):  # the start may be the date that is a whole number of steps back
            at_start = from_start & (dates[date] == start)
            adjusted[date] = np.where(at_start, begins, adjusted[date])
    keep = np.ones(trade.size, np.bool_)
    keep[first] = from_start & (adjusted[first] != adjusted[first + 1])
    if adjustment.maturity is not None:
        last = skipped == 0
        adjusted[ends[last] - 1] = adjust(maturity, calendar, adjustment.maturity)[last]
    return _periods(dates[keep], adjusted[keep], trade[keep], len(start), after, before)


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
    return _whole_periods(np.minimum(start, maturity), maturity, months_of(frequency)) + 1


def _periods(
    dates: Days, adjusted: Days, trade: Integers, trades: int, after: int | None, before: int | None
) -> Schedule:
    """Consecutive dates of one trade become periods."""
    same = trade[1:] == trade[:-1]
    if after is not None:
        same &= adjusted[1:] > after
    if before is not None:
        same &= adjusted[:-1] <= before
    begin = np.flatnonzero(same)
    offsets = np.zeros(trades + 1, np.int64)
    np.cumsum(np.bincount(trade[begin], minlength=trades), out=offsets[1:])
    return Schedule(offsets, adjusted[begin], adjusted[begin + 1], dates[begin], dates[begin + 1])


def _whole_periods(start: Days, maturity: Days, months: Integers) -> Integers:
    """How many whole periods fit between the dates; 0 where there is but one (1T)."""
    apart = _month(maturity) - _month(start)
    whole = np.where(months > 0, apart // np.maximum(months, 1), 0)
    return whole - ((whole > 0) & (_months_before(maturity, whole * months) < start))


def _month(days: Days) -> Integers:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _month_start(month: Integers) -> Integers:
    return month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _months_before(days: Days, months: Integers) -> Days:
    """The same day of an earlier month, clipped to that month's end."""
    month = _month(days)
    day = days - _month_start(month)
    target = month - months
    begin = _month_start(target)
    length = _month_start(target + 1) - begin
    return np.asarray(begin + np.minimum(day, length - 1), np.int32)
