"""Schedules of periods for all trades at once: counted back from maturity with a short first stub, or as they say."""

from __future__ import annotations

from functools import cached_property
from typing import Final, TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.kernels.periods import FRONT_STUB, join_periods, step_dates, step_range, whole_periods
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import FREQUENCIES, FREQUENCY_DAYS, FREQUENCY_MONTHS
from riskpipe.market.labels import Labels
from riskpipe.market.rolled_schedules import one_period_from, rolled_periods
from riskpipe.market.schedule_terms import Adjustment, Payments, Rolls

Days = NDArray[np.int32]
Element = TypeVar("Element", bound=np.generic)
Integers = NDArray[np.int64]

LONGEST_ADJUSTMENT: Final = 31
"""No adjustment moves a date further than so many days: the longest run of holidays is far below a month."""

_LENGTHS: Final = {name: -days for name, days in FREQUENCY_DAYS.items()} | FREQUENCY_MONTHS
_UNKNOWN: Final = 2**40
_EVER = (-(2**40), 2**40)  # beyond every date


class Schedule(Struct, frozen=True, dict=True):
    """Periods of n trades in compressed rows: trade k has `offsets[k]:offsets[k + 1]`, in time order.

    :param offsets: int64[n + 1].
    :param start: int32[periods], adjusted to business days.
    :param end: int32[periods], adjusted; the start of the next period.
    :param unadjusted_start: int32[periods].
    :param unadjusted_end: int32[periods].
    :param payment: int32[periods]; `end` itself where each period is paid at its end.
    :param stub: int8[periods]: `FRONT_STUB` or `BACK_STUB` (`riskpipe.kernels.periods`) of those that are not whole.
    """

    offsets: Integers
    start: Days
    end: Days
    unadjusted_start: Days
    unadjusted_end: Days
    payment: Days
    stub: NDArray[np.int8]

    def where(self, mask: NDArray[np.bool_]) -> Schedule:
        """Some of the periods."""
        offsets = _offsets(np.bincount(self.trades[mask], minlength=len(self.offsets) - 1))
        end = self.end[mask]
        paid = end if self.payment is self.end else self.payment[mask]
        unadjusted = (self.unadjusted_start[mask], self.unadjusted_end[mask])
        return Schedule(offsets, self.start[mask], end, *unadjusted, paid, self.stub[mask])

    @cached_property
    def trades(self) -> Integers:
        """int64[periods]: the trade of each period."""
        return self.spread(np.arange(len(self.offsets) - 1))

    def spread(self, values: NDArray[Element]) -> NDArray[Element]:
        """[periods]: of values [n] of the trades, that of each period's trade."""
        return np.repeat(values, np.diff(self.offsets))

    def labels(self, labels: Labels) -> Labels:
        """Likewise of names."""
        return Labels(self.spread(labels.codes), labels.names)

    def __len__(self) -> int:
        return len(self.start)


def schedule(
    start: Days,
    maturity: Days,
    frequency: Labels,
    adjustment: Adjustment,
    rolls: Rolls | None = None,
    payments: Payments | None = None,
    *,
    after: int | None = None,
    before: int | None = None,
) -> Schedule:
    """Periods between `start` and `maturity`, counted back from maturity (months are clipped to their ends).

    Every date is adjusted; dates that would fall on one business day are one, as in QuantLib's Schedule.

    :param start: int32[n], days since 1970-01-01.
    :param maturity: int32[n], after `start`.
    :param frequency: one of `FREQUENCIES`.
    :param rolls: None: dates are counted back from maturity, with a short first period.
    :param payments: None: periods are paid at their ends.
    :param after: leave out the periods whose adjusted end is not after this day; None: all periods.
    :param before: leave out the periods whose adjusted start is after this day; None: all periods.
    :raises ValueError: unknown frequency, calendar or convention.
    """
    length = lengths_of(frequency)
    window = (_EVER[0] if after is None else after, _EVER[1] if before is None else before)
    rolled = length < 0
    if rolls is not None:
        rolled |= rolls.given
    if not rolled.any():
        made = _counted_back(start, maturity, length, adjustment, window)
    else:
        rolls = Rolls.none(len(start)) if rolls is None else rolls
        rows, rest = np.flatnonzero(rolled), np.flatnonzero(~rolled)
        terms = (start[rows], maturity[rows], length[rows], adjustment.take(rows), rolls.take(rows))
        ends, days, stub = rolled_periods(*terms, window)
        made = Schedule(ends, *days, days[1], stub)
        if rest.size:
            plain = _counted_back(start[rest], maturity[rest], length[rest], adjustment.take(rest), window)
            made = _interleaved(((rows, made), (rest, plain)))
    return made if payments is None else replace(made, payment=payments.days(made.end, made.offsets))


