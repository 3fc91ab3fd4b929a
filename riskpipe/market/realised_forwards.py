"""Tomorrow's levels if today's forwards come true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.curves import DAYS_A_YEAR
from riskpipe.market.factors import is_pair
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot

CURVES = ("zero_rate", "hazard_rate", "dividend_yield", "borrow")


def realised_forwards(
    snapshot: MarketSnapshot, conventions: Conventions, days: int
) -> tuple[NDArray[np.int64], FloatArray]:
    """Curves that start at their forwards, and spots at theirs, so many calendar days later.

    Of a curve with -ln D(t) = x(t) t the point of date T is at (x(T) T - x(s) s) / (T - s), s the days: the discount
    factors D(T) / D(s). Points that are over by then stay, and so do spots whose forward needs a curve that the market
    does not have, volatilities, forward prices by date, and all else.

    :return: factors, ascending, and their levels.
    """
    model = MarketModel(snapshot, conventions)
    levels = snapshot.x0.copy()
    moved = np.zeros(len(levels), np.bool_)
    for group in snapshot.groups:
        mine = slice(group.start, group.stop)
        if group.kind in CURVES:
            levels[mine] = _curve(group, snapshot, model, days)
        elif group.kind == "spot":
            levels[mine] = _spot(group, snapshot, model, days)
        moved[mine] = group.kind in CURVES or group.kind == "spot"
    found = np.flatnonzero(moved)
    return found, levels[found]


def _curve(group: FactorGroup, snapshot: MarketSnapshot, model: MarketModel, days: int) -> FloatArray:
    mine = slice(group.start, group.stop)
    level, left = snapshot.x0[mine], snapshot.days[mine].astype(np.float64) - (snapshot.as_of + days)
    nodes, _ = model.discount(_at(group.name, snapshot.as_of + days), kind=group.kind)
    passed = -np.log(nodes.evaluate(model.base)[0, 0])
    alive = left > 0.0
    years = np.where(alive, left, 1.0) / DAYS_A_YEAR
    return np.where(alive, (level * (left + days) / DAYS_A_YEAR - passed) / years, level)


def _spot(group: FactorGroup, snapshot: MarketSnapshot, model: MarketModel, days: int) -> FloatArray:
    """float64[1]"""
    curve, later = model.conventions.discount_curve, snapshot.as_of + days
    pair = is_pair(group.name, group.currency)
    currencies = (group.name[:3], group.name[3:]) if pair else (group.currency,) if group.currency else ()
    has_curves = all(model.resolve(("zero_rate",), curve(currency)) for currency in currencies)
    if not currencies or not has_curves:
        return snapshot.x0[group.start : group.stop]
    if pair:
        base, quote = (Labels.constant(currency, 1) for currency in currencies)
        day = model.settled(Labels.constant(group.name, 1), np.array([later], np.int32))
        rates, position = model.fx_forwards(base, quote, day)
        return np.asarray(rates.evaluate(model.base)[position, 0])
    name, date = _at(group.name, later)
    forwards, place = model.forwards(name, Labels.constant(currencies[0], 1), date, ("spot",))
    return np.asarray(forwards.evaluate(model.base)[place, 0])


def _at(name: str, day: int) -> tuple[Labels, NDArray[np.int32]]:
    return Labels.constant(name, 1), np.array([day], np.int32)
