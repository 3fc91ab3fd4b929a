"""Swaps of one floating index against another in the same currency."""

from __future__ import annotations

from typing import Any

import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.market.bootstrap.equations import ParRate
from riskpipe.market.bootstrap.instrument_parts import Instrument, Parts, Span, averaging, level
from riskpipe.market.bootstrap.quantlib import FREQUENCIES, to_period
from riskpipe.market.bootstrap.quotes import Quote
from riskpipe.market.conventions import OVERNIGHT


class Side(Struct, frozen=True):
    """One of the two indices; `averaged` is of an overnight one."""

    curve: str
    tenor: str
    day_count: str
    averaged: bool

    @property
    def overnight(self) -> bool:
        return self.tenor == OVERNIGHT


def basis_swap(parts: Parts, quote: Quote) -> Instrument:
    """The leg with the basis against the other one without."""
    terms = parts.terms
    if not terms.against:
        raise parts.refused(quote, f"market.curves.{terms.name}.against does not say what of")
    if terms.payment_calendar != terms.calendar:
        reason = "quoted basis swaps have no payment_calendar"
        raise parts.refused(quote, f"{reason}: leave it out of market.curves.{terms.name}")
    own = Side(terms.name, terms.index_tenor, terms.day_count, terms.averaged)
    other = Side(terms.against, terms.against_tenor, terms.against_day_count, terms.against_averaged)
    spread, flat = (own, other) if terms.basis_on_own else (other, own)
    span = parts.span(quote)
    if own.overnight and other.overnight:
        helper = _two_overnight(parts, quote, span, (spread, flat))
        frequencies = (terms.float_frequency, terms.float_frequency)
    elif own.overnight or other.overnight:
        helper = _overnight_and_term(parts, quote, span, (spread, flat))
        frequency = flat.tenor if spread.overnight else spread.tenor
        frequencies = (frequency, frequency)
    else:
        helper = _two_terms(parts, quote, span, (spread, flat))
        frequencies = (spread.tenor, flat.tenor)
    paid_on, paid_flat = (parts.periods(span, frequency) for frequency in frequencies)
    with_spread = parts.floating(paid_on, spread.curve, terms.discount_curve, spread.averaged)
    without = parts.floating(paid_flat, flat.curve, terms.discount_curve, flat.averaged)
    annuity = parts.annuity(paid_on, terms.discount_curve, spread.day_count)
    return Instrument(quote, helper, ParRate(((1.0, without), (-1.0, with_spread)), annuity))


def _common(parts: Parts, quote: Quote, span: Span) -> tuple[Any, ...]:
    """What QuantLib's helpers of basis swaps begin with; an end of a month is no tenor of theirs in months."""
    terms = parts.terms
    return (
        level(quote),
        span.tenor,
        terms.settlement_days,
        parts.calendar,
        parts.convention,
        span.end_of_month,
    )


def _index(parts: Parts, side: Side) -> Any:
    return parts.index(side.curve, side.tenor, side.day_count)


def _two_terms(parts: Parts, quote: Quote, span: Span, sides: tuple[Side, Side]) -> Any:
    """:param sides: with the basis, and without it."""
    return ql.IborIborBasisSwapRateHelper(
        *_common(parts, quote, span),
        *(_index(parts, side) for side in sides),
        parts.handle(parts.terms.discount_curve),
        parts.terms.basis_on_own,
        paymentLag=parts.terms.payment_lag,
    )


def _overnight_and_term(parts: Parts, quote: Quote, span: Span, sides: tuple[Side, Side]) -> Any:
    """Both legs pay as often as the term leg."""
    night, term = sides if sides[0].overnight else sides[::-1]
    return ql.OvernightIborBasisSwapRateHelper(
        *_common(parts, quote, span),
        _index(parts, night),
        _index(parts, term),
        parts.handle(parts.terms.discount_curve),
        night.curve == parts.terms.name,
        paymentLag=parts.terms.payment_lag,
        overnightPaymentFrequency=to_period(term.tenor).frequency(),
        averagingMethod=averaging(night.averaged),
        telescopicValueDates=not night.averaged,  # which approximates averages
        basisOnIborLeg=term is sides[0],
    )


def _two_overnight(parts: Parts, quote: Quote, span: Span, sides: tuple[Side, Side]) -> Any:
    """QuantLib's basis is on the first."""
    return ql.OvernightOvernightBasisSwapRateHelper(
        *_common(parts, quote, span),
        *(_index(parts, side) for side in sides),
        parts.handle(parts.terms.discount_curve),
        parts.terms.basis_on_own,
        parts.terms.payment_lag,
        FREQUENCIES[parts.terms.float_frequency],
        *(averaging(side.averaged) for side in sides),
        not any(side.averaged for side in sides),
    )
