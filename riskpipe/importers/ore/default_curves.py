"""ORE's default curves as hazard rates and recoveries."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.growing_curves import Days
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, a_day, fractions, market, number
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, TIME, to_date, valued_at
from riskpipe.market.factors import days_of

_RULES: Final = {
    "CDS": ql.DateGeneration.CDS,
    "CDS2015": ql.DateGeneration.CDS2015,
}


def default_curve(ore: OreMarket, name: str, recovery: float | None = None) -> str:
    """The name of a hazard rate curve.

    :param recovery: another one than the curve's own, for a curve of its own name.
    """
    place = ore.todays.place("DefaultCurves", name)
    base = ore.once("credit curve", name, place, lambda: _curve(ore, name))
    if recovery is None or recovery == ore.book.points[f"recovery:{base}"]["value"]:
        return base
    special = f"{base}.R{recovery:g}"
    if f"recovery:{special}" not in ore.book.points:
        for point in [p for p in ore.book.points.values() if p["kind"] == "hazard_rate" and p["name"] == base]:
            tenor = str(point["tenor"])
            ore.book.point("hazard_rate", special, point["value"], tenor, currency=point["currency"], tenor=tenor)
        ore.book.point("recovery", special, recovery)
        ore.book.convention("curves", special, extrapolation="flat_forward")
        ore.report.turned("credit curve", special, place, f"{base} with another recovery")
    return special


def _curve(ore: OreMarket, name: str) -> str:
    element = ore.configurations.get("DefaultCurves", ore.todays.curve("DefaultCurves", name))
    currency = element.need("Currency")
    chosen = element.find("Configurations", "Configuration") or element
    kind = chosen.need("Type")
    makers = {"HazardRate": _hazard_rates, "SpreadCDS": _spreads}
    if kind not in makers:
        raise LeftOutError(f"default curves of the type {kind} are not taken")
    lines = _lines(ore, chosen)
    recovery = ore.quotes.get(chosen.need("RecoveryRate")).value if chosen.get("RecoveryRate") else 0.0
    days, rates = makers[kind](ore, chosen, lines, recovery)
    own = name.replace(":", ".")
    for day, rate in zip(days.tolist(), rates.tolist(), strict=True):
        tenor = a_day(day).isoformat()
        ore.book.point("hazard_rate", own, rate, tenor, currency=currency, tenor=tenor)
    ore.book.point("recovery", own, recovery)
    ore.book.convention("curves", own, extrapolation="flat_forward" if len(days) > 1 else None)
    ore.report.turned("credit curve", name, element.place, "its quotes became hazard rates")
    return own


def _lines(ore: OreMarket, element: Element) -> list[Line]:
    found: list[Line] = []
    for quote in element.all("Quotes", "Quote"):
        name = quote.text.strip()
        found += ore.quotes.matching(name) if "*" in name else [ore.quotes.get(name)]
    if not found:
        raise LeftOutError("none of its quotes is there")
    return found


def _hazard_rates(ore: OreMarket, element: Element, lines: list[Line], _: float) -> tuple[Days, FloatArray]:
    """HAZARD_RATE quotes hold from the term before up to theirs; riskpipe's are averages from today."""
    day_count = codes.day_count(element.need("DayCounter"))
    ends = {number(to_date(ore.as_of) + codes.period(line.parts[-1])): line.value for line in lines}
    days = np.array([day for day in sorted(ends) if day > ore.as_of], np.int64)
    if not len(days):
        raise LeftOutError("none of its quotes is after today")
    starts = np.concatenate(([ore.as_of], days[:-1]))
    taus = fractions(starts, days, day_count)
    logs = np.cumsum(np.array([ends[int(day)] for day in days]) * taus)
    return days, np.asarray(logs / (days - ore.as_of) * 365.0)


def _spreads(ore: OreMarket, element: Element, lines: list[Line], recovery: float) -> tuple[Days, FloatArray]:
    """CDS quotes, by QuantLib's bootstrap with the engine that ORE has, a default paid mid-period."""
    with valued_at(ore.as_of):
        helpers = [each for each in _helpers(ore, element, lines, recovery) if number(each.latestDate()) > ore.as_of]
        if not helpers:
            raise LeftOutError("none of its quotes is after today")
        curve = ql.PiecewiseFlatHazardRate(to_date(ore.as_of), helpers, TIME)
        days = np.array(sorted(number(helper.latestDate()) for helper in helpers), np.int64)
        try:
            survival = np.array([curve.survivalProbability(to_date(int(day))) for day in days])
        except RuntimeError as error:
            raise LeftOutError(f"no hazard rates reprice its quotes: {error}") from None
    return days, np.asarray(-np.log(survival) / (days - ore.as_of) * 365.0)


def _helpers(ore: OreMarket, element: Element, lines: list[Line], recovery: float) -> list[Any]:
    """Traded today, whatever the day on which protection begins: so much accrued premium is rebated."""
    convention = ore.conventions.get(element.need("Conventions"), "CDS")
    found = ore.curves.get(element.need("DiscountCurve").rpartition("/")[2])
    discount = ql.YieldTermStructureHandle(found.curve.quantlib())
    rule = _RULES.get(convention.need("Rule"))
    if rule is None:
        raise LeftOutError(f"curves of credit default swaps by the rule {convention.get('Rule')} are not taken")
    day_count = codes.day_count(convention.need("DayCounter"))
    start = element.get("StartDate")
    return [
        ql.SpreadCdsHelper(
            line.value,
            codes.period(line.parts[-1]),
            int(convention.get("SettlementDays") or 0),
            market(codes.calendar(convention.need("Calendar"))),
            ql.Quarterly,
            CONVENTIONS[codes.convention(convention.need("PaymentConvention"))],
            rule,
            DAY_COUNTERS[day_count],
            recovery,
            discount,
            codes.flag(convention.get("SettlesAccrual"), True),
            codes.flag(convention.get("PaysAtDefaultTime"), True),
            to_date(days_of(codes.a_date(start))) if start else ql.Date(),
            ql.Actual360(True) if day_count == "ACT/360" else DAY_COUNTERS[day_count],
            True,
            ql.CreditDefaultSwap.Midpoint,
            to_date(ore.as_of),
        )
        for line in lines
    ]
