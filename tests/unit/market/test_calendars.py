from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market import calendars
from riskpipe.market.labels import Labels

EPOCH = 25569
FIRST, LAST = ql.Date(1, 1, 1950).serialNumber() - EPOCH, ql.Date(31, 12, 2150).serialNumber() - EPOCH

QUANTLIB = {
    "weekends": ql.WeekendsOnly(),
    "TARGET": ql.TARGET(),
    "USNY": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "USGS": ql.UnitedStates(ql.UnitedStates.GovernmentBond),
    "GBLO": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "JPTO": ql.Japan(),
    "SOFR": ql.Sofr().fixingCalendar(),
    "EFFR": ql.FedFunds().fixingCalendar(),
    "SONIA": ql.Sonia().fixingCalendar(),
    "ESTR": ql.Estr().fixingCalendar(),
    "TONA": ql.Tonar().fixingCalendar(),
    "SARON": ql.Saron().fixingCalendar(),
    "CORRA": ql.Corra().fixingCalendar(),
    "AONIA": ql.Aonia().fixingCalendar(),
    "NZOCR": ql.Nzocr().fixingCalendar(),
    "SWESTR": ql.Swestr().fixingCalendar(),
    "DESTR": ql.Destr().fixingCalendar(),
    "KOFR": ql.Kofr().fixingCalendar(),
    "NOWA": ql.Norway(),
    "TARGET+USNY": ql.JointCalendar(ql.TARGET(), ql.UnitedStates(ql.UnitedStates.FederalReserve)),
    "GBLO+JPTO+USGS": ql.JointCalendar(
        ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
        ql.Japan(),
        ql.UnitedStates(ql.UnitedStates.GovernmentBond),
    ),
}
CONVENTIONS = {
    "unadjusted": ql.Unadjusted,
    "following": ql.Following,
    "modified_following": ql.ModifiedFollowing,
    "preceding": ql.Preceding,
}


def random_days(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(FIRST, LAST, size).astype(np.int32)


@pytest.mark.parametrize("name", QUANTLIB)
def test_business_days_are_quantlibs(name: str) -> None:
    days = random_days(3000, 1)
    expected = [QUANTLIB[name].isBusinessDay(ql.Date(int(day) + EPOCH)) for day in days]
    assert calendars.is_business_day(days, name).tolist() == expected


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("name", QUANTLIB)
def test_adjust_is_quantlibs(name: str, convention: str) -> None:
    days = random_days(1000, 2)
    expected = [
        QUANTLIB[name].adjust(ql.Date(int(day) + EPOCH), CONVENTIONS[convention]).serialNumber() - EPOCH for day in days
    ]
    adjusted = calendars.adjust(days, name, convention)
    assert adjusted.dtype == np.int32
    assert adjusted.tolist() == expected


def test_adjust_with_a_calendar_and_convention_per_date() -> None:
    days = random_days(2000, 3)
    generator = np.random.default_rng(4)
    names = [str(name) for name in generator.choice(list(QUANTLIB), days.size)]
    rules = [str(rule) for rule in generator.choice(list(CONVENTIONS), days.size)]
    expected = [
        QUANTLIB[name].adjust(ql.Date(int(day) + EPOCH), CONVENTIONS[rule]).serialNumber() - EPOCH
        for day, name, rule in zip(days, names, rules, strict=True)
    ]
    assert calendars.adjust(days, Labels.of(names), Labels.of(rules)).tolist() == expected


@pytest.mark.parametrize("count", [-5, -2, -1, 0, 1, 2, 7])
def test_add_business_days_is_quantlibs(count: int) -> None:
    days = random_days(1000, 5)
    names = [str(name) for name in np.random.default_rng(6).choice(list(QUANTLIB), days.size)]
    expected = [
        QUANTLIB[name].advance(ql.Date(int(day) + EPOCH), count, ql.Days).serialNumber() - EPOCH
        for day, name in zip(days, names, strict=True)
    ]
    assert calendars.add_business_days(days, count, Labels.of(names)).tolist() == expected
    counts = np.full(days.size, count)
    assert calendars.add_business_days(days, counts, Labels.of(names)).tolist() == expected


@pytest.mark.parametrize("edge", ["1901-01-01", "2199-12-31"])
def test_where_quantlibs_years_end_nothing_changes_but_holidays(edge: str) -> None:
    """Weekends alone are the same day by day on both sides, by numpy's functions."""
    middle = int(np.datetime64(edge).astype(int))
    days = np.arange(middle - 100, middle + 100, dtype=np.int32)
    for convention, roll in (("following", "following"), ("modified_following", "modifiedfollowing")):
        expected = np.busday_offset(days.astype("datetime64[D]"), 0, roll).astype(np.int32)  # type: ignore[call-overload]
        assert calendars.adjust(days, "weekends", convention).tolist() == expected.tolist()
    for count, roll in ((-70, "following"), (0, "following"), (70, "preceding")):
        expected = np.busday_offset(days.astype("datetime64[D]"), count, roll).astype(np.int32)  # type: ignore[call-overload]
        assert calendars.add_business_days(days, count, "weekends").tolist() == expected.tolist()
    # the holiday at either edge leads across it
    holiday = np.array([middle], np.int32)
    before, after = (calendars.adjust(holiday, "TARGET+USNY+JPTO", rule)[0] for rule in ("preceding", "following"))
    assert before < middle < after or before == middle == after
    far = np.array([np.datetime64("9999-01-01").astype(int)], np.int32)  # a Friday, which no calendar knows
    assert calendars.adjust(far, "TARGET", "following").tolist() == far.tolist()


def test_adjusted_by_rows() -> None:
    days, offsets = random_days(60, 7), np.array([0, 0, 13, 14, 60])
    names, rules = ["TARGET", "USNY", "TARGET", "GBLO+JPTO+USGS"], ["preceding", "following", "unadjusted", "following"]
    of = np.repeat(np.arange(4), np.diff(offsets))
    expected = calendars.adjust(days, Labels.of(names).take(of), Labels.of(rules).take(of))
    assert calendars.adjust(days, Labels.of(names), Labels.of(rules), offsets).tolist() == expected.tolist()


def test_business_days_of_an_interval() -> None:
    christmas = 20446  # 2025-12-24, a Wednesday
    days = calendars.business_days(christmas, christmas + 7, "TARGET")
    assert days.tolist() == [20446, 20451, 20452]
    assert calendars.business_days(christmas, christmas - 3, "TARGET").size == 0


def test_no_dates() -> None:
    empty = np.zeros(0, np.int32)
    assert calendars.adjust(empty, Labels.of([]), Labels.of([])).size == 0
    assert calendars.add_business_days(empty, 2, "TARGET").size == 0


def test_unknown_names_say_which_are_known() -> None:
    assert calendars.is_calendar("TARGET+GBLO")
    assert not calendars.is_calendar("TARGET+")
    assert not calendars.is_calendar("NYSE")
    day = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"'TARGET\+NYSE'.*weekends, TARGET, USNY"):
        calendars.adjust(day, "TARGET+NYSE", "following")
    with pytest.raises(ValueError, match=r"'nearest'.*modified_following"):
        calendars.adjust(day, "TARGET", "nearest")
    with pytest.raises(ValueError, match="no calendar"):
        calendars.adjust(day, Labels.of([None]), "following")


def test_good_friday_has_no_sofr() -> None:
    """Treasuries trade on the Good Fridays of a payroll report; SOFR is not fixed."""
    day = np.array([np.datetime64("2026-04-03").astype(int)], np.int32)
    assert calendars.is_business_day(day, "USGS")[0]
    assert not calendars.is_business_day(day, "SOFR")[0]
