"""Forward rates of a swaption's own swap, and of the swap index about which ORE has a smile."""

from __future__ import annotations

from datetime import date

from riskpipe.importers.ore import codes
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.leg_terms import Terms, coupon_terms
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.projected_coupons import Floating
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import Periods, numbers
from riskpipe.importers.ore.quoted_instruments import Segment, fair_rate, swap_legs
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.factors import days_of


def own_forward(ore: OreMarket, fixed: Element, floating: Element) -> float:
    """Of the swap of two legs."""
    discount = ore.todays.curve("DiscountingCurves", fixed.need("Currency"))
    index = index_of(floating.need("FloatingLegData", "Index"))
    terms = coupon_terms(fixed)
    curve = ore.todays.curve("IndexForwardingCurves", index.name)
    coupons = Floating(curve, _periods(coupon_terms(floating)), index, ore.as_of)
    return fair_rate(discount, _periods(terms), terms.day_count, coupons)(lambda name: ore.curves.get(name).curve)


def index_forward(ore: OreMarket, surface: Element, expiry: date, tenor: str) -> float:
    """Of the swap index of a surface for a tenor: that of short swaps up to its own."""
    short = surface.get("ShortSwapIndexBase") or surface.need("SwapIndexBase")
    is_long = codes.months(codes.period(tenor)) > codes.months(codes.period(short.rpartition("-")[2]))
    name = surface.need("SwapIndexBase") if is_long else short
    convention = ore.conventions.get(ore.conventions.get(name, "SwapIndex").need("Conventions"), "Swap")
    index = index_of(convention.need("Index"))
    discount = ore.todays.discounting(name)
    segment = Segment(
        convention,
        ore.todays.curve("IndexForwardingCurves", index.name),
        index.currency,
        ore.todays.curve("IndexForwardingCurves", discount),
        days_of(expiry),
        ore.conventions,
        lambda _: None,
        lambda currency: ore.todays.curve("DiscountingCurves", currency),
    )
    line = Line(expiry, f"SWAP/{tenor}", 0.0, "")
    calendar = codes.calendar(convention.need("FixedCalendar"))
    fixed, day_count, floating = swap_legs(segment, convention, ("Fixed", "ProjectionCurve"), index, line, calendar)
    return fair_rate(segment.discount, fixed, day_count, floating)(lambda name: ore.curves.get(name).curve)


def _periods(terms: Terms) -> Periods:
    days = terms.dates.days
    return Periods(days[:-1], days[1:], numbers([to_date(days_of(day)) for day in terms.payment]))
