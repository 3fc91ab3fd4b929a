"""Day counts of fixed coupons over schedules: QuantLib's coupons, and the size of what they make."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.accruals import Accrual
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment
from riskpipe.market.schedules import Schedule, schedule

EPOCH = 25569
PERIODS = {"1M": "1M", "3M": "3M", "6M": "6M", "1Y": "1Y"}
CONVENTIONS = {
    "unadjusted": ql.Unadjusted,
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
}
CALENDARS = {
    "TARGET": ql.TARGET(),
    "BRSP": ql.Brazil(),
    "SARI": ql.SaudiArabia(),
    "GBLO": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
}


def ql_date(day: int) -> ql.Date:
    return ql.Date(int(day) + EPOCH)


class Terms:
    """Of n random trades: any day of the month, and first periods of any length."""

    def __init__(self, n: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.start = generator.integers(12_000, 25_000, n).astype(np.int32)
        self.maturity = (self.start + generator.integers(40, 4_000, n)).astype(np.int32)
        self.frequency = [str(name) for name in generator.choice(list(PERIODS), n)]
        self.calendar = [str(name) for name in generator.choice(list(CALENDARS), n)]
        self.convention = [str(name) for name in generator.choice(list(CONVENTIONS), n)]

    def ours(self, day_count: str) -> tuple[Schedule, np.ndarray]:
        labels = (Labels.of(names) for names in (self.frequency, self.calendar, self.convention))
        frequency, calendar, convention = labels
        adjustment = Adjustment(calendar, convention)
        periods = schedule(self.start, self.maturity, frequency, adjustment)
        day_counts = Labels.constant(day_count, len(self.start))
        return periods, Accrual(day_counts, frequency, adjustment, self.maturity).years(periods)

    def theirs(self, k: int) -> ql.Schedule:
        convention = CONVENTIONS[self.convention[k]]
        dates = (ql_date(self.start[k]), ql_date(self.maturity[k]))
        rule = (convention, convention, ql.DateGeneration.Backward, False)
        return ql.Schedule(*dates, ql.Period(self.frequency[k]), CALENDARS[self.calendar[k]], *rule)

    def counter(self, day_count: str, k: int) -> ql.DayCounter:
        if day_count == "ACT/ACT ICMA":
            return ql.ActualActual(ql.ActualActual.ISMA)
        if day_count == "30E/360 ISDA":
            return ql.Thirty360(ql.Thirty360.ISDA, self.theirs(k).dates()[-1])
        return ql.Business252(CALENDARS[self.calendar[k]])


@pytest.mark.parametrize("day_count", ["ACT/ACT ICMA", "30E/360 ISDA", "BUS/252"])
def test_years_are_those_of_quantlibs_coupons(day_count: str) -> None:
    terms = Terms(500, 31)
    periods, years = terms.ours(day_count)
    theirs: list[float] = []
    for k in range(len(terms.start)):
        leg = ql.FixedRateLeg(terms.theirs(k), terms.counter(day_count, k), [1.0], [1.0])
        coupons = [ql.as_coupon(flow) for flow in leg]
        first, last = periods.offsets[k : k + 2]
        assert [coupon.accrualStartDate().serialNumber() - EPOCH for coupon in coupons] == periods.start[
            first:last
        ].tolist()
        theirs += [coupon.accrualPeriod() for coupon in coupons]
    np.testing.assert_allclose(years, theirs, rtol=1e-14, atol=0.0)


def test_act_365l_goes_by_each_coupon() -> None:
    """ICMA rule 251.1 (i), over QuantLib's schedules."""
    terms = Terms(300, 32)
    _, years = terms.ours("ACT/365L")
    expected: list[float] = []
    for k in range(len(terms.start)):
        dates = list(terms.theirs(k))
        for begin, end in pairwise(dates):
            leap_days = [ql.Date(29, 2, year) for year in range(begin.year(), end.year() + 1) if ql.Date.isLeap(year)]
            annual = any(begin < day <= end for day in leap_days)
            leap = annual if terms.frequency[k] == "1Y" else ql.Date.isLeap(end.year())
            expected.append((end - begin) / (366 if leap else 365))
    np.testing.assert_array_equal(years, expected)


def test_other_day_counts_are_as_they_were() -> None:
    terms = Terms(200, 33)
    for name in ("ACT/360", "ACT/ACT", "30/360", "ACT/ACT AFB"):
        periods, years = terms.ours(name)
        assert years.tobytes() == year_fraction(periods.start, periods.end, name).tobytes()
