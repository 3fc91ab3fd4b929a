"""What an overnight index has earned up to today: daily fixings compounded in arrears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.compounding import compounded_growth
from riskpipe.market.calendars import add_business_days, adjust, business_days
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel

Days = NDArray[np.int32]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NONE_MISSING = np.int32(-(2**31))


@dataclass(frozen=True)
class Realised:
    """Growth of one unit over the part of each period that past fixings decide.

    :param growth: float64[k]; one where nothing is decided; NaN where a fixing is missing.
    :param until: int32[k], where projection takes over: the period's start if nothing is decided.
    :param missing: int32[k], the first date without the fixing it needs, or `NONE_MISSING`.
    """

    growth: Floats
    until: Days
    missing: Days


def fixing_dates(value_dates: Days, lag: int, calendar: str) -> Days:
    """The business day `lag` business days before each date, or the last one up to it without a lag."""
    if lag == 0:
        return adjust(value_dates, calendar, "preceding")
    return add_business_days(value_dates, -lag, calendar)


def realised(
    model: MarketModel, index: str, lag: int, calendar: str, day_count: str, start: Days, end: Days
) -> Realised:
    """Compound the fixings before today, and today's if there is one, from each start on.

    A fixing counts from its value date to the next business day; the first value date is the period's start.
    Source: 2021 ISDA Interest Rate Derivatives Definitions, section 7.3 (compounded rates in arrears).

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
    pairs = np.stack((start[running], until[running]), axis=1)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    daily = _DailyFixings(model, index, lag, calendar, day_count)
    amount, lacking = daily.compounded(distinct[:, 0], distinct[:, 1])
    growth[running], missing[running] = amount[inverse.reshape(-1)], lacking[inverse.reshape(-1)]
    return Realised(growth, until, missing)


@dataclass(frozen=True)
class _DailyFixings:
    """The fixings of one index, by value date."""

    model: MarketModel
    index: str
    lag: int
    calendar: str
    day_count: str

    def compounded(self, start: Days, until: Days) -> tuple[Floats, Days]:
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

    def _fixings(self, value_dates: Days) -> tuple[Days, Floats]:
        fixed_on = fixing_dates(value_dates, self.lag, self.calendar)
        return fixed_on, self.model.fixings(Labels.constant(self.index, len(fixed_on)), fixed_on)

    def _factors(self, start: Days, end: Days, fixing: Floats) -> Floats:
        return 1.0 + fixing * year_fraction(start, end, self.day_count)

    @staticmethod
    def _missing(fixed_on: Days, fixing: Floats, low: Integers, high: Integers) -> Days:
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
