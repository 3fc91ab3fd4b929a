"""Basis swaps between two currencies: one leg on the curve that is made, the other on that of its own currency."""

from __future__ import annotations

from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.market.bootstrap.equations import Converted, Floating, Known, ParRate
from riskpipe.market.bootstrap.instrument_parts import Instrument, Parts, Periods, Span, level
from riskpipe.market.bootstrap.quantlib import FREQUENCIES, to_date
from riskpipe.market.bootstrap.quotes import Quote

Legs = tuple[tuple[float, Floating | Known | Converted], ...]


def cross_currency_swap(parts: Parts, quote: Quote) -> Instrument:
    """Notionals are exchanged at both ends; the curve discounts the own leg, collateral is the other's.

    To QuantLib both legs are term rates of the payment's frequency: an overnight rate compounded over a period is
    worth as much, and this helper would add up every day.
    """
    terms = parts.terms
    _refuse(parts, quote)
    # On a holiday QuantLib counts the days to spot from the business day after it, here alone.
    today = parts.calendar.adjust(to_date(parts.as_of))
    span = parts.span(quote, parts.calendar.advance(today, terms.settlement_days, ql.Days))
    periods = parts.periods(span, terms.float_frequency)
    sign = -1.0 if terms.basis_on_own else 1.0
    own, other = (terms.projection_curve, terms.name), (terms.against, terms.foreign_discount)
    own_resets, other_resets = (terms.resetting == side for side in ("own", "against"))
    legs = (
        *_leg(parts, periods, own, sign, other[1] if own_resets else None),
        *_leg(parts, periods, other, -sign, own[1] if other_resets else None),
    )
    (_, paid_in), day_count = (own, terms.day_count) if terms.basis_on_own else (other, terms.against_day_count)
    earned = parts.annuity(periods, paid_in, day_count)
    converted = own_resets if terms.basis_on_own else other_resets
    set_in = (other if terms.basis_on_own else own)[1]
    annuity = Converted(earned, set_in, periods.start) if converted else earned
    helper = _helper(parts, quote, span, len(periods.end) == 1)
    return Instrument(quote, helper, ParRate(legs, annuity))


def _refuse(parts: Parts, quote: Quote) -> None:
    """What QuantLib's helpers cannot say."""
    terms = parts.terms
    entry = f"leave it out of market.curves.{terms.name}"
    if terms.payment_calendar != terms.calendar:
        raise parts.refused(quote, f"quoted cross-currency swaps have no payment_calendar: {entry}")
    if terms.averaged or terms.against_averaged:
        raise parts.refused(quote, f"rates of quoted cross-currency swaps are not averaged: {entry}")
    if terms.resetting and terms.payment_lag:
        raise parts.refused(quote, f"quoted cross-currency swaps that reset have no payment_lag: {entry}")


def _helper(parts: Parts, quote: Quote, span: Span, single: bool) -> Any:
    """:param single: there is one period."""
    terms = parts.terms
    # QuantLib finds 182 days neither shorter nor longer than 6M: the one period of such a swap is as long as the swap.
    whole = single and span.end_of_month
    length = str(span.tenor) if whole else terms.float_frequency
    frequency = ql.NoFrequency if whole else FREQUENCIES[terms.float_frequency]
    begin = (
        level(quote),
        span.tenor,
        terms.settlement_days,
        parts.calendar,
        parts.convention,
        span.end_of_month,
        parts.index(terms.projection_curve, length, terms.day_count),
        parts.index(terms.against, length, terms.against_day_count, foreign=True),
        parts.handle(terms.foreign_discount),
        False,
        terms.basis_on_own,
    )
    if terms.resetting:
        return ql.MtMCrossCurrencyBasisSwapRateHelper(*begin, terms.resetting == "own", frequency, 0, frequency)
    return ql.ConstNotionalCrossCurrencyBasisSwapRateHelper(
        *begin, frequency, terms.payment_lag, frequency, paymentLagOnNotionalExchanges=False
    )


def _leg(parts: Parts, periods: Periods, curves: tuple[str, str], sign: float, resets_to: str | None) -> Legs:
    """Interest, and the notional at the start and back at the end, of each period where it resets.

    :param curves: that project and discount it. :param resets_to: discounts the currency that the notional is set in.
    """
    projection, discount = curves
    interest = parts.floating(periods, projection, discount)
    if resets_to is None:
        ends = np.array([periods.start[0], periods.end[-1]])
        return (sign, interest), (sign, Known(discount, np.array([-1.0, 1.0]), ends))
    one = np.ones(len(periods.start))
    parts_of = (interest, Known(discount, -one, periods.start), Known(discount, one, periods.end))
    return tuple((sign, Converted(part, resets_to, periods.start)) for part in parts_of)
