"""What two moves bring together beyond each alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import MarketFault, fault, nearest
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.measures.families import (
    UNDERLYING_KINDS,
    VOLATILITY_KINDS,
    Bumps,
    Family,
    Subject,
    factors_of,
    reference_price,
    volatilities_of,
)

CROSSED_KINDS = (*UNDERLYING_KINDS, *VOLATILITY_KINDS, "zero_rate", "hazard_rate")


class CrossGammaFamily(Family):
    """v(a+, b+) - v(a+) - v(b+) + v for each declared pair of groups (`Bumps.cross_gamma`), each moved as a whole.

    Spots and forward prices move by `bucketed_spot`, as they do for bucketed_delta; volatilities, rates and hazard
    rates as for vega, dv01 and cs01. All else is held.
    """

    name = "cross_gamma"
    measures = ("cross_gamma",)
    kinds = CROSSED_KINDS
    width = 3
    total = "none"
    held = True

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for names in bumps.cross_gamma:
            first, second = (_group(snapshot, name) for name in names)
            if first is None or second is None:
                continue
            factors, bumped = zip(*(_bumped(snapshot, group, bumps) for group in (first, second)), strict=True)
            (one, other), (up, over) = [snapshot.x0[each] for each in factors], bumped
            columns = ((up, over), (up, other), (one, over))
            levels = tuple(np.concatenate(column) for column in columns)
            yield Subject(" x ".join(names), np.concatenate(factors), levels)

    def faults(self, snapshot: MarketSnapshot, bumps: Bumps) -> Iterator[MarketFault]:
        known = [f"{each.kind}:{each.name}" for each in snapshot.groups if each.kind in CROSSED_KINDS]
        for name in dict.fromkeys(name for names in bumps.cross_gamma for name in names):
            if _group(snapshot, name) is None:
                message = f"the market has no {name}, which bumps.cross_gamma names{nearest(name, known)}"
                yield fault(Level.ERROR, "cross_gamma", "unknown factor", (), message)

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        both, first, second = values.T
        return {"cross_gamma": (both - first) - (second - base)}


def _group(snapshot: MarketSnapshot, name: str) -> FactorGroup | None:
    kind, _, of = name.partition(":")
    return snapshot.group(kind, of) if kind in CROSSED_KINDS else None


def _bumped(snapshot: MarketSnapshot, group: FactorGroup, bumps: Bumps) -> tuple[np.ndarray, FloatArray]:
    """Factors int64[k] of a group, and their levels when it moves as a whole."""
    if group.kind in VOLATILITY_KINDS:
        factors = volatilities_of(snapshot, group)
        return factors, snapshot.x0[factors] + bumps.of_volatility(group.kind)
    factors = factors_of(group)
    levels = snapshot.x0[factors]
    if group.kind in UNDERLYING_KINDS:
        return factors, levels + bumps.bucketed_spot * abs(reference_price(levels))
    return factors, levels + (bumps.rate if group.kind == "zero_rate" else bumps.hazard)
