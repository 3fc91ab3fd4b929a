"""ORE's legs as legs of the product `swap`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise

import numpy as np
import QuantLib as ql  # noqa: N813

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.inflation_leg_data import indexed_leg, year_on_year_leg
from riskpipe.importers.ore.leg_terms import (
    Terms,
    common_columns,
    coupon_terms,
    exchange_columns,
    notional_columns,
    reset_terms,
    stepped_columns,
    steps,
)
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, a_day, fractions, market, number, numbers
from riskpipe.importers.ore.shifted_fixings import shifted_index
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date

LISTED = "a leg whose schedule riskpipe's columns do not make has its coupons one by one"


def convert_leg(data: Element, ore: OreMarket, turned: list[str]) -> list[Values]:
    """One leg of ORE as one, or, where its coupons must be listed, as several."""
    makers = {
        "Fixed": _fixed,
        "Floating": _floating,
        "Cashflow": _cashflows,
        "CPI": indexed_leg,
        "YY": year_on_year_leg,
    }
    kind = data.need("LegType")
    if kind not in makers:
        raise LeftOutError(f"legs of the type {kind} are not taken")
    return list(makers[kind](data, ore, turned))


def _fixed(data: Element, ore: OreMarket, turned: list[str]) -> Iterator[Values]:
    terms = reset_terms(data, coupon_terms(data), ore, turned)
    starts = terms.dates.dates[:-1]
    rates = steps(data.find("FixedLegData", "Rates"), "Rate").at(starts)
    common = common_columns(data, ore)
    if terms.columns is not None:
        yield {
            **common,
            "leg_type": "fixed",
            **notional_columns(terms, starts),
            **stepped_columns(rates, starts, "fixed_rate", "fixed_rates", "fixed_rate_dates"),
            **terms.columns,
            "day_count": terms.day_count,
            **exchange_columns(terms),
        }
        return
    _refuse_reset(terms)
    turned.append(LISTED)
    taus = fractions(terms.dates.days[:-1], terms.dates.days[1:], terms.day_count)
    amounts = (np.array(terms.notionals) * np.array(rates) * taus).tolist()
    yield _known(common, [*zip(amounts, terms.payment, strict=True), *_exchanged(terms)])


def _refuse_reset(terms: Terms) -> None:
    if terms.reset:
        raise LeftOutError("a leg that resets and whose schedule riskpipe's columns do not make")


def _exchanged(terms: Terms) -> Iterator[tuple[float, date]]:
    """Notionals that change hands, as the leg's amounts."""
    dates = terms.dates.dates
    if terms.initial:
        yield -terms.notionals[0], dates[0]
    if terms.interim:
        for k in range(1, len(terms.notionals)):
            if terms.notionals[k] != terms.notionals[k - 1]:
                yield terms.notionals[k - 1] - terms.notionals[k], terms.payment[k - 1]
    if terms.final:
        yield terms.notionals[-1], terms.payment[-1]


def _known(common: Values, flows: list[tuple[float, date]]) -> Values:
    return {
        **common,
        "leg_type": "cashflows",
        "amounts": [amount for amount, _ in flows],
        "amount_dates": [day for _, day in flows],
    }


_UNKNOWN = {
    "Lookback": "a lookback",
    "IncludeSpread": "spreads that compound",
    "HasSubPeriods": "coupons of sub-periods",
    "LocalCapFloor": "local caps",
    "LastRecentPeriod": "a last recent period",
    "FixingSchedule": "a fixing schedule",
    "ResetSchedule": "a reset schedule",
}


def is_naked(data: Element) -> bool:
    """Whether a leg is the options on its coupons alone."""
    return codes.flag(data.get("FloatingLegData", "NakedOption"))


def _refuse_unknown(floating: Element) -> None:
    for tag, what in _UNKNOWN.items():
        found = floating.find(tag)
        if found is None:
            continue
        text = found.text.strip()
        if found.children or (text and text.lower() not in ("false", "n", "no", "0", "0d")):
            raise LeftOutError(f"floating legs with {what} are not taken")


