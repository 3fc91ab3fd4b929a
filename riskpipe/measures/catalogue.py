"""What makes each measure, and what the columns of a scenario set make: riskpipe's own families of bumps, in order,
then those of other packages (entry points).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from riskpipe.errors import UsageError
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
from riskpipe.measures.measure_names import CASH_FLOWS, FIGURES, MEASURES, PNL_SETS
from riskpipe.measures.pnl_sets import pnl_set
from riskpipe.measures.theta_split import ThetaSplitFamily
from riskpipe.plugins import Plugin, load_plugins

GROUP = "riskpipe.measures"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_OF_BOOKS = ("var", "var_99", "es_97_5")
"""What books have of P&L vectors, under names of their own (`runs/aggregate.py`)."""

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
"""riskpipe's own."""


class Families(dict[str, Family]):
    """Name -> family of bumps.

    :ivar further: the measures of other packages, in order.
    :ivar broken: what is wrong with each plug-in that could not be loaded, by entry point.
    """

    def __init__(self) -> None:
        super().__init__({family.name: family for family in FAMILIES})
        self.further: tuple[str, ...] = ()
        self.broken: dict[str, str] = {}

    def add(self, plugin: Plugin[Family]) -> None:
        """:raises UsageError: a name that is taken, or is none."""
        family = plugin.value
        if family.name in {*self, BASE, *PNL_SETS.values()}:
            raise plugin.is_there("family of measures")
        taken = {*MEASURES, *_OF_BOOKS, *self.further}
        for measure in family.measures:
            if measure in taken or not _NAME.fullmatch(measure):
                why = "is there already" if measure in taken else "is no name (lower-case letters, digits and _)"
                raise UsageError(f"the measure {measure!r} of {plugin.where} ({plugin.package}) {why}")
        self[family.name] = family
        self.further = (*self.further, *family.measures)


@cache
def known_families() -> Families:
    """Every family there is.

    Another package adds one with an entry point of the group `riskpipe.measures` that names a subclass of `Family` (or
    an instance); its measures are then asked for as riskpipe's own are. One that cannot be loaded is `broken`, and the
    others are there.

    :raises UsageError: a name that is taken, or is none.
    """
    found = Families()
    plugins = load_plugins(GROUP, Family)  # type: ignore[type-abstract]
    found.broken |= plugins.broken
    for plugin in plugins.found:
        found.add(plugin)
    return found


def family_of(measure: str) -> Family | None:
    """That makes a sensitivity; None: it is none, or its package is not there."""
    return next((family for family in known_families().values() if measure in family.measures), None)


def is_own(family: Family) -> bool:
    """Whether a family is riskpipe's: what goes wrong with it is a bug here."""
    return family in FAMILIES


@cache
def valuation_measures() -> tuple[str, ...]:
    """Those that a trade has one number of, in `valuations`."""
    with_total = (family for family in known_families().values() if family.total != "none")
    return ("pv", *(measure for family in with_total for measure in family.measures), *FIGURES)


@cache
def additive_measures() -> tuple[str, ...]:
    """Those of them whose numbers, in base currency, add up to a book's."""
    summed = (family for family in known_families().values() if family.additive and family.total != "none")
    return ("pv", *(measure for family in summed for measure in family.measures))


def families(measures: Iterable[str]) -> tuple[Family, ...]:
    """The families that serve any of `measures`, in catalogue order.

    :raises UsageError: a measure that is not there: its package is not, or is broken.
    """
    known, wanted = known_families(), set(measures)
    if absent := sorted(wanted.difference(MEASURES, known.further)):
        raise UsageError("; ".join([f"no measure is called {absent[0]!r} here", *known.broken.values()]))
    return tuple(family for family in known.values() if wanted & set(family.measures))


def measure_versions(measures: Iterable[str]) -> dict[str, int]:
    """Of those measures that other packages make -> version of the family; riskpipe's own have riskpipe's."""
    wanted = set(measures)
    further = (family for family in families(wanted) if not is_own(family))
    return {measure: family.version for family in further for measure in family.measures if measure in wanted}


def measures_of(set_name: str) -> frozenset[str]:
    """The measures that the columns of a scenario set make."""
    if set_name == BASE:
        return frozenset(("pv", CASH_FLOWS, *FIGURES))
    found = pnl_set(set_name)
    if found is not None:
        return frozenset((found.measure,))
    family = known_families().get(set_name)
    return frozenset() if family is None else frozenset(family.measures)
