"""Points that only some products need: written where the book has these products."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskpipe.sample.dates import add_months, to_iso
from riskpipe.sample.points import Point, curve_points, years_to

INFLATION = {"USD.CPI": 0.0245, "EUR.HICP": 0.0198, "GBP.RPI": 0.0310}
"""Price index -> its long rate of inflation."""
_INFLATION_TENORS = ("1Y", "2Y", "3Y", "5Y", "7Y", "10Y", "15Y", "20Y", "30Y")
_INFLATION_MONTHS = 24
_GROWTH = 0.025


def extra_points(products: Iterable[str], as_of: int) -> list[Point]:
    """What scenarios can move, beyond what the market of the mixed book has."""
    return _inflation_curves(as_of) if "inflation_swap" in products else []


def extra_facts(products: Iterable[str], as_of: int) -> list[Point]:
    """Observed values, beyond those of the mixed book."""
    return _price_indices(as_of) if "inflation_swap" in products else []


def inflation_level(days: ArrayLike, as_of: int) -> NDArray[np.float64]:
    """Every price index in the month of a day, whichever: smooth growth to about 130 today."""
    months = np.asarray(days, np.int64).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    today = int(np.datetime64(as_of, "D").astype("datetime64[M]").astype(np.int64))
    return np.asarray(130.0 * (1.0 + _GROWTH) ** ((months - today) / 12.0))


def _inflation_curves(as_of: int) -> list[Point]:
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


def _price_indices(as_of: int) -> list[Point]:
    """Of the months that are published, up to the second before today's."""
    month = np.datetime64(as_of, "D").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days = add_months(np.full(_INFLATION_MONTHS, month), np.arange(-_INFLATION_MONTHS - 1, -1))
    levels = np.round(inflation_level(days, as_of), 2)
    return [
        Point(f"index_fixing:{name}:{iso}", "index_fixing", name, name[:3], float(level), iso)
        for name in INFLATION
        for iso, level in ((to_iso(day), level) for day, level in zip(days, levels, strict=True))
    ]
