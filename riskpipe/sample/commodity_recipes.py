"""Swaps and options on averages of commodity prices, and the futures contracts and fixings that they need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import add_months, business_days, to_iso
from riskpipe.sample.market_table import Point, curve_points, years_to
from riskpipe.sample.recipe import Desk, Recipe, equally
from riskpipe.sample.todays_market import commodity_forward
from riskpipe.sample.trade_terms import Columns, Days, Draw, Lists, each, significant
from riskpipe.sample.universe import COMMODITY_EXPIRIES, COMMODITY_MONEYNESS, FUTURES, commodity_of
from riskpipe.sample.vol_surfaces import vol_surface

_AVERAGED = (*FUTURES, "BRENT", "HENRYHUB", "TTF")
_CALENDARS = {"BRENT": "GBLO", "TTF": "TARGET"}
_CONTRACTS, _FIXED_DAYS = 48, 75


def futures_contracts(as_of: int) -> list[Point]:
    """One a month that expires on the 20th or the business day after, with the prices of the commodity's forwards."""
    this_month = np.datetime64(as_of, "D").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    expiries = business_days(add_months(np.full(_CONTRACTS, this_month + 19), np.arange(_CONTRACTS)))
    days = expiries[expiries >= as_of]
    years = (days - as_of) / 365.0
    points: list[Point] = []
    for name in FUTURES:
        commodity = commodity_of(name)
        prices = [float(f"{price:.5g}") for price in commodity_forward(commodity, years, as_of)]
        iso = [to_iso(day) for day in days]
        points += curve_points("forward_price", name, commodity.currency, iso, as_of, prices)
    return points


def futures_volatilities(as_of: int) -> list[Point]:
    """Of contracts, lognormal and in units of the price, at strikes about the middle of the curve."""
    points: list[Point] = []
    for name in FUTURES:
        commodity = commodity_of(name)
        years = np.array([years_to(tenor, as_of) for tenor in COMMODITY_EXPIRIES])
        forward = commodity_forward(commodity, years, as_of)
        centre = float(commodity_forward(commodity, np.array([0.5]), as_of)[0])
        strikes = np.round(centre * np.array(COMMODITY_MONEYNESS))
        for tenor, t, level in zip(COMMODITY_EXPIRIES, years.tolist(), forward.tolist(), strict=True):
            vols = vol_surface(commodity.smile, np.array([t]), strikes / level)[0]
            for strike, vol in zip(strikes.tolist(), vols.tolist(), strict=True):
                for kind, value in (("black_vol", round(vol, 5)), ("normal_vol", round(vol * level, 3))):
                    factor = f"{kind}:{name}:{tenor}:{strike:g}"
                    points.append(
                        Point(
                            factor, kind, name, commodity.currency, value, tenor, t, strike, "absolute", strike / level
                        )
                    )  # fmt: skip
    return points


def price_fixings(as_of: int) -> list[Point]:
    """Of the weekdays before today that unpaid periods may have: about today's price, with a little noise."""
    days = np.arange(as_of - _FIXED_DAYS, as_of)
    days = days[np.is_busday(days.astype("datetime64[D]"))]
    points: list[Point] = []
    for name in _AVERAGED:
        commodity = commodity_of(name)
        noise = np.sin(np.arange(len(days)) * 1.7) + 0.5 * np.sin(np.arange(len(days)) * 0.3)
        prices = commodity.front * (1.0 + 0.01 * noise)
        for day, price in zip(days.tolist(), prices.tolist(), strict=True):
            iso, level = to_iso(day), float(f"{price:.5g}")
            points.append(Point(f"fixing:{name}:{iso}", "fixing", name, commodity.currency, level, iso))
    return points


