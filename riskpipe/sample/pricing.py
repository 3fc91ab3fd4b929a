"""Today's forwards, par rates and vols as look-up tables: what fair terms of a new trade are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import DIVIDENDS
from riskpipe.market.labels import Labels
from riskpipe.sample.market_table import Point
from riskpipe.sample.universe import (
    BY_CODE,
    COMMODITY_BY_NAME,
    EQUITY_BY_NAME,
    FX_SMILES,
    Smile,
)
from riskpipe.sample.vol_surfaces import atm_variance

STEPS_A_YEAR = 12
HORIZON_YEARS = 42


class Tables:
    """Functions of time, tabulated monthly and read off by linear interpolation, for many names at once."""

    def __init__(self, values: dict[str, FloatArray]) -> None:
        self._row = {name: k for k, name in enumerate(values)}
        self._values = np.array(list(values.values()))

    def at(self, names: Labels, years: FloatArray) -> FloatArray:
        """Values, [n], at times clipped to the table."""
        rows = np.array([self._row[name] for name in names.names], np.int64)[names.codes]
        x = np.clip(years, 0.0, HORIZON_YEARS - 0.001) * STEPS_A_YEAR
        left = x.astype(np.int64)
        w = x - left
        return np.asarray((1.0 - w) * self._values[rows, left] + w * self._values[rows, left + 1])


class Quotes:
    """Fair terms as of today; near enough for strikes and coupons, no substitute for a pricer."""

    def __init__(self, points: Sequence[Point]) -> None:
        grid = np.arange(HORIZON_YEARS * STEPS_A_YEAR + 1) / STEPS_A_YEAR
        curves = _curves(points, "zero_rate")
        discount = {name: np.exp(-np.interp(grid, *zs) * grid) for name, zs in curves.items()}
        self._discount = Tables(discount)
        # Sum of yearly accruals times discount factors, by the trapezium rule on the monthly grid.
        self._annuity = Tables({name: _integral(values) for name, values in discount.items()})
        growth = {name: np.exp(-np.interp(grid, *qs) * grid) for name, qs in _curves(points, "dividend_yield").items()}
        for name, (times, left) in _discrete_dividends(points).items():
            growth[name] = growth.get(name, 1.0) * left[np.searchsorted(times, grid, side="right")]
        for name, bs in _curves(points, "borrow").items():
            growth[name] = growth[name] * np.exp(-np.interp(grid, *bs) * grid)
        self._growth = Tables(growth)
        forwards = _curves(points, "forward_price")
        self._forward = Tables({name: np.interp(grid, *fs) for name, fs in forwards.items()})
        self._hazard = Tables({name: np.interp(grid, *hs) for name, hs in _curves(points, "hazard_rate").items()})
        self._variance = Tables({name: atm_variance(smile, grid) for name, smile in _smiles().items()})

    def par_rate(self, curves: Labels, start: FloatArray, end: FloatArray) -> FloatArray:
        """Fixed rate, paid yearly on ACT/365F, of a swap between two times; what lies before today is left out."""
        start = np.maximum(start, 0.0)
        end = np.maximum(end, start + 1.0 / STEPS_A_YEAR)
        floating = self._discount.at(curves, start) - self._discount.at(curves, end)
        continuous = floating / (self._annuity.at(curves, end) - self._annuity.at(curves, start))
        return np.asarray(np.expm1(continuous))

    def fx_forward(self, pairs: Labels, years: FloatArray) -> FloatArray:
        """Units of the second currency for one of the first, by covered parity."""
        base = pairs.map(lambda pair: BY_CODE[pair[:3]].discount_curve)
        quote = pairs.map(lambda pair: BY_CODE[pair[3:]].discount_curve)
        spot = np.array([BY_CODE[p[3:]].scale / BY_CODE[p[:3]].scale for p in pairs.names])[pairs.codes]
        return np.asarray(spot * self._discount.at(base, years) / self._discount.at(quote, years))

    def equity_forward(self, names: Labels, years: FloatArray) -> FloatArray:
        spot = np.array([EQUITY_BY_NAME[name].spot for name in names.names])[names.codes]
        curve = names.map(lambda name: BY_CODE[EQUITY_BY_NAME[name].currency].discount_curve)
        return np.asarray(spot * self._growth.at(names, years) / self._discount.at(curve, years))

    def commodity_forward(self, names: Labels, years: FloatArray) -> FloatArray:
        return self._forward.at(names, years)

    def hazard_rate(self, issuers: Labels, years: FloatArray) -> FloatArray:
        return self._hazard.at(issuers, years)

    def deviation(self, names: Labels, years: FloatArray) -> FloatArray:
        """At-the-money vol times the square root of time: how far a strike may lie from its forward."""
        return np.asarray(np.sqrt(self._variance.at(names, np.maximum(years, 1.0 / 365.0))))


def _curves(points: Sequence[Point], kind: str) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Times and values of every curve of a kind."""
    found: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        if point.kind == kind:
            found.setdefault(point.name, []).append((point.years, point.value))
    return {name: (np.array([t for t, _ in tv]), np.array([v for _, v in tv])) for name, tv in found.items()}


def _discrete_dividends(points: Sequence[Point]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Times, and what is left of the spot before the first, between them and after the last; cash at today's spot."""
    shares = [
        replace(p, kind="paid", value=p.value / EQUITY_BY_NAME[p.name].spot if p.kind == "dividend" else p.value)
        for p in points
        if p.kind in DIVIDENDS
    ]
    return {
        name: (times, np.append(1.0, np.cumprod(1.0 - values)))
        for name, (times, values) in _curves(shares, "paid").items()
    }


def _integral(values: FloatArray) -> FloatArray:
    steps = (values[1:] + values[:-1]) / (2.0 * STEPS_A_YEAR)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _smiles() -> dict[str, Smile]:
    equities = {name: equity.smile for name, equity in EQUITY_BY_NAME.items()}
    return {**FX_SMILES, **equities, **{name: c.smile for name, c in COMMODITY_BY_NAME.items()}}
