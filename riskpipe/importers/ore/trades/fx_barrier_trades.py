"""Options on exchange rates with a barrier, touches and digitals."""

from __future__ import annotations

from typing import Final

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.trades.fx_trades import at_one_date, pair_of
from riskpipe.importers.ore.trades.trade import Trade, option_type, refuse
from riskpipe.importers.ore.volatility_quotes import fx_pair
from riskpipe.importers.ore.xml import Element

_BARRIERS: Final = {"UpAndIn": "up_in", "UpAndOut": "up_out", "DownAndIn": "down_in", "DownAndOut": "down_out"}
_OPPOSITE: Final = {"up_in": "down_in", "up_out": "down_out", "down_in": "up_in", "down_out": "up_out"}


def barrier(data: Element) -> tuple[str, float]:
    """Its type and level.

    :raises LeftOutError: there are two, or it is not watched all the time.
    """
    terms = data.child("BarrierData")
    refuse(terms.get("Style") in ("", "American"), "barriers that are watched on the expiry alone are not taken")
    kind = terms.need("Type")
    levels = list(terms.all("Levels", "Level"))
    if kind not in _BARRIERS or len(levels) != 1:
        raise LeftOutError(f"options with a barrier of the type {kind} are not taken")
    return _BARRIERS[kind], codes.number(levels[0].text.strip())


def never_watched(trade: Trade) -> None:
    """:raises LeftOutError: the barrier has been watched before today, on fixings that would say what came of it."""
    start = trade.data.get("StartDate")
    passed = bool(start) and codes.a_date(start) < trade.ore.setup.as_of
    refuse(not passed, "barriers that have been watched before today are not taken")


def barrier_option(trade: Trade) -> None:
    """FxBarrierOptionData: the bought currency against the sold one; a barrier is in the sold currency."""
    data = trade.data
    terms = data.child("OptionData")
    refuse(terms.get("Style") in ("", "European"), f"barrier options of {terms.get('Style')} style are not taken")
    never_watched(trade)
    bought, sold = data.need("BoughtCurrency"), data.need("SoldCurrency")
    pair_of(trade, bought, sold)
    amounts = {bought: codes.number(data.need("BoughtAmount")), sold: codes.number(data.need("SoldAmount"))}
    kind, expiry, (watched, level) = option_type(terms), trade.exercise_date(terms), barrier(data)
    rebate = codes.number(data.get("BarrierData", "Rebate") or "0")
    at_one_date(trade, bought, sold)
    pair = fx_pair(trade.ore, bought, sold)
    if pair != bought + sold:
        refuse(rebate == 0.0, "rebates in a pair that today's market has the other way round are not taken")
        kind, watched, level = "put" if kind == "call" else "call", _OPPOSITE[watched], 1.0 / level
        trade.turned.append(f"it is written on {pair}, whose surface today's market has")
    trade.add(
        "fx_barrier_option",
        pair=pair,
        option_type=kind,
        strike=amounts[pair[3:]] / amounts[pair[:3]],
        notional=trade.long(terms) * amounts[pair[:3]],
        expiry_date=expiry,
        delivery_date=expiry,
        barrier_type=watched,
        barrier=level,
        rebate=rebate,
    )
    trade.premium(terms)


def touch_option(trade: Trade) -> None:
    """FxTouchOptionData: paid on the expiry if a level is reached, or if it is not."""
    data = trade.data
    terms = data.child("OptionData")
    watched, level = barrier(data)
    paid_late = codes.flag(terms.get("PayOffAtExpiry"), True)
    refuse(paid_late or watched.endswith("out"), "touches that are paid at once are not taken")
    never_watched(trade)
    touch = "one_touch" if watched.endswith("in") else "no_touch"
    _paid(trade, touch, level, data.need("PayoffAmount"), data.need("PayoffCurrency"))


def digital_option(trade: Trade) -> None:
    """FxDigitalOptionData: an amount if the rate ends above the strike, or below it."""
    data = trade.data
    terms = data.child("OptionData")
    refuse(terms.get("Style") in ("", "European"), f"digitals of {terms.get('Style')} style are not taken")
    currency = data.get("PayoffCurrency") or data.need("DomesticCurrency")
    _paid(
        trade, f"digital_{option_type(terms)}", codes.number(data.need("Strike")), data.need("PayoffAmount"), currency
    )


def _paid(trade: Trade, touch: str, level: float, amount: str, currency: str) -> None:
    """The foreign currency is the pair's first one."""
    data = trade.data
    terms = data.child("OptionData")
    base, quoted = data.need("ForeignCurrency"), data.need("DomesticCurrency")
    pair_of(trade, base, quoted)
    at_one_date(trade, base, quoted)
    pair = fx_pair(trade.ore, base, quoted)
    if pair != base + quoted:
        touch = {"digital_call": "digital_put", "digital_put": "digital_call"}.get(touch, touch)
        level = 1.0 / level
        trade.turned.append(f"it is written on {pair}, whose surface today's market has")
    trade.add(
        "fx_touch",
        pair=pair,
        touch_type=touch,
        level=level,
        payout=trade.long(terms) * codes.number(amount),
        payout_currency=currency,
        expiry_date=trade.exercise_date(terms),
    )
    trade.premium(terms)
