"""Every measure that a configuration may name, and the scenario set each one reads."""

from __future__ import annotations

from riskpipe.measures.families import (
    BucketedDeltaFamily,
    BucketedVegaFamily,
    Cs01Family,
    Dv01Family,
    Family,
    SpotFamily,
    ThetaFamily,
    VannaFamily,
    VegaFamily,
    VolgaFamily,
)

FAMILIES: tuple[Family, ...] = (
    SpotFamily(),
    VegaFamily(),
    Dv01Family(),
    Cs01Family(),
    ThetaFamily(),
    BucketedDeltaFamily(),
    BucketedVegaFamily(),
    VolgaFamily(),
    VannaFamily(),
)

PNL_SETS = {"stress": "stress", "historical_var": "historical"}

MEASURES: tuple[str, ...] = ("pv", *(m for family in FAMILIES for m in family.measures), *PNL_SETS)

VALUATION_MEASURES: tuple[str, ...] = (
    "pv",
    *(m for family in FAMILIES if family.total != "none" for m in family.measures),
)

ADDITIVE_MEASURES: tuple[str, ...] = (
    "pv",
    *(m for family in FAMILIES if family.additive and family.total != "none" for m in family.measures),
)


def families(measures: tuple[str, ...]) -> tuple[Family, ...]:
    """The families that serve any of `measures`, in catalogue order."""
    return tuple(family for family in FAMILIES if set(family.measures) & set(measures))


def scenario_set_of(measure: str) -> str:
    """The name of the scenario set that a measure is made from."""
    if measure == "pv":
        return "base"
    if measure in PNL_SETS:
        return PNL_SETS[measure]
    return next(family.name for family in FAMILIES if measure in family.measures)
