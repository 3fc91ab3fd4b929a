"""Quoted instruments of one currency, as equations of curves: deposits, FRAs, futures, swaps and bases of tenors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.convention_files import Conventions
from riskpipe.importers.ore.growing_curves import Instrument, Lookup
from riskpipe.importers.ore.indices import Index, index_of
from riskpipe.importers.ore.projected_coupons import Floating
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import (
    Periods,
    advanced,
    fractions,
    index_periods,
    maturity,
    number,
    periods,
    spot,
)
from riskpipe.importers.ore.xml import Element


class Segment(Struct, frozen=True):
    """Quotes of one kind in a curve's configuration.

    :param curve: the curve that they make; `discount`: the one that discounts its swaps, perhaps itself.
    :param fixed_today: fixing of an index on as_of, where it is known.
    :param discount_of: currency -> the curve that discounts it in today's market.
    """

    element: Element
    curve: str
    currency: str
    discount: str
    as_of: int
    conventions: Conventions
    fixed_today: Callable[[str], float | None]
    discount_of: Callable[[str], str]

    def known_discount(self, currency: str) -> str:
        """The curve that discounts the other currency: as the segment says, else as today's market has it."""
        return self.element.get("DiscountCurve") or self.discount_of(currency)

    def floating(
        self, index: Index, legs: Periods, curve: str, *, cutoff: int = 0, compounds: bool = False
    ) -> Floating:
        return Floating(curve, legs, index, self.as_of, self.fixed_today(index.name), cutoff, compounds)

    def convention(self, *kinds: str) -> Element:
        return self.conventions.get(self.element.get("Conventions"), *kinds)

    def projection(self, tag: str = "ProjectionCurve") -> str:
        return self.element.get(tag) or self.curve


Maker = Callable[[Segment, Line], Instrument]


def deposit(segment: Segment, quote: Line) -> Instrument:
    """MM/RATE/CCY/forward start/term."""
    convention = segment.convention("Deposit")
    begins, term = quote.parts[-2:]
    if codes.flag(convention.get("IndexBased")):
        name = convention.need("Index")
        index = _overnight_or(name, term)
        terms = (index.calendar, index.convention, index.end_of_month, index.day_count)
    else:
        terms = (
            codes.calendar(convention.need("Calendar")),
            codes.convention(convention.need("Convention")),
            codes.flag(convention.get("EOM")),
            codes.day_count(convention.need("DayCounter")),
        )
    calendar, rule, end_of_month, day_count = terms
    start = spot(segment.as_of, calendar, codes.period(begins).length())
    end = advanced(start, term, calendar, rule, end_of_month)
    return _one_period(segment.curve, quote, number(start), number(end), day_count)


def _overnight_or(name: str, term: str) -> Index:
    try:
        index = index_of(name)
    except LeftOutError:
        return index_of(f"{name}-{term}")
    return index if index.overnight else index_of(f"{name}-{term}")


def fra(segment: Segment, quote: Line) -> Instrument:
    """FRA/RATE/CCY/start/tenor: over the index's own period from so long after spot."""
    index = index_of(segment.convention("FRA").need("Index"))
    start = advanced(
        spot(segment.as_of, index.calendar, index.fixing_days),
        quote.parts[-2],
        index.calendar,
        index.convention,
        index.end_of_month,
    )
    return _one_period(segment.curve, quote, number(start), number(maturity(start, index)), index.day_count)


def future(segment: Segment, quote: Line) -> Instrument:
    """MM_FUTURE or OI_FUTURE/PRICE/CCY/yyyy-mm/contract/tenor: the month's IMM date starts a period of the tenor."""
    convention = segment.convention("Future")
    index = index_of(convention.need("Index"))
    year, month = (int(part) for part in quote.parts[3].split("-")[:2])
    tenor = quote.parts[5] if len(quote.parts) > 5 else "3M"
    rule = convention.get("DateGenerationRule") or "IMM"
    if rule == "IMM":
        start = ql.IMM.date(ql.IMM.code(ql.Date.nthWeekday(3, ql.Wednesday, month, year)))
    elif rule == "FirstDayOfMonth":
        start = ql.Date(1, month, year)
    else:
        raise LeftOutError(f"futures by the rule {rule} are not known")
    if index.overnight:
        return _overnight_future(segment, quote, index, start, tenor, rule)
    rate = 1.0 - quote.value / 100.0
    first, last = number(start), number(maturity(start, index))
    line = Line(quote.day, quote.name, rate, quote.place)
    return _one_period(segment.curve, line, first, last, index.day_count)


