"""The run's one ScenarioSet: base, bumps, horizon, stresses and history as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.market.derived import Derivative, Unmade
from riskpipe.market.factors import fault
from riskpipe.market.history import TOO_SHORT, HistoricalMoves
from riskpipe.market.scenarios import ScenarioSet, ScenarioSetBuilder, stress_columns
from riskpipe.market.snapshot import MarketFault, MarketSnapshot
from riskpipe.market.stresses import EMPTY, LEFT_OUT
from riskpipe.measures.catalogue import PNL_SETS, families
from riskpipe.measures.families import Bumps

NOT_PRICED = frozenset({EMPTY, LEFT_OUT, TOO_SHORT})
"""Rules of the inputs whose errors leave out scenarios, or a measure, and nothing else."""


@dataclass(frozen=True)
class Scenarios:
    """The set, and the faults of the inputs that it was made from, by input."""

    columns: ScenarioSet
    stress_faults: tuple[MarketFault, ...] = ()
    history_faults: tuple[MarketFault, ...] = ()


@dataclass(frozen=True)
class FactorRules:
    """What else is known of the snapshot's factors.

    :param left_out: ids of those that the snapshot lacks for their errors.
    :param units: of those that are quoted in a fraction of their currency, see `stress_columns`.
    """

    left_out: frozenset[str] = frozenset()
    units: Mapping[str, float] | None = None


NO_RULES = FactorRules()


def build_scenarios(
    snapshot: MarketSnapshot,
    measures: tuple[str, ...],
    bumps: Bumps,
    *,
    stress: pa.Table | None = None,
    history: HistoricalMoves | None = None,
    selected: Callable[[str], bool] = lambda name: True,
    rules: FactorRules = NO_RULES,
    derivative: Derivative | None = None,
) -> Scenarios:
    """All columns that `measures` need, in catalogue order after the base.

    Bump columns of one subject stay together, P&L columns may be cut anywhere.

    :param history: its moves, which are used up.
    :param selected: keeps a stress or a day of history, by name.
    :param derivative: of the snapshot's derived points: they follow their quotes, exactly in stresses, to first order
        else. Measures by point have the quotes in their place.
    """
    derivative = derivative or Derivative(snapshot)
    builder = ScenarioSetBuilder(snapshot, derivative)
    for family in families(measures):
        first_of_family = True
        for subject in family.subjects(snapshot, bumps):
            if family.total == "none" and derivative.is_derived[subject.factors].all():
                continue
            for k, levels in enumerate(subject.levels):
                # Totals over subjects need all of them in one block, so only families without a total are cut inside.
                cut = k == 0 and (family.total == "none" or first_of_family)
                builder.add(subject.label, family.name, subject.factors, levels, horizon=family.horizon, cut=cut)
                first_of_family = False
    stress_faults: list[MarketFault] = []
    if "stress" in measures and stress is not None:
        columns, stress_faults = stress_columns(stress, snapshot, rules.left_out, rules.units)
        for name, factors, levels in columns:
            if selected(name):
                builder.add(name, PNL_SETS["stress"], factors, levels, exact=True)
        stress_faults += _unmade_faults(builder.unmade)
    if "historical_var" in measures and history is not None:
        for name, factors, levels in history.columns():
            if selected(name):
                builder.add(name, PNL_SETS["historical_var"], factors, levels)
    return Scenarios(builder.build(), tuple(stress_faults), tuple(history.faults) if history is not None else ())


def _unmade_faults(unmade: Iterable[tuple[str, Unmade]]) -> list[MarketFault]:
    """A warning for every curve and surface that some stresses leave without levels."""
    found: dict[str, list[tuple[str, str]]] = {}
    for scenario, each in unmade:
        found.setdefault(each.group, []).append((scenario, each.reason))
    faults = []
    for group, cases in found.items():
        scenario, reason = cases[0]
        message = (
            f"{group} cannot be made of its quotes in a stress, first in {scenario!r}: {reason}; "
            "what depends on it fails there with NUMERICAL"
        )
        faults.append(fault(Level.WARNING, "shift", "not bootstrappable", [name for name, _ in cases], message))
    return faults
