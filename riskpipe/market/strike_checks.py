"""Rules of volatility points: their strikes, and what an expiry must have to make a smile."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from riskpipe.errors import Level
from riskpipe.market.factors import DELTA_TYPES, SPREAD_TYPES, STRIKE_TYPES, MarketFault
from riskpipe.market.points import Points
from riskpipe.market.rules import Rule, each, faults_of


def check_strikes(points: Points) -> Iterator[MarketFault]:
    """Volatility points by themselves."""
    volatilities = [k for k, spec in enumerate(points.specs) if spec and spec.volatility]
    yield from faults_of(points, _OF_STRIKES, [volatilities])


def check_slices(points: Points) -> Iterator[MarketFault]:
    """Points of one expiry (and tenor of the underlying) against each other."""
    yield from faults_of(points, _OF_SLICES, _slices(points))


def strike_axis(strike_types: set[str]) -> str | None:
    """The axis of one expiry: absolute, moneyness, offset, delta, spread, atm (one flat point); None: no such mix."""
    others = strike_types - {"atm"}
    if not others:
        return "atm"
    for axis, types in (("delta", DELTA_TYPES), ("spread", SPREAD_TYPES)):
        if others <= set(types):
            return axis
    if others in ({"moneyness"}, {"offset"}) or strike_types == {"absolute"}:
        return others.pop()
    return None


ATM_COORDINATE = {"moneyness": 1.0, "offset": 0.0}
"""Where a point at the money is on an axis."""


def coordinate(axis: str, strike_type: str | None, strike: float | None) -> float:
    """Where a volatility is on the axis of its expiry."""
    return ATM_COORDINATE.get(axis, 0.0) if strike is None or strike_type in (None, "atm") else strike


def _strike(points: Points, k: int, where_none: float) -> float:
    strike = points.strike[k]
    return where_none if strike is None else strike


_OF_STRIKES = (
    Rule(
        "strike_type",
        "unknown strike_type",
        f"strike_type must be one of {', '.join(STRIKE_TYPES)}",
        each(lambda points, k: points.strike_type[k] is not None and points.strike_type[k] not in STRIKE_TYPES),
    ),
    Rule(
        "strike_type",
        "required",
        "a strike needs a strike_type",
        each(lambda points, k: points.strike[k] is not None and points.strike_type[k] is None),
    ),
    Rule(
        "strike",
        "required",
        "this strike_type needs a strike",
        each(lambda points, k: points.strike[k] is None and points.strike_type[k] not in (None, "atm")),
    ),
    Rule(
        "strike",
        "not finite",
        "a strike is NaN or infinite",
        each(lambda points, k: not math.isfinite(_strike(points, k, 0.0))),
    ),
    Rule(
        "strike",
        "not positive",
        "a moneyness must be above zero",
        each(lambda points, k: points.strike_type[k] == "moneyness" and _strike(points, k, 1.0) <= 0.0),
    ),
    Rule(
        "strike",
        "not a delta",
        "a delta must be a decimal between 0 and 1 such as 0.25, of puts too",
        each(
            lambda points, k: (
                points.strike_type[k] in (*DELTA_TYPES, *SPREAD_TYPES) and not 0.0 < _strike(points, k, 0.5) < 1.0
            )
        ),
    ),
    Rule(
        "value",
        "negative butterfly",
        "a butterfly is negative",
        each(lambda points, k: points.strike_type[k] == "butterfly" and bool(points.value[k] < 0.0)),
        Level.WARNING,
    ),
    Rule(
        "strike",
        "ignored",
        "the strike of an atm point is not used",
        each(lambda points, k: points.strike_type[k] == "atm" and points.strike[k] is not None),
        Level.WARNING,
    ),
)


def _slices(points: Points) -> list[list[int]]:
    slices: dict[object, list[int]] = defaultdict(list)
    for k, spec in enumerate(points.specs):
        if spec and spec.volatility and points.name[k]:
            slices[spec.name, points.name[k], points.days[k], points.underlying_tenor[k]].append(k)
    return list(slices.values())


def _axis(points: Points, members: Sequence[int]) -> str | None:
    return strike_axis({points.strike_type[k] or "atm" for k in members})


def _mixed(points: Points, members: Sequence[int]) -> list[int]:
    known = {points.strike_type[k] or "atm" for k in members} <= set(STRIKE_TYPES)
    return list(members) if known and _axis(points, members) is None else []


def _incomplete(points: Points, members: Sequence[int]) -> list[int]:
    if _axis(points, members) != "spread":
        return []
    deltas = {kind: {points.strike[k] for k in members if points.strike_type[k] == kind} for kind in SPREAD_TYPES}
    at_the_money = any(points.strike_type[k] in (None, "atm") for k in members)
    return [] if at_the_money and deltas["risk_reversal"] == deltas["butterfly"] else list(members)


_OF_SLICES = (
    Rule("strike_type", "mixed strike types", "strike types that cannot share an expiry", _mixed),
    Rule(
        "strike_type",
        "incomplete smile",
        "an expiry needs an atm point, and a risk_reversal and a butterfly of each delta",
        _incomplete,
    ),
)
