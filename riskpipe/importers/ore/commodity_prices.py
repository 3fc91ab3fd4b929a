"""ORE's commodity curves and volatilities as forward prices, prices of contracts and surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, Days, a_day, market, number
from riskpipe.importers.ore.volatility_quotes import expiry_tenor, refuse_other_clocks
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.factors import days_of

_YEAR: Final = 365.0


def forwards(ore: OreMarket, name: str, currency: str, *days: date) -> str:
    """The name of a commodity whose forward prices are ORE's on these days."""
    place = ore.todays.place("CommodityCurves", name)
    ore.once("commodity", name, place, partial(_forwards, ore, name, currency))
    curve = _curve(ore, name)
    for day in days:
        tenor = day.isoformat()
        ore.book.point("forward_price", name, curve.price(days_of(day)), tenor, currency=currency, tenor=tenor)
    return name


def contracts(ore: OreMarket, name: str, currency: str, first: int, last: int) -> str:
    """The name of the futures contracts on a commodity, which are the prompt ones from one day to another."""
    own = f"{name}.FUTURES"
    place = ore.todays.place("CommodityCurves", name)
    ore.once("commodity", own, place, partial(_contracts, ore, name, own))
    curve = _curve(ore, name)
    for day in _expiries(ore, name, first, last):
        tenor = a_day(day).isoformat()
        ore.book.point("forward_price", own, curve.price(day), tenor, currency=currency, tenor=tenor)
    return own


def future_calendar(ore: OreMarket, name: str) -> str:
    """Of the days on which a commodity's contracts are priced."""
    return codes.calendar(_future(ore, name).need("Calendar"))


class _Curve(Struct, frozen=True):
    """Prices linear in time between the days of quotes.

    :param days: int64[n], ascending; `prices` float64[n].
    """

    days: Days
    prices: FloatArray

    def price(self, day: int) -> float:
        if not self.days[0] <= day <= self.days[-1]:
            raise LeftOutError(f"its price of {a_day(day)} is beyond the curve's quotes")
        return float(np.interp(day, self.days, self.prices))


def _curve(ore: OreMarket, name: str) -> _Curve:
    element = ore.configurations.get("CommodityCurves", ore.todays.curve("CommodityCurves", name))
    method = element.get("InterpolationMethod") or "Linear"
    if element.find("BasisConfiguration") is not None or element.find("PriceSegments") is not None:
        raise LeftOutError("commodity curves over another one, or of segments, are not taken")
    if method != "Linear":
        raise LeftOutError(f"commodity curves interpolated by {method} are not taken")
    found: dict[int, float] = {}
    if element.get("SpotQuote"):
        found[ore.as_of] = ore.quotes.get(element.get("SpotQuote")).value
    for quote in element.all("Quotes", "Quote"):
        text = quote.text.strip()
        for line in ore.quotes.matching(text) if "*" in text else [ore.quotes.get(text)]:
            if codes.is_period(line.parts[-1]):
                raise LeftOutError("commodity prices that are quoted by a term are not taken")
            found[days_of(codes.a_date(line.parts[-1]))] = line.value
    days = sorted(day for day in found if day >= ore.as_of)
    if not days:
        raise LeftOutError("none of its quotes is after today")
    return _Curve(np.array(days, np.int64), np.array([found[day] for day in days]))


def _forwards(ore: OreMarket, name: str, currency: str) -> str:
    curve = _curve(ore, name)
    for day, price in zip(curve.days.tolist(), curve.prices.tolist(), strict=True):
        if day > ore.as_of:
            tenor = a_day(day).isoformat()
            ore.book.point("forward_price", name, price, tenor, currency=currency, tenor=tenor)
    ore.report.turned("commodity", name, "", "it has prices on the dates of trades, too")
    return name


def _contracts(ore: OreMarket, name: str, own: str) -> str:
    ore.book.convention("commodities", own, curve="contracts", calendar=future_calendar(ore, name))
    ore.report.turned("commodity", own, "", "prices of contracts on their expiries, which ORE reads off its curve")
    return own


def _future(ore: OreMarket, name: str) -> Element:
    return ore.conventions.get(name, "CommodityFuture")


