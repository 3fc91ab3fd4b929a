"""Options on rates: swaptions, caps and floors."""

from __future__ import annotations

from datetime import date

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.leg_data import convert_leg
from riskpipe.importers.ore.leg_terms import coupon_terms, refuse_other_fixing_days, steps
from riskpipe.importers.ore.quoted_dates import a_day, fixing_date, number
from riskpipe.importers.ore.rate_volatilities import cap_surface, swaption_surface
from riskpipe.importers.ore.trades.trade import Trade, position, refuse
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date

_SHARED = ("start_date", "maturity_date", "calendar", "business_day_convention")
_RENAMED = {"notional", "notionals", "notional_dates", "fixed_rate", "fixed_rates", "fixed_rate_dates"}
_OF_LEG = {"direction", "leg_type", "currency", "discount_curve", "index", *_SHARED, *_RENAMED}


def swaption(trade: Trade) -> None:
    """SwaptionData: the right to enter a swap of a fixed and a floating leg."""
    data, ore = trade.data, trade.ore
    option = data.child("OptionData")
    refuse(option.get("Style") in ("", "European"), f"swaptions of {option.get('Style')} style are not taken")
    fixed, floating = _two_legs(trade)
    for name in ("start_date", "maturity_date"):
        refuse(fixed[name] == floating[name], f"the {name} of the two legs differs")
    for name, own in (("calendar", "calendar"), ("business_day_convention", "convention")):
        if fixed[name] != floating[name]:
            floating.setdefault(f"accrual_{own}", floating[name])
            floating.setdefault(f"payment_{own}", floating[name])
    refuse(fixed["notional"] == floating["notional"], "the notional of the two legs differs")
    expiry = trade.exercise_date(option)
    by_type = {leg.need("LegType"): leg for leg in data.all("LegData")}
    surface = swaption_surface(ore, str(floating["index"]), expiry, (by_type["Fixed"], by_type["Floating"]))
    settlement = (option.get("Settlement") or "Physical").lower()
    refuse(settlement in ("physical", "cash"), f"swaptions of the settlement {settlement} are not taken")
    columns = {f"fixed_{k}": v for k, v in fixed.items() if k not in _OF_LEG}
    columns |= {f"float_{k}": v for k, v in floating.items() if k not in _OF_LEG}
    trade.add(
        "swaption",
        currency=fixed["currency"],
        index=floating["index"],
        discount_curve=fixed["discount_curve"],
        direction=fixed["direction"],
        float_spread=columns.pop("float_spread", 0.0),
        **{name: fixed[name] for name in _SHARED},
        **{name: value for name, value in fixed.items() if name in _RENAMED and name != "notional"},
        notional=trade.long(option) * float(fixed["notional"]),
        expiry_date=expiry,
        settlement=settlement,
        volatility=surface.name,
        model=surface.model,
        **columns,
    )
    trade.premium(option)


def _two_legs(trade: Trade) -> tuple[Values, Values]:
    capped = any(list(e.children) for leg in trade.data.all("LegData", "FloatingLegData") for _, e in _strikes(leg))
    refuse(not capped, "swaptions on capped or floored legs are not taken")
    legs = [convert_leg(data, trade.ore, trade.turned) for data in trade.data.all("LegData")]
    single = {str(leg[0]["leg_type"]): leg[0] for leg in legs if len(leg) == 1}
    if len(legs) != 2 or single.keys() != {"fixed", "floating"}:
        raise LeftOutError("swaptions but those on one fixed and one floating leg of regular periods are not taken")
    return single["fixed"], single["floating"]


def cap_floor(trade: Trade) -> None:
    """CapFloorData: caps, floors, or, with both, a cap less a floor."""
    data = trade.data
    leg = data.child("LegData")
    refuse(leg.need("LegType") == "Floating", f"caps and floors of legs of the type {leg.get('LegType')} are not taken")
    side = position(data.need("LongShort"))
    found = [(kind, element) for kind, element in _strikes(data) if list(element.children)]
    refuse(bool(found), "neither a cap nor a floor has a strike")
    for kind, element in found:
        part = kind if len(found) > 1 else ""
        sign = -side if kind == "floor" and len(found) > 1 else side
        _options(trade, leg, kind, element, sign, part)
    trade.premium(data)


def coupon_options(trade: Trade, leg: Element) -> None:
    """Caps and floors on the coupons of a leg: who receives it has sold the cap and bought the floor."""
    floating = leg.find("FloatingLegData")
    if floating is None:
        return
    side = -1.0 if codes.flag(leg.get("Payer")) else 1.0
    for kind, element in _strikes(floating):
        if list(element.children):
            _options(trade, leg, kind, element, -side if kind == "cap" else side, kind)


def _strikes(data: Element) -> list[tuple[str, Element]]:
    return [(kind, element) for kind, tag in (("cap", "Caps"), ("floor", "Floors")) for element in data.all(tag)]


def _options(trade: Trade, leg: Element, kind: str, strikes: Element, sign: float, part: str) -> None:
    terms = coupon_terms(leg)
    if terms.columns is None:
        raise LeftOutError("caps and floors whose schedule riskpipe's columns do not make are not taken")
    floating = leg.child("FloatingLegData")
    index = index_of(floating.need("Index"))
    refuse(not index.overnight, "caps and floors on overnight rates are not taken")
    refuse_other_fixing_days(floating, index)
    starts = terms.dates.dates[:-1]
    notionals = set(terms.notionals)
    refuse(steps(floating.find("Gearings"), "Gearing", 1.0).values == (1.0,), "options on geared rates are not taken")
    levels = set(steps(strikes, kind.capitalize()).at(starts))
    spreads = set(steps(floating.find("Spreads"), "Spread", 0.0).at(starts))
    refuse(len(notionals) == len(levels) == len(spreads) == 1, "caps and floors whose terms change are not taken")
    fixings: list[date] = [a_day(number(fixing_date(to_date(int(day)), index))) for day in terms.dates.days[:-1]]
    strike = levels.pop() - spreads.pop()
    surface = cap_surface(trade.ore, index.name, fixings, [strike])
    currency = leg.need("Currency")
    columns = dict(terms.columns)
    convention = columns.pop("business_day_convention")
    if convention != "modified_following":
        columns.setdefault("accrual_convention", convention)
    trade.add(
        "cap_floor",
        part,
        currency=currency,
        index=trade.ore.index(index.name),
        discount_curve=trade.ore.discount_curve(currency),
        notional=sign * notionals.pop(),
        option_type=kind,
        strike=strike,
        day_count=terms.day_count,
        volatility=surface.name,
        model=surface.model,
        **columns,
    )
