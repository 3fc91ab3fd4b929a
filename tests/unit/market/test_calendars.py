from __future__ import annotations

import inspect

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.market import calendars
from riskpipe.market.calendar_names import CALENDARS, FIXING_CALENDARS
from riskpipe.market.labels import Labels
from riskpipe.market.open_days import open_days, quantlib_calendar

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
    "every_day": ql.NullCalendar(),
    "DEFR": ql.Germany(ql.Germany.Settlement),
    "XFRA": ql.Germany(ql.Germany.FrankfurtStockExchange),
    "XNYS": ql.UnitedStates(ql.UnitedStates.NYSE),
    "CNBE": ql.China(ql.China.IB),
    "ILTA": ql.Israel(ql.Israel.Settlement),
    "SARI": ql.SaudiArabia(),
    "SARI+GBLO": ql.JointCalendar(ql.SaudiArabia(), ql.UnitedKingdom(ql.UnitedKingdom.Settlement)),
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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CALENDARS if name not in FIXING_CALENDARS])
def test_every_calendar_is_quantlibs_through_all_its_years(name: str) -> None:
    listed, theirs = open_days(name), quantlib_calendar(name)
    unknown = 0
    for day in np.random.default_rng(9).integers(0, len(listed), 5000).tolist():
        try:
            assert listed[day] == theirs.isBusinessDay(ql.Date.minDate() + day), (name, day)
        except RuntimeError:  # a year that it does not know
            unknown += 1
    assert unknown == 0 or name == "MISX"


OVERNIGHT = (ql.Sofr, ql.FedFunds, ql.Sonia, ql.Estr, ql.Tonar, ql.Saron, ql.Corra, ql.Aonia, ql.Nzocr, ql.Swestr)
OVERNIGHT += (ql.Destr, ql.Kofr, ql.Cdi, ql.Shir, ql.Zaronia)
TERM = (ql.Bbsw, ql.Bibor, ql.Bkbm, ql.Euribor, ql.Cdor, ql.Jibar, ql.Mosprime, ql.Nibor, ql.Pribor, ql.Robor)
TERM += (ql.Shibor, ql.THBFIX, ql.Tibor, ql.Wibor)


@pytest.mark.parametrize("maker", OVERNIGHT + TERM)
def test_fixing_calendars_are_those_of_quantlibs_indices(maker: type) -> None:
    names = {"FedFunds": "EFFR", "Tonar": "TONA"}
    index = maker(ql.Period(3, ql.Months)) if maker in TERM else maker()
    name = names.get(maker.__name__, maker.__name__.upper())
    assert quantlib_calendar(name) == index.fixingCalendar()


def test_every_calendar_of_quantlib_has_a_name() -> None:
    ours = {quantlib_calendar(name).name() for name in CALENDARS}
    known = [
        maker
        for maker in vars(ql).values()
        if inspect.isclass(maker)
        and issubclass(maker, ql.Calendar)
        and maker not in (ql.Calendar, ql.BespokeCalendar, ql.JointCalendar)
    ]
    assert len(known) > 45
    for maker in known:
        markets = [value for name, value in vars(maker).items() if name[0].isupper()]
        theirs = [maker(market) for market in markets] or [maker()]
        assert {calendar.name() for calendar in theirs} <= ours


def test_beyond_quantlibs_years_weekends_are_the_countrys() -> None:
    """In Riyadh Thursday and Friday at first, Friday and Saturday at last; numpy's weekmask is the other method."""
    for years, weekend in (("1850-01-01", "1110011"), ("2250-01-01", "1111001")):
        days = np.arange(np.datetime64(years), np.datetime64(years) + 200)
        ints = days.astype(np.int32)
        expected = np.is_busday(days, weekmask=weekend)
        assert calendars.is_business_day(ints, "SARI").tolist() == expected.tolist()
        for count in (-9, -1, 0, 1, 9):
            moved = np.busday_offset(days, count, "preceding" if count > 0 else "following", weekmask=weekend)
            assert calendars.add_business_days(ints, count, "SARI").tolist() == moved.astype(int).tolist()
        for rule, numpys in (("modified_following", "modifiedfollowing"), ("preceding", "preceding")):
            moved = np.busday_offset(days, 0, numpys, weekmask=weekend)
            assert calendars.adjust(ints, "SARI", rule).tolist() == moved.astype(int).tolist()


@pytest.mark.parametrize("name", ["CNBE", "SARI+XTAE", "TARGET"])
def test_steps_across_the_ends_of_the_years_go_back(name: str) -> None:
    """From business days: so many steps back and forth lead to the same day, wherever they cross 1901 and 2199."""
    edges = (np.datetime64(edge).astype(np.int32) for edge in ("1901-01-01", "2199-12-31"))
    days = np.concatenate([edge + np.arange(-900, 900, 7, dtype=np.int32) for edge in edges])
    days = calendars.adjust(days, name, "following")
    assert calendars.is_business_day(days, name).all()
    for count in (1, 40, 700):
        there = calendars.add_business_days(days, count, name)
        assert calendars.add_business_days(there, -count, name).tolist() == days.tolist()
        between = [len(calendars.business_days(a, b, name)) for a, b in zip(days, there, strict=True)]
        assert set(between) == {count}


def test_unknown_names_say_which_are_known() -> None:
    assert calendars.is_calendar("TARGET+GBLO")
    assert not calendars.is_calendar("TARGET+")
    assert not calendars.is_calendar("NYSE")
    day = np.zeros(1, np.int32)
    with pytest.raises(ValueError, match=r"'TARGET\+NYSE': did you mean XNYS\? a financial centre such as GBLO"):
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
