"""Bonds: fixed and floating coupons."""

from __future__ import annotations

from datetime import date

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.default_curves import default_curve
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.leg_terms import Terms, coupon_terms, refuse_other_fixing_days, stepped_columns, steps
from riskpipe.importers.ore.quoted_dates import a_day, fixing_date, number
from riskpipe.importers.ore.rate_volatilities import cap_surface
from riskpipe.importers.ore.trades.trade import Trade, refuse
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date


def bond(trade: Trade) -> None:
    """BondData with its terms, on the reference curve and the security's spread; it accrues over adjusted periods."""
    data = trade.data
    legs = list(data.all("LegData"))
    if len(legs) != 1:
        raise LeftOutError("bonds of several legs, or whose terms are reference data, are not taken")
    leg = legs[0]
    terms = coupon_terms(leg)
    if terms.columns is None or terms.reset:
        raise LeftOutError("bonds whose schedule riskpipe's columns do not make are not taken")
    currency, starts = leg.need("Currency"), terms.dates.dates[:-1]
    columns = dict(terms.columns)
    columns["issue_date"] = columns.pop("start_date")
    convention = columns["business_day_convention"]
    common = {
        "currency": currency,
        "discount_curve": _bond_curve(trade, data, currency),
        "quantity": codes.number(data.get("BondNotional") or "1") * (-1.0 if codes.flag(leg.get("Payer")) else 1.0),
        "day_count": terms.day_count,
        **stepped_columns(terms.notionals, starts, "face", "notionals", "notional_dates"),
        **columns,
        "credit_curve": _credit_curve(trade, data),
    }
    if leg.need("LegType") == "Fixed":
        rates = steps(leg.find("FixedLegData", "Rates"), "Rate").at(starts)
        adjusted = None if convention == "unadjusted" else convention
        coupons = stepped_columns(rates, starts, "coupon", "coupons", "coupon_dates")
        trade.add("bond", **{**common, **coupons, "accrual_convention": adjusted})
        return
    trade.add("floating_rate_note", **{**common, **_floating(trade, leg, terms, starts)})


def _floating(trade: Trade, leg: Element, terms: Terms, starts: list[date]) -> Values:
    """Index, spread, gearing, cap and floor."""
    floating = leg.child("FloatingLegData")
    index = index_of(floating.need("Index"))
    refuse_other_fixing_days(floating, index)
    refuse(not codes.flag(floating.get("IsInArrears")) or index.overnight, "term rates in arrears are not taken")
    spreads = steps(floating.find("Spreads"), "Spread", 0.0).at(starts)
    gearings = set(steps(floating.find("Gearings"), "Gearing", 1.0).at(starts))
    limits: Values = {}
    for name, tag in (("cap", "Caps"), ("floor", "Floors")):
        element = floating.find(tag)
        if element is not None and element.children:
            levels = set(steps(element, name.capitalize()).at(starts))
            refuse(len(levels) == 1, f"a {name} that changes is not taken")
            limits[name] = levels.pop()
    refuse(len(gearings) == 1, "gearings that change are not taken")
    gearing = gearings.pop()
    if limits:
        refuse(not index.overnight, "caps and floors on overnight rates are not taken")
        fixings = [a_day(number(fixing_date(to_date(int(day)), index))) for day in terms.dates.days[:-1]]
        strikes = [(limit - spread) / gearing for limit in limits.values() for spread in set(spreads)]
        surface = cap_surface(trade.ore, index.name, fixings, strikes)
        limits |= {"volatility": surface.name, "model": surface.model}
    return {
        "index": trade.ore.index(index.name),
        **stepped_columns(spreads, starts, "spread", "spreads", "spread_dates"),
        "gearing": gearing if gearing != 1.0 else None,
        **limits,
    }


def _bond_curve(trade: Trade, data: Element, currency: str) -> str:
    """The reference curve and the security's spread on its zero rates."""
    ore = trade.ore
    name = data.get("ReferenceCurveId")
    base = ore.yield_curve(name) if name else ore.discount_curve(currency)
    quote = ore.quotes.find(f"BOND/YIELD_SPREAD/{data.need('SecurityId')}")
    if quote is None or quote.value == 0.0:
        return base
    own = f"{base}+{data.need('SecurityId').replace(':', '.')}"
    curve = ore.built[base]
    for day, zero in zip(curve.days.tolist(), curve.zeros.tolist(), strict=True):
        tenor = a_day(day).isoformat()
        ore.book.point("zero_rate", own, zero + quote.value, tenor, currency=currency, tenor=tenor)
    ore.book.convention("curves", own, extrapolation="flat_forward")
    return own


def _credit_curve(trade: Trade, data: Element) -> str | None:
    if not data.get("CreditCurveId"):
        return None
    quote = trade.ore.quotes.find(f"RECOVERY_RATE/RATE/{data.need('SecurityId')}")
    return default_curve(trade.ore, data.need("CreditCurveId"), quote.value if quote is not None else None)
