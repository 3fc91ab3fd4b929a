"""Static arbitrage in volatility surfaces: calls not convex or not falling in strike, variance that falls in time.

Looked at where the surface has points, at today's levels. Prices are in units of the forward, or (normal volatilities
by offset) from the forward on. A surface by absolute strike needs forwards; one that has none is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import InputError, Level
from riskpipe.market.factors import KINDS, NO_DATE, MarketFault, fault
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import FactorGroup
from riskpipe.market.strike_checks import coordinate, strike_axis
from riskpipe.market.strike_interpolation import LINEAR, REFINEMENT, SPLINE, strike_weights
from riskpipe.market.underlyings import underlyings

QUOTE_ERROR = 1e-5
"""Quotes are rounded: what so small an error in each volatility could explain is no arbitrage."""

_NORMAL = NormalDist()


def arbitrage_faults(model: MarketModel) -> list[MarketFault]:
    """Warnings, one a surface and kind of arbitrage; their ids are the points at which it is."""
    found: list[MarketFault] = []
    for group in model.snapshot.groups:
        if KINDS[group.kind].volatility and not KINDS[group.kind].made:
            found += _surface_faults(model, group)
    return found


class _Slice(Struct, frozen=True):
    """One expiry (and tenor of the underlying), by strike over forward or (normal) strike less forward.

    :param ids: of the points.
    :param place, volatility: float64[n], ascending in place; one point is flat.
    """

    ids: list[str]
    years: float
    place: FloatArray
    volatility: FloatArray
    normal: bool

    def calls(self) -> tuple[FloatArray, FloatArray]:
        """Prices and vegas, float64[n]."""
        price = _bachelier if self.normal else _black
        pairs = zip(self.place.tolist(), (self.volatility * math.sqrt(self.years)).tolist(), strict=True)
        prices, densities = zip(*(price(place, deviation) for place, deviation in pairs), strict=True)
        return np.array(prices), np.array(densities) * math.sqrt(self.years)

    def volatility_at(self, place: FloatArray, interpolation: str) -> FloatArray:
        if len(self.place) == 1:
            return np.full(len(place), self.volatility[0])
        return np.asarray(strike_weights(interpolation, self.place, place) @ self.volatility)

    def nearest(self, place: float) -> str:
        return self.ids[int(np.abs(self.place - place).argmin())]


class _Surface(Struct, frozen=True):
    """What is looked at of a surface.

    :param slices: by expiry (and tenor of the underlying), ascending.
    :param interpolation: in strike, of variance between the points of one.
    """

    slices: list[_Slice]
    interpolation: str


class _Arbitrage(Struct, frozen=True):
    """A kind of it.

    :param points: of a surface, at which it is.
    """

    name: str
    message: str
    points: Callable[[_Surface], Iterator[str]]


def _surface_faults(model: MarketModel, group: FactorGroup) -> Iterator[MarketFault]:
    served = model.resolve((group.kind,), group.name, cube=True)
    if served is None:
        return
    interpolation = model.conventions.surface(group.name).strike_interpolation
    slices = _slices(model, group, model.snapshot.groups[served[0]], splined=interpolation == SPLINE)
    surface = _Surface(slices, LINEAR if interpolation == SPLINE else interpolation)
    for arbitrage in _ARBITRAGES:
        factors = list(arbitrage.points(surface))
        if factors:
            message = f"{group.kind}:{group.name}: {arbitrage.message}"
            yield fault(Level.WARNING, "value", arbitrage.name, factors, message)


def _slices(model: MarketModel, quoted: FactorGroup, served: FactorGroup, splined: bool) -> list[_Slice]:
    """The expiries after as_of whose strikes have a place; of a spline's points those that were quoted."""
    rows = model.snapshot.factors.slice(served.start, served.stop - served.start).to_pylist()
    rows = [row for row in rows if row["days"] > model.as_of]
    is_cube = any(row["underlying_days"] != NO_DATE for row in rows)
    step = REFINEMENT if splined and served.kind != quoted.kind else 1
    slices = []
    for _, members in groupby(rows, key=lambda row: (row["days"], row["underlying_days"])):
        points = list(members)
        places = _places(model, quoted, points, is_cube)
        if places is None:
            continue
        order = np.argsort(places, kind="stable")[:: step if len(points) > step else 1]
        slices.append(
            _Slice(
                ids=[points[k]["factor"] for k in order],
                years=(points[0]["days"] - model.as_of) / 365.0,
                place=places[order],
                volatility=np.array([points[k]["value"] for k in order]),
                normal=quoted.kind == "normal_vol",
            )
        )
    return slices


