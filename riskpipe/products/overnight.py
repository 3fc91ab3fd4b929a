"""What an overnight index has earned up to today: daily fixings compounded in arrears."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendars import add_business_days, adjust, business_days
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel

Days = NDArray[np.int32]
Floats = NDArray[np.float64]

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
    grid = business_days(int(distinct[:, 0].min()) + 1, int(distinct[:, 1].max()), calendar)
    for k, (a, b) in enumerate(distinct.tolist()):
        rows = running[inverse.reshape(-1) == k]
        dates = np.concatenate(([a], grid[(grid > a) & (grid < b)], [b])).astype(np.int32)
        fixed_on = fixing_dates(dates[:-1], lag, calendar)
        fixing = model.fixings(Labels.constant(index, len(fixed_on)), fixed_on)
        factors = 1.0 + fixing * year_fraction(dates[:-1], dates[1:], day_count)
        growth[rows] = np.multiply.accumulate(factors)[-1]
        lacking = np.isnan(fixing)
        if lacking.any():
            missing[rows] = fixed_on[lacking][0]
    return Realised(growth, until, missing)


def _first_open(model: MarketModel, index: str, lag: int, calendar: str) -> int:
    """The first business day whose fixing, as a value date, is not known yet."""
    today = adjust(np.array([model.as_of], np.int32), calendar, "following")
    open_date = add_business_days(today, lag, calendar)
    todays = model.fixings(Labels.constant(index, 1), np.array([model.as_of], np.int32))
    if today[0] == model.as_of and not np.isnan(todays[0]):
        open_date = add_business_days(open_date, 1, calendar)
    return int(open_date[0])
