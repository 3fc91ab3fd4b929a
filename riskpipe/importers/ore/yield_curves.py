"""ORE's yield curves: from their configurations and the quotes to discount factors, those first that others need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.averaged_swaps import averaged_swap
from riskpipe.importers.ore.convention_files import Conventions
from riskpipe.importers.ore.cross_currency import BASES, fx_forward
from riskpipe.importers.ore.growing_curves import Curve, Instrument, bootstrap
from riskpipe.importers.ore.quote_lines import Line, Quotes
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, market, number
from riskpipe.importers.ore.quoted_instruments import MAKERS, Maker, Segment
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, to_date, valued_at
from riskpipe.market.factors import days_of

_LOG_LINEAR: Final = ("", "LogLinear")
_COMPOUNDING: Final = {
    "Continuous": ql.Continuous,
    "Compounded": ql.Compounded,
    "Simple": ql.Simple,
    "SimpleThenCompounded": ql.SimpleThenCompounded,
}
_FREQUENCY: Final = {
    "Annual": ql.Annual,
    "Semiannual": ql.Semiannual,
    "Quarterly": ql.Quarterly,
    "Monthly": ql.Monthly,
    "Weekly": ql.Weekly,
    "Daily": ql.Daily,
}


class YieldCurve(Struct, frozen=True):
    """A curve that was built.

    :param quotes: names of the quotes that made it.
    :param missing: names of quotes that it asks for and that are not there, which ORE allows where they are optional.
    """

    curve_id: str
    currency: str
    curve: Curve
    quotes: tuple[str, ...]
    missing: tuple[str, ...]
    place: str


class YieldCurves:
    """Curves by id, built when they are asked for."""

    def __init__(
        self,
        as_of: int,
        quotes: Quotes,
        conventions: Conventions,
        configured: Mapping[str, Element],
        fixed_today: Callable[[str], float | None],
        discount_of: Callable[[str], str],
    ) -> None:
        self._as_of, self._quotes, self._conventions = as_of, quotes, conventions
        self._fixed_today, self._discount_of = fixed_today, discount_of
        self._configured = configured
        self._built: dict[str, YieldCurve | LeftOutError] = {}
        self._open: list[str] = []
        self._makers: dict[str, Maker] = {
            **MAKERS,
            **BASES,
            "FX Forward": fx_forward(quotes),
            "Average OIS": averaged_swap(quotes),
        }

    def get(self, curve_id: str) -> YieldCurve:
        """:raises LeftOutError: it cannot be built."""
        if curve_id in self._open:
            raise LeftOutError(f"the curve {curve_id} is built on itself")
        if curve_id not in self._built:
            self._open.append(curve_id)
            try:
                with valued_at(self._as_of):
                    self._built[curve_id] = self._build(curve_id)
            except LeftOutError as error:
                self._built[curve_id] = error
            except RuntimeError as error:  # of QuantLib: a date that its calendars do not know
                self._built[curve_id] = LeftOutError(str(error))
            finally:
                self._open.pop()
        found = self._built[curve_id]
        if isinstance(found, LeftOutError):
            raise LeftOutError(str(found))
        return found

    def place(self, curve_id: str) -> str:
        element = self._configured.get(curve_id)
        return element.place if element is not None else ""

    def configured(self, curve_id: str) -> Element:
        return self._configured[curve_id]

    def _build(self, curve_id: str) -> YieldCurve:
        element = self._configured.get(curve_id)
        if element is None:
            raise LeftOutError(f"no yield curve {curve_id} is configured")
        segments = element.child("Segments").children
        if not segments:
            raise LeftOutError("it has no segments")
        special: dict[str, Callable[[str, Element, Element], YieldCurve]] = {
            "Zero": self._zeros,
            "Discount": self._discounts,
            "Discount Ratio": self._ratio,
            "Zero Spread": self._spread,
        }
        kind = segments[0].get("Type")
        if kind in special:
            return special[kind](curve_id, element, segments[0])
        self._refuse_other_interpolations(element)
        return self._piecewise(curve_id, element, segments)

    def _refuse_other_interpolations(self, element: Element) -> None:
        variable, method = element.get("InterpolationVariable"), element.get("InterpolationMethod")
        if variable not in ("", "Discount") or method not in _LOG_LINEAR:
            raise LeftOutError(f"it is interpolated by {variable or 'Discount'} {method}, riskpipe's are LogLinear")

    def _lines(self, segment: Element) -> tuple[list[Line], list[str]]:
        """The segment's quotes, and those that are not there."""
        found, missing = [], []
        composite = segment.all("Quotes", "CompositeQuote")
        for quote in [*segment.all("Quotes", "Quote"), *(rate for each in composite for rate in each.all("RateQuote"))]:
            name = quote.text.strip()
            if "*" in name:
                found.extend(self._quotes.matching(name))
                continue
            line = self._quotes.find(name)
            if line is not None:
                found.append(line)
            elif codes.flag(quote.attributes.get("optional", "")):
                missing.append(name)
            else:
                raise LeftOutError(f"there is no quote {name}")
        return found, missing

    def _piecewise(self, curve_id: str, element: Element, segments: list[Element]) -> YieldCurve:
        currency = element.need("Currency")
        discount = element.get("DiscountCurve") or curve_id
        instruments: list[Instrument] = []
        missing: list[str] = []
        for segment in segments:
            kind = segment.get("Type")
            lines, absent = self._lines(segment)
            missing += absent
            if kind not in self._makers:
                raise LeftOutError(f"segments of {kind} are not known")
            terms = Segment(
                segment,
                curve_id,
                currency,
                discount,
                self._as_of,
                self._conventions,
                self._fixed_today,
                self._discount_of,
            )
            instruments += [self._makers[kind](terms, line) for line in lines]
        curve = bootstrap(curve_id, self._as_of, instruments, lambda other: self.get(other).curve)
        names = tuple(instrument.quote for instrument in instruments)
        return YieldCurve(curve_id, currency, curve, names, tuple(missing), element.place)

    def _points(
        self, curve_id: str, element: Element, segment: Element, logs: Callable[[Line, int], float]
    ) -> YieldCurve:
        self._refuse_other_interpolations(element)
        lines, missing = self._lines(segment)
        found: dict[int, float] = {}
        for line in lines:
            day = self._day(line.parts[-1], segment)
            if day > self._as_of:
                found[day] = logs(line, day)
        if not found:
            raise LeftOutError("none of its quotes is there")
        days = np.array(sorted(found), np.int64)
        curve = Curve(self._as_of, days, np.array([found[int(day)] for day in days]))
        names = tuple(line.name for line in lines)
        return YieldCurve(curve_id, element.need("Currency"), curve, names, tuple(missing), element.place)

    def _day(self, text: str, segment: Element) -> int:
        """Of a date or a period, which the conventions move."""
        if not codes.is_period(text):
            return days_of(codes.a_date(text))
        start = to_date(self._as_of)
        if not segment.get("Conventions"):
            return number(start + codes.period(text))
        convention = self._conventions.get(segment.get("Conventions"), "Zero")
        if not codes.flag(convention.get("TenorBased")):
            return number(start + codes.period(text))
        lag = int(convention.get("SpotLag") or 0)
        if lag:
            start = market(codes.calendar(convention.get("SpotCalendar"))).advance(start, lag, ql.Days)
        place = market(codes.calendar(convention.get("TenorCalendar")))
        rule = codes.convention(convention.get("RollConvention"), "following")
        return number(place.advance(start, codes.period(text), CONVENTIONS[rule], codes.flag(convention.get("EOM"))))

    def _zeros(self, curve_id: str, element: Element, segment: Element) -> YieldCurve:
        """ZERO/RATE/CCY/curve/day count/term or date."""
        convention = self._conventions.get(segment.need("Conventions"), "Zero")
        day_count = codes.day_count(convention.need("DayCounter"))
        compounding = _COMPOUNDING.get(convention.get("Compounding") or "Continuous")
        frequency = _FREQUENCY.get(convention.get("CompoundingFrequency") or "Annual")
        if compounding is None or frequency is None:
            raise LeftOutError("its compounding is not known")

        def logs(line: Line, day: int) -> float:
            rate = ql.InterestRate(line.value, DAY_COUNTERS[day_count], compounding, frequency)
            return float(np.log(rate.discountFactor(to_date(self._as_of), to_date(day))))

        return self._points(curve_id, element, segment, logs)

    def _discounts(self, curve_id: str, element: Element, segment: Element) -> YieldCurve:
        """DISCOUNT/RATE/CCY/curve/term or date."""
        return self._points(curve_id, element, segment, lambda line, _: float(np.log(line.value)))

    def _ratio(self, curve_id: str, element: Element, segment: Element) -> YieldCurve:
        """Base curve times numerator over denominator."""
        curves = [self.get(segment.need(tag)).curve for tag in ("BaseCurve", "NumeratorCurve", "DenominatorCurve")]
        days = np.unique(np.concatenate([curve.days for curve in curves]))
        base, numerator, denominator = (np.log(curve.discount(days)) for curve in curves)
        curve = Curve(self._as_of, days, base + numerator - denominator)
        return YieldCurve(curve_id, element.need("Currency"), curve, (), (), element.place)

    def _spread(self, curve_id: str, element: Element, segment: Element) -> YieldCurve:
        """A reference curve and spreads on its zero rates, linear in time between theirs."""
        reference = self.get(segment.need("ReferenceCurve")).curve
        lines, missing = self._lines(segment)
        spreads = {self._day(line.parts[-1], segment): line.value for line in lines}
        if not spreads:
            raise LeftOutError("none of its quotes is there")
        grid = np.array(sorted(spreads), np.int64)
        days = np.unique(np.concatenate([reference.days, grid[grid > self._as_of]]))
        add = np.interp(days, grid, np.array([spreads[int(day)] for day in grid]))
        times = (days - self._as_of) / 365.0
        curve = Curve(self._as_of, days, np.log(reference.discount(days)) - add * times)
        names = tuple(line.name for line in lines)
        return YieldCurve(curve_id, element.need("Currency"), curve, names, tuple(missing), element.place)
