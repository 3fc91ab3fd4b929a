"""Equity swaps: returns as a product of their own, what funds them as a swap."""

from __future__ import annotations

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.equities import equity
from riskpipe.importers.ore.leg_data import convert_leg
from riskpipe.importers.ore.leg_terms import coupon_terms
from riskpipe.importers.ore.trades.equity_trades import underlying
from riskpipe.importers.ore.trades.trade import Trade, refuse
from riskpipe.importers.ore.xml import Element


def swap(trade: Trade) -> None:
    """EquitySwapData: one leg of returns, any others as legs of `<trade>.funding`."""
    legs = list(trade.data.all("LegData"))
    returns = [leg for leg in legs if leg.need("LegType") == "Equity"]
    if len(returns) != 1:
        raise LeftOutError("equity swaps but those of one leg of returns are not taken")
    funding = [made for leg in legs if leg is not returns[0] for made in convert_leg(leg, trade.ore, trade.turned)]
    trade.add("equity_swap", **_returns(trade, returns[0]))
    if funding:
        trade.add("swap", "funding", currency=returns[0].need("Currency"), legs=funding)


def _returns(trade: Trade, leg: Element) -> Values:
    data, currency = leg.child("EquityLegData"), leg.need("Currency")
    kind = data.need("ReturnType")
    refuse(kind == "Price", f"{kind.lower()} returns are not taken: ORE's dividends to come are not riskpipe's")
    refuse((data.get("FixingDays") or "0") == "0", "returns that are fixed days before a period are not taken")
    refuse(data.find("FXTerms") is None, "returns in another currency than the equity's are not taken")
    refuse(data.find("ValuationSchedule") is None, "returns with valuation dates of their own are not taken")
    refuse(
        (data.get("InitialPriceCurrency") or currency) == currency, "an initial price in another currency is not taken"
    )
    terms = coupon_terms(leg, 0.0)
    if terms.columns is None or terms.reset or terms.initial or terms.final:
        raise LeftOutError("returns whose schedule or notional riskpipe's columns do not make are not taken")
    price = codes.number(data.get("InitialPrice")) if data.get("InitialPrice") else None
    return {
        "underlying": equity(trade.ore, underlying(data), currency, *terms.dates.dates),
        "currency": currency,
        "discount_curve": trade.ore.discount_curve(currency),
        "direction": "pay" if codes.flag(leg.get("Payer")) else "receive",
        "return_type": "price",
        "initial_price": price,
        **_size(data, leg, price),
        **terms.columns,
        "funding_fixed_rate": 0.0,
        "funding_day_count": terms.day_count,
    }


def _size(data: Element, leg: Element, price: float | None) -> Values:
    """With a notional that is reset the shares are held, else each period begins with the notional anew."""
    quantity = codes.number(data.get("Quantity")) if data.get("Quantity") else None
    notional = codes.number(leg.get("Notionals", "Notional")) if leg.get("Notionals", "Notional") else None
    resets = codes.flag(data.get("NotionalReset"), True)
    if (quantity is None) == resets and price is None:
        raise LeftOutError("a quantity without the initial price that makes it a notional, or the other way round")
    if resets:
        return {"quantity": quantity if quantity is not None or notional is None else notional / float(price or 1.0)}
    return {"notional": notional if notional is not None else float(quantity or 0.0) * float(price or 1.0)}
