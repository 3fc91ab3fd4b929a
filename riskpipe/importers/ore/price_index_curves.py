"""ORE's curves of zero-coupon and year-on-year inflation swaps as price indices and their growth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.projected_index import ProjectedIndex, month_number, month_start
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, a_day, fractions, market, number
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, to_date, valued_at
from riskpipe.market.factors import days_of

_YEAR: Final = 12
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def months_of(days: Sequence[int], lag: int, linear: bool) -> list[int]:
    """Months whose index payments observe."""
    found = {month_number(day) - lag for day in days}
    return sorted(found | {month + 1 for month in found} if linear else found)


def swap_conventions(ore: OreMarket, index: str) -> Element:
    """Of the zero-coupon swaps on an index."""
    return ore.conventions.get(_configured(ore, "ZeroInflationIndexCurves", index, "ZC").need("Conventions"))


def price_index(ore: OreMarket, index: str, months: Sequence[int]) -> str:
    """The name of an index whose projections are ORE's in these months.

    :raises LeftOutError: they are not, or there are none.
    """
    place = ore.todays.place("ZeroInflationIndexCurves", index)
    ore.once("inflation curve", index, place, partial(_zero_curve, ore, index))
    ore.price_indices[index].add(months, ore.book)
    return index


def yearly_index(ore: OreMarket, index: str, months: Sequence[int]) -> str:
    """The name of an index whose growth over a year is ORE's year-on-year rate in these months.

    :raises LeftOutError: it is not, or there is none.
    """
    name = f"{index}.YY"
    place = ore.todays.place("YYInflationIndexCurves", index)
    ore.once("inflation curve", name, place, partial(_yearly_curve, ore, index, name))
    ore.price_indices[name].add(sorted({month - back for month in months for back in (0, _YEAR)}), ore.book)
    return name


class _Swaps(Struct, frozen=True):
    """The quotes of a curve, and what they are by.

    :param lag: months from the index to today's.
    :param base: the month that the curve begins with.
    """

    element: Element
    convention: Element
    lines: list[Line]
    lag: int
    base: int
    published: dict[int, float]

    def fixing(self, month: int) -> float:
        if month not in self.published:
            raise LeftOutError(f"there is no fixing of {a_day(month_start(month))}")
        return self.published[month]

    @property
    def currency(self) -> str:
        return self.element.need("NominalTermStructure").split("/")[1]

    def terms(self) -> list[int]:
        """Months to each one's maturity."""
        return [codes.months(codes.period(line.parts[-1])) for line in self.lines]


def _swaps(ore: OreMarket, group: str, index: str, kind: str) -> _Swaps:
    element = _configured(ore, group, index, kind)
    convention = ore.conventions.get(element.need("Conventions"), "InflationSwap")
    if codes.flag(convention.get("Interpolated")):
        raise LeftOutError("swaps on an index between two months are not taken")
    if convention.get("PublicationRoll") not in ("", "None"):
        raise LeftOutError("swaps that roll when an index is published are not taken")
    lines = [ore.quotes.get(quote.text.strip()) for quote in element.all("Quotes", "Quote")]
    if any(not line.name.startswith(f"{kind}_INFLATIONSWAP") for line in lines):
        raise LeftOutError("year-on-year rates of zero-coupon swaps are not taken")
    today = month_number(ore.as_of)
    published: dict[int, float] = {}
    for line in ore.fixings.of(index):
        published.setdefault(month_number(days_of(line.day)), line.value)
    lag = codes.months(codes.period(convention.need("ObservationLag")))
    return _Swaps(element, convention, lines, lag, today - codes.months(codes.period(element.need("Lag"))), published)


def _configured(ore: OreMarket, group: str, index: str, kind: str) -> Element:
    element = ore.configurations.get("InflationCurves", ore.todays.curve(group, index))
    if element.need("Type") != kind:
        raise LeftOutError(f"an inflation curve of the type {element.get('Type')}, not {kind}")
    return element


# --- zero-coupon swaps ---
def _zero_curve(ore: OreMarket, index: str) -> str:
    swaps = _swaps(ore, "ZeroInflationIndexCurves", index, "ZC")
    today = month_number(ore.as_of)
    seasonality = _seasonality(ore, swaps.element)
    levels = _Levels(swaps, ore.as_of, today, seasonality)
    found = ProjectedIndex(
        index, swaps.currency, today - swaps.lag, swaps.lag, swaps.published, levels.level, seasonality
    )
    found.into(ore.book)
    found.add([today - swaps.lag + term for term in swaps.terms()], ore.book)
    ore.price_indices[index] = found
    remark = [
        "between its quotes it has points in the months that trades observe, where ORE's rates are linear in time"
    ]
    ore.report.add("inflation curve", index, swaps.element.place, remark)
    return index