def _counted_back(
    start: Days, maturity: Days, months: Integers, adjustment: Adjustment, window: tuple[int, int]
) -> Schedule:
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
    stub = np.empty(len(dates), np.int8)
    join_periods(offsets, from_start, months, (dates, adjusted), window, ends, periods, stub)
    begin, end, unadjusted_begin, unadjusted_end = (days[: ends[-1]].copy() for days in periods)
    return Schedule(ends, begin, end, unadjusted_begin, unadjusted_end, end, stub[: ends[-1]].copy())


def _interleaved(parts: tuple[tuple[Integers, Schedule], ...]) -> Schedule:
    """One schedule of several, each with the positions of its trades among all, ascending."""
    trade = np.concatenate([rows[made.trades] for rows, made in parts])
    order = np.argsort(trade, kind="stable")
    offsets = _offsets(np.bincount(trade, minlength=sum(len(rows) for rows, _ in parts)))
    start, end, unadjusted_start, unadjusted_end, stub = (
        np.concatenate([getattr(made, name) for _, made in parts])[order]
        for name in ("start", "end", "unadjusted_start", "unadjusted_end", "stub")
    )
    return Schedule(offsets, start, end, unadjusted_start, unadjusted_end, payment=end, stub=stub)


def reference_periods(
    periods: Schedule, frequency: Labels, adjustment: Adjustment, rolls: Rolls | None = None
) -> tuple[Days, Days]:
    """int32[periods]: start and end of the whole period that each is measured by (ACT/ACT of ICMA).

    Of a whole one its own; of one that is not, a period's length up to its end (from its start for the last), on
    business days, as QuantLib's bonds have them.
    """
    odd = np.flatnonzero(periods.stub)
    if not odd.size:
        return periods.start, periods.end
    start, end = periods.start.copy(), periods.end.copy()
    trade, front = periods.trades[odd], periods.stub[odd] == FRONT_STUB
    month_ends = np.zeros(len(odd), np.bool_) if rolls is None else rolls.convention.is_one("EOM")[trade]
    known, steps = np.where(front, end[odd], start[odd]), np.where(front, -1, 1)
    other = one_period_from(known, steps, lengths_of(frequency)[trade], adjustment.take(trade), month_ends)
    start[odd], end[odd] = np.where(front, other, start[odd]), np.where(front, end[odd], other)
    return start, end


def _offsets(counts: Integers) -> Integers:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))


def lengths_of(frequency: Labels) -> Integers:
    """int64[n]: of a period in months, or in days if below zero; 0 for 1T.

    :raises ValueError: unknown frequency.
    """
    table = np.array([*(_LENGTHS.get(name, _UNKNOWN) for name in frequency.names), _UNKNOWN], np.int64)
    length = table[frequency.codes]
    unknown = length == _UNKNOWN
    if unknown.any():
        code = int(frequency.codes[np.argmax(unknown)])
        name = repr(frequency.names[code]) if code >= 0 else "none"
        raise ValueError(f"unknown frequency {name}: one of {', '.join(FREQUENCIES)}")
    return length


def period_count(start: Days, maturity: Days, frequency: Labels) -> Integers:
    """int64[n]: about how many periods lie between two dates, at least one; for estimates of cost."""
    count = np.empty(len(start), np.int64)
    whole_periods(np.minimum(start, maturity), maturity, lengths_of(frequency), count)
    return count + 1