def _overnight_future(segment: Segment, quote: Line, index: Index, start: Any, tenor: str, rule: str) -> Instrument:
    """Compounded from one IMM date to the next; one that has begun needs fixings, which are not part of a curve."""
    end = (
        ql.Date.nthWeekday(3, ql.Wednesday, *_month_after(start, tenor))
        if rule == "IMM"
        else start + codes.period(tenor)
    )
    if number(start) < segment.as_of:
        raise LeftOutError("the future's period has begun: it depends on fixings")
    rate = 1.0 - quote.value / 100.0
    line = Line(quote.day, quote.name, rate, quote.place)
    return _one_period(segment.curve, line, number(start), number(end), index.day_count)


def _month_after(start: Any, tenor: str) -> tuple[int, int]:
    later = start + codes.period(tenor)
    return later.month(), later.year()


def _one_period(curve: str, quote: Line, start: int, end: int, day_count: str) -> Instrument:
    """A simple rate over one period."""
    tau = float(fractions(np.array([start]), np.array([end]), day_count)[0])

    def excess(lookup: Lookup) -> float:
        near, far = lookup(curve).discount(np.array([start, end]))
        return float(near / far - 1.0) / tau - quote.value

    return Instrument(quote.name, end, excess)


def ois(segment: Segment, quote: Line) -> Instrument:
    """IR_SWAP/RATE/CCY/forward start/1D/term: a fixed rate against an overnight index, compounded."""
    convention = segment.convention("OIS")
    index = index_of(convention.need("Index"))
    calendar = codes.calendar(convention.get("FixedCalendar")) if convention.get("FixedCalendar") else index.calendar
    lag = int(convention.get("PaymentLag") or 0)
    start = spot(segment.as_of, calendar, int(convention.need("SpotLag")))
    legs = periods(
        start,
        start + codes.period(quote.parts[-1]),
        codes.tenor(convention.get("FixedFrequency") or "Annual"),
        calendar,
        end_of_month=codes.flag(convention.get("EOM")),
        lag=lag,
    )
    day_count = codes.day_count(convention.need("FixedDayCounter"))
    cutoff = int(convention.get("RateCutoff") or 0)
    floating = segment.floating(index, legs, segment.projection(), cutoff=cutoff)
    return _swap(quote, segment.discount, legs, day_count, floating)


def _swap(quote: Line, discount: str, fixed: Periods, day_count: str, floating: Floating) -> Instrument:
    """A fixed rate against a floating leg."""
    taus = fixed.fractions(day_count)
    last = max(int(x.max()) for x in (fixed.end, fixed.payment, floating.legs.end, floating.legs.payment))

    def excess(lookup: Lookup) -> float:
        curve = lookup(discount)
        annuity = float(taus @ curve.discount(fixed.payment))
        return floating.value(curve, lookup) / annuity - quote.value

    return Instrument(quote.name, last, excess)


def swap(segment: Segment, quote: Line) -> Instrument:
    """IR_SWAP/RATE/CCY/forward start/index tenor/term: a fixed rate against a term index."""
    convention = segment.convention("Swap")
    if convention.get("FloatFrequency"):
        raise LeftOutError("swaps with a floating leg of sub-periods are not known")
    index = index_of(convention.need("Index"))
    calendar = codes.calendar(convention.need("FixedCalendar"))
    fixed, day_count, floating = swap_legs(segment, convention, ("Fixed", "ProjectionCurve"), index, quote, calendar)
    return _swap(quote, segment.discount, fixed, day_count, floating)