def _floating(data: Element, ore: OreMarket, turned: list[str]) -> Iterator[Values]:
    terms = reset_terms(data, coupon_terms(data), ore, turned)
    floating = data.child("FloatingLegData")
    _refuse_unknown(floating)
    index, overnight = _index(floating, ore, terms), ore.overnight(floating.need("Index"))
    starts = terms.dates.dates[:-1]
    spreads = steps(floating.find("Spreads"), "Spread", 0.0).at(starts)
    gearings = set(steps(floating.find("Gearings"), "Gearing", 1.0).at(starts))
    if len(gearings) > 1:
        raise LeftOutError("gearings that change are not taken")
    if codes.flag(floating.get("IsInArrears")) and not overnight:
        raise LeftOutError("term rates that are fixed in arrears are not taken")
    common = {**common_columns(data, ore), "leg_type": "floating", "index": index, "day_count": terms.day_count}
    if overnight:
        common |= _overnight(floating)
        if "averaging" in common:
            turned.append("daily rates are averaged one by one; ORE takes the logarithm of their growth")
    gearing = gearings.pop()
    if gearing != 1.0:
        common["gearing"] = gearing
    if overnight and floating.get("IsInArrears") and not codes.flag(floating.get("IsInArrears")):
        yield from _in_advance(data, common, terms, spreads, turned)
        return
    if terms.columns is not None:
        yield {
            **common,
            **notional_columns(terms, starts),
            **stepped_columns(spreads, starts, "spread", "spreads", "spread_dates"),
            **terms.columns,
            **exchange_columns(terms),
        }
        return
    if terms.payment != terms.dates.dates[1:]:
        raise LeftOutError("floating coupons that are paid after the end of their period are not taken")
    _refuse_reset(terms)
    turned.append(LISTED)
    yield from _period_by_period(common, terms, spreads)
    flows = list(_exchanged(terms))
    if flows:
        yield _known({key: common[key] for key in ("direction", "currency", "discount_curve")}, flows)


def _overnight(floating: Element) -> Values:
    """How daily rates make a coupon."""
    cutoff, back = floating.get("RateCutoff"), floating.get("FixingDays")
    found: Values = {"averaging": "averaged"} if codes.flag(floating.get("IsAveraged")) else {}
    if back and int(back):
        found["lookback"] = float(back)
    return {**found, "lockout": float(cutoff)} if cutoff and int(cutoff) else found


def _period_by_period(common: Values, terms: Terms, spreads: list[float]) -> Iterator[Values]:
    dates = terms.dates.dates
    for k, (start, end) in enumerate(pairwise(dates)):
        yield {
            **common,
            "notional": terms.notionals[k],
            "spread": spreads[k],
            "start_date": start,
            "maturity_date": end,
            "frequency": "1T",
            "calendar": "every_day",
            "business_day_convention": "unadjusted",
        }


def _in_advance(
    data: Element, common: Values, terms: Terms, spreads: list[float], turned: list[str]
) -> Iterator[Values]:
    """Coupons whose overnight rate is that of the period before: each looks back by the business days of its period.

    With an observation shift the rate's days are those from the start of one period before to the coupon's start, if
    the leg begins so many business days after the former; the notional makes up for the other length.
    """
    if terms.reset or terms.initial or terms.interim or terms.final:
        raise LeftOutError("overnight rates of the period before, on notionals that change hands, are not taken")
    if "lookback" in common or "lockout" in common:
        raise LeftOutError("overnight rates of the period before, with fixing days or a cut-off, are not taken")
    tenor = codes.period(data.child("ScheduleData", "Rules").need("Tenor"))
    index, days = index_of(str(common["index"])), terms.dates.days
    place = market(index.calendar)
    before = place.adjust(to_date(int(days[0])) - tenor, CONVENTIONS["modified_following"])
    dates = [before, *(to_date(int(day)) for day in days)]
    turned.append("an overnight leg that is fixed in advance has its coupons one by one, looking back by a period")
    for k, (first, start, end) in enumerate(zip(dates, dates[1:], dates[2:], strict=False)):
        back = place.businessDaysBetween(start, end)
        begins = place.advance(first, back, ql.Days)
        if place.advance(end, -back, ql.Days) != start or place.advance(begins, -back, ql.Days) != first:
            raise LeftOutError("overnight rates of a period before that begins on a holiday are not taken")
        lengths = fractions(numbers([start, begins]), numbers([end, end]), terms.day_count)
        yield {
            **common,
            "notional": terms.notionals[k] * float(lengths[0] / lengths[1]),
            "spread": spreads[k],
            "start_date": a_day(number(begins)),
            "maturity_date": terms.dates.dates[k + 1],
            "lookback": float(back),
            "observation_shift": True,
            "frequency": "1T",
            "calendar": "every_day",
            "business_day_convention": "unadjusted",
            "payment_lag": float((terms.payment[k] - terms.dates.dates[k + 1]).days) or None,
        }


def _index(floating: Element, ore: OreMarket, terms: Terms) -> str:
    """The leg's index, or one of its own where it is fixed on other days."""
    name, days = ore.index(floating.need("Index")), floating.get("FixingDays")
    if not days or ore.overnight(name) or int(days) == ore.fixing_days(name):
        return name
    return shifted_index(ore, name, int(days), terms)


def _cashflows(data: Element, ore: OreMarket, _: list[str]) -> Iterator[Values]:
    flows = [
        (codes.number(child.text.strip()), codes.a_date(child.attributes.get("date", "")))
        for child in data.all("CashflowData", "Cashflow", "Amount")
    ]
    if not flows:
        raise LeftOutError("a leg of cash flows without amounts")
    yield _known(common_columns(data, ore), flows)
