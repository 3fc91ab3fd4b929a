"""Interest over the periods of schedules, by day counts that may ask for more of a period than its dates."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.daycounts import CouponPeriods, asks_for_coupons, year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment, Days, Rolls
from riskpipe.market.schedules import Schedule, lengths_of, reference_periods


class Accrual(Struct, frozen=True):
    """By what n trades with a schedule count time.

    :param frequency, adjustment, rolls: as their schedule was made by.
    :param maturity: int32[n], as it was asked for.
    """

    day_count: Labels
    frequency: Labels
    adjustment: Adjustment
    maturity: Days
    rolls: Rolls | None = None

    def years(self, periods: Schedule) -> FloatArray:
        """float64[periods]: year fractions of their periods, between adjusted dates.

        ACT/ACT ICMA: a whole period is its part of a year on whatever days it begins and ends.
        """
        return self._between(periods, periods.start, periods.end)

    def split(self, periods: Schedule, day: Days) -> tuple[FloatArray, FloatArray]:
        """float64[periods] each: year fractions from the period's start to a day of it, and from there to its end.

        :param day: int32[periods]; before the start it is the start, after the end the end.
        """
        until = np.clip(day, periods.start, periods.end)
        return self._between(periods, periods.start, until), self._between(periods, until, periods.end)

    def _between(self, periods: Schedule, start: Days, end: Days) -> FloatArray:
        """:param start, end: int32[periods], within the periods."""
        day_count = periods.labels(self.day_count)
        if not asks_for_coupons(self.day_count):
            return year_fraction(start, end, day_count)
        month_ends = np.zeros(len(self.maturity), np.bool_)
        if self.rolls is not None:
            month_ends = self.rolls.convention.is_one("EOM")
        coupons = CouponPeriods(
            reference=reference_periods(periods, self.frequency, self.adjustment, self.rolls),
            length=periods.spread(lengths_of(self.frequency)),
            end_of_month=periods.spread(month_ends),
            at_maturity=(end == periods.end) & (periods.unadjusted_end == periods.spread(self.maturity)),
            calendar=periods.labels(self.adjustment.calendar),
        )
        return year_fraction(start, end, day_count, coupons)
