"""Forwards, options and swaps on commodities."""

from __future__ import annotations

from typing import Final

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.commodity_prices import contracts, forwards, future_calendar, surface
from riskpipe.importers.ore.leg_schedules import leg_dates
from riskpipe.importers.ore.leg_terms import steps
from riskpipe.importers.ore.quoted_dates import Days, a_day
from riskpipe.importers.ore.trades.trade import Trade, option_type, position, refuse
from riskpipe.importers.ore.xml import Element

_PER: Final = {
    "": "period",
    "PerCalculationPeriod": "period",
    "PerCalendarDay": "calendar_day",
    "PerPricingDay": "pricing_day",
}
_REST_OF_MONTH: Final = 70  # days, after which the next contract but one has expired


def forward(trade: Trade) -> None:
    """CommodityForwardData: on the price of its maturity."""
    data = trade.data
    currency, maturity = data.need("Currency"), codes.a_date(data.need("Maturity"))
    settlement = codes.flag(data.get("PhysicallySettled"), True)
    refuse(settlement and not data.get("PaymentDate"), "forwards that are paid on another day are not taken")
    refuse(not codes.flag(data.get("IsFuturePrice")), "forwards on the price of a future are not taken")
    trade.ore.discount_curve(currency)
    trade.add(
        "commodity_forward",
        underlying=forwards(trade.ore, data.need("Name"), currency, maturity),
        currency=currency,
        quantity=position(data.need("Position")) * codes.number(data.need("Quantity")),
        strike=codes.number(data.need("Strike")),
        delivery_date=maturity,
    )


def option(trade: Trade) -> None:
    """CommodityOptionData: on the price of the expiry."""
    data, ore = trade.data, trade.ore
    terms, currency, name = data.child("OptionData"), data.need("Currency"), data.need("Name")
    refuse(terms.get("Style") in ("", "European"), f"commodity options of {terms.get('Style')} style are not taken")
    refuse(not codes.flag(data.get("IsFuturePrice")), "options on the price of a future are not taken")
    expiry = trade.exercise_date(terms)
    strike = codes.number(data.get("Strike") or data.need("StrikeData", "StrikePrice", "Value"))
    ore.discount_curve(currency)
    underlying = forwards(ore, name, currency, expiry)
    surface(ore, name, currency, [strike])
    trade.add(
        "commodity_option",
        underlying=underlying,
        currency=currency,
        quantity=trade.long(terms) * codes.number(data.need("Quantity")),
        option_type=option_type(terms),
        strike=strike,
        expiry_date=expiry,
        delivery_date=expiry,
    )
    trade.premium(terms)


def swap(trade: Trade) -> None:
    """SwapData of a fixed and a floating leg: prices against averages of those of the prompt contract."""
    legs = list(trade.data.all("LegData"))
    by_type = {leg.need("LegType"): leg for leg in legs}
    if len(legs) != 2 or by_type.keys() != {"CommodityFixed", "CommodityFloating"}:
        raise LeftOutError("commodity swaps but those of one fixed and one floating leg are not taken")
    fixed, floating = by_type["CommodityFixed"], by_type["CommodityFloating"]
    for name in ("PaymentLag", "PaymentCalendar", "PaymentConvention", "Currency"):
        refuse(fixed.get(name) == floating.get(name), f"the {name} of the two legs differs")
    payers = {codes.flag(leg.get("Payer")) for leg in legs}
    refuse(len(payers) == 2, "commodity swaps that pay both legs are not taken")
    days, fixed_days = leg_dates(floating).days, leg_dates(fixed).days
    refuse(days.tolist() == fixed_days.tolist(), "the calculation periods of the two legs differ")
    data, currency = floating.child("CommodityFloatingLegData"), floating.need("Currency")
    _refuse_other_prices(data)
    prices = steps(fixed.find("CommodityFixedLegData", "Prices"), "Price").at([a_day(int(day)) for day in days[:-1]])
    quantities = steps(data.find("Quantities"), "Quantity").at([a_day(int(day)) for day in days[:-1]])
    side = -1.0 if codes.flag(floating.get("Payer")) else 1.0
    name = data.need("Name")
    trade.ore.discount_curve(currency)
    trade.add(
        "commodity_swap",
        underlying=contracts(trade.ore, name, currency, int(days[0]), int(days[-1]) + _REST_OF_MONTH),
        currency=currency,
        quantity=side * quantities[0],
        quantities=[side * quantity for quantity in quantities] if len(set(quantities)) > 1 else None,
        quantity_per=_PER[data.get("CommodityQuantityFrequency")],
        fixed_price=prices[0],
        fixed_prices=prices if len(set(prices)) > 1 else None,
        calendar=future_calendar(trade.ore, name),
        **_periods(days),
        **_payments(floating),
    )


def _refuse_other_prices(data: Element) -> None:
    refuse(data.need("PriceType") == "FutureSettlement", "averages of spot prices are not taken")
    refuse(codes.flag(data.get("IsAveraged")), "prices of single days are not taken")
    refuse(data.get("CommodityQuantityFrequency") in _PER, "quantities by hours or days of delivery are not taken")
    refuse(codes.flag(data.get("IncludePeriodEnd"), True), "periods without their last day are not taken")
    refuse(
        codes.flag(data.get("ExcludePeriodStart"), True), "periods that begin on the last day of others are not taken"
    )
    pay = data.get("CommodityPayRelativeTo") or "CalculationPeriodEndDate"
    refuse(pay == "CalculationPeriodEndDate", f"payments relative to the {pay} are not taken")
    for tag in ("Spreads", "Gearings", "FXIndex", "DailyExpiryOffset", "HoursPerDay"):
        refuse(data.find(tag) is None, f"commodity legs with {tag} are not taken")
    for tag in ("FutureMonthOffset", "DeliveryRollDays", "PricingLag"):
        refuse(data.get(tag) in ("", "0", "0D"), f"commodity legs with a {tag} are not taken")
    refuse(codes.flag(data.get("UseBusinessDays"), True), "prices on holidays are not taken")


def _periods(days: Days) -> Values:
    """Both days of a period belong to it; the first one has the start of the schedule, too."""
    starts = [int(days[0]), *(int(day) + 1 for day in days[1:-1])]
    return {
        "start_date": a_day(starts[0]),
        "maturity_date": a_day(int(days[-1])),
        "period_starts": [a_day(day) for day in starts],
    }


def _payments(leg: Element) -> Values:
    lag = (leg.get("PaymentLag") or "0").removesuffix("D")
    refuse(lag.isdigit(), f"a payment lag of {lag} is not taken")
    convention = codes.convention(leg.get("PaymentConvention"), "following")
    refuse(int(lag) > 0 or convention == "following", f"payments by the convention {convention} are not taken")
    return {"payment_lag": float(lag), "payment_calendar": codes.calendar(leg.need("PaymentCalendar"))}
