"""Swaps of a fixed rate against an overnight or a term index."""

from __future__ import annotations

import QuantLib as ql  # noqa: N813

from riskpipe.market.bootstrap.equations import ParRate
from riskpipe.market.bootstrap.instrument_parts import Instrument, Parts, averaging, level
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, FREQUENCIES
from riskpipe.market.bootstrap.quotes import Quote
from riskpipe.market.conventions import OVERNIGHT


def overnight_swap(parts: Parts, quote: Quote) -> Instrument:
    terms = parts.terms
    if not terms.overnight:
        reason = f"the index of the curve is of {terms.index_tenor}: such swaps are the instrument 'swap'"
        raise parts.refused(quote, reason)
    span = parts.span(quote)
    helper = ql.OISRateHelper(
        terms.settlement_days,
        parts.tenor(quote),
        level(quote),
        parts.index(terms.name, OVERNIGHT, terms.day_count),
        discountingCurve=parts.handle(terms.discount_curve),
        telescopicValueDates=not terms.averaged,  # which approximates averages
        paymentLag=terms.payment_lag,
        paymentConvention=parts.convention,
        paymentFrequency=FREQUENCIES[terms.fixed_frequency],
        paymentCalendar=parts.payment_calendar,
        averagingMethod=averaging(terms.averaged),
        fixedDayCount=DAY_COUNTERS[terms.fixed_day_count],
        convention=parts.convention,
        endOfMonth=span.end_of_month,
    )
    periods = parts.periods(span, terms.fixed_frequency)
    floating = parts.floating(periods, terms.name, terms.discount_curve, terms.averaged)
    annuity = parts.annuity(periods, terms.discount_curve, terms.fixed_day_count)
    return Instrument(quote, helper, ParRate(((1.0, floating),), annuity))


def term_swap(parts: Parts, quote: Quote) -> Instrument:
    """Paid at the ends of periods: QuantLib's helper knows no other payment."""
    index, terms = parts.term_index(quote), parts.terms
    if terms.payment_lag or terms.payment_calendar != terms.calendar:
        reason = "the quoted swaps of a term index have no payment_lag or payment_calendar"
        raise parts.refused(quote, f"{reason}: leave them out of market.curves.{terms.name}")
    span = parts.span(quote)
    helper = ql.SwapRateHelper(
        level(quote),
        parts.tenor(quote),
        parts.calendar,
        FREQUENCIES[terms.fixed_frequency],
        parts.convention,
        DAY_COUNTERS[terms.fixed_day_count],
        parts.index(terms.name, str(index), terms.day_count),
        ql.QuoteHandle(),
        ql.Period(0, ql.Days),
        parts.handle(terms.discount_curve),
        terms.settlement_days,
        ql.Pillar.LastRelevantDate,
        ql.Date(),
        span.end_of_month,
        False,
        parts.convention,
    )
    fixed, floats = (parts.periods(span, frequency) for frequency in (terms.fixed_frequency, terms.index_tenor))
    floating = parts.floating(floats, terms.name, terms.discount_curve)
    annuity = parts.annuity(fixed, terms.discount_curve, terms.fixed_day_count)
    return Instrument(quote, helper, ParRate(((1.0, floating),), annuity))
