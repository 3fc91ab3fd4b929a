"""Holidays from a file beside those of a calendar or of a weekend; numpy's business days are the other method."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market import calendars
from riskpipe.market.calendar_names import WEEKDAYS, is_calendar, with_own
from riskpipe.market.open_days import FIRST, LAST, quantlib_calendar
from riskpipe.market.own_calendars import own_calendar

GENERATOR = np.random.default_rng(21)
HOLIDAYS = GENERATOR.choice(np.arange(FIRST, LAST + 1), 4000, replace=False).astype(np.int32)
DAYS = GENERATOR.integers(FIRST - 40_000, LAST + 40_000, 4000).astype(np.int32)
WEEKENDS = [(), ("friday", "saturday"), ("sunday",), ("friday",), ("thursday", "friday", "saturday")]


def numpys(weekend: tuple[str, ...]) -> np.busdaycalendar:
    closed = weekend or ("saturday", "sunday")
    return np.busdaycalendar([day not in closed for day in WEEKDAYS], HOLIDAYS.astype("datetime64[D]"))


@pytest.mark.parametrize("weekend", WEEKENDS)
def test_every_function_is_numpys_from_1791_to_2309(weekend: tuple[str, ...]) -> None:
    name, other = own_calendar(HOLIDAYS, weekend=weekend), numpys(weekend)
    dates = DAYS.astype("datetime64[D]")
    assert calendars.is_business_day(DAYS, name).tolist() == np.is_busday(dates, busdaycal=other).tolist()
    for rule, roll in (("following",) * 2, ("preceding",) * 2, ("modified_following", "modifiedfollowing")):
        moved = np.busday_offset(dates, 0, roll, busdaycal=other).astype(np.int32)
        assert calendars.adjust(DAYS, name, rule).tolist() == moved.tolist()
    for count in (-300, -3, 3, 300):
        moved = np.busday_offset(dates, count, "preceding" if count > 0 else "following", busdaycal=other)
        assert calendars.add_business_days(DAYS, count, name).tolist() == moved.astype(np.int32).tolist()
    later = GENERATOR.permutation(DAYS)
    # counted backwards numpy leaves out the other end
    first, last = np.minimum(DAYS, later), np.maximum(DAYS, later)
    expected = np.busday_count(first.astype("datetime64[D]"), last.astype("datetime64[D]"), busdaycal=other)
    assert calendars.count_business_days(first, last, name).tolist() == expected.tolist()


@pytest.mark.parametrize("base", ["GBLO", "SARI+GBLO", "CNBE", "every_day"])
def test_beside_a_calendar_all_of_its_holidays_stay(base: str) -> None:
    name = own_calendar(HOLIDAYS, base)
    expected = calendars.is_business_day(DAYS, base) & ~np.isin(DAYS, HOLIDAYS)
    assert calendars.is_business_day(DAYS, name).tolist() == expected.tolist()
    assert calendars.without(base, HOLIDAYS).open_days.tolist() == calendars.business_calendar(name).open_days.tolist()


def test_quantlib_has_the_same_calendar() -> None:
    days = DAYS[(DAYS > FIRST + 10) & (DAYS < LAST - 10)][:1500]
    for name in (own_calendar(HOLIDAYS, "TARGET"), own_calendar(HOLIDAYS, weekend=("friday", "saturday"))):
        theirs = quantlib_calendar(name)
        expected = [theirs.isBusinessDay(ql.Date(int(day) + 25569)) for day in days]
        assert calendars.is_business_day(days, name).tolist() == expected


def test_names_become_what_they_mean() -> None:
    desk = own_calendar(np.array([20_000], np.int32), "GBLO")
    own = {"DESK": desk}
    assert desk == "GBLO+{: 2024-10-04}"
    assert with_own("DESK", own) == desk
    assert with_own("TARGET+DESK+GBLO", own) == "TARGET+GBLO+{: 2024-10-04}"
    assert with_own("TARGET", own) == "TARGET"
    assert is_calendar(desk)
    # days that somebody writes in place of a name are no calendar
    assert not is_calendar(with_own("{: 2024-10-04}", own))
    assert not is_calendar(with_own("desk", own))


def test_nothing_but_weekends() -> None:
    with pytest.raises(ValueError, match="without business days"):
        calendars.business_calendar("+".join(own_calendar(HOLIDAYS, weekend=(day,)) for day in WEEKDAYS))
    assert own_calendar(HOLIDAYS[:0]) == "weekends+{: }"
    assert (
        calendars.is_business_day(DAYS, own_calendar(HOLIDAYS[:0])).sum()
        == np.is_busday(DAYS.astype("datetime64[D]")).sum()
    )
