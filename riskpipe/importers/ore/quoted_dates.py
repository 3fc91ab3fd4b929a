"""Dates of quoted instruments, by QuantLib's calendars and schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.importers.ore.codes import period
from riskpipe.importers.ore.indices import Index
from riskpipe.market.bootstrap.quantlib import BUSINESS_DAY_CONVENTIONS, to_date, to_days
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.open_days import quantlib_calendar

Days = NDArray[np.int64]
CONVENTIONS: Final = {**BUSINESS_DAY_CONVENTIONS, "half_month_modified_following": ql.HalfMonthModifiedFollowing}


@cache
def market(calendar: str) -> Any:
    """QuantLib's calendar of a name."""
    return quantlib_calendar(calendar)


class Periods(Struct, frozen=True):
    """Accrual periods and their payments, days since 1970-01-01, int64[n] each."""

    start: Days
    end: Days
    payment: Days

    def fractions(self, day_count: str) -> FloatArray:
        return fractions(self.start, self.end, day_count)


def fractions(start: Days, end: Days, day_count: str) -> FloatArray:
    return year_fraction(np.asarray(start).astype(np.int32), np.asarray(end).astype(np.int32), day_count)


def spot(as_of: int, calendar: str, days: int) -> Any:
    """So many business days after the first business day from as_of on; QuantLib's date."""
    place = market(calendar)
    return place.advance(place.adjust(to_date(as_of)), days, ql.Days)


def advanced(start: Any, tenor: str, calendar: str, convention: str, end_of_month: bool = False) -> Any:
    return market(calendar).advance(start, period(tenor), CONVENTIONS[convention], end_of_month)


def periods(
    start: Any,
    end: Any,
    tenor: str,
    calendar: str,
    convention: str = "modified_following",
    *,
    end_of_month: bool = False,
    lag: int = 0,
) -> Periods:
    """Counted back from the end; each is paid `lag` business days after its end."""
    rule = CONVENTIONS[convention]
    step = period(tenor)
    backward = ql.DateGeneration.Zero if step.length() == 0 else ql.DateGeneration.Backward
    place = market(calendar)
    dates = list(ql.Schedule(start, end, step, place, rule, rule, backward, end_of_month))
    paid = [place.advance(date, lag, ql.Days) if lag else date for date in dates[1:]]
    return Periods(to_days(dates[:-1]), to_days(dates[1:]), to_days(paid))


def index_periods(start: Any, tenor: str, index: Index, every: str = "", calendar: str = "") -> Periods:
    """Of the floating leg of a swap that is quoted, by the index's convention.

    :param every: its frequency, where it is not the index's tenor; `calendar`: of its dates, else that of the fixings.
    """
    end = start + period(tenor)
    step, place = every or index.tenor, calendar or index.calendar
    return periods(start, end, step, place, index.convention, end_of_month=index.end_of_month)


def fixing_date(start: Any, index: Index) -> Any:
    """When the rate of a period that is to start on a day is fixed."""
    return market(index.calendar).advance(start, -index.fixing_days, ql.Days)


def value_date(start: Any, index: Index) -> Any:
    """The day from which the rate that is fixed for a start runs; another one where that is a holiday."""
    runs = market(index.calendar).advance(fixing_date(start, index), index.fixing_days, ql.Days)
    return market(index.value_calendar).adjust(runs)


def maturity(start: Any, index: Index) -> Any:
    """End of the index's own period."""
    return advanced(start, index.tenor, index.value_calendar, index.convention, index.end_of_month)


def numbers(dates: Sequence[Any]) -> Days:
    return to_days(dates)


def number(date: Any) -> int:
    return int(to_days([date])[0])


def a_day(days: int) -> date:
    """Of days since 1970-01-01."""
    return date.fromordinal(days + 719_163)