def _places(model: MarketModel, quoted: FactorGroup, points: list[dict[str, Any]], is_cube: bool) -> FloatArray | None:
    """Where the points of one expiry are, as `_Slice.place`; None where that cannot be told."""
    normal = quoted.kind == "normal_vol"
    axis = strike_axis({row["strike_type"] or "atm" for row in points}) or "atm"
    if axis == ("moneyness" if normal else "offset"):
        return None
    scale = 1.0
    if axis == "absolute":
        forward = None if normal or is_cube else _forward(model, quoted, points[0]["days"])
        if forward is None:
            return None
        scale = forward or 1.0
    places = np.array([coordinate(axis, row["strike_type"], row["strike"]) for row in points]) / scale
    if not normal and len(points) > 1 and places.min() <= 0.0:
        return None  # a lognormal forward never gets there
    return places


def _forward(model: MarketModel, group: FactorGroup, days: int) -> float | None:
    try:
        found = underlyings(model, group.name, group.currency, np.array([days], np.int32))
    except InputError:
        return None
    return None if found is None else float(found.forward[0])


def _steps(piece: _Slice) -> tuple[FloatArray, FloatArray]:
    """Slopes of the call price between neighbouring strikes, and what rounded quotes may change them by."""
    place, (price, vega) = piece.place, piece.calls()
    if not piece.normal:
        place, price, vega = np.r_[0.0, place], np.r_[1.0, price], np.r_[0.0, vega]
    gap = np.diff(place)
    return np.diff(price) / gap, QUOTE_ERROR * (vega[1:] + vega[:-1]) / gap


def _not_falling(surface: _Surface) -> Iterator[str]:
    for piece in surface.slices:
        if len(piece.place) > 1:
            slope, error = _steps(piece)
            bad = (slope > error) | (slope < -1.0 - error)
            yield from _upper_ends(piece, len(slope), bad)


def _not_convex(surface: _Surface) -> Iterator[str]:
    for piece in surface.slices:
        if len(piece.place) > 1:
            slope, error = _steps(piece)
            bad = np.diff(slope) < -(error[1:] + error[:-1])
            yield from _upper_ends(piece, len(slope), bad)


def _upper_ends(piece: _Slice, steps: int, bad: NDArray[np.bool_]) -> Iterator[str]:
    """The points at which bad steps end; the first step is from a strike of zero, or from the first point."""
    for k in np.flatnonzero(bad):
        yield piece.ids[k + len(piece.ids) - steps]


def _falling_variance(surface: _Surface) -> Iterator[str]:
    """Points of an expiry at which it has less variance than the one before; of options on one underlying."""
    slices = surface.slices
    if any(piece.normal for piece in slices) or len({piece.years for piece in slices}) < len(slices):
        return
    for near, far in pairwise(slices):
        pieces = [piece for piece in (near, far) if len(piece.place) > 1]
        places = np.unique(np.concatenate([piece.place for piece in pieces] or [np.ones(1)]))
        for piece in pieces:
            places = places[(places >= piece.place[0]) & (places <= piece.place[-1])]
        before = near.volatility_at(places, surface.interpolation)
        after = far.volatility_at(places, surface.interpolation)
        error = 2.0 * QUOTE_ERROR * (before * near.years + after * far.years)
        falls = after**2 * far.years < before**2 * near.years - error
        yield from dict.fromkeys(far.nearest(place) for place in places[falls].tolist())


_ARBITRAGES = (
    _Arbitrage("vertical arbitrage", "call prices rise with the strike, or fall faster than it rises", _not_falling),
    _Arbitrage(
        "butterfly arbitrage",
        "call prices are not convex in the strike, so that a butterfly has a negative price",
        _not_convex,
    ),
    _Arbitrage(
        "calendar arbitrage",
        "total variance falls from the expiry before at the same strike over forward",
        _falling_variance,
    ),
)


def _black(strike: float, deviation: float) -> tuple[float, float]:
    """Call on a forward of one, and its derivative by the deviation (Black 1976)."""
    d1 = -math.log(strike) / deviation + 0.5 * deviation
    return _NORMAL.cdf(d1) - strike * _NORMAL.cdf(d1 - deviation), _NORMAL.pdf(d1)


def _bachelier(offset: float, deviation: float) -> tuple[float, float]:
    """Call on a forward of zero, and its derivative by the deviation (Bachelier 1900)."""
    d = -offset / deviation
    return deviation * _NORMAL.pdf(d) - offset * _NORMAL.cdf(d), _NORMAL.pdf(d)
