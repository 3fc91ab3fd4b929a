"""The run's one ScenarioSet: base, bumps, horizon, stresses and history as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.errors import Level, UsageError, described
from riskpipe.market.conventions import Conventions
from riskpipe.market.declared_stresses import declared_columns
from riskpipe.market.derived import Derivative, Unmade
from riskpipe.market.explain_steps import Step
from riskpipe.market.factors import LIQUIDITY_HORIZONS, RiskClass, fault
from riskpipe.market.history import TOO_SHORT, HistoricalMoves
from riskpipe.market.monte_carlo_terms import MonteCarloTerms
from riskpipe.market.scenarios import ScenarioSetBuilder, stress_columns
from riskpipe.market.snapshot import MarketFault, MarketSnapshot
from riskpipe.market.stress_terms import NO_STRESSES, DeclaredStresses
from riskpipe.market.stresses import EMPTY, LEFT_OUT, Column
from riskpipe.measures.catalogue import families, is_own
from riskpipe.measures.families import Bumps, Family, Subject, check_subject
from riskpipe.measures.made_scenarios import Scenarios
from riskpipe.measures.measure_names import EXPLAIN, NESTED, PNL_SETS
from riskpipe.measures.pnl_sets import PnlSet
from riskpipe.measures.simulated_scenarios import add_simulated, simulation_of

NOT_PRICED = frozenset({EMPTY, LEFT_OUT, TOO_SHORT})
"""Rules of the inputs whose errors leave out scenarios, or a measure, and nothing else."""


class Stresses(Struct, frozen=True):
    """Where named scenarios come from: a table, and the configuration, whose own follow."""

    table: pa.Table | None = None
    declared: DeclaredStresses = NO_STRESSES


class History(Struct, frozen=True):
    """Moves of the past that make a scenario set: those of some days.

    :param moves: used up as they become columns. :param first, last: ISO dates of the moves' ends; None: all there are.
    """

    moves: HistoricalMoves
    first: str | None = None
    last: str | None = None

    def has(self, day: str) -> bool:
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)


class Histories(Struct, frozen=True):
    """
    :param main: the one that declared stresses are days of, and that simulations have the covariance of.
    :param further: by name of their scenario set. :param simulation: None: nothing is simulated.
    """

    main: HistoricalMoves | None = None
    further: Mapping[str, History] = field(default_factory=dict)
    simulation: MonteCarloTerms | None = None

    def sets(self) -> Iterator[tuple[str, History]]:
        """Every scenario set's, by name."""
        if self.main is not None:
            yield PNL_SETS["historical_var"], History(self.main)
        yield from self.further.items()


NO_HISTORIES = Histories()


class FactorRules(Struct, frozen=True):
    """What else is known of the snapshot's factors.

    :param left_out: ids of those that the snapshot lacks for their errors.
    :param conventions: of the market.
    :param units: of those that are quoted in a fraction of their currency, see `stress_columns`.
    :param classes: risk classes by which P&L is wanted as well -> bool[n_factors], which are of it.
    :param every_class: each of them must move; else those that do not are left out.
    :param nested: liquidity horizons -> bool[n_factors], the factors with this horizon or a longer one, ascending.
    """

    left_out: frozenset[str] = frozenset()
    units: Mapping[str, float] | None = None
    classes: Mapping[RiskClass, NDArray[np.bool_]] = field(default_factory=dict)
    every_class: bool = False
    conventions: Conventions = field(default_factory=Conventions)
    nested: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)


NO_RULES = FactorRules()


def build_scenarios(
    snapshot: MarketSnapshot,
    measures: tuple[str, ...],
    bumps: Bumps,
    *,
    stress: Stresses | None = None,
    histories: Histories = NO_HISTORIES,
    selected: Callable[[str], bool] = lambda name: True,
    rules: FactorRules = NO_RULES,
    derivative: Derivative | None = None,
    explain: Iterable[Step] = (),
) -> Scenarios:
    """All columns that `measures` need, in catalogue order after the base.

    Bump columns of one subject stay together, P&L columns may be cut anywhere.

    :param histories: their moves, which are used up; columns of them are made for `historical_var` alone.
    :param selected: keeps a stress or a day of history, by name.
    :param derivative: of the snapshot's derived points: they follow their quotes, exactly in stresses, to first order
        else. Measures by point have the quotes in their place.
    :param explain: steps from an earlier day's market, for `pnl_explain`; derived points follow exactly.
    """
    derivative = derivative or Derivative(snapshot)
    builder = ScenarioSetBuilder(snapshot, derivative)
    bump_faults = list[MarketFault]()
    for family in families(measures):
        bump_faults += family.faults(snapshot, bumps)
        first_of_family = True
        anew = family.total == "none" and bumps.quotes == "rebootstrap"
        for subject in _subjects(family, snapshot, bumps, rules.conventions):
            if family.total == "none" and not family.held and derivative.is_derived[subject.factors].all():
                continue
            for k, levels in enumerate(subject.levels):
                # Totals over subjects need all of them in one block, so only families without a total are cut inside.
                cut = k == 0 and (family.total == "none" or first_of_family)
                terms = (subject.label, family.name, subject.factors, levels, family.horizon, cut)
                builder.add(*terms, exact=anew, held=family.held)
                first_of_family = False
    stress_faults, declared_faults = list[MarketFault](), list[MarketFault]()
    if "stress" in measures and stress is not None:
        stress_faults, declared_faults = _add_stresses(builder, stress, histories.main, selected, rules)
    simulation = simulation_of(measures, histories.main, histories.simulation)
    of_histories: dict[str, list[MarketFault]] = {}
    for set_name, history in histories.sets():
        found = _add_history(builder, set_name, history, selected, rules) if "historical_var" in measures else ()
        of_histories[set_name] = [*found, *history.moves.faults]
    if simulation is not None:
        of_histories[PNL_SETS["historical_var"]] += add_simulated(builder, simulation, selected)
    for step, factors, levels in explain:
        builder.add(step, PNL_SETS[EXPLAIN], factors, levels, exact=True)
    return Scenarios(builder.build(), tuple(stress_faults), tuple(declared_faults), of_histories, tuple(bump_faults))