def commodity_swaps(draw: Draw) -> Columns:
    """Of whole months, near the forwards of their middle; a third have begun, a fifth have quantities by month."""
    names = draw.instruments
    first, last, months = _calendar_months(draw, (1, 3, 6, 12, 24), (2, 3, 3, 4, 1))
    currency = names.map(lambda name: commodity_of(name).currency)
    middle = np.maximum(draw.years(((first.astype(np.int64) + last) // 2).astype(np.int32)), 0.0)
    fair = draw.quotes.commodity_forward(names, middle)
    quantity = _lots(draw) * draw.sign
    shaped = draw.rng.random(len(draw)) < 0.2
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.where(shaped, months, 0))))
    trade = np.repeat(np.arange(len(draw)), np.diff(offsets))
    return {
        "underlying": names,
        "currency": currency,
        "quantity": quantity,
        "fixed_price": significant(fair * np.exp(0.05 * draw.rng.standard_normal(len(draw))), 4),
        "start_date": first,
        "maturity_date": last,
        "calendar": _calendar(names),
        "payment_lag": np.full(len(draw), 5.0),
        "quantities": Lists(offsets, quantity[trade] * (1.0 + 0.5 * (draw.rng.random(len(trade)) < 0.5))),
    }


def commodity_average_options(draw: Draw) -> Columns:
    """Of whole months, each an option of its own, near the forwards of their middle; some by normal prices."""
    names = draw.instruments
    first, last, _ = _calendar_months(draw, (1, 2, 3, 6), (4, 2, 2, 1))
    middle = np.maximum(draw.years(((first.astype(np.int64) + last) // 2).astype(np.int32)), 0.0)
    fair = draw.quotes.commodity_forward(names, middle)
    normal = (draw.rng.random(len(draw)) < 0.3) & (each(names, lambda name: float(name in FUTURES)) > 0.0)
    return {
        "underlying": names,
        "currency": names.map(lambda name: commodity_of(name).currency),
        "quantity": _lots(draw) * draw.sign,
        "option_type": draw.calls(),
        "strike": significant(fair * np.exp(0.1 * draw.rng.standard_normal(len(draw))), 3),
        "start_date": first,
        "maturity_date": last,
        "calendar": _calendar(names),
        "payment_lag": np.full(len(draw), 5.0),
        "model": Labels(normal.astype(np.int32), ("black", "bachelier")),
    }


def _calendar_months(
    draw: Draw, lengths: tuple[int, ...], weights: tuple[float, ...]
) -> tuple[Days, Days, NDArray[np.int64]]:
    """First and last days of some whole months, alive today, and how many they are."""
    this_month = np.full(len(draw), draw.as_of).astype("datetime64[D]").astype("datetime64[M]")
    begun = draw.rng.random(len(draw)) < 0.33
    months = draw.choice(lengths, weights)
    offset = np.where(begun, -(draw.rng.integers(0, 12, len(draw)) % months), draw.rng.integers(1, 13, len(draw)))
    first = (this_month + offset).astype("datetime64[D]").astype(np.int32)
    last = (this_month + offset + months).astype("datetime64[D]").astype(np.int32) - np.int32(1)
    return first, last, months


def _lots(draw: Draw) -> FloatArray:
    lots = np.maximum(np.round(12.0 * np.exp(draw.rng.standard_normal(len(draw)))), 1.0)
    return lots * each(draw.instruments, lambda name: commodity_of(name).lot)


def _calendar(names: Labels) -> Labels:
    return names.map(lambda name: _CALENDARS.get(name, "XNYS"))


RECIPES = {
    "commodity_swap": Recipe(
        "CMS",
        0.01,
        commodity_swaps,
        (
            Desk("commodity/energy/swaps", 2, (*((name, 2.0) for name in FUTURES), ("BRENT", 1.0))),
            Desk("commodity/gas/swaps", 1, equally(("HENRYHUB", "TTF"))),
        ),
        points=futures_contracts,
        facts=price_fixings,
    ),
    "commodity_average_option": Recipe(
        "CMA",
        0.01,
        commodity_average_options,
        (
            Desk("commodity/energy/averages", 2, (*((name, 2.0) for name in FUTURES), ("BRENT", 1.0))),
            Desk("commodity/gas/averages", 1, equally(("HENRYHUB", "TTF"))),
        ),
        points=lambda as_of: [*futures_contracts(as_of), *futures_volatilities(as_of)],
        facts=price_fixings,
    ),
}
