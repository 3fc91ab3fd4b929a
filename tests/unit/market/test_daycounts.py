from __future__ import annotations

from calendar import isleap
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market.date_rules import DAY_COUNTS
from riskpipe.market.daycounts import CouponPeriods, year_fraction
from riskpipe.market.labels import Labels

EPOCH = 25569
QUANTLIB = {
    "ACT/360": ql.Actual360(),
    "ACT/365F": ql.Actual365Fixed(),
    "ACT/ACT": ql.ActualActual(ql.ActualActual.ISDA),
    "30/360": ql.Thirty360(ql.Thirty360.BondBasis),
    "30E/360": ql.Thirty360(ql.Thirty360.EurobondBasis),
    "30U/360": ql.Thirty360(ql.Thirty360.USA),
    "ACT/364": ql.Actual364(),
    "NL/365": ql.Actual365Fixed(ql.Actual365Fixed.NoLeap),
    "ACT/ACT AFB": ql.ActualActual(ql.ActualActual.AFB),
}


def month_end(days: np.ndarray) -> np.ndarray:
    month = days.astype("datetime64[D]").astype("datetime64[M]")
    return (month + 1).astype("datetime64[D]").astype(int) - 1


def random_periods(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Many ends of months, leap days and empty or reversed periods among them."""
    generator = np.random.default_rng(7)
    start = generator.integers(-7000, 40000, size)
    end = start + generator.integers(-400, 4000, size)
    month_end = (start.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(int) - 1
    start = np.where(generator.random(size) < 0.3, month_end, start)
    month_end = (end.astype("datetime64[D]").astype("datetime64[M]") + 1).astype("datetime64[D]").astype(int) - 1
    end = np.where(generator.random(size) < 0.3, month_end, end)
    end = np.where(generator.random(size) < 0.02, start, end)
    return start.astype(np.int32), end.astype(np.int32)


def reference(start: int, end: int, name: str) -> float:
    return float(QUANTLIB[name].yearFraction(ql.Date(int(start) + EPOCH), ql.Date(int(end) + EPOCH)))


@pytest.mark.parametrize("name", DAY_COUNTS)
def test_year_fractions_are_quantlibs(name: str) -> None:
    start, end = random_periods(3000)
    expected = [reference(a, b, name) for a, b in zip(start, end, strict=True)]
    np.testing.assert_allclose(year_fraction(start, end, name), expected, rtol=1e-15, atol=0.0)


def test_a_day_count_per_period() -> None:
    start, end = random_periods(2000)
    names = [str(name) for name in np.random.default_rng(8).choice(DAY_COUNTS, start.size)]
    expected = [reference(a, b, name) for a, b, name in zip(start, end, names, strict=True)]
    np.testing.assert_allclose(year_fraction(start, end, Labels.of(names)), expected, rtol=1e-15, atol=0.0)


def test_printed_values() -> None:
    """2007-02-28 to 2007-03-31 in months of 30 days; a leap year split at new year."""
    start, end = np.array([13572], np.int32), np.array([13603], np.int32)
    assert year_fraction(start, end, "30/360")[0] == 33 / 360
    assert year_fraction(start, end, "30E/360")[0] == 32 / 360
    leap = np.array(["2003-11-01", "2004-05-01"], "datetime64[D]").astype(np.int32)
    # ISDA, "EMU and market conventions: recent developments" (1998): 61/365 + 121/366
    assert year_fraction(leap[:1], leap[1:], "ACT/ACT")[0] == pytest.approx(61 / 365 + 121 / 366, abs=1e-15)


def test_the_end_of_february_is_the_thirtieth_in_america() -> None:
    """By hand, from the rule: to the end of March, from one February to the next, and what is no start there."""
    days = [
        ("2023-02-28", "2023-03-31", 30),
        ("2024-02-28", "2024-03-31", 33),
        ("2024-02-29", "2024-03-31", 30),
        ("2023-02-28", "2024-02-29", 360),
        ("2024-02-29", "2025-02-28", 360),
        ("2024-02-29", "2025-03-15", 375),
        ("2023-08-31", "2024-02-29", 179),
        ("2100-02-28", "2100-03-30", 30),
    ]
    start, end = (np.array([pair[k] for pair in days], "datetime64[D]").astype(np.int32) for k in (0, 1))
    np.testing.assert_array_equal(year_fraction(start, end, "30U/360") * 360.0, [pair[2] for pair in days])


def days_of(*dates: str) -> np.ndarray:
    return np.array(dates, "datetime64[D]").astype(np.int32)


def to_ql(day: int) -> ql.Date:
    return ql.Date(int(day) + EPOCH)


def coupons(start: np.ndarray, end: np.ndarray, **terms: object) -> CouponPeriods:
    n = len(start)
    given = {
        "reference": (start, end),
        "length": np.full(n, 6),
        "end_of_month": np.zeros(n, np.bool_),
        "at_maturity": np.zeros(n, np.bool_),
        "calendar": Labels.constant("weekends", n),
    }
    return CouponPeriods(**(given | terms))  # type: ignore[arg-type]


def test_february_ends_on_the_thirtieth_but_not_at_maturity() -> None:
    start, end = random_periods(3000)
    last = np.random.default_rng(10).random(start.size) < 0.4
    none = ql.Date()
    expected = [
        ql.Thirty360(ql.Thirty360.ISDA, to_ql(b) if final else none).yearFraction(to_ql(a), to_ql(b))
        for a, b, final in zip(start, end, last, strict=True)
    ]
    given = year_fraction(start, end, "30E/360 ISDA", coupons(start, end, at_maturity=last))
    np.testing.assert_allclose(given, expected, rtol=1e-15, atol=0.0)


def test_business_days_over_252_go_by_each_calendar() -> None:
    start, end = random_periods(2000)
    start, end = np.minimum(start, end), np.maximum(start, end)
    markets = {"BRSP": ql.Brazil(), "SARI": ql.SaudiArabia(), "TARGET": ql.TARGET()}
    names = [str(name) for name in np.random.default_rng(11).choice(list(markets), start.size)]
    counters = {name: ql.Business252(calendar) for name, calendar in markets.items()}
    expected = [counters[name].yearFraction(to_ql(a), to_ql(b)) for a, b, name in zip(start, end, names, strict=True)]
    terms = coupons(start, end, calendar=Labels.of(names))
    np.testing.assert_allclose(year_fraction(start, end, "BUS/252", terms), expected, rtol=1e-15, atol=0.0)
    np.testing.assert_array_equal(
        year_fraction(end, start, "BUS/252", terms), -year_fraction(start, end, "BUS/252", terms)
    )


def test_act_365l_by_the_rule() -> None:
    """By a walk over every day: of an annual coupon whether one is a 29 February, of others the year they end in."""
    start, end = random_periods(400)
    start, end = np.minimum(start, end), np.maximum(start, end) + np.int32(1)
    length = np.random.default_rng(12).choice([0, 1, 3, 6, 12], start.size)
    expected = []
    for first, last, months in zip(start, end, length, strict=True):
        days = [date(1970, 1, 1) + timedelta(int(day)) for day in range(first + 1, last + 1)]
        year = any((day.month, day.day) == (2, 29) for day in days) if months in (0, 12) else isleap(days[-1].year)
        expected.append((last - first) / (366 if year else 365))
    given = year_fraction(start, end, "ACT/365L", coupons(start, end, length=length))
    np.testing.assert_array_equal(given, expected)


def random_schedule(generator: np.random.Generator) -> tuple[ql.Schedule, int, bool]:
    """Unadjusted, with odd first and last periods; by month ends these are of less than two whole ones."""
    months = int(generator.choice([1, 3, 6, 12]))
    by_month_end = bool(generator.random() < 0.3)
    first = ql.Date(int(generator.integers(1, 29)), int(generator.integers(1, 13)), int(generator.integers(1990, 2030)))
    last = first + ql.Period(months * int(generator.integers(1, 8)), ql.Months)
    if by_month_end:
        first, last = ql.Date.endOfMonth(first), ql.Date.endOfMonth(last)
    start, end = (int(days) for days in generator.integers(1, (56 if by_month_end else 150) * months, 2))
    rule = ql.DateGeneration.Backward if generator.random() < 0.5 else ql.DateGeneration.Forward
    calendar, unadjusted = ql.NullCalendar(), ql.Unadjusted
    terms = (ql.Period(months, ql.Months), calendar, unadjusted, unadjusted, rule, by_month_end, first, last)
    return ql.Schedule(first - start, last + end, *terms), months, by_month_end


def test_act_act_icma_over_quantlibs_schedules_with_odd_periods() -> None:
    """Of whole periods their part of a year, of odd ones what notional periods beside them make of their days.

    QuantLib knows the whole period of a coupon, or the schedule with its month ends; from the latter it gives whole
    periods before an odd last one other lengths than their part of a year, so that these are left out.
    """
    generator = np.random.default_rng(13)
    rows: list[tuple[int, int, int, int, int, bool]] = []
    expected: list[float] = []
    null, unadjusted = ql.NullCalendar(), ql.Unadjusted
    odd = 0
    for _ in range(300):
        schedule, months, by_month_end = random_schedule(generator)
        step = ql.Period(months, ql.Months)
        dates = list(schedule)
        for k, (first, last) in enumerate(pairwise(dates)):
            near, far = first, last
            whole = schedule.isRegular(k + 1)
            if not whole and k == 0:
                near = null.advance(last, -step, unadjusted, by_month_end)
            elif not whole:
                far = null.advance(first, step, unadjusted, by_month_end)
            if by_month_end and k >= len(dates) - 3:
                continue
            odd += not whole
            counter = ql.ActualActual(ql.ActualActual.ISMA, *((schedule,) if by_month_end else ()))
            expected.append(counter.yearFraction(first, last, near, far))
            rows.append((*(day.serialNumber() - EPOCH for day in (first, last, near, far)), months, by_month_end))
    assert odd > 400
    start, end, near, far = (np.array([row[k] for row in rows], np.int32) for k in range(4))
    length, month_ends = np.array([row[4] for row in rows]), np.array([row[5] for row in rows])
    terms = coupons(start, end, reference=(near, far), length=length, end_of_month=month_ends)
    np.testing.assert_allclose(year_fraction(start, end, "ACT/ACT ICMA", terms), expected, rtol=1e-14, atol=0.0)


def test_the_examples_of_the_isda_memorandum() -> None:
    """ISDA, "EMU and market conventions: recent developments" (1998), all periods of its appendix.

    Start, end, whole period, months of it, by months' ends; ISDA, ICMA, AFB.
    """
    examples = [
        ("2003-11-01", "2004-05-01", "2003-11-01", "2004-05-01", 6, False, 61 / 365 + 121 / 366, 0.5, 182 / 366),
        ("1999-02-01", "1999-07-01", "1998-07-01", "1999-07-01", 12, False, 150 / 365, 150 / 365, 150 / 365),
        ("1999-07-01", "2000-07-01", "1999-07-01", "2000-07-01", 12, False, 184 / 365 + 182 / 366, 1.0, 1.0),
        ("2002-08-15", "2003-07-15", "2003-01-15", "2003-07-15", 6, False, 334 / 365, 0.5 + 153 / 368, 334 / 365),
        ("2003-07-15", "2004-01-15", "2003-07-15", "2004-01-15", 6, False, 170 / 365 + 14 / 366, 0.5, 184 / 365),
        ("1999-07-30", "2000-01-30", "1999-07-30", "2000-01-30", 6, False, 155 / 365 + 29 / 366, 0.5, 184 / 365),
        ("2000-01-30", "2000-06-30", "2000-01-30", "2000-07-30", 6, False, 152 / 366, 152 / 364, 152 / 366),
        (
            "1999-11-30",
            "2000-04-30",
            "1999-11-30",
            "2000-02-29",
            3,
            True,
            32 / 365 + 120 / 366,
            0.25 + 61 / 368,
            152 / 366,
        ),
    ]
    start, end, near, far = (days_of(*(row[k] for row in examples)) for k in range(4))
    length, by_month_end = np.array([row[4] for row in examples]), np.array([row[5] for row in examples])
    terms = coupons(start, end, reference=(near, far), length=length, end_of_month=by_month_end)
    for name, column in (("ACT/ACT", 6), ("ACT/ACT ICMA", 7), ("ACT/ACT AFB", 8)):
        expected = [row[column] for row in examples]
        np.testing.assert_allclose(year_fraction(start, end, name, terms), expected, rtol=1e-15)


def test_whole_periods_of_days_and_of_none() -> None:
    """Four weeks are a thirteenth of a year; a coupon that is paid once counts years back from its end."""
    start, end = days_of("2025-01-06", "2024-02-29"), days_of("2025-02-03", "2026-08-31")
    terms = coupons(start, end, length=np.array([-28, 0]))
    given = year_fraction(start, end, "ACT/ACT ICMA", terms)
    np.testing.assert_allclose(given, [1 / 13, 2 + 184 / 366], rtol=1e-15)
    np.testing.assert_array_equal(year_fraction(end, start, "ACT/ACT ICMA", terms), -given)


def test_unknown_names() -> None:
    day = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"'ACT/361'.*ACT/360, ACT/365F"):
        year_fraction(day, day, "ACT/361")
    with pytest.raises(ValueError, match="ICMA is of coupons of a schedule"):
        year_fraction(day, day, "ACT/ACT ICMA")
    with pytest.raises(ValueError, match="no day count"):
        year_fraction(day, day, Labels.of([None]))
