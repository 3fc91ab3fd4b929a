"""Forwards, swaps and options on exchange rates."""

from __future__ import annotations

from datetime import date

import numpy as np

from riskpipe.importers.book import Values
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.cross_currency import spot_date
from riskpipe.importers.ore.quoted_dates import a_day, number
from riskpipe.importers.ore.trades.trade import Trade, option_type, refuse
from riskpipe.importers.ore.volatility_quotes import fx_pair
from riskpipe.market.factors import days_of


def forward(trade: Trade) -> None:
    """FxForwardData: delivered, or settled in cash in the sold currency unless told otherwise."""
    data = trade.data
    bought, sold = data.need("BoughtCurrency"), data.need("SoldCurrency")
    pair_of(trade, bought, sold)
    day = codes.a_date(data.need("ValueDate"))
    common: Values = {
        "buy_currency": bought,
        "buy_amount": codes.number(data.need("BoughtAmount")),
        "sell_currency": sold,
        "sell_amount": codes.number(data.need("SoldAmount")),
    }
    if data.get("Settlement") in ("", "Physical"):
        trade.add("fx_forward", **common, delivery_date=_open_day(trade, day, bought, sold))
        return
    paid = data.get("SettlementData", "Date")
    refuse(not paid or codes.a_date(paid) == day, "forwards that are not paid on their value date are not taken")
    currency = data.get("SettlementData", "Currency") or sold
    trade.add("ndf", **common, settlement_currency=currency, fixing_date=day, delivery_date=day)


def swap(trade: Trade) -> None:
    """FxSwapData."""
    data = trade.data
    refuse(data.get("Settlement") in ("", "Physical"), "FX swaps that are settled in cash are not taken")
    bought, sold = data.need("NearBoughtCurrency"), data.need("NearSoldCurrency")
    pair_of(trade, bought, sold)
    trade.add(
        "fx_swap",
        buy_currency=bought,
        sell_currency=sold,
        near_buy_amount=codes.number(data.need("NearBoughtAmount")),
        near_sell_amount=codes.number(data.need("NearSoldAmount")),
        far_buy_amount=codes.number(data.need("FarBoughtAmount")),
        far_sell_amount=codes.number(data.need("FarSoldAmount")),
        near_date=_open_day(trade, codes.a_date(data.need("NearDate")), bought, sold),
        far_date=_open_day(trade, codes.a_date(data.need("FarDate")), bought, sold),
    )


def option(trade: Trade) -> None:
    """FxOptionData: the bought currency against the sold one; a put sells the bought one."""
    data = trade.data
    terms = data.child("OptionData")
    refuse(terms.get("Style") in ("", "European"), f"FX options of {terms.get('Style')} style are not taken")
    bought, sold = data.need("BoughtCurrency"), data.need("SoldCurrency")
    pair_of(trade, bought, sold)
    amounts = {bought: codes.number(data.need("BoughtAmount")), sold: codes.number(data.need("SoldAmount"))}
    kind, expiry = option_type(terms), trade.exercise_date(terms)
    pair = fx_pair(trade.ore, bought, sold)
    if pair != bought + sold:
        kind = "put" if kind == "call" else "call"
        trade.turned.append(f"it is written on {pair}, whose surface today's market has")
    delivered, factor = _delivery(trade, expiry, bought, sold)
    trade.add(
        "fx_option",
        pair=pair,
        option_type=kind,
        strike=amounts[pair[3:]] / amounts[pair[:3]],
        notional=trade.long(terms) * amounts[pair[:3]] * factor,
        expiry_date=expiry,
        delivery_date=delivered,
    )
    trade.premium(terms)


def pair_of(trade: Trade, one: str, other: str) -> None:
    """What FX products ask of the market."""
    trade.ore.spot(one, other)
    for currency in (one, other):
        trade.ore.discount_curve(currency)


def _open_day(trade: Trade, day: date, one: str, other: str) -> date:
    """ORE exchanges so many business days after the value date as the pair's spot is away."""
    paid = a_day(number(spot_date(trade.ore.conventions, (one, other), days_of(day), lag=0)))
    if paid != day:
        trade.turned.append(f"ORE exchanges on {paid}, not on {day}: the spot days of its FX conventions are added")
    return paid


def _delivery(trade: Trade, expiry: date, bought: str, sold: str) -> tuple[date, float]:
    """When an option is delivered, and what its notional is multiplied with.

    Where the pair has spot days, ORE takes the forward of the expiry's spot day and discounts the sold currency from
    the expiry.
    """
    ore = trade.ore
    if number(spot_date(ore.conventions, (bought, sold), ore.as_of, lag=0)) == ore.as_of:
        return expiry, 1.0
    delivered = number(spot_date(ore.conventions, (bought, sold), days_of(expiry), lag=0))
    curve = ore.curves.get(ore.todays.curve("DiscountingCurves", sold)).curve
    early, late = curve.discount(np.array([days_of(expiry), delivered])).tolist()
    reason = (
        f"it is delivered on {a_day(delivered)}; ORE discounts from the expiry: its notional times {early / late:.6f}"
    )
    trade.turned.append(reason)
    return a_day(delivered), early / late


def at_one_date(trade: Trade, one: str, other: str) -> None:
    """:raises LeftOutError: the pair has spot days, which ORE takes into the forward alone."""
    ore = trade.ore
    now = number(spot_date(ore.conventions, (one, other), ore.as_of, lag=0)) == ore.as_of
    refuse(now, f"barriers and touches of {one}{other}, which has spot days, are not taken")