def swap_legs(
    segment: Segment, convention: Element, tags: tuple[str, str], index: Index, quote: Line, calendar: str
) -> tuple[Periods, str, Floating]:
    """Both on one calendar, as QuantLib's helper has them; with the day count of the fixed leg.

    :param tags: what the conventions of the fixed leg begin with, and the tag of the curve that projects.
    """
    prefix, projection = tags
    term = quote.parts[-1]
    start = spot(segment.as_of, calendar, index.fixing_days)
    rule = codes.convention(convention.need(f"{prefix}Convention"))
    every = codes.tenor(convention.need(f"{prefix}Frequency"))
    fixed = periods(start, start + codes.period(term), every, calendar, rule)
    dates = index_periods(start, term, index, calendar=calendar)
    floating = segment.floating(index, dates, segment.projection(projection))
    return fixed, codes.day_count(convention.need(f"{prefix}DayCounter")), floating


def two_swaps(segment: Segment, quote: Line) -> Instrument:
    """BASIS_SWAP/BASIS_SPREAD/.../term: the fixed rate of the swap of the long tenor less that of the short one's."""
    convention = segment.convention("TenorBasisTwoSwap")
    calendar = codes.calendar(convention.need("Calendar"))
    sign = 1.0 if codes.flag(convention.get("LongMinusShort"), True) else -1.0
    rates, last = [], 0
    for prefix, tag in (("Long", "ProjectionCurvePay"), ("Short", "ProjectionCurveReceive")):
        index = index_of(convention.need(f"{prefix}Index"))
        fixed, day_count, floating = swap_legs(segment, convention, (f"{prefix}Fixed", tag), index, quote, calendar)
        rates.append(fair_rate(segment.discount, fixed, day_count, floating))
        last = max(last, int(fixed.payment.max()), int(floating.legs.end.max()))
    long, short = rates

    def excess(lookup: Lookup) -> float:
        return sign * (long(lookup) - short(lookup)) - quote.value

    return Instrument(quote.name, last, excess)


def fair_rate(discount: str, fixed: Periods, day_count: str, floating: Floating) -> Callable[[Lookup], float]:
    """Of a swap, by the curves that there are."""
    taus = fixed.fractions(day_count)

    def rate(lookup: Lookup) -> float:
        curve = lookup(discount)
        return floating.value(curve, lookup) / float(taus @ curve.discount(fixed.payment))

    return rate


def tenor_basis(segment: Segment, quote: Line) -> Instrument:
    """BASIS_SWAP/BASIS_SPREAD/short/long/CCY/term: two floating legs, the spread on one of them."""
    convention = segment.convention("TenorBasisSwap")
    if codes.flag(convention.get("IncludeSpread")):
        raise LeftOutError("tenor bases that compound the spread are not known")
    paid, received = (index_of(convention.need(tag)) for tag in ("PayIndex", "ReceiveIndex"))
    start = spot(segment.as_of, paid.calendar, paid.fixing_days if not paid.overnight else 2)
    term = quote.parts[-1]
    legs = []
    for index, frequency, tag in (
        (paid, convention.get("PayFrequency"), "ProjectionCurvePay"),
        (received, convention.get("ReceiveFrequency"), "ProjectionCurveReceive"),
    ):
        every = codes.tenor(frequency) if frequency else index.tenor
        compounds = not index.overnight and codes.period(every) != codes.period(index.tenor)
        dates = index_periods(start, term, index, every)
        legs.append(segment.floating(index, dates, segment.projection(tag), compounds=compounds))
    on_received = codes.flag(convention.get("SpreadOnRec"), True)
    spread_leg, spread_index = (legs[1], received) if on_received else (legs[0], paid)
    other = legs[0] if on_received else legs[1]
    taus = spread_leg.legs.fractions(spread_index.day_count)
    last = max(int(leg.legs.end.max()) for leg in legs)

    def excess(lookup: Lookup) -> float:
        curve = lookup(segment.discount)
        annuity = float(taus @ curve.discount(spread_leg.legs.payment))
        return (other.value(curve, lookup) - spread_leg.value(curve, lookup)) / annuity - quote.value

    return Instrument(quote.name, last, excess)


MAKERS: Final[dict[str, Maker]] = {
    "Deposit": deposit,
    "FRA": fra,
    "Future": future,
    "OIS": ois,
    "Swap": swap,
    "Tenor Basis Two Swaps": two_swaps,
    "Tenor Basis Swap": tenor_basis,
}
"""By the type of the segment."""
