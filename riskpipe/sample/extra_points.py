"""Points that only some products need: their recipes name what makes them."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike

from riskpipe.arrays import FloatArray
from riskpipe.sample.day_numbers import add_months, to_iso
from riskpipe.sample.market_table import Point, curve_points, years_to

INFLATION = {"USD.CPI": 0.0245, "EUR.HICP": 0.0198, "GBP.RPI": 0.0310}
"""Price index -> its long rate of inflation."""
_INFLATION_TENORS = ("1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "15Y", "20Y", "30Y")
_INFLATION_MONTHS = 24
_GROWTH = 0.025


CAPPED = ("USD.SOFR", "EUR.EURIBOR3M", "EUR.ESTR", "GBP.SONIA")
"""Indices with a surface of cap volatilities, `<index>.CAPS`."""
LOGNORMAL_CAPS = ("EUR.EURIBOR3M",)
SWAPPED = {"USD": 0.0092, "EUR": 0.0078, "GBP": 0.19}
"""Currencies with a cube of swaption volatilities, `<CCY>.SWAPTIONS`; those of GBP are of rates shifted by `SHIFT`."""
SHIFT = 0.03
_CAP_EXPIRIES = ("3M", "1Y", "2Y", "5Y", "10Y")
_CAP_STRIKES = (0.0, 0.01, 0.02, 0.03, 0.04, 0.06)
_SWAPTION_EXPIRIES = ("1M", "6M", "1Y", "2Y", "5Y", "10Y")
_SWAPTION_TENORS = ("1Y", "2Y", "5Y", "10Y", "30Y")
_SWAPTION_OFFSETS = (-0.01, 0.0, 0.01)


def inflation_level(days: ArrayLike, as_of: int) -> FloatArray:
    """Every price index in the month of a day, whichever: smooth growth to about 130 today."""
    months = np.asarray(days, np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    today = int(np.datetime64(as_of, "D").astype("datetime64[M]").astype(np.int64))
    return np.asarray(130.0 * (1.0 + _GROWTH) ** ((months - today) / 12.0))


def inflation_curves(as_of: int) -> list[Point]:
    years = np.array([years_to(tenor, as_of) for tenor in _INFLATION_TENORS])
    return [
        point
        for name, level in INFLATION.items()
        for point in curve_points(
            "inflation_zero",
            name,
            name[:3],
            _INFLATION_TENORS,
            as_of,
            np.round(level + 0.003 * np.exp(-years / 3.0), 6),
        )
    ]


def cap_surfaces(as_of: int) -> list[Point]:
    """A hump in time and a smile about three per cent."""
    points = []
    for name in CAPPED:
        kind, level = ("black_vol", 0.17) if name in LOGNORMAL_CAPS else ("normal_vol", 0.0085)
        for tenor in _CAP_EXPIRIES:
            years = years_to(tenor, as_of)
            hump = 0.75 + 0.5 * years * float(np.exp(-years / 2.0))
            for strike in _CAP_STRIKES:
                value = round(level * (hump + 60.0 * (strike - 0.03) ** 2), 6)
                factor = f"{kind}:{name}.CAPS:{tenor}:{100 * strike:g}"
                points.append(Point(factor, kind, f"{name}.CAPS", name[:3], value, tenor, years, strike, "absolute"))
    return points


def swaption_cubes(as_of: int) -> list[Point]:
    """Lower for long expiries and tenors, with a smile in offsets from the forward."""
    points = []
    for currency, level in SWAPPED.items():
        kind, name = ("black_vol" if currency == "GBP" else "normal_vol"), f"{currency}.SWAPTIONS"
        for tenor in _SWAPTION_EXPIRIES:
            years = years_to(tenor, as_of)
            for swap in _SWAPTION_TENORS:
                fade = float(np.exp(-0.02 * years - 0.004 * years_to(swap, as_of)))
                for offset in _SWAPTION_OFFSETS:
                    value = round(level * (fade + 3.0 * abs(offset) - 2.0 * offset), 6)
                    factor = f"{kind}:{name}:{tenor}:{swap}:{1e4 * offset:g}"
                    strike, strike_type = (offset, "offset") if offset else (None, "atm")
                    point = Point(factor, kind, name, currency, value, tenor, years, strike, strike_type)
                    points.append(replace(point, underlying_tenor=swap))
    return points


def price_indices(as_of: int) -> list[Point]:
    """Of the months that are published, up to the second before today's."""
    month = np.datetime64(as_of, "D").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days = add_months(np.full(_INFLATION_MONTHS, month), np.arange(-_INFLATION_MONTHS - 1, -1))
    levels = np.round(inflation_level(days, as_of), 2)
    return [
        Point(f"index_fixing:{name}:{iso}", "index_fixing", name, name[:3], float(level), iso)
        for name in INFLATION
        for iso, level in ((to_iso(day), level) for day, level in zip(days, levels, strict=True))
    ]
