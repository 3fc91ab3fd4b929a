"""ORE's volatilities of swaptions, caps and floors as points of surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.growing_curves import Curve
from riskpipe.importers.ore.indices import Index, index_of
from riskpipe.importers.ore.leg_terms import coupon_terms
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.projected_coupons import Floating
from riskpipe.importers.ore.quoted_dates import (
    CONVENTIONS,
    Periods,
    a_day,
    fixing_date,
    index_periods,
    market,
    number,
    spot,
)
from riskpipe.importers.ore.stripped_caps import Optionlets, Rates, read_stripped, strip_linear
from riskpipe.importers.ore.swap_forwards import index_forward, own_forward
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import DAY_COUNTERS, TIME, to_date, valued_at
from riskpipe.market.factors import days_of

_TYPES: Final = {
    "Normal": ("RATE_NVOL", "normal_vol", "bachelier"),
    "Lognormal": ("RATE_LNVOL", "black_vol", "black"),
}


class Volatility(Struct, frozen=True):
    """A surface and the model that its volatilities are of."""

    name: str
    model: str


def _type(element: Element) -> tuple[str, str, str]:
    given = element.need("VolatilityType")
    if given not in _TYPES:
        raise LeftOutError(f"volatilities of the type {given} are not taken")
    if element.get("DayCounter") and codes.day_count(element.get("DayCounter")) != "ACT/365F":
        raise LeftOutError(f"volatilities by {element.get('DayCounter')}, riskpipe's are by ACT/365F")
    return _TYPES[given]


def _parts(element: Element, *tags: str) -> list[str]:
    text = next((element.get(tag) for tag in tags if element.get(tag)), "")
    return [part.strip() for part in text.split(",") if part.strip()]


def _key(ore: OreMarket, group: str, index: str) -> str:
    for key in (index, index[:3]):
        if ore.todays.find(group, key):
            return key
    raise LeftOutError(f"today's market has no {group} of {index} or {index[:3]}")


# --- swaptions ---
class _Matrix(Struct, frozen=True):
    """Volatilities at the money, float64[expiries, tenors], and how far from there those of a smile are.

    :param smile: of strikes by their distance from the forward.
    """

    days: tuple[int, ...]
    tenors: tuple[str, ...]
    values: FloatArray
    smile: tuple[tuple[float, _Matrix], ...] = ()

    def on(self, day: int) -> dict[str, float]:
        """By tenor, linear in time and constant beyond the first and last expiries."""
        row = [float(np.interp(day, self.days, column)) for column in self.values.T]
        return dict(zip(self.tenors, row, strict=True))

    def column(self, tenor: str) -> FloatArray:
        """float64[expiries, 1]: of another tenor."""
        return np.array([[self.of(day, tenor)] for day in self.days])

    def beyond(self, day: int, tenor: str, distance: float) -> float:
        """What the smile is above the money, linear in the distance and constant beyond the last ones."""
        known = np.array(sorted([(0.0, 0.0), *((spread, each.of(day, tenor)) for spread, each in self.smile)]))
        return float(np.interp(distance, known[:, 0], known[:, 1]))

    def of(self, day: int, tenor: str) -> float:
        """Linear in the tenor, too."""
        row = self.on(day)
        lengths = [codes.months(codes.period(each)) for each in row]
        return float(np.interp(codes.months(codes.period(tenor)), lengths, list(row.values())))


def swaption_surface(ore: OreMarket, index: str, expiry: date, legs: tuple[Element, Element]) -> Volatility:
    """The surface that serves an index, with points on a day of expiry.

    Between expiries ORE's volatilities are linear in time and riskpipe's variances: hence the points. A smile has one
    for the strike of the swap itself, which is as far from ORE's swap index as it is.

    :param legs: the swap's fixed and floating one.
    """
    key = _key(ore, "SwaptionVolatilities", index)
    element = ore.configurations.get("SwaptionVolatilities", ore.todays.curve("SwaptionVolatilities", key))
    name = f"{key}.SWAPTION"
    ore.once("surface", name, element.place, partial(_swaptions, ore, name, element))
    _, kind, model = _type(element)
    matrix, day = _matrix(ore, element), days_of(expiry)
    _swaption_points(ore, name, kind, day, matrix)
    if matrix.smile:
        fixed, floating = legs
        dates = coupon_terms(fixed).dates.dates
        tenor = f"{round((dates[-1] - dates[0]).days * 12 / 365.25)}M"
        _swaption_points(ore, name, kind, day, replace(matrix, tenors=(tenor,), values=matrix.column(tenor)))
        rate = codes.number(fixed.need("FixedLegData", "Rates", "Rate"))
        distance = rate - index_forward(ore, element, expiry, tenor)
        strike = rate - own_forward(ore, fixed, floating)
        columns = {"tenor": expiry.isoformat(), "underlying_tenor": tenor, "currency": name[:3]}
        point = {**columns, "strike": strike, "strike_type": "offset"}
        value = matrix.of(day, tenor) + matrix.beyond(day, tenor, distance)
        ore.book.point(kind, name, value, expiry.isoformat(), tenor, f"{strike:+.12g}", **point)
    return Volatility(name, model)


def _swaptions(ore: OreMarket, name: str, element: Element) -> str:
    _, kind, _ = _type(element)
    matrix = _matrix(ore, element)
    for day in matrix.days:
        _swaption_points(ore, name, kind, day, matrix)
    remark = ["it has points on the expiries of trades, too"] if len(matrix.days) > 1 else []
    if matrix.smile:
        remark.append("its smile has points on the strikes of trades, which are about the forward of their own swap")
    ore.report.add("surface", name, element.place, remark)
    return name


def _matrix(ore: OreMarket, element: Element) -> _Matrix:
    dimension = element.get("Dimension") or "ATM"
    if dimension not in ("ATM", "Smile") or element.get("Interpolation") not in ("", "Linear"):
        how = element.get("Interpolation") or dimension
        raise LeftOutError(f"swaption volatilities by {how} are not taken")
    swaps = _parts(element, "SwapTenors", "UnderlyingTenors")
    levels = _quoted(ore, element, _parts(element, "OptionTenors"), swaps, "ATM")
    if dimension == "ATM":
        return levels
    expiries, tenors = _parts(element, "SmileOptionTenors"), _parts(element, "SmileSwapTenors", "SmileUnderlyingTenors")
    smile = []
    for spread in _parts(element, "SmileSpreads"):
        found = _quoted(ore, element, expiries, tenors, f"Smile/{spread}")
        middle = np.array([[levels.of(day, tenor) for tenor in tenors] for day in found.days])
        smile.append((codes.number(spread), replace(found, values=found.values - middle)))
    return replace(levels, smile=tuple(smile))


def _quoted(ore: OreMarket, element: Element, expiries: list[str], tenors: list[str], strike: str) -> _Matrix:
    quoted, _, _ = _type(element)
    currency = element.get("Currency") or element.need("SwapIndexBase")[:3]
    place = market(codes.calendar(element.get("Calendar")))
    rule = CONVENTIONS[codes.convention(element.get("BusinessDayConvention"), "following")]
    tag = f"{element.get('QuoteTag')}/" if element.get("QuoteTag") else ""
    names = [
        [f"SWAPTION/{quoted}/{currency}/{tag}{expiry}/{tenor}/{strike}" for tenor in tenors] for expiry in expiries
    ]
    values = np.array([[ore.quotes.get(name).value for name in row] for row in names])
    today = to_date(ore.as_of)
    days = tuple(number(place.advance(today, codes.period(expiry), rule)) for expiry in expiries)
    return _Matrix(days, tuple(tenors), values)


def _swaption_points(ore: OreMarket, name: str, kind: str, day: int, matrix: _Matrix) -> None:
    tenor = a_day(day).isoformat()
    for length, value in matrix.on(day).items():
        columns = {"tenor": tenor, "underlying_tenor": length, "currency": name[:3]}
        ore.book.point(kind, name, value, tenor, length, "atm", strike_type="atm", **columns)
        for spread, beyond in matrix.smile:
            point = {**columns, "strike": spread, "strike_type": "offset"}
            moved = value + beyond.of(day, length)
            ore.book.point(kind, name, moved, tenor, length, f"{spread:+.12g}", **point)


# --- caps and floors ---
def cap_surface(ore: OreMarket, index: str, fixings: Sequence[date], strikes: Sequence[float]) -> Volatility:
    """The surface of an index's rates on the days of their fixings, with points on a trade's strikes.

    ORE quotes caps by their term; each rate's own volatility is what is left of these (QuantLib's OptionletStripper1).
    Between quoted strikes ORE's is no straight line: hence the points.
    """
    key = _key(ore, "CapFloorVolatilities", index)
    element = ore.configurations.get("CapFloorVolatilities", ore.todays.curve("CapFloorVolatilities", key))
    name = f"{key}.CAPFLOOR"
    ore.once("surface", name, element.place, partial(_caps, ore, name, element))
    _, kind, model = _type(element)
    stripped = ore.stripped[name]
    coming = [fixing for fixing in fixings if days_of(fixing) > ore.as_of]
    days = np.array([float(days_of(fixing) - ore.as_of) for fixing in coming])
    for strike in sorted({*stripped.strikes.tolist(), *strikes}):
        values = stripped.at(days, strike)
        if strike in strikes and np.isnan(values).any():
            raise LeftOutError(f"the caps leave its rates no volatility at {strike:g}")
        for fixing, value in zip(coming, values.tolist(), strict=True):
            tenor = fixing.isoformat()
            if not value > 0.0:
                _without(ore, name, tenor, strike)
                continue
            columns = {"tenor": tenor, "strike": strike, "strike_type": "absolute", "currency": name[:3]}
            ore.book.point(kind, name, value, tenor, f"{strike:.12g}", **columns)
    return Volatility(name, model)


def _without(ore: OreMarket, name: str, tenor: str, strike: float) -> None:
    what = f"{name} {tenor} {strike:g}"
    reason = "the caps leave a rate no volatility there: that between its neighbours in strike is taken"
    with suppress(LeftOutError):
        ore.once("volatility", what, "", partial(_told, ore, what, reason))


def _told(ore: OreMarket, what: str, reason: str) -> str:
    ore.report.turned("volatility", what, "", reason)
    return what


def _caps(ore: OreMarket, name: str, element: Element) -> str:
    quoted, kind, _ = _type(element)
    base = index_of(element.get("IborIndex") or element.need("Index"))
    if base.overnight:
        raise LeftOutError("volatilities of caps on overnight rates are not taken")
    _refuse_other_interpolations(element, kind)
    if codes.flag(element.get("IncludeAtm")):
        raise LeftOutError("volatilities of caps at the money are not taken")
    terms, strikes = _parts(element, "Tenors"), _parts(element, "Strikes")
    months = codes.period_text(codes.period(base.tenor)).replace("1Y", "12M")
    names = [[f"CAPFLOOR/{quoted}/{name[:3]}/{term}/{months}/0/0/{strike}" for strike in strikes] for term in terms]
    values = [[ore.quotes.get(quote).value for quote in row] for row in names]
    with valued_at(ore.as_of):
        ore.stripped[name] = _stripped(ore, element, base, (terms, strikes, values), kind)
    ore.report.turned("surface", name, element.place, "volatilities of caps became those of each rate, by fixing day")
    return name


def _refuse_other_interpolations(element: Element, kind: str) -> None:
    if not _on_rates(element):
        method = element.get("InterpolationMethod")
        if method not in ("", "BicubicSpline"):
            raise LeftOutError(f"caps interpolated by {method} are not taken")
    elif (element.get("TimeInterpolation"), element.get("StrikeInterpolation")) != ("LinearFlat", "LinearFlat"):
        raise LeftOutError("volatilities of rates that are interpolated but by LinearFlat are not taken")
    elif kind != "normal_vol":
        raise LeftOutError("lognormal volatilities of caps, interpolated as normal ones of rates, are not taken")


def _on_rates(element: Element) -> bool:
    """Whether ORE interpolates the volatilities of rates, not of caps."""
    return element.get("InterpolateOn") == "OptionletVolatilities"


def _stripped(
    ore: OreMarket, element: Element, base: Index, quotes: tuple[list[str], list[str], list[list[float]]], kind: str
) -> Optionlets:
    terms, strikes, values = quotes
    forward = ore.curves.get(ore.todays.curve("IndexForwardingCurves", base.name)).curve
    discount_id = element.get("DiscountCurve") or ore.todays.curve("DiscountingCurves", base.currency)
    discount = ore.curves.get(discount_id.rpartition("/")[2]).curve
    if _on_rates(element):
        lengths = [_months(term) // _months(base.tenor) - 1 for term in terms]
        caps = [(length, np.array(row)) for length, row in zip(lengths, values, strict=True)]
        numbers = np.array([codes.number(strike) for strike in strikes])
        return strip_linear(_rates(ore.as_of, base, terms[-1], forward, discount), numbers, caps)
    matrix = ql.Matrix(len(terms), len(strikes))
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            matrix[i][j] = value
    surface = ql.CapFloorTermVolSurface(
        0,
        market(codes.calendar(element.get("Calendar"))),
        CONVENTIONS[codes.convention(element.get("BusinessDayConvention"), "following")],
        [codes.period(term) for term in terms],
        [codes.number(strike) for strike in strikes],
        matrix,
        TIME,
    )
    stripper = ql.OptionletStripper1(
        surface,
        quantlib_index(base, _handle(forward)),
        ql.nullDouble(),
        1e-12,
        500,
        _handle(discount),
        ql.Normal if kind == "normal_vol" else ql.ShiftedLognormal,
        0.0,
        False,
    )
    try:
        return read_stripped(stripper, ore.as_of, element.get("Extrapolation") == "Flat")
    except RuntimeError as error:
        raise LeftOutError(f"no volatilities of rates reprice the caps: {error}") from None


def _rates(as_of: int, index: Index, term: str, forward: Curve, discount: Curve) -> Rates:
    """Of a cap from the index's spot on, but the first one."""
    made = index_periods(spot(as_of, index.calendar, index.fixing_days), term, index)
    later = Periods(made.start[1:], made.end[1:], made.payment[1:])
    lengths = later.fractions(index.day_count)
    coupons = Floating("", later, index, as_of).coupons(lambda _: forward)
    days = np.array([float(number(fixing_date(to_date(int(day)), index)) - as_of) for day in later.start])
    return Rates(days, coupons / lengths, lengths * discount.discount(later.payment))


def _months(term: str) -> int:
    return codes.months(codes.period(term))


def quantlib_index(index: Index, forward: Any) -> Any:
    """QuantLib's index of the same conventions."""
    return ql.IborIndex(
        index.name,
        codes.period(index.tenor),
        index.fixing_days,
        ql.EURCurrency() if index.currency == "EUR" else ql.USDCurrency(),
        market(index.calendar),
        CONVENTIONS[index.convention],
        index.end_of_month,
        DAY_COUNTERS[index.day_count],
        forward,
    )


def _handle(curve: Curve) -> Any:
    return ql.YieldTermStructureHandle(curve.quantlib())
