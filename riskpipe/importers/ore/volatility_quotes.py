"""ORE's volatilities of exchange rates and equities as points of surfaces."""

from __future__ import annotations

from functools import partial

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import a_day, market, number
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date


def fx_pair(ore: OreMarket, base: str, quoted: str) -> str:
    """The pair, of these two currencies in either order, whose surface today's market has; its surface is in the book.

    :raises LeftOutError: it has neither.
    """
    for pair in (base + quoted, quoted + base):
        if ore.todays.find("FxVolatilities", pair):
            return ore.once("surface", pair, ore.todays.place("FxVolatilities", pair), partial(_fx, ore, pair))
    raise LeftOutError(f"today's market has no FxVolatility {base + quoted}")


def _fx(ore: OreMarket, pair: str) -> str:
    element = ore.configurations.get("FXVolatilities", ore.todays.curve("FxVolatilities", pair))
    refuse_other_clocks(element)
    if element.get("Dimension") not in ("", "ATM"):
        raise LeftOutError(f"FX volatilities of the dimension {element.get('Dimension')} are not taken")
    prefix = f"FX_OPTION/RATE_LNVOL/{pair[:3]}/{pair[3:]}"
    for line in _at_the_money(ore, element, prefix, ("ATM",)):
        tenor = expiry_tenor(ore, line.parts[4])
        ore.book.point("fx_vol", pair, line.value, tenor, "atm", currency=pair[3:], tenor=tenor, strike_type="atm")
    ore.report.taken("surface", pair, element.place)
    return pair


def equity_surface(ore: OreMarket, name: str, currency: str) -> str:
    """The surface of an equity."""
    place = ore.todays.place("EquityVolatilities", name)
    return ore.once("surface", name, place, lambda: _equity(ore, name, currency))


def _equity(ore: OreMarket, name: str, currency: str) -> str:
    element = ore.configurations.get("EquityVolatilities", ore.todays.curve("EquityVolatilities", name))
    refuse_other_clocks(element)
    dimension = element.get("Dimension")
    curve_id = element.get("CurveId")
    prefix = f"EQUITY_OPTION/RATE_LNVOL/{curve_id}/{element.get('Currency') or currency}"
    if dimension in ("", "ATM"):
        for line in _at_the_money(ore, element, prefix, ("ATMF", "ATM", "ATM/AtmFwd")):
            tenor = expiry_tenor(ore, line.parts[4])
            ore.book.point(
                "black_vol", name, line.value, tenor, "atm", currency=currency, tenor=tenor, strike_type="atm"
            )
    elif dimension == "Smile" and element.find("VolatilityConfig") is None:
        for line in _by_strike(ore, element, prefix):
            tenor, strike = expiry_tenor(ore, line.parts[4]), codes.number(line.parts[5])
            ore.book.point(
                "black_vol",
                name,
                line.value,
                tenor,
                f"{strike:g}",
                currency=currency,
                tenor=tenor,
                strike=strike,
                strike_type="absolute",
            )
    else:
        raise LeftOutError("equity volatilities of this configuration are not taken")
    ore.report.taken("surface", name, element.place)
    return name


def refuse_other_clocks(element: Element) -> None:
    """:raises LeftOutError: its time is not ACT/365F."""
    if element.get("DayCounter") and codes.day_count(element.get("DayCounter")) != "ACT/365F":
        raise LeftOutError(f"volatilities by {element.get('DayCounter')}, riskpipe's are by ACT/365F")


def _expiries(element: Element) -> list[str]:
    return [part.strip() for part in element.get("Expiries").split(",") if part.strip()]


def _at_the_money(ore: OreMarket, element: Element, prefix: str, endings: tuple[str, ...]) -> list[Line]:
    found = []
    for expiry in _expiries(element):
        if expiry == "*":
            found += [line for ending in endings for line in ore.quotes.matching(f"{prefix}/*/{ending}")]
            continue
        lines = [ore.quotes.find(f"{prefix}/{expiry}/{ending}") for ending in endings]
        line = next((line for line in lines if line is not None), None)
        if line is None:
            raise LeftOutError(f"there is no quote {prefix}/{expiry}/{endings[0]}")
        found.append(line)
    if not found:
        raise LeftOutError(f"there are no quotes {prefix}/*/{endings[0]}")
    return found


def _by_strike(ore: OreMarket, element: Element, prefix: str) -> list[Line]:
    strikes = [part.strip() for part in element.get("Strikes").split(",") if part.strip()]
    expiries = _expiries(element)
    if "*" in strikes or "*" in expiries:
        raise LeftOutError("smiles by any strike that is quoted are not taken")
    return [ore.quotes.get(f"{prefix}/{expiry}/{strike}") for expiry in expiries for strike in strikes]


def expiry_tenor(ore: OreMarket, text: str) -> str:
    """A point's tenor: the day itself, on which ORE has an expiry: a weekday."""
    if codes.is_period(text):
        return a_day(number(market("weekends").adjust(to_date(ore.as_of) + codes.period(text)))).isoformat()
    return codes.a_date(text).isoformat()
