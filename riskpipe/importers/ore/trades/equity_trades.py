"""Forwards and options on equities."""

from __future__ import annotations

from typing import Final

from riskpipe.importers.ore import codes
from riskpipe.importers.ore.equities import equity, projected_growth
from riskpipe.importers.ore.trades.fx_barrier_trades import barrier, never_watched
from riskpipe.importers.ore.trades.trade import Trade, option_type, position, refuse
from riskpipe.importers.ore.volatility_quotes import equity_surface
from riskpipe.importers.ore.xml import Element

_SAME: Final = 1e-12


def forward(trade: Trade) -> None:
    """EquityForwardData."""
    data = trade.data
    currency, maturity = data.need("Currency"), codes.a_date(data.need("Maturity"))
    refuse(data.get("StrikeCurrency") in ("", currency), "a strike in another currency is not taken")
    trade.add(
        "equity_forward",
        underlying=equity(trade.ore, underlying(data), currency, maturity),
        currency=currency,
        quantity=position(data.need("LongShort")) * codes.number(data.need("Quantity")),
        strike=codes.number(data.need("Strike")),
        expiry_date=maturity,
    )


def option(trade: Trade) -> None:
    """EquityOptionData."""
    data = trade.data
    terms, currency, name = data.child("OptionData"), data.need("Currency"), underlying(data)
    style = terms.get("Style") or "European"
    refuse(style in ("European", "American"), f"equity options of {style} style are not taken")
    expiry = trade.exercise_date(terms)
    refuse(data.get("StrikeCurrency") in ("", currency), "a strike in another currency is not taken")
    trade.add(
        "equity_option",
        underlying=equity_surface(trade.ore, equity(trade.ore, name, currency, expiry), currency),
        currency=currency,
        quantity=trade.long(terms) * codes.number(data.need("Quantity")),
        option_type=option_type(terms),
        strike=strike(data),
        expiry_date=expiry,
        exercise=style.lower(),
    )
    trade.premium(terms)


def barrier_option(trade: Trade) -> None:
    """EquityBarrierOptionData: one barrier, watched all the time."""
    data = trade.data
    terms, currency, name = data.child("OptionData"), data.need("Currency"), underlying(data)
    style = terms.get("Style") or "European"
    refuse(style == "European", f"barrier options of {style} style are not taken")
    never_watched(trade)
    expiry, (watched, level) = trade.exercise_date(terms), barrier(data)
    own = equity(trade.ore, name, currency, expiry)
    factor = projected_growth(trade.ore, name, currency, expiry)
    if abs(factor - 1.0) > _SAME:
        trade.turned.append(f"its quantity is times {factor:.6f}: ORE discounts on the curve that projects the equity")
    trade.add(
        "equity_barrier_option",
        underlying=equity_surface(trade.ore, own, currency),
        currency=currency,
        quantity=trade.long(terms) * codes.number(data.need("Quantity")) * factor,
        option_type=option_type(terms),
        strike=strike(data),
        expiry_date=expiry,
        barrier_type=watched,
        barrier=level,
        rebate=codes.number(data.get("BarrierData", "Rebate") or "0"),
    )
    trade.premium(terms)


def underlying(data: Element) -> str:
    """Its name, of either form that ORE has."""
    return data.get("Name") or data.need("Underlying", "Name")


def strike(data: Element) -> float:
    """A number, of either form that ORE has."""
    return codes.number(
        data.get("Strike") or data.get("StrikeData", "Value") or data.need("StrikeData", "StrikePrice", "Value")
    )
