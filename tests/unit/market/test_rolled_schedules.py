"""Schedules with roll days, stubs, weeks and payment days against QuantLib's Schedule and bonds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.kernels.periods import WHOLE
from riskpipe.kernels.rolled_dates import NO_DAY
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import CONVENTIONS, FREQUENCIES
from riskpipe.market.labels import Labels
from riskpipe.market.open_days import quantlib_calendar
from riskpipe.market.schedule_terms import Adjustment, Payments, Rolls
from riskpipe.market.schedules import Schedule, reference_periods, schedule

EPOCH = 25569
CALENDARS = ("weekends", "TARGET", "USNY", "JPTO+GBLO")
QUANTLIB_CALENDARS = {name: quantlib_calendar(name) for name in CALENDARS}
QUANTLIB_CONVENTIONS = dict(
    zip(CONVENTIONS, (ql.Unadjusted, ql.Following, ql.ModifiedFollowing, ql.Preceding), strict=True)
)
Days = np.ndarray


def period(frequency: str) -> Any:
    return ql.Period(0, ql.Days) if frequency == "1T" else ql.Period(frequency)


def date(day: int) -> Any:
    return ql.Date() if day == NO_DAY else ql.Date(int(day) + EPOCH)


def third_wednesday(day: int) -> int:
    on = date(day)
    return int(ql.Date.nthWeekday(3, ql.Wednesday, on.month(), on.year()).serialNumber()) - EPOCH


class RandomTerms:
    """Any dates; a third begin or end on the last business day, or the last day, of a month."""

    def __init__(self, size: int, seed: int, frequencies: tuple[str, ...] = FREQUENCIES) -> None:
        random = self.random = np.random.default_rng(seed)
        self.size = size
        self.start = random.integers(14000, 24000, size).astype(np.int32)
        self.maturity = (self.start + random.integers(5, 4000, size)).astype(np.int32)
        for days in (self.start, self.maturity):
            ends = random.random(size) < 0.3
            month_end = (days.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(
                int
            ) - 1
            moved = adjust(month_end.astype(np.int32), "TARGET", "preceding")
            days[ends] = np.where(random.random(size) < 0.5, month_end, moved)[ends]
        self.maturity = np.maximum(self.maturity, self.start + 5).astype(np.int32)
        self.frequency, self.calendar = self.choose(frequencies), self.choose(CALENDARS)
        self.convention, self.of_maturity = self.choose(CONVENTIONS), self.choose(CONVENTIONS)
        self.roll: list[str | None] = [None] * size
        self.forward = random.random(size) < 0.5
        self.long = np.zeros(size, np.bool_)
        self.first, self.last = (np.full(size, NO_DAY, np.int32) for _ in range(2))

    def choose(self, names: tuple[str, ...]) -> list[str]:
        return [str(name) for name in self.random.choice(names, self.size)]

    def stubs(self, margin: int = 1) -> None:
        """A first regular date, a last one, or both, so many days from the ends."""
        for k in range(self.size):
            room = int(self.maturity[k] - self.start[k])
            if self.frequency[k] != "1T" and room > 30:
                first, last = sorted(self.random.integers(margin, room - margin + 1, 2).tolist())
                kind = self.random.integers(0, 4)
                self.first[k] = self.start[k] + first if kind in (1, 3) else NO_DAY
                self.last[k] = self.start[k] + last if kind in (2, 3) and last > first else NO_DAY

    def adjustment(self) -> Adjustment:
        calendar, convention, maturity = (
            Labels.of(names) for names in (self.calendar, self.convention, self.of_maturity)
        )
        return Adjustment(calendar, convention, maturity=maturity)

    def rolls(self) -> Rolls:
        return Rolls(Labels.of(self.roll), self.forward, self.long, self.first, self.last)

    def schedule(self, payments: Payments | None = None, **window: int) -> Schedule:
        terms = (self.start, self.maturity, Labels.of(self.frequency), self.adjustment(), self.rolls(), payments)
        return schedule(*terms, **window)

    def quantlib(self, k: int, rule: Any = None, eom: bool = False, **dates: Any) -> Any:
        direction = ql.DateGeneration.Forward if self.forward[k] else ql.DateGeneration.Backward
        return ql.Schedule(
            date(self.start[k]),
            date(self.maturity[k]),
            period(self.frequency[k]),
            QUANTLIB_CALENDARS[self.calendar[k]],
            QUANTLIB_CONVENTIONS[self.convention[k]],
            QUANTLIB_CONVENTIONS[self.of_maturity[k]],
            direction if rule is None else rule,
            eom,
            dates.get("first", date(self.first[k])),
            dates.get("last", date(self.last[k])),
        )

    def hold(self, made: Schedule, expected: Callable[[int], Any]) -> None:
        for k in range(self.size):
            try:
                dates = [day.serialNumber() - EPOCH for day in expected(k)]
            except RuntimeError as error:
                if "degenerate" not in str(error):
                    raise
                dates = [int(self.start[k])]
            rows = slice(made.offsets[k], made.offsets[k + 1])
            if len(dates) == 1 or (len(dates) == 2 and dates[0] >= dates[1]):
                assert rows.start == rows.stop, self.told(k)  # on one business day; QuantLib lets some of them be
                continue
            assert [*made.start[rows].tolist(), int(made.end[rows][-1])] == dates, self.told(k)
            assert made.end[rows].tolist() == dates[1:], self.told(k)

    def told(self, k: int) -> str:
        names = (self.frequency[k], self.calendar[k], self.convention[k], self.of_maturity[k], self.roll[k])
        days = [
            date(of[k]).ISO() if of[k] != NO_DAY else None for of in (self.start, self.maturity, self.first, self.last)
        ]
        return f"{k} {names} {days} {'forward' if self.forward[k] else 'backward'}"


SIZE = 300
THOUSANDS = [SIZE, pytest.param(20_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("size", THOUSANDS)
def test_dates_counted_from_either_end_are_quantlibs(size: int) -> None:
    terms = RandomTerms(size, 1)
    terms.hold(terms.schedule(), terms.quantlib)


@pytest.mark.parametrize("size", THOUSANDS)
def test_first_and_last_regular_dates_are_quantlibs(size: int) -> None:
    terms = RandomTerms(size, 2)
    terms.stubs()
    terms.hold(terms.schedule(), terms.quantlib)


@pytest.mark.parametrize("size", THOUSANDS)
def test_the_end_of_month_rule_is_quantlibs(size: int) -> None:
    terms = RandomTerms(size, 3, ("1M", "2M", "3M", "4M", "6M", "1Y"))
    terms.roll = ["EOM"] * size
    terms.hold(terms.schedule(), lambda k: terms.quantlib(k, eom=True))


@pytest.mark.parametrize("size", THOUSANDS)
def test_third_wednesdays_are_quantlibs(size: int) -> None:
    terms = RandomTerms(size, 4, ("1M", "2M", "3M", "4M", "6M", "1Y"))
    terms.roll, terms.forward[:] = ["IMM"] * size, True
    terms.of_maturity = terms.convention  # else QuantLib leaves a period of a day or two before the maturity
    for days in (terms.start, terms.maturity):
        days[:] = [third_wednesday(int(day)) for day in days]
    terms.maturity = np.where(terms.maturity > terms.start, terms.maturity, terms.start + 140).astype(np.int32)
    terms.maturity[:] = [third_wednesday(int(day)) for day in terms.maturity]
    made = terms.schedule()
    terms.hold(made, lambda k: terms.quantlib(k, ql.DateGeneration.ThirdWednesday))
    stubbed = terms.random.random(size) < 0.5
    terms.first[stubbed] = [third_wednesday(int(day) + 31) for day in terms.start[stubbed]]
    terms.start[stubbed] -= 15
    terms.first[terms.first >= terms.maturity] = NO_DAY
    terms.hold(terms.schedule(), lambda k: terms.quantlib(k, ql.DateGeneration.ThirdWednesday))


@pytest.mark.parametrize("size", THOUSANDS)
def test_roll_days_are_those_of_a_regular_date_on_them(size: int) -> None:
    """QuantLib counts from its next to last date; the day 31 is that of the end-of-month rule."""
    terms = RandomTerms(size, 5, ("1M", "2M", "3M", "4M", "6M", "1Y"))
    terms.forward[:] = False
    terms.maturity = np.maximum(terms.maturity, terms.start + 80).astype(np.int32)
    roll = terms.random.integers(1, 29, size)
    roll[terms.random.random(size) < 0.3] = 31
    terms.roll = [str(day) for day in roll]
    month = (terms.maturity - 5).astype("datetime64[D]").astype("datetime64[M]") - 1
    end = (month + 1).astype("datetime64[D]").astype(int) - 1
    terms.last = np.where(roll == 31, end, month.astype("datetime64[D]").astype(int) + roll - 1).astype(np.int32)
    terms.hold(terms.schedule(), lambda k: terms.quantlib(k, eom=bool(roll[k] == 31)))


@pytest.mark.parametrize("size", THOUSANDS)
def test_a_long_stub_is_quantlibs_with_the_date_beyond_it(size: int) -> None:
    terms = RandomTerms(size, 6, ("1M", "3M", "6M", "1Y"))
    terms.of_maturity = terms.convention
    short = terms.schedule()
    terms.long[:] = True

    made = terms.schedule()
    joined = np.diff(short.offsets) - np.diff(made.offsets)

    def quantlib(k: int) -> Any:
        begin, stop = short.offsets[k], short.offsets[k + 1]
        if not joined[k]:
            return terms.quantlib(k)
        if terms.forward[k]:
            return terms.quantlib(k, last=date(short.unadjusted_start[stop - 2]))
        return terms.quantlib(k, first=date(short.unadjusted_end[begin + 1]))

    assert set(joined.tolist()) == {0, 1}
    odd = np.bincount(short.trades, short.stub != WHOLE, size) > 0
    # not joined: what begins or ends on the business day of a counted date; and a single period
    assert np.mean(odd & (np.diff(short.offsets) > 1) & (joined == 0)) < 0.05
    assert not np.any(~odd & (joined == 1))
    # one period is left, which QuantLib has no word for
    two = np.flatnonzero((np.diff(short.offsets) == 2) & (joined == 1))
    assert two.size
    assert np.array_equal(made.end[made.offsets[two]], short.end[short.offsets[two] + 1])
    keep = np.flatnonzero(~np.isin(np.arange(size), two))
    for k in keep:
        dates = [day.serialNumber() - EPOCH for day in quantlib(k)]
        rows = slice(made.offsets[k], made.offsets[k + 1])
        assert made.end[rows].tolist() == dates[1:], terms.told(k)
        assert made.start[rows].tolist() == dates[:-1], terms.told(k)


@pytest.mark.parametrize("size", THOUSANDS)
def test_payment_days_and_reference_periods_are_those_of_quantlibs_coupons(size: int) -> None:
    terms = RandomTerms(size, 7)
    # else a date may fall out before the last one, and QuantLib takes what is left of an odd period for a whole one
    terms.of_maturity = terms.convention
    terms.stubs(margin=10)
    regular = (terms.first == NO_DAY) & (terms.last == NO_DAY)
    months = [length.endswith(("M", "Y")) for length in terms.frequency]
    terms.roll = ["EOM" if free and of_months else None for free, of_months in zip(regular, months, strict=True)]
    calendars, conventions = terms.choose(CALENDARS), terms.choose(CONVENTIONS)
    lag = terms.random.integers(0, 5, size)
    made = terms.schedule(Payments(Labels.of(calendars), Labels.of(conventions), lag))
    begin, end = reference_periods(made, Labels.of(terms.frequency), terms.adjustment(), terms.rolls())
    for k in range(size):
        rows = slice(made.offsets[k], made.offsets[k + 1])
        if rows.stop - rows.start == 0:
            continue
        leg = ql.FixedRateLeg(
            terms.quantlib(k, eom=terms.roll[k] == "EOM"),
            ql.Actual365Fixed(),
            [100.0],
            [0.03],
            paymentAdjustment=QUANTLIB_CONVENTIONS[conventions[k]],
            paymentCalendar=QUANTLIB_CALENDARS[calendars[k]],
            paymentLag=int(lag[k]),
        )
        coupons = [ql.as_fixed_rate_coupon(flow) for flow in leg]
        assert made.payment[rows].tolist() == [day_of(c.date()) for c in coupons], terms.told(k)
        assert begin[rows].tolist() == [day_of(c.referencePeriodStart()) for c in coupons], terms.told(k)
        assert end[rows].tolist() == [day_of(c.referencePeriodEnd()) for c in coupons], terms.told(k)


def day_of(on: Any) -> int:
    return int(on.serialNumber()) - EPOCH


def test_a_window_changes_nothing_else_and_trades_do_not_depend_on_neighbours() -> None:
    terms = RandomTerms(SIZE, 8)
    terms.stubs()
    plain = terms.random.random(SIZE) < 0.5  # counted back without a word: the other kernel's
    terms.forward[plain], terms.first[plain], terms.last[plain] = False, NO_DAY, NO_DAY
    payments = Payments(Labels.of(terms.calendar), Labels.of(terms.convention), np.full(SIZE, 2))
    whole, some = terms.schedule(payments), terms.schedule(payments, after=17_000, before=18_000)
    keep = (whole.end > 17_000) & (whole.start <= 18_000)
    assert 0 < keep.sum() < len(keep)
    masked = whole.where(keep)
    for name in ("offsets", "start", "end", "unadjusted_start", "unadjusted_end", "payment", "stub"):
        assert np.array_equal(getattr(some, name), getattr(masked, name)), name
    for k in range(SIZE):
        one = np.array([k])
        rolls = terms.rolls().take(one)
        dates = (terms.start[one], terms.maturity[one], Labels.of([terms.frequency[k]]))
        alone = schedule(*dates, terms.adjustment().take(one), rolls)
        rows = slice(whole.offsets[k], whole.offsets[k + 1])
        assert np.array_equal(alone.end, whole.end[rows])
        assert np.array_equal(alone.stub, whole.stub[rows])


def test_periods_without_rolls_are_the_same_by_either_kernel() -> None:
    terms = RandomTerms(SIZE, 9, ("1M", "2M", "3M", "4M", "6M", "1Y", "1T"))
    terms.of_maturity, terms.forward[:] = terms.convention, False
    terms.first = terms.start.copy()  # says nothing, but is said
    plain = schedule(terms.start, terms.maturity, Labels.of(terms.frequency), terms.adjustment())
    made = terms.schedule()
    for name in ("offsets", "start", "end", "unadjusted_start", "unadjusted_end", "stub"):
        assert np.array_equal(getattr(made, name), getattr(plain, name)), name