def _subjects(family: Family, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterable[Subject]:
    """Of another package's family: looked at, for a bug there is none of riskpipe's.

    :raises UsageError: its code raises, or its subjects are not what the family says.
    """
    if is_own(family):
        return family.subjects(snapshot, bumps, conventions)
    try:
        subjects = list(family.subjects(snapshot, bumps, conventions))
        for subject in subjects:
            check_subject(family, subject, snapshot)
    except Exception as error:
        message = f"the measures {', '.join(family.measures)} of {type(family).__module__} cannot be made"
        raise UsageError(f"{message}: {described(error)}; take them out of `measures`, or mend the package") from error
    return subjects


def _add_history(
    builder: ScenarioSetBuilder,
    set_name: str,
    history: History,
    selected: Callable[[str], bool],
    rules: FactorRules,
) -> list[MarketFault]:
    """The columns of a set and of its parts."""
    whole = PnlSet("historical_var", set_name)
    days, used = [], 0
    for name, factors, levels in history.moves.columns():
        days.append(name)
        if history.has(name):
            used += 1
            if selected(name):
                builder.add(name, whole.name, factors, levels)
    faults = list(_add_classes(builder, whole, rules))
    _add_nested(builder, whole, rules.nested)
    if days and not used:
        message = f"it has no move that ends within the days of {set_name}: they are from {days[0]} to {days[-1]}"
        faults.append(fault(Level.ERROR, "date", "no day of the window", (), message))
    return faults


def _add_classes(builder: ScenarioSetBuilder, whole: PnlSet, rules: FactorRules) -> Iterator[MarketFault]:
    """Each class alone, under the scenarios of a set that is there; and those that do not move, where they must."""
    moved = builder.moved(whole.name)
    still = []
    for risk_class, members in rules.classes.items():
        if (moved & members).any():
            builder.add_part(replace(whole, risk_class=risk_class).name, whole.name, members)
        else:
            still.append(risk_class)
    if still and rules.every_class and moved.any():
        message = (
            f"nothing of {' and '.join(still)} moves under the {whole.scenario_set} scenarios: take it out of "
            "risk.by_class, or say in risk.classes which factors are of it"
        )
        yield fault(Level.ERROR, "factor", "class without moves", (), message)


def _add_nested(builder: ScenarioSetBuilder, whole: PnlSet, nested: Mapping[int, NDArray[np.bool_]]) -> None:
    """The factors from each horizon on; where no factor that moves has a horizon, the next one's are its.

    The last one is there in any case, and says that they all are.
    """
    moved = builder.moved(whole.name)
    masks = [*nested.values(), np.zeros(len(moved), np.bool_)]
    for days, members, longer in zip(nested, masks, masks[1:], strict=False):
        if (moved & members & ~longer).any() or (days == LIQUIDITY_HORIZONS[-1] and moved.any()):
            builder.add_part(replace(whole, risk_class=NESTED[days]).name, whole.name, members)


def _add_stresses(
    builder: ScenarioSetBuilder,
    stresses: Stresses,
    history: HistoricalMoves | None,
    selected: Callable[[str], bool],
    rules: FactorRules,
) -> tuple[list[MarketFault], list[MarketFault]]:
    """The columns of the set `stress`: those of the table, then the declared ones. The faults of each."""
    snapshot = builder.snapshot
    columns, faults = list[Column](), list[MarketFault]()
    if stresses.table is not None:
        columns, faults = stress_columns(stresses.table, snapshot, rules.left_out, rules.units)
    taken = {name for name, _, _ in columns}.union(*(each.ids for each in faults if each.rule == LEFT_OUT))
    declared, declared_faults = declared_columns(stresses.declared, snapshot, history, taken, rules.left_out)
    for name, factors, levels in (*columns, *declared):
        if selected(name):
            builder.add(name, PNL_SETS["stress"], factors, levels, exact=True)
    unmade = list(_unmade_faults(each for each in builder.unmade if each[0] in taken))
    declared_faults += _unmade_faults(each for each in builder.unmade if each[0] not in taken)
    return faults + unmade, declared_faults


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
