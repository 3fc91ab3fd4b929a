"""Rules of volatility points: their strikes, and what an expiry must have to make a smile."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from riskpipe.market.factors import DELTA_TYPES, SPREAD_TYPES, STRIKE_TYPES, MarketFault
from riskpipe.market.points import Points


def check_strikes(points: Points) -> Iterator[MarketFault]:
    vols = [k for k, spec in enumerate(points.specs) if spec and spec.volatility]
    strike, kind = points.strike, points.strike_type
    rows = [k for k in vols if kind[k] is not None and kind[k] not in STRIKE_TYPES]
    yield from points.report(
        "error",
        "strike_type",
        "unknown strike_type",
        rows,
        f"strike_type must be one of {', '.join(STRIKE_TYPES)}",
    )
    rows = [k for k in vols if strike[k] is not None and kind[k] is None]
    yield from points.report("error", "strike_type", "required", rows, "a strike needs a strike_type")
    rows = [k for k in vols if strike[k] is None and kind[k] not in (None, "atm")]
    yield from points.report("error", "strike", "required", rows, "this strike_type needs a strike")
    rows = [k for k in vols if strike[k] is not None and not math.isfinite(strike[k] or 0.0)]
    yield from points.report("error", "strike", "not finite", rows, "a strike is NaN or infinite")
    rows = [k for k in vols if kind[k] == "moneyness" and (strike[k] or 1.0) <= 0]
    yield from points.report("error", "strike", "not positive", rows, "a moneyness must be above zero")
    rows = [k for k in vols if kind[k] in (*DELTA_TYPES, *SPREAD_TYPES) and not 0.0 < (strike[k] or 0.5) < 1.0]
    message = "a delta must be a decimal between 0 and 1 such as 0.25, of puts too"
    yield from points.report("error", "strike", "not a delta", rows, message)
    rows = [k for k in vols if kind[k] == "butterfly" and points.value[k] < 0.0]
    yield from points.report("warning", "value", "negative butterfly", rows, "a butterfly is negative")
    rows = [k for k in vols if kind[k] == "atm" and strike[k] is not None]
    yield from points.report("warning", "strike", "ignored", rows, "the strike of an atm point is not used")


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


def check_slices(points: Points) -> Iterator[MarketFault]:
    """Points of one expiry (and tenor of the underlying) against each other."""
    mixed: list[int] = []
    incomplete: list[int] = []
    for members in _slices(points):
        types = {points.strike_type[k] or "atm" for k in members}
        axis = strike_axis(types)
        if axis is None and types <= set(STRIKE_TYPES):
            mixed.extend(members)
        if axis == "spread" and not _is_complete(points, members):
            incomplete.extend(members)
    yield from points.report(
        "error", "strike_type", "mixed strike types", mixed, "strike types that cannot share an expiry"
    )
    message = "an expiry needs an atm point, and a risk_reversal and a butterfly of each delta"
    yield from points.report("error", "strike_type", "incomplete smile", incomplete, message)


def _slices(points: Points) -> list[list[int]]:
    slices: dict[object, list[int]] = defaultdict(list)
    for k, spec in enumerate(points.specs):
        if spec and spec.volatility and points.name[k]:
            slices[spec.name, points.name[k], points.days[k], points.underlying_tenor[k]].append(k)
    return list(slices.values())


def _is_complete(points: Points, members: list[int]) -> bool:
    deltas = {kind: {points.strike[k] for k in members if points.strike_type[k] == kind} for kind in SPREAD_TYPES}
    return deltas["risk_reversal"] == deltas["butterfly"] and any(
        points.strike_type[k] in (None, "atm") for k in members
    )
