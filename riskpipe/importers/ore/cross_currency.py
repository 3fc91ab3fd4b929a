"""Quoted instruments between two currencies, as equations of curves: FX forwards and cross-currency swaps."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.convention_files import Conventions
from riskpipe.importers.ore.growing_curves import Curve, Instrument, Lookup
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.quote_lines import Line, Quotes
from riskpipe.importers.ore.quoted_dates import Periods, advanced, number, periods, spot
from riskpipe.importers.ore.quoted_instruments import Maker, Segment
from riskpipe.market.bootstrap.quantlib import to_date

_NEAR: Final = {"ON": 0, "TN": 1}
"""Business days from as_of to the near date of forwards that begin before spot."""


def spot_date(conventions: Conventions, pair: tuple[str, str], as_of: int, lag: int = 2, name: str = "") -> Any:
    """The day for which a pair's spot is quoted, by the FX conventions.

    :param lag: business days where there are no conventions.
    :param name: of conventions that go before the pair's first ones.
    """
    for convention in sorted(conventions.of_kind("FX"), key=lambda each: each.get("Id") != name):
        if {convention.get("SourceCurrency"), convention.get("TargetCurrency")} == set(pair):
            calendar = codes.calendar(convention.get("AdvanceCalendar"))
            return spot(as_of, calendar, int(convention.get("SpotDays") or 0))
    return spot(as_of, codes.calendar(",".join(pair)), lag)


def fx_forward(quotes: Quotes) -> Maker:
    """FXFWD/RATE/CCY1/CCY2/term: forward points on the spot, between the spot date and the term's."""

    def make(segment: Segment, quote: Line) -> Instrument:
        convention = segment.convention("FX")
        source, target = convention.need("SourceCurrency"), convention.need("TargetCurrency")
        rate = quotes.get(segment.element.need("SpotRate")).value
        calendar = codes.calendar(convention.get("AdvanceCalendar"))
        days = int(convention.need("SpotDays"))
        term = quote.parts[-1]
        rule = codes.convention(convention.get("Convention"), "following")
        relative = codes.flag(convention.get("SpotRelative"), True)
        near = spot(segment.as_of, calendar, _NEAR.get(term, days))
        origin = near if term in _NEAR or relative else to_date(segment.as_of)
        length = "1D" if term in ("ON", "TN", "SN") else term
        end = advanced(origin, length, calendar, rule, codes.flag(convention.get("EOM")))
        points = quote.value / float(convention.need("PointsFactor"))
        base = rate - (points if term in _NEAR else 0.0)
        if term == "ON":  # from today, so that the points of the next day lie between it and spot, too
            next_day = quotes.find(quote.name.removesuffix("ON") + "TN")
            base -= next_day.value / float(convention.need("PointsFactor")) if next_day is not None else 0.0
        known = segment.known_discount(target if segment.currency == source else source)
        dates = np.array([number(near), number(end)])
        own_is_source = segment.currency == source
        if segment.currency not in (source, target):
            raise LeftOutError(f"{segment.currency} is not of the pair {source}{target}")

        def excess(lookup: Lookup) -> float:
            own, other = (lookup(name).discount(dates) for name in (segment.curve, known))
            of_source, of_target = (own, other) if own_is_source else (other, own)
            forward = base * (of_source[1] / of_source[0]) / (of_target[1] / of_target[0])
            return float(forward - base - points) / rate

        return Instrument(quote.name, int(dates[1]), excess)

    return make


def _unit_leg(curve: Curve, coupons: FloatArray, legs: Periods) -> float:
    """Value of a floating leg that pays one at its start and gets it back at its end."""
    ends = curve.discount(np.array([legs.start[0], legs.payment[-1]]))
    return float(coupons @ curve.discount(legs.payment) - ends[0] + ends[1])


def _constant_leg(own: Curve, _: Curve, coupons: FloatArray, legs: Periods) -> float:
    return _unit_leg(own, coupons, legs)


def _resetting_leg(own: Curve, other: Curve, coupons: FloatArray, legs: Periods) -> float:
    """Value of a leg whose notional is reset at the forward rate each period, from one at its start."""
    forwards = other.discount(legs.start) / own.discount(legs.start)
    notionals = forwards / forwards[0]
    flows = (1.0 + coupons) * own.discount(legs.payment) - own.discount(legs.start)
    return float(notionals @ flows)


