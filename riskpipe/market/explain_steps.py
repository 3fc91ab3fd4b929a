"""The steps from one day's market to the next one's, as levels of the later day's factors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.curves import DAYS_A_YEAR, Curves
from riskpipe.market.derived import Derivative
from riskpipe.market.factors import RiskClass
from riskpipe.market.realised_forwards import CURVES
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.market.snapshot import MarketSnapshot

CARRY, ROLL_DOWN = "carry", "roll_down"

Step = tuple[str, NDArray[np.integer], FloatArray]
"""Name, factors int64[k], and their levels float64[k]; all other factors are at the later day's levels."""


class ExplainSteps:
    """Markets on the way from an earlier day to today, all of today's date and pillars.

    carry: the earlier day's market with its forward rates come true: curves of rates, hazard rates, dividend yields and
    borrow costs are read at the dates of today's pillars, beyond today's date; all else, spots too, is at the earlier
    day's levels.
    roll_down: every factor at the earlier day's level of the same name, so that curves keep their shape by tenor. Then
    one risk class after the other goes to today's levels. What the earlier day has not is at today's level throughout,
    and so are facts, as today's fixings.

    Derived points are made of the quotes again, but under carry, where the curves are given.

    :param before: the earlier day's market, with its derived points. :param derivative: of today's.
    """

    def __init__(
        self, before: MarketSnapshot, derivative: Derivative, conventions: Conventions, classes: RiskClasses
    ) -> None:
        self._before = before
        self._today = derivative.snapshot
        self._is_derived = derivative.is_derived
        self._classes = classes
        self._conventions = conventions
        place = np.array([before.factor_index(factor) for factor in self._today.factor_ids], np.int64)
        shockable = ~np.array([kind.fact for kind in self._today.kind_of_factor], np.bool_)
        self._known = (place >= 0) & shockable
        self._levels = np.where(self._known, before.x0[np.maximum(place, 0)], self._today.x0)

    def columns(self, order: Sequence[RiskClass]) -> Iterator[Step]:
        """:param order: in which the risk classes move."""
        yield self._carried()
        moves = self._known & ~self._is_derived
        yield self._step(ROLL_DOWN, moves, self._levels)
        for risk_class in order:
            moves = moves & ~self._classes.members(risk_class)
            yield self._step(risk_class, moves, self._levels)

    def _step(self, name: str, moves: NDArray[np.bool_], levels: FloatArray) -> Step:
        factors = np.flatnonzero(moves & (levels != self._today.x0))
        return name, factors, levels[factors]

    def _carried(self) -> Step:
        levels, moves = self._levels.copy(), self._known & ~self._is_derived
        curves, elapsed = Curves(self._before, self._conventions), self._today.as_of - self._before.as_of
        for group in self._today.groups:
            position = self._before.group_index(group.kind, group.name)
            if group.kind not in CURVES or position < 0:
                continue
            rows = np.arange(group.start, group.stop)
            days = self._today.days[rows]
            rows, days = rows[days > self._today.as_of], days[days > self._today.as_of]
            until = np.append(days, np.int32(self._today.as_of)).astype(np.int32)
            index, weight = curves.log_discount(np.full(len(until), position, np.int32), until)
            exponent = (weight * self._before.x0[index]).sum(axis=1)
            levels[rows] = (exponent[:-1] - exponent[-1]) * DAYS_A_YEAR / (days - self._today.as_of)
            moves[rows] = elapsed > 0
        return self._step(CARRY, moves, levels)
