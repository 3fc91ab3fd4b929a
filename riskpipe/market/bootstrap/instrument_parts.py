"""What the par instruments of one curve are made of: dates, indices, and legs of the equations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.bootstrap.equations import Days, Floating, Known, ParRate
from riskpipe.market.bootstrap.quantlib import BUSINESS_DAY_CONVENTIONS, DAY_COUNTERS, to_date, to_days, to_period
from riskpipe.market.bootstrap.quotes import BootstrapError, Quote
from riskpipe.market.bootstrap.terms import Terms
from riskpipe.market.conventions import OVERNIGHT
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import pillar_days
from riskpipe.market.open_days import quantlib_calendar


class Instrument(Struct, frozen=True):
    """A quoted instrument of one curve.

    :param helper: QuantLib's.
    :param par: the rate that is quoted.
    """

    quote: Quote
    helper: Any
    par: ParRate


class Periods(Struct, frozen=True):
    """Of a leg, int64[n] each.

    :param paid: of coupons.
    """

    start: Days
    end: Days
    paid: Days


class Span(Struct, frozen=True):
    """From a date to the tenor of a quote after it, QuantLib's dates.

    :param end: before adjustment.
    :param tenor: from start to end.
    :param end_of_month: dates between are ends of months.
    """

    start: Any
    end: Any
    tenor: Any
    end_of_month: bool


class Parts:
    """Of the instruments of one curve.

    :param handles: relinkable handles of the curves that `needs` names.
    """

    def __init__(self, as_of: int, terms: Terms, handles: Mapping[str, Any]) -> None:
        self.as_of = as_of
        self.terms = terms
        self._handles = handles
        self.calendar = quantlib_calendar(terms.calendar)
        self._payments = quantlib_calendar(terms.payment_calendar)
        self.convention = BUSINESS_DAY_CONVENTIONS[terms.business_day_convention]
        self.spot = self.calendar.advance(to_date(as_of), terms.settlement_days, ql.Days)

    @property
    def payment_calendar(self) -> Any:
        return self._payments

    def refused(self, quote: Quote, reason: str) -> BootstrapError:
        """Of what a kind of quote cannot have."""
        return BootstrapError("bad instrument", [quote], reason)

    # --- dates ---
    def tenor(self, quote: Quote) -> Any:
        period = to_period(quote.tenor)
        if period is None or not period.length():
            raise BootstrapError("bad tenor", [quote], f"the tenor {quote.tenor} is not nD, nW, nM or nY")
        return period

    def iso(self, quote: Quote) -> Any:
        return to_date(pillar_days(quote.tenor, self.as_of) or self.as_of)

    def span(self, quote: Quote, start: Any = None) -> Span:
        """:param start: None: spot."""
        tenor, start = self.tenor(quote), start or self.spot
        whole = tenor.units() in (ql.Months, ql.Years)
        if self.terms.end_of_month and whole and self.calendar.isEndOfMonth(start):
            end = self.calendar.endOfMonth(start + tenor)
            return Span(start, end, ql.Period(end - start, ql.Days), True)
        return Span(start, start + tenor, tenor, False)

    def periods(self, span: Span, frequency: str) -> Periods:
        """Adjusted, counted back from the end."""
        once = frequency == "1T"
        schedule = ql.Schedule(
            span.start,
            span.end,
            ql.Period(0, ql.Days) if once else to_period(frequency),
            self.calendar,
            self.convention,
            self.convention,
            ql.DateGeneration.Zero if once else ql.DateGeneration.Backward,
            span.end_of_month and not once,
        )
        days = to_days(list(schedule))
        return Periods(days[:-1], days[1:], self.paid(days[1:]))

    def paid(self, end: Days) -> Days:
        """When periods that end so are paid."""
        lag = self.terms.payment_lag
        if not lag and self.terms.payment_calendar == self.terms.calendar:
            return end
        dates = [to_date(int(day)) for day in end]
        return to_days([self._payments.advance(day, lag, ql.Days, self.convention) for day in dates])

    # --- rates ---
    def term_index(self, quote: Quote) -> Any:
        if self.terms.overnight:
            reason = f"it needs a term index: name its tenor by market.curves.{self.terms.name}.index_tenor"
            raise self.refused(quote, reason)
        return to_period(self.terms.index_tenor)

    def index(self, curve: str, tenor: str, day_count: str, foreign: bool = False) -> Any:
        """An index without fixings, projected by a curve; by the curve that is being made where there is no handle.

        :param foreign: of another currency than that of indices that are not; QuantLib asks for no more of it.
        """
        handle = self.handle(curve)
        currency, counter = ql.EURCurrency() if foreign else ql.USDCurrency(), DAY_COUNTERS[day_count]
        if tenor == OVERNIGHT:
            return ql.OvernightIndex(curve, 0, currency, self.calendar, counter, handle)
        return ql.IborIndex(
            curve, to_period(tenor), 0, currency, self.calendar, self.convention, False, counter, handle
        )

    def handle(self, curve: str) -> Any:
        return self._handles.get(curve, ql.YieldTermStructureHandle())

    # --- legs ---
    def floating(self, periods: Periods, curve: str, discount: str, averaged: bool = False) -> Floating:
        """:param averaged: the rates of every business day are added up, not compounded."""
        if not averaged:
            return Floating(curve, discount, periods.start, periods.end, periods.paid)
        bounds = [self._business_days(*ends) for ends in zip(periods.start, periods.end, strict=True)]
        paid = np.repeat(periods.paid, [len(days) - 1 for days in bounds])
        starts, ends = (np.concatenate([days[part] for days in bounds]) for part in (slice(-1), slice(1, None)))
        return Floating(curve, discount, starts, ends, paid)

    def _business_days(self, start: int, end: int) -> Days:
        """From one day to another."""
        between = self.calendar.businessDayList(to_date(int(start) + 1), to_date(int(end) - 1))
        return np.concatenate(([start], to_days(list(between)), [end]))

    def annuity(self, periods: Periods, discount: str, day_count: str) -> Known:
        return Known(discount, fractions(periods.start, periods.end, day_count), periods.paid)


def fractions(start: Days, end: Days, day_count: str) -> FloatArray:
    return year_fraction(start.astype(np.int32), end.astype(np.int32), day_count)


def level(quote: Quote) -> Any:
    return ql.QuoteHandle(ql.SimpleQuote(quote.value))


def averaging(averaged: bool) -> Any:
    return ql.RateAveraging.Simple if averaged else ql.RateAveraging.Compound
