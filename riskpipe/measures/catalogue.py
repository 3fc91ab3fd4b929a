"""What makes each measure, and what the columns of a scenario set make."""

from __future__ import annotations

from riskpipe.market.scenarios import BASE
from riskpipe.measures.cross_gamma import CrossGammaFamily
from riskpipe.measures.curve_families import BucketedZeroFamily, CurveDv01Family, RhoFamily
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
from riskpipe.measures.measure_names import CASH_FLOWS, FIGURES
from riskpipe.measures.pnl_sets import pnl_set
from riskpipe.measures.theta_split import ThetaSplitFamily

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
    BucketedZeroFamily(),
    CurveDv01Family(),
    RhoFamily(),
    ThetaSplitFamily(),
    CrossGammaFamily(),
)

VALUATION_MEASURES: tuple[str, ...] = (
    "pv",
    *(m for family in FAMILIES if family.total != "none" for m in family.measures),
    *FIGURES,
)

ADDITIVE_MEASURES: tuple[str, ...] = (
    "pv",
    *(m for family in FAMILIES if family.additive and family.total != "none" for m in family.measures),
)


def families(measures: tuple[str, ...]) -> tuple[Family, ...]:
    """The families that serve any of `measures`, in catalogue order."""
    return tuple(family for family in FAMILIES if set(family.measures) & set(measures))


def measures_of(set_name: str) -> frozenset[str]:
    """The measures that the columns of a scenario set make."""
    if set_name == BASE:
        return frozenset(("pv", CASH_FLOWS, *FIGURES))
    found = pnl_set(set_name)
    if found is not None:
        return frozenset((found.measure,))
    return frozenset(measure for family in FAMILIES if family.name == set_name for measure in family.measures)
