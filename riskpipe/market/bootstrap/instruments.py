"""Par instruments: each as QuantLib's helper, which the bootstrap solves, and as the equation that it solves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.market.bootstrap.equations import Days, Floating, Known, ParRate
from riskpipe.market.bootstrap.quantlib import (
    BUSINESS_DAY_CONVENTIONS,
    DAY_COUNTERS,
    FREQUENCIES,
    to_date,
    to_days,
    to_period,
)
from riskpipe.market.bootstrap.quotes import BootstrapError, Quote
from riskpipe.market.bootstrap.terms import OVERNIGHT, Terms
from riskpipe.market.calendars import quantlib_calendar
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.factors import is_iso_date, pillar_days


@dataclass(frozen=True)
class Instrument:
    """A quoted instrument of one curve.

    :param helper: QuantLib's.
    :param par: the rate that is quoted.
    """

    quote: Quote
    helper: Any
    par: ParRate


class Instruments:
    """Makes the instruments of one curve.

    :param handles: relinkable handles of the curves that `needs` names.
    """

    def __init__(self, as_of: int, terms: Terms, handles: Mapping[str, Any]) -> None:
        self.as_of = as_of
        self.terms = terms
        self._handles = handles
        self._calendar = quantlib_calendar(terms.calendar)
        self._convention = BUSINESS_DAY_CONVENTIONS[terms.business_day_convention]
        self._spot = self._calendar.advance(to_date(as_of), terms.settlement_days, ql.Days)

    def make(self, quote: Quote) -> Instrument:
        """:raises BootstrapError: the quote makes no sense under the curve's terms."""
        makers: dict[str, Callable[[Quote], Instrument]] = {
            "deposit": self._deposit,
            "fra": self._fra,
            "future": self._future,
            "ois": self._ois,
            "swap": self._swap,
            "basis": self._cross_currency if self.terms.foreign else self._basis,
        }
        try:
            return makers[quote.instrument](quote)
        except RuntimeError as error:
            raise BootstrapError("bad instrument", [quote], str(error)) from error

    # --- one period ---
    def _deposit(self, quote: Quote) -> Instrument:
        """From spot, or for 1D from today, to the tenor; an ISO date is the end."""
        start = self._calendar.adjust(to_date(self.as_of)) if quote.tenor == OVERNIGHT else self._spot
        if is_iso_date(quote.tenor):
            end = self._iso(quote)
        else:
            end = self._calendar.advance(start, self._tenor(quote), self._convention)
        return self._period(quote, start, end)

    def _fra(self, quote: Quote) -> Instrument:
        """nM is the end of the period, one index tenor long (9M: 6x9 on a 3M index); an ISO date its start."""
        index = self._term_index(quote)
        if is_iso_date(quote.tenor):
            start = self._iso(quote)
        else:
            end = self._tenor(quote)
            months = end.length() * (12 if end.units() == ql.Years else 1) - index.length()
            if end.units() not in (ql.Months, ql.Years) or months < 0:
                raise BootstrapError("bad tenor", [quote], f"a FRA's tenor is the end of its {index} period, in months")
            start = self._calendar.advance(self._spot, months, ql.Months, self._convention)
            return self._period(quote, start, self._calendar.advance(self._spot, end, self._convention))
        return self._period(quote, start, self._calendar.advance(start, index, self._convention))

    def _future(self, quote: Quote) -> Instrument:
        """Quoted as a rate; its period starts on the ISO date, or on the first IMM date after as_of + nM."""
        if is_iso_date(quote.tenor):
            start = self._iso(quote)
        else:
            start = ql.IMM.nextDate(to_date(pillar_days(quote.tenor, self.as_of) or self.as_of))
        if self.terms.overnight:
            end = ql.IMM.nextDate(start + 1)
        else:
            end = self._calendar.advance(start, self._term_index(quote), self._convention)
        near, far = (float(ql.Actual365Fixed().yearFraction(to_date(self.as_of), day)) for day in (start, end))
        # Ho and Lee (1986): the forward rate is below the futures rate by half the variance (Hull, Options, Futures and
        # Other Derivatives, 8th edition 2012, section 6.3).
        return self._period(quote, start, end, 0.5 * self.terms.futures_volatility**2 * near * far)

    def _period(self, quote: Quote, start: Any, end: Any, convexity: float = 0.0) -> Instrument:
        if start < to_date(self.as_of) or end <= start:
            raise BootstrapError("bad tenor", [quote], f"its period {start.ISO()} to {end.ISO()} is not in the future")
        counter = DAY_COUNTERS[self.terms.day_count]
        helper = ql.FuturesRateHelper(
            ql.QuoteHandle(ql.SimpleQuote(100.0 * (1.0 - quote.value))),
            start,
            end,
            counter,
            ql.QuoteHandle(ql.SimpleQuote(convexity)),
            ql.Futures.Custom,
        )
        days = to_days([start, end])
        leg = Floating(self.terms.name, "", days[:1], days[1:], days[1:])
        tau = Known("", self._fractions(days[:1], days[1:], self.terms.day_count), days[1:])
        return Instrument(quote, helper, ParRate(((1.0, leg),), tau, convexity))

    # --- swaps ---
    def _ois(self, quote: Quote) -> Instrument:
        if not self.terms.overnight:
            reason = f"the index of the curve is of {self.terms.index_tenor}: such swaps are the instrument 'swap'"
            raise BootstrapError("bad instrument", [quote], reason)
        terms = self.terms
        frequency, counter = FREQUENCIES[terms.fixed_frequency], DAY_COUNTERS[terms.fixed_day_count]
        helper = ql.OISRateHelper(
            terms.settlement_days,
            self._tenor(quote),
            _level(quote),
            self._index(terms.name, OVERNIGHT, terms.day_count),
            discountingCurve=self._discount(terms.discount_curve),
            telescopicValueDates=True,
            paymentLag=terms.payment_lag,
            paymentFrequency=frequency,
            fixedDayCount=counter,
            convention=self._convention,
            endOfMonth=False,
        )
        start, end = self._schedule(quote, terms.fixed_frequency)
        paid = self._later(end, terms.payment_lag)
        floating = Floating(terms.name, terms.discount_curve, start, end, paid)
        return Instrument(quote, helper, ParRate(((1.0, floating),), self._fixed(start, end, paid)))

    def _swap(self, quote: Quote) -> Instrument:
        index, terms = self._term_index(quote), self.terms
        helper = ql.SwapRateHelper(
            _level(quote),
            self._tenor(quote),
            self._calendar,
            FREQUENCIES[terms.fixed_frequency],
            self._convention,
            DAY_COUNTERS[terms.fixed_day_count],
            self._index(terms.name, str(index), terms.day_count),
            ql.QuoteHandle(),
            ql.Period(0, ql.Days),
            self._discount(terms.discount_curve),
            terms.settlement_days,
            ql.Pillar.LastRelevantDate,
            ql.Date(),
            False,
            False,
            self._convention,
        )
        start, end = self._schedule(quote, terms.fixed_frequency)
        floating = self._float(quote, terms.name, terms.index_tenor, terms.discount_curve)
        return Instrument(quote, helper, ParRate(((1.0, floating),), self._fixed(start, end, end)))

    def _basis(self, quote: Quote) -> Instrument:
        """Two indices of one currency: the leg with the basis against the other one without."""
        terms = self.terms
        own = (terms.name, terms.index_tenor, terms.day_count)
        other = (terms.against, terms.against_tenor, terms.against_day_count)
        if not terms.against:
            raise BootstrapError("bad instrument", [quote], f"market.curves.{terms.name}.against does not say what of")
        if terms.overnight and terms.against_tenor == OVERNIGHT:
            raise BootstrapError("bad instrument", [quote], "basis between two overnight indices is not served")
        spread, flat = (own, other) if terms.basis_on_own else (other, own)
        calendar = (self._tenor(quote), terms.settlement_days, self._calendar, self._convention, False)
        discount = self._discount(terms.discount_curve)
        if OVERNIGHT in (own[1], other[1]):
            night, term = (own, other) if terms.overnight else (other, own)
            frequency = term[1]  # of both legs
            helper = ql.OvernightIborBasisSwapRateHelper(
                _level(quote),
                *calendar,
                self._index(*night),
                self._index(*term),
                discount,
                terms.overnight,
                0,
                to_period(frequency).frequency(),
                False,
                ql.DateGeneration.Backward,
                ql.RateAveraging.Compound,
                True,
                spread is term,
            )
            legs = [self._float(quote, leg[0], frequency, terms.discount_curve) for leg in (flat, spread)]
            start, end = self._schedule(quote, frequency)
        else:
            helper = ql.IborIborBasisSwapRateHelper(
                _level(quote),
                *calendar,
                self._index(*spread),
                self._index(*flat),
                discount,
                terms.basis_on_own,
                False,
            )
            legs = [self._float(quote, leg[0], leg[1], terms.discount_curve) for leg in (flat, spread)]
            start, end = self._schedule(quote, spread[1])
        annuity = Known(terms.discount_curve, self._fractions(start, end, spread[2]), end)
        return Instrument(quote, helper, ParRate(((1.0, legs[0]), (-1.0, legs[1])), annuity))

    def _cross_currency(self, quote: Quote) -> Instrument:
        """Constant notionals, exchanged at both ends; the curve discounts the own leg, collateral is the other's.

        To QuantLib both legs are term rates of the payment's frequency: an overnight rate compounded over a period is
        worth as much, and this helper would add up every day.
        """
        terms = self.terms
        own, other = (terms.projection_curve, terms.day_count), (terms.against, terms.against_day_count)
        helper = ql.ConstNotionalCrossCurrencyBasisSwapRateHelper(
            _level(quote),
            self._tenor(quote),
            terms.settlement_days,
            self._calendar,
            self._convention,
            False,
            self._index(own[0], terms.float_frequency, own[1]),
            self._index(other[0], terms.float_frequency, other[1]),
            self._handles[terms.foreign_discount],
            False,
            terms.basis_on_own,
            FREQUENCIES[terms.float_frequency],
            0,
            FREQUENCIES[terms.float_frequency],
            False,
        )
        # On a holiday QuantLib counts the days to spot from the business day after it, here alone.
        today = self._calendar.adjust(to_date(self.as_of))
        spot = self._calendar.advance(today, terms.settlement_days, ql.Days)
        start, end = self._schedule(quote, terms.float_frequency, spot)
        ends = np.array([start[0], end[-1]])
        at_home, abroad = terms.name, terms.foreign_discount
        sign = -1.0 if terms.basis_on_own else 1.0
        exchanged = np.array([-1.0, 1.0])
        legs: tuple[tuple[float, Floating | Known], ...] = (
            (sign, Floating(own[0], at_home, start, end, end)),
            (sign, Known(at_home, exchanged, ends)),
            (-sign, Floating(other[0], abroad, start, end, end)),
            (-sign, Known(abroad, exchanged, ends)),
        )
        paid_in, day_count = (at_home, own[1]) if terms.basis_on_own else (abroad, other[1])
        annuity = Known(paid_in, self._fractions(start, end, day_count), end)
        return Instrument(quote, helper, ParRate(legs, annuity))

    # --- parts ---
    def _tenor(self, quote: Quote) -> Any:
        period = to_period(quote.tenor)
        if period is None or not period.length():
            raise BootstrapError("bad tenor", [quote], f"the tenor {quote.tenor} is not nD, nW, nM or nY")
        return period

    def _iso(self, quote: Quote) -> Any:
        return to_date(pillar_days(quote.tenor, self.as_of) or self.as_of)

    def _term_index(self, quote: Quote) -> Any:
        if self.terms.overnight:
            reason = f"it needs a term index: name its tenor by market.curves.{self.terms.name}.index_tenor"
            raise BootstrapError("bad instrument", [quote], reason)
        return to_period(self.terms.index_tenor)

    def _index(self, curve: str, tenor: str, day_count: str) -> Any:
        """An index without fixings, projected by a curve; by the curve that is being made where there is no handle."""
        handle = self._handles.get(curve, ql.YieldTermStructureHandle())
        currency, counter = ql.USDCurrency(), DAY_COUNTERS[day_count]
        if tenor == OVERNIGHT:
            return ql.OvernightIndex(curve, 0, currency, self._calendar, counter, handle)
        return ql.IborIndex(
            curve, to_period(tenor), 0, currency, self._calendar, self._convention, False, counter, handle
        )

    def _discount(self, curve: str) -> Any:
        return self._handles.get(curve, ql.YieldTermStructureHandle())

    def _schedule(self, quote: Quote, frequency: str, start: Any = None) -> tuple[Days, Days]:
        """Adjusted periods from a date (None: spot) to the tenor after it, backwards from its end."""
        period = ql.Period(0, ql.Days) if frequency == "1T" else to_period(frequency)
        rule = ql.DateGeneration.Zero if frequency == "1T" else ql.DateGeneration.Backward
        convention, begin = self._convention, start or self._spot
        schedule = ql.Schedule(
            begin, begin + self._tenor(quote), period, self._calendar, convention, convention, rule, False
        )
        days = to_days(list(schedule))
        return days[:-1], days[1:]

    def _float(self, quote: Quote, curve: str, frequency: str, discount: str) -> Floating:
        start, end = self._schedule(quote, frequency)
        return Floating(curve, discount, start, end, end)

    def _fixed(self, start: Days, end: Days, paid: Days) -> Known:
        amount = self._fractions(start, end, self.terms.fixed_day_count)
        return Known(self.terms.discount_curve, amount, paid)

    @staticmethod
    def _fractions(start: Days, end: Days, day_count: str) -> Any:
        return year_fraction(start.astype(np.int32), end.astype(np.int32), day_count)

    def _later(self, days: Days, lag: int) -> Days:
        return to_days([self._calendar.advance(to_date(int(day)), lag, ql.Days) for day in days])


def _level(quote: Quote) -> Any:
    return ql.QuoteHandle(ql.SimpleQuote(quote.value))


def needs(terms: Terms, quotes: tuple[Quote, ...]) -> dict[str, Quote]:
    """Other curves that must be there first, and the first quote that needs each."""
    found: dict[str, Quote] = {}
    for quote in quotes:
        wanted: tuple[str, ...] = ()
        if quote.instrument in ("swap", "ois"):
            wanted = (terms.discount_curve,)
        elif quote.instrument == "basis" and terms.foreign:
            wanted = (terms.projection_curve, terms.against, terms.foreign_discount)
        elif quote.instrument == "basis" and terms.against:
            wanted = (terms.discount_curve, terms.against)
        for curve in wanted:
            if curve != terms.name:
                found.setdefault(curve, quote)
    return found
