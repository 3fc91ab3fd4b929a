"""ORE's equity curves as spots and dividend yields."""

from __future__ import annotations

from datetime import date

import numpy as np

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.growing_curves import Curve
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quote_lines import Line
from riskpipe.importers.ore.quoted_dates import a_day, market, number
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.factors import days_of


def equity(ore: OreMarket, name: str, currency: str, *days: date) -> str:
    """The name of an equity whose forwards riskpipe has as ORE has them, on these days."""
    place = ore.todays.place("EquityCurves", name)
    found = ore.once("equity", name, place, lambda: _spot(ore, name, currency))
    curve = _Forwards(ore, name, currency)
    for day in sorted({*curve.days, *(days_of(day) for day in days)}):
        if day > ore.as_of:
            tenor = a_day(day).isoformat()
            columns = {"currency": currency, "tenor": tenor}
            ore.book.point("dividend_yield", found, curve.dividend_yield(day), tenor, **columns)
            if curve.projected_otherwise:
                ore.book.point("borrow", found, curve.borrow(day), tenor, **columns)
    return found


def projected_growth(ore: OreMarket, name: str, currency: str, day: date) -> float:
    """The discount factor of a day by the curve that projects an equity, over that of its currency."""
    curves = (_configured(ore, name).need("ForecastingCurve"), ore.todays.curve("DiscountingCurves", currency))
    projected, discounted = (float(ore.curves.get(curve).curve.discount(days_of(day))) for curve in curves)
    return projected / discounted


def _configured(ore: OreMarket, name: str) -> Element:
    return ore.configurations.get("EquityCurves", ore.todays.curve("EquityCurves", name))


def _spot(ore: OreMarket, name: str, currency: str) -> str:
    element = _configured(ore, name)
    quoted = element.get("Currency")
    if quoted and quoted != currency:
        raise LeftOutError(f"it is quoted in {quoted}, the trade's is {currency}")
    line = ore.quotes.get(element.need("SpotQuote"))
    ore.discount_curve(currency)
    ore.book.point("spot", name, line.value, currency=currency)
    ore.book.convention("curves", name, interpolation="linear_zero")
    turned = []
    if element.need("Type") != "DividendYield":
        turned.append("its forward prices became dividend yields")
    if element.get("ForecastingCurve") != ore.todays.curve("DiscountingCurves", currency):
        turned.append(
            f"ORE projects it on {element.get('ForecastingCurve')}: a borrow cost makes up for "
            "the currency's own curve, on the days of its quotes and of the trades"
        )
    ore.report.add("equity", name, element.place, turned)
    return name


class _Forwards:
    """An equity's forwards by ORE: spot, a curve that projects, dividend yields linear in time between quotes.

    :ivar days: int of its quotes.
    :ivar projected_otherwise: on another curve than that which discounts the currency.
    """

    def __init__(self, ore: OreMarket, name: str, currency: str) -> None:
        self._as_of = ore.as_of
        element = _configured(ore, name)
        self._projected: Curve = ore.curves.get(element.need("ForecastingCurve")).curve
        discount = ore.todays.curve("DiscountingCurves", currency)
        self._discount: Curve = ore.curves.get(discount).curve
        self.projected_otherwise = discount != element.need("ForecastingCurve")
        spot = ore.quotes.get(element.need("SpotQuote")).value
        lines = [ore.quotes.get(quote.text.strip()) for quote in element.all("Quotes", "Quote")]
        kind = element.need("Type")
        if kind not in ("DividendYield", "ForwardPrice", "NoDividends"):
            raise LeftOutError(f"equity curves of the type {kind} are not taken")
        found = {self._day(line): self._yield(kind, line, spot) for line in lines}
        self.days = sorted(day for day in found if day > self._as_of)
        self._yields = np.array([found[day] for day in self.days])

    def _day(self, line: Line) -> int:
        text = line.parts[-1]
        if codes.is_period(text):
            return number(market("weekends").adjust(to_date(self._as_of) + codes.period(text)))
        return days_of(codes.a_date(text))

    def _yield(self, kind: str, line: Line, spot: float) -> float:
        if kind == "DividendYield":
            return line.value
        day = self._day(line)
        return float(self._rate(self._projected, day) - np.log(line.value / spot) / self._years(day))

    def _years(self, day: int) -> float:
        return max(day - self._as_of, 1) / 365.0

    def _rate(self, curve: Curve, day: int) -> float:
        return float(-np.log(curve.discount(day)) / self._years(day))

    def dividend_yield(self, day: int) -> float:
        """To a day."""
        return float(np.interp(day, self.days, self._yields)) if self.days else 0.0

    def borrow(self, day: int) -> float:
        """That gives, with the currency's discount curve, ORE's forward."""
        return self._rate(self._discount, day) - self._rate(self._projected, day)
