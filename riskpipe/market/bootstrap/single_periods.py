"""Deposits, forward rate agreements and futures: instruments of one period."""

from __future__ import annotations

from typing import Any

import QuantLib as ql  # noqa: N813

from riskpipe.market.bootstrap.equations import Floating, Known, ParRate
from riskpipe.market.bootstrap.instrument_parts import Instrument, Parts, fractions
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, to_date, to_days
from riskpipe.market.bootstrap.quotes import BootstrapError, Quote
from riskpipe.market.conventions import OVERNIGHT
from riskpipe.market.factors import is_iso_date, pillar_days


def deposit(parts: Parts, quote: Quote) -> Instrument:
    """From spot, or for 1D from today, to the tenor; an ISO date is the end."""
    start = parts.calendar.adjust(to_date(parts.as_of)) if quote.tenor == OVERNIGHT else parts.spot
    if is_iso_date(quote.tenor):
        end = parts.iso(quote)
    else:
        end = _later(parts, start, parts.tenor(quote))
    return _period(parts, quote, start, end)


def fra(parts: Parts, quote: Quote) -> Instrument:
    """nM is the end of the period, one index tenor long (9M: 6x9 on a 3M index); an ISO date its start."""
    index = parts.term_index(quote)
    if is_iso_date(quote.tenor):
        start = parts.iso(quote)
        return _period(parts, quote, start, _later(parts, start, index))
    end = parts.tenor(quote)
    months = end.length() * (12 if end.units() == ql.Years else 1) - index.length()
    if end.units() not in (ql.Months, ql.Years) or months < 0:
        raise BootstrapError("bad tenor", [quote], f"a FRA's tenor is the end of its {index} period, in months")
    start = _later(parts, parts.spot, ql.Period(months, ql.Months))
    return _period(parts, quote, start, _later(parts, parts.spot, end))


def future(parts: Parts, quote: Quote) -> Instrument:
    """Quoted as a rate; its period starts on the ISO date, or on the first IMM date after as_of + nM."""
    if is_iso_date(quote.tenor):
        start = parts.iso(quote)
    else:
        start = ql.IMM.nextDate(to_date(pillar_days(quote.tenor, parts.as_of) or parts.as_of))
    if parts.terms.overnight:
        end = ql.IMM.nextDate(start + 1)
    else:
        end = parts.calendar.advance(start, parts.term_index(quote), parts.convention)
    near, far = (float(ql.Actual365Fixed().yearFraction(to_date(parts.as_of), day)) for day in (start, end))
    # Ho and Lee (1986): the forward rate is below the futures rate by half the variance (Hull, Options, Futures and
    # Other Derivatives, 8th edition 2012, section 6.3).
    return _period(parts, quote, start, end, 0.5 * parts.terms.futures_volatility**2 * near * far)


def _later(parts: Parts, start: Any, tenor: Any) -> Any:
    return parts.calendar.advance(start, tenor, parts.convention, parts.terms.end_of_month)


def _period(parts: Parts, quote: Quote, start: Any, end: Any, convexity: float = 0.0) -> Instrument:
    if start < to_date(parts.as_of) or end <= start:
        raise BootstrapError("bad tenor", [quote], f"its period {start.ISO()} to {end.ISO()} is not in the future")
    terms = parts.terms
    helper = ql.FuturesRateHelper(
        ql.QuoteHandle(ql.SimpleQuote(100.0 * (1.0 - quote.value))),
        start,
        end,
        DAY_COUNTERS[terms.day_count],
        ql.QuoteHandle(ql.SimpleQuote(convexity)),
        ql.Futures.Custom,
    )
    days = to_days([start, end])
    leg = Floating(terms.name, "", days[:1], days[1:], days[1:])
    tau = Known("", fractions(days[:1], days[1:], terms.day_count), days[1:])
    return Instrument(quote, helper, ParRate(((1.0, leg),), tau, convexity))