def basis(segment: Segment, quote: Line) -> Instrument:
    """CC_BASIS_SWAP/BASIS_SPREAD/flat CCY/tenor/spread CCY/tenor/term: floating legs, notionals exchanged."""
    convention = segment.convention("CrossCurrencyBasis")
    flat, spread = index_of(convention.need("FlatIndex")), index_of(convention.need("SpreadIndex"))
    calendar = codes.calendar(convention.need("SettlementCalendar"))
    start = spot(segment.as_of, calendar, int(convention.need("SettlementDays")))
    rule = codes.convention(convention.get("RollConvention"))
    end_of_month = codes.flag(convention.get("EOM"))
    own_is_flat = segment.currency == flat.currency
    legs = {}
    for side, index, tag, lag in (
        ("flat", flat, "FlatTenor", "FlatPaymentLag"),
        ("spread", spread, "SpreadTenor", "SpreadPaymentLag"),
    ):
        tenor = convention.get(tag) or ("3M" if index.overnight else index.tenor)
        legs[side] = periods(
            start,
            start + codes.period(quote.parts[-1]),
            codes.tenor(tenor),
            calendar,
            rule,
            end_of_month=end_of_month,
            lag=int(convention.get(lag) or 0),
        )
    own_projection = segment.projection("ProjectionCurveDomestic")
    known = segment.known_discount(spread.currency if own_is_flat else flat.currency)
    other_projection = segment.element.get("ProjectionCurveForeign") or known
    discounts = (segment.curve, known)
    projections = (own_projection, other_projection)
    order = (0, 1) if own_is_flat else (1, 0)  # of flat and spread among own and other
    flat_leg = segment.floating(flat, legs["flat"], projections[order[0]])
    spread_leg = segment.floating(spread, legs["spread"], projections[order[1]])
    taus = legs["spread"].fractions(spread.day_count)
    settled = np.array([number(spot_date(segment.conventions, (flat.currency, spread.currency), segment.as_of))])
    resets = codes.flag(convention.get("IsResettable"))
    flat_resets = codes.flag(convention.get("FlatIndexIsResettable"), True)
    last = max(int(x.max()) for leg in legs.values() for x in (leg.end, leg.payment))

    def excess(lookup: Lookup) -> float:
        curves = [lookup(name) for name in discounts]
        of_flat, of_spread = curves[order[0]], curves[order[1]]
        with_spread = spread_leg.coupons(lookup) + quote.value * taus
        # Notionals are exchanged at the spot rate, and values compared at today's.
        today = float((of_flat.discount(settled) / of_spread.discount(settled))[0])
        if resets and not flat_resets:
            constant = _unit_leg(of_flat, flat_leg.coupons(lookup), legs["flat"]) / today
            return constant - _resetting_leg(of_spread, of_flat, with_spread, legs["spread"])
        value = _resetting_leg if resets else _constant_leg
        constant = _unit_leg(of_spread, with_spread, legs["spread"]) * today
        return value(of_flat, of_spread, flat_leg.coupons(lookup), legs["flat"]) - constant

    return Instrument(quote.name, last, excess)


def fixed_float(segment: Segment, quote: Line) -> Instrument:
    """CC_FIX_FLOAT_SWAP/RATE/float CCY/tenor/fixed CCY/tenor/term: a fixed leg against one in another currency."""
    convention = segment.convention("CrossCurrencyFixFloat")
    index = index_of(convention.need("Index"))
    if segment.currency != convention.need("FixedCurrency"):
        raise LeftOutError("the curve is not of the fixed leg's currency")
    calendar = codes.calendar(convention.need("SettlementCalendar"))
    start = spot(segment.as_of, calendar, int(convention.need("SettlementDays")))
    rule = codes.convention(convention.get("SettlementConvention"))
    end = start + codes.period(quote.parts[-1])
    fixed_rule = codes.convention(convention.need("FixedConvention"))
    fixed = periods(start, end, codes.tenor(convention.need("FixedFrequency")), calendar, fixed_rule)
    floating_legs = periods(start, end, index.tenor, calendar, rule)
    taus = fixed.fractions(codes.day_count(convention.need("FixedDayCounter")))
    other = segment.known_discount(index.currency)
    projection = segment.element.get("ProjectionCurve") or segment.element.get("ProjectionCurveForeign") or other
    floating = segment.floating(index, floating_legs, projection)

    settled = np.array([number(spot_date(segment.conventions, (segment.currency, index.currency), segment.as_of))])

    def excess(lookup: Lookup) -> float:
        own, known = lookup(segment.curve), lookup(other)
        today = float((own.discount(settled) / known.discount(settled))[0])
        value = _unit_leg(known, floating.coupons(lookup), floating_legs)
        return _unit_leg(own, quote.value * taus, fixed) - value * today

    return Instrument(quote.name, max(int(fixed.payment.max()), int(floating_legs.payment.max())), excess)


BASES: Final[dict[str, Maker]] = {
    "Cross Currency Basis Swap": basis,
    "Cross Currency Fix Float Swap": fixed_float,
}
"""By the type of the segment; FX forwards need the spots, too."""