def _expiries(ore: OreMarket, name: str, first: int, last: int) -> list[int]:
    """Of the contracts from the first one that expires on or after a day to that of another day."""
    future = _future(ore, name)
    anchor = future.get("AnchorDay", "DayOfMonth")
    if not anchor or future.need("ContractFrequency") != "Monthly" or codes.flag(future.get("IsAveraging")):
        raise LeftOutError("contracts but monthly ones that expire by a day of the month are not taken")
    for tag in ("ProhibitedExpiries", "ValidContractMonths"):
        found = future.find(tag)
        if found is not None and found.children:
            raise LeftOutError(f"contracts with {tag} are not taken")
    place = market(codes.calendar(future.get("ExpiryCalendar") or future.need("Calendar")))
    lag, offset = int(future.get("ExpiryMonthLag") or 0), int(future.get("OffsetDays") or 0)
    rule = CONVENTIONS[codes.convention(future.get("BusinessDayConvention"), "preceding")]
    if not codes.flag(future.get("AdjustBeforeOffset"), True):
        raise LeftOutError("contracts whose expiry is adjusted after its offset are not taken")
    expiries: list[int] = []
    month = ql.Date(1, to_date(first).month(), to_date(first).year()) - ql.Period(1, ql.Months)
    while not expiries or expiries[-1] < last:
        anchored = month - ql.Period(lag, ql.Months)
        day = min(int(anchor), ql.Date.endOfMonth(anchored).dayOfMonth())
        expiry = place.adjust(ql.Date(day, anchored.month(), anchored.year()), rule)
        found_day = number(place.advance(expiry, -offset, ql.Days, rule) if offset else expiry)
        if found_day >= first:
            expiries.append(found_day)
        month = month + ql.Period(1, ql.Months)
    return expiries


# --- volatilities ---
def surface(ore: OreMarket, name: str, currency: str, strikes: Sequence[float]) -> None:
    """The surface of a commodity, with points on a trade's strikes, between which ORE's variances are linear."""
    element = ore.configurations.get("CommodityVolatilities", ore.todays.curve("CommodityVolatilities", name))
    refuse_other_clocks(element)
    place = ore.todays.place("CommodityVolatilities", name)
    if (quoted := element.find("StrikeSurface")) is not None:
        rows = _by_strike(ore, element, quoted)
        for tenor, (known, values) in rows.items():
            for strike in sorted({*known.tolist(), *strikes}):
                value = float(np.sqrt(np.interp(strike, known, values**2)))
                columns = {"tenor": tenor, "strike": strike, "strike_type": "absolute", "currency": currency}
                ore.book.point("black_vol", name, value, tenor, f"{strike:.12g}", **columns)
    elif (quoted := element.find("Curve")) is not None:
        for quote in quoted.all("Quotes", "Quote"):
            line = ore.quotes.get(quote.text.strip())
            tenor = expiry_tenor(ore, line.parts[4])
            columns = {"tenor": tenor, "strike_type": "atm", "currency": currency}
            ore.book.point("black_vol", name, line.value, tenor, "atm", **columns)
    else:
        raise LeftOutError("commodity volatilities of this configuration are not taken")
    ore.once("surface", name, place, partial(_told, ore, name, place))


def _told(ore: OreMarket, name: str, place: str) -> str:
    ore.report.turned("surface", name, place, "it has points on the strikes of trades, too")
    return name


def _by_strike(ore: OreMarket, element: Element, quoted: Element) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Strikes and volatilities by expiry."""
    methods = {quoted.get(tag) or "Linear" for tag in ("TimeInterpolation", "StrikeInterpolation")}
    beyond = {quoted.get(tag) or "Flat" for tag in ("TimeExtrapolation", "StrikeExtrapolation")}
    if methods != {"Linear"} or beyond != {"Flat"}:
        raise LeftOutError("commodity volatilities but linear ones, flat beyond their ends, are not taken")
    strikes, expiries = ([part.strip() for part in quoted.need(tag).split(",")] for tag in ("Strikes", "Expiries"))
    if "*" in strikes or "*" in expiries:
        raise LeftOutError("smiles by any strike that is quoted are not taken")
    prefix = f"COMMODITY_OPTION/RATE_LNVOL/{element.need('CurveId')}/{element.need('Currency')}"
    known = np.array([codes.number(strike) for strike in strikes])
    return {
        expiry_tenor(ore, expiry): (
            known,
            np.array([ore.quotes.get(f"{prefix}/{expiry}/{strike}").value for strike in strikes]),
        )
        for expiry in expiries
    }