class _Levels:
    """The index by QuantLib's PiecewiseZeroInflationCurve: rates linear in time from the curve's base month on."""

    def __init__(self, swaps: _Swaps, as_of: int, today: int, seasonality: tuple[float, ...]) -> None:
        self._day_count = codes.day_count(swaps.element.need("DayCounter"))
        self._as_of, self._base, self._seasonality = as_of, swaps.base, seasonality
        self._start = swaps.fixing(swaps.base)
        quoted, terms = swaps.fixing(today - swaps.lag), swaps.terms()
        by = codes.day_count(swaps.convention.need("DayCounter"))
        zeros = []
        for line, term in zip(swaps.lines, terms, strict=True):
            maturity = number(to_date(as_of) + ql.Period(term, ql.Months))
            length = float(fractions(np.array([as_of]), np.array([maturity]), by)[0])
            month = today - swaps.lag + term
            growth = quoted * (1.0 + line.value) ** length / self._start / self._season(month)
            zeros.append(growth ** (1.0 / self._years(month)) - 1.0)
        self._last = today - swaps.lag + terms[-1]
        self._times = np.array([self._time(today - swaps.lag + term) for term in terms])
        self._zeros: FloatArray = np.array(zeros)

    def level(self, month: int) -> float:
        if month > self._last:
            raise LeftOutError("it projects beyond the last quote of its price index")
        zero = float(np.interp(self._time(month), self._times, self._zeros))
        return float(self._start * (1.0 + zero) ** self._years(month) * self._season(month))

    def _season(self, month: int) -> float:
        factors = self._seasonality or (1.0,) * _YEAR
        return factors[month % _YEAR] / factors[self._base % _YEAR]

    def _years(self, month: int) -> float:
        ends = np.array([month_start(self._base)]), np.array([month_start(month)])
        return float(fractions(*ends, self._day_count)[0])

    def _time(self, month: int) -> float:
        return _time(self._as_of, month_start(month), self._day_count)


def _time(as_of: int, day: int, day_count: str) -> float:
    """Years from today; below zero of days before it."""
    first, last = sorted((as_of, day))
    time = float(fractions(np.array([first]), np.array([last]), day_count)[0])
    return time if first == as_of else -time


def _seasonality(ore: OreMarket, element: Element) -> tuple[float, ...]:
    found = element.find("Seasonality")
    if found is None:
        return ()
    lines = [ore.quotes.get(factor.text.strip()) for factor in found.all("Factors", "Factor")]
    by_month = {line.parts[-1]: line.value for line in lines}
    if sorted(by_month) != sorted(_MONTHS) or any(line.parts[2] != "MULT" for line in lines):
        raise LeftOutError("seasonality but by twelve factors of months is not taken")
    return tuple(by_month[month] for month in _MONTHS)


# --- year-on-year swaps ---
def _yearly_curve(ore: OreMarket, index: str, name: str) -> str:
    swaps = _swaps(ore, "YYInflationIndexCurves", index, "YY")
    rates = _yearly_rates(ore, swaps)
    base = month_number(ore.as_of) - swaps.lag

    def level(month: int) -> float:
        """Chained from what is published."""
        if month in swaps.published:
            return swaps.published[month]
        return level(month - _YEAR) * (1.0 + rates(month)) if month > base else swaps.fixing(month)

    swaps.fixing(base)
    found = ProjectedIndex(name, swaps.currency, base, swaps.lag, swaps.published, level)
    found.into(ore.book)
    ore.price_indices[name] = found
    reason = "year-on-year rates became an index that grows by them"
    ore.report.turned("inflation curve", name, swaps.element.place, reason)
    return name


def _yearly_rates(ore: OreMarket, swaps: _Swaps) -> Callable[[int], float]:
    """The rate of a month's index over that of the year before: linear in time between the curve's nodes."""
    day_count = codes.day_count(swaps.element.need("DayCounter"))
    with valued_at(ore.as_of):
        try:
            nodes = _yearly_curve_of(ore, swaps).nodes()
        except RuntimeError as error:
            raise LeftOutError(f"no year-on-year rates reprice its quotes: {error}") from None
    days, values = np.array([number(day) for day, _ in nodes]), np.array([rate for _, rate in nodes])
    times = [_time(ore.as_of, int(day), day_count) for day in days]

    def rate(month: int) -> float:
        day = month_start(month)
        if day > days[-1]:
            raise LeftOutError("it projects beyond the last quote of its price index")
        return float(np.interp(_time(ore.as_of, day, day_count), times, values))

    return rate


def _yearly_curve_of(ore: OreMarket, swaps: _Swaps) -> Any:
    """QuantLib's PiecewiseYoYInflation."""
    element, convention = swaps.element, swaps.convention
    nominal = ore.curves.get(element.need("NominalTermStructure").rpartition("/")[2])
    discount = ql.YieldTermStructureHandle(nominal.curve.quantlib())
    region = ql.CustomRegion("any", "any")
    months = ql.Period(1, ql.Months)
    index = ql.YoYInflationIndex("any", region, False, ql.Monthly, months, ql.EURCurrency())
    helpers = [
        ql.YearOnYearInflationSwapHelper(
            ql.QuoteHandle(ql.SimpleQuote(line.value)),
            ql.Period(swaps.lag, ql.Months),
            to_date(ore.as_of) + codes.period(line.parts[-1]),
            market(codes.calendar(convention.need("FixCalendar"))),
            CONVENTIONS[codes.convention(convention.need("FixConvention"))],
            DAY_COUNTERS[codes.day_count(convention.need("DayCounter"))],
            index,
            ql.CPI.Flat,
            discount,
        )
        for line in swaps.lines
    ]
    return ql.PiecewiseYoYInflation(
        to_date(ore.as_of),
        to_date(month_start(swaps.base)),
        codes.number(element.get("BaseRate") or str(swaps.lines[0].value)),
        ql.Monthly,
        DAY_COUNTERS[codes.day_count(element.need("DayCounter"))],
        ql.YoYHelperVector(helpers),
    )
