"""Overnight indices compounded in arrears: what they have earned up to today, and the days to come under a lookback.

With a lookback of L days the rate of a value date is that fixed L business days before, and counts from the value date
to the next business day (2021 ISDA Interest Rate Derivatives Definitions, section 7.3: lookback without shift of the
observation period).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.compounding import compounded_growth
from riskpipe.market.calendars import BusinessDays, Calendar, add_business_days, adjust, business_days, without
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.growths import DailyGrowths
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import distinct

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

NONE_MISSING = np.int32(-(2**31))

# The longest closing that a calendar may not know of, between the fixings before and after it: Christmas in Stockholm.
_LONGEST_CLOSING = 6


class Realised(Struct, frozen=True):
    """Growth of one unit over the part of each period that past fixings decide.

    :param growth: float64[k]; one where nothing is decided; NaN where a fixing is missing.
    :param until: int32[k], where projection takes over: the period's start if nothing is decided.
    :param missing: int32[k], the first date without the fixing it needs, or `NONE_MISSING`.
    :param skipped: business days of the calendar without a fixing, on which the rate before went on: each with the
        periods that have it, int64.
    """

    growth: FloatArray
    until: Days
    missing: Days
    skipped: tuple[tuple[int, Integers], ...] = ()


class FixingDays(Struct, frozen=True):
    """The days on which an index is fixed.

    :param calendar: the named one, with `skipped` as holidays.
    :param skipped: int32[m], ascending: its business days on which the index plainly was not.
    """

    calendar: BusinessDays
    skipped: Days


def fixing_days(model: MarketModel, index: str, calendar: str) -> FixingDays:
    """A calendar less the days between two fixings, at most six apart, on which it has the index fixed and it was not.

    Such a day is no business day of the index: the rate before counts on (section 7.3 weights each rate by the days to
    the next business day). Longer holes are missing data.
    """
    group = model.snapshot.group("fixing", index)
    known = np.empty(0, np.int32) if group is None else np.unique(model.snapshot.days[group.start : group.stop])
    known = known[known <= model.as_of]
    if len(known) < 2:
        return FixingDays(without(calendar, known[:0]), known[:0])
    open_days = business_days(int(known[0]), int(known[-1]), calendar)
    after = np.minimum(np.searchsorted(known, open_days), len(known) - 1)
    lacks = (known[after] != open_days) & (known[after] - known[after - 1] <= _LONGEST_CLOSING)
    skipped = open_days[lacks]
    return FixingDays(without(calendar, skipped), skipped)


def fixing_dates(value_dates: Days, lag: int, calendar: Calendar) -> Days:
    """The business day `lag` business days before each date, or the last one up to it without a lag."""
    if lag == 0:
        return adjust(value_dates, calendar, "preceding")
    return add_business_days(value_dates, -lag, calendar)


def realised(
    model: MarketModel, index: str, lag: int, calendar: str, day_count: str, start: Days, end: Days
) -> Realised:
    """Compound the fixings before today, and today's if there is one, from each start on.

    A fixing counts from its value date to the next business day; the first value date is the period's start.

    :param start: int32[k], days since 1970-01-01.
    :param end: int32[k], after `start`.
    """
    growth, until = np.ones(len(start)), start.copy()
    missing = np.full(len(start), NONE_MISSING, np.int32)
    first_open = _first_open(model, index, lag, calendar)
    running = np.flatnonzero(start < first_open)
    if not running.size:
        return Realised(growth, until, missing)
    until[running] = np.minimum(end[running], np.int32(first_open))
    begin, stop, which = distinct(start[running], until[running])
    days = fixing_days(model, index, calendar)
    daily = _DailyFixings(model, index, lag, days.calendar, day_count)
    amount, lacking = daily.compounded(begin, stop)
    growth[running], missing[running] = amount[which], lacking[which]
    first = fixing_dates(start[running], lag, days.calendar)
    last = fixing_dates(until[running] - np.int32(1), lag, days.calendar)
    inside = ((day, running[(first <= day) & (day <= last)]) for day in days.skipped.tolist())
    return Realised(growth, until, missing, tuple((day, rows) for day, rows in inside if rows.size))


def projected(
    model: MarketModel, index: str, lag: int, calendar: str, day_count: str, start: Days, end: Days
) -> DailyGrowths:
    """Growths from each start to each end by rates fixed `lag` business days before, all still to be projected.

    The rate fixed on a day is the forward rate from it to the next business day, by the index's day count.

    :param start, end: int32[p], the end after the start.
    """
    dates = fixing_days(model, index, calendar).calendar
    grid = business_days(int(start.min()) - 14, int(end.max()) + 1, dates)
    low, high = np.searchsorted(grid, start), np.searchsorted(grid, end, side="right") - 1
    none = high < low  # no business day from start to end: one stub
    after, before = np.minimum(low, len(grid) - 1), np.maximum(high, 0)
    headless = np.flatnonzero(none | (grid[after] != start))
    tailed = np.flatnonzero(~none & (grid[before] != end))
    first_end = np.where(none, end, grid[after])[headless]
    value = np.concatenate((grid[:-1], start[headless], grid[before][tailed])).astype(np.int32)
    until = np.concatenate((grid[1:], first_end, end[tailed])).astype(np.int32)
    fixed = fixing_dates(value, lag, dates)
    following = add_business_days(fixed, 1, dates)
    counted, quoted = year_fraction(value, until, day_count), year_fraction(fixed, following, day_count)
    # 30/360 leaves days out: the rate of such a one counts by calendar days
    weight = np.divide(counted, quoted, out=(until - value) / (following - fixed), where=quoted > 0.0)
    first, last = np.full(len(start), -1, np.int32), np.full(len(start), -1, np.int32)
    first[headless] = len(grid) - 1 + np.arange(len(headless))
    last[tailed] = len(grid) - 1 + len(headless) + np.arange(len(tailed))
    begin, stop = np.where(none, 0, low).astype(np.int32), np.where(none, 0, high).astype(np.int32)
    curve = Labels.constant(model.conventions.index(index).curve, len(value))
    return DailyGrowths(curve, fixed, following, weight, first, begin, stop, last, np.zeros(len(start), np.bool_))


class _DailyFixings(Struct, frozen=True):
    """The fixings of one index, by value date."""

    model: MarketModel
    index: str
    lag: int
    calendar: BusinessDays
    day_count: str

    def compounded(self, start: Days, until: Days) -> tuple[FloatArray, Days]:
        """Growth from each start, int32[k], to `until`, and the first fixing date that is missing.

        A value date is a start or a business day after it; one array of factors from business day to business day
        serves all, save the first and the last of each, which may begin or end on a holiday.
        """
        grid = business_days(int(start.min()) + 1, int(until.max()), self.calendar)
        low, high = np.searchsorted(grid, start, side="right"), np.searchsorted(grid, until)
        several = high > low  # else no business day lies between: one factor from start to until
        first_end, last_start = until.copy(), start.copy()
        first_end[several], last_start[several] = grid[low[several]], grid[high[several] - 1]
        dates = np.concatenate((start, grid))
        fixed_on, fixing = self._fixings(dates)
        first = self._factors(start, first_end, fixing[: len(start)])
        last = np.ones(len(start))
        last[several] = self._factors(last_start[several], until[several], fixing[len(start) + high[several] - 1])
        between = self._factors(grid[:-1], grid[1:], fixing[len(start) : -1]) if len(grid) > 1 else np.empty(0)
        growth = compounded_growth(first, between, low, np.maximum(high - 1, low), last)
        return growth, self._missing(fixed_on, fixing, low, high)

    def _fixings(self, value_dates: Days) -> tuple[Days, FloatArray]:
        fixed_on = fixing_dates(value_dates, self.lag, self.calendar)
        return fixed_on, self.model.fixings(Labels.constant(self.index, len(fixed_on)), fixed_on)

    def _factors(self, start: Days, end: Days, fixing: FloatArray) -> FloatArray:
        return 1.0 + fixing * year_fraction(start, end, self.day_count)

    @staticmethod
    def _missing(fixed_on: Days, fixing: FloatArray, low: Integers, high: Integers) -> Days:
        """int32[k]: of the start, else of the first business day in [low, high) that lacks its fixing."""
        count = len(low)
        gaps = np.flatnonzero(np.isnan(fixing[count:]))
        following = np.searchsorted(gaps, low)
        gap = np.append(gaps, len(fixing))[following]
        missing = np.full(count, NONE_MISSING, np.int32)
        inside = gap < high
        missing[inside] = fixed_on[count + gap[inside]]
        return np.where(np.isnan(fixing[:count]), fixed_on[:count], missing)


def _first_open(model: MarketModel, index: str, lag: int, calendar: str) -> int:
    """The first business day whose fixing, as a value date, is not known yet."""
    today = adjust(np.array([model.as_of], np.int32), calendar, "following")
    open_date = add_business_days(today, lag, calendar)
    todays = model.fixings(Labels.constant(index, 1), np.array([model.as_of], np.int32))
    if today[0] == model.as_of and not np.isnan(todays[0]):
        open_date = add_business_days(open_date, 1, calendar)
    return int(open_date[0])
