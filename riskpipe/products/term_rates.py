"""Term rates: when they are fixed, what is known of them, and when what they are of ends."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.periods import later_by_months
from riskpipe.market.calendars import add_business_days, adjust, is_business_day
from riskpipe.market.conventions import OVERNIGHT, Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.flows import Days
from riskpipe.products.overnight import NONE_MISSING, fixing_dates

Periods = tuple[Days, Days]


class TermFixings(Struct, frozen=True):
    """What is known of term rates, k of them.

    :param day: int32[k], of the fixing.
    :param due: int64[j], those that are known, ascending; the others are still to be projected. Those that lack a
        fixing of the past count as known.
    :param rate: float64[j], of the known; NaN where the fixing is missing.
    :param missing: int32[j], the day of a fixing that should be there and is not, or `NONE_MISSING`.
    """

    day: Days
    due: NDArray[np.int64]
    rate: FloatArray
    missing: Days


def term_fixings(model: MarketModel, index: str, calendar: str, start: Days) -> TermFixings:
    """Fixings of the periods of a term rate that begin on `start`, by the index's lag."""
    day = fixing_dates(start, model.conventions.index(index).fixing_lag, calendar)
    due = np.flatnonzero(day <= model.as_of)
    rate = model.fixings(Labels.constant(index, len(due)), day[due])
    past, present = day[due] < model.as_of, ~np.isnan(rate)
    missing, known = np.where(past & ~present, day[due], NONE_MISSING), past | present
    return TermFixings(day, due[known], rate[known], missing[known])


def projected_periods(periods: Periods, day: Days, lag: int, calendar: str) -> Periods:
    """Over which the rates of coupons are projected, int32[k] each: their periods, of which dates that are no days of
    fixings give way to those that the fixing for them counts for (QuantLib's par coupons).

    :param day: int32[k], of the fixings. :param lag: business days from a fixing to its rate's first day.
    """
    early, late = (np.flatnonzero(~is_business_day(days, calendar)) for days in periods)
    if not (early.size or late.size):
        return periods
    start, end = (days.copy() for days in periods)
    start[early] = add_business_days(day[early], lag, calendar)
    end[late] = add_business_days(add_business_days(end[late], -lag, calendar), lag, calendar)
    return start, np.maximum(end, start + np.int32(1))


def index_maturities(start: Days, index: str, calendar: str, conventions: Conventions) -> Days:
    """int32[k]: when a term rate that begins on `start` ends: by the index's tenor, modified following.

    :raises ValueError: the index has no tenor in months.
    """
    curve = conventions.index(index).curve
    tenor = conventions.index_tenor(curve)
    if tenor == OVERNIGHT:
        raise ValueError(f"{index} has no tenor: name it by market.curves.{curve}.index_tenor")
    later = np.empty(len(start), np.int32)
    later_by_months(start, int(tenor.removesuffix("M")), later)
    return adjust(later, calendar, "modified_following")
