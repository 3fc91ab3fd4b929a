"""What a new run has other than an earlier one of its day, before its trades are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import yaml
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe import __version__
from riskpipe.config.dump import resolved_yaml
from riskpipe.config.models import Settings
from riskpipe.inputs.opened import OpenedInputs
from riskpipe.market.factors import KINDS
from riskpipe.market.model import MarketModel
from riskpipe.measures.catalogue import families, measure_versions
from riskpipe.measures.families import Bumps
from riskpipe.measures.measure_names import EXPLAIN, PNL_SETS
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.plan.dependants import Dependants, Fact, Gone
from riskpipe.runs.earlier_run import EarlierRun
from riskpipe.runs.engine import engine_differences
from riskpipe.structs import asdict
from riskpipe.valuation.changed_conventions import changed_conventions
from riskpipe.valuation.changed_groups import MarketChanges, PricedMarket, market_changes

# Settings that reach no number of a trade, or that reach it through what is compared itself: the market, the scenarios,
# the conventions, the measures, the trades. Whatever is not named here counts, and makes everything be priced.
_COMPARED_OTHERWISE = frozenset(
    (
        "as_of", "inputs", "output", "measures", "bumps", "history", "stress", "partition", "cluster", "retry",
        "on_invalid", "warnings_as_errors", "check", "scenario_pnl", "risk", "gates", "publish", "grace_seconds",
        "lease_seconds", "market", "dates", "reuse", "results", "notify", "metrics", "lineage",
        "deadline", "finish_within", "too_late",
    )
)  # fmt: skip


class Difference(Struct, frozen=True):
    """A row of the table `reuse`, but for the run's columns.

    :param what: factor, trade, measure or convention. :param trades: that depend on it, or are it.
    """

    what: str
    name: str
    why: str
    trades: int


class RunChanges(Struct, frozen=True):
    """:param everything: what nothing can be taken over for: name -> why.

    :param market: what is another, by groups; `products`: those that are priced by another version, and why.
    :param conventions: name -> bool[groups], what it reaches.
    :param taken: measures that are taken over; `fresh`: those that are made for every trade, and why; `dropped`: those
        that the earlier run alone has.
    :param stored: scenario sets whose P&L vectors are wanted.
    """

    everything: Mapping[str, str]
    market: MarketChanges
    conventions: Mapping[str, NDArray[np.bool_]]
    products: Mapping[str, str]
    taken: tuple[str, ...]
    fresh: Mapping[str, str]
    dropped: tuple[str, ...]
    gone: Gone | None = None
    facts: tuple[Fact, ...] = ()
    groups: int = 0
    stored: tuple[str, ...] = ()

    def dependants(self) -> Dependants:
        """To be told what each trade depends on, while the portfolio is surveyed."""
        changed = np.zeros(self.groups, np.bool_)
        changed[list(self.market.groups)] = True
        return Dependants(changed, frozenset(self.products), self.gone, self.facts, self.conventions)


def run_changes(earlier: EarlierRun, settings: Settings, inputs: OpenedInputs, stored: tuple[str, ...]) -> RunChanges:
    """:param stored: scenario sets whose P&L vectors are wanted."""
    everything = dict(_other_settings(earlier, settings))
    engines = engine_differences(earlier.header)
    if earlier.header.engine_version != __version__:
        everything["riskpipe"] = engines[0]
    known = earlier.header.product_versions
    products = {
        file.product: f"version {inputs.products[file.product].version} in place of {known[file.product]}"
        for file in inputs.files
        if file.product in known and known[file.product] != inputs.products[file.product].version
    }
    other_bumps = asdict(earlier.spec.bumps) != asdict(Bumps(**settings.bumps.model_dump()))
    market = market_changes(earlier.market, PricedMarket(inputs.snapshot, inputs.scenarios.columns), other_bumps)
    conventions: dict[str, NDArray[np.bool_]] = {}
    for found in changed_conventions(earlier.spec.conventions, inputs.model.conventions, inputs.snapshot):
        if found.groups is None:
            everything[f"market.{found.name}"] = "changed"
            continue
        reached = np.zeros(len(inputs.snapshot.groups), np.bool_)
        reached[list(found.groups)] = True
        conventions[f"market.{found.name}"] = reached
    _other_previous(earlier, inputs, market)
    fresh = dict(_fresh_measures(earlier, settings, inputs, market, stored))
    gone = None
    if market.gone:
        before = MarketModel(earlier.market.snapshot, earlier.spec.conventions)
        gone = Gone(before, settings.base_currency, np.array(market.gone))
    return RunChanges(
        everything,
        market,
        conventions,
        products,
        tuple(m for m in settings.measures if m not in fresh),
        fresh,
        tuple(m for m in earlier.header.measures if m not in settings.measures),
        gone,
        tuple(_facts(earlier, inputs, market)),
        len(inputs.snapshot.groups),
        stored,
    )


def _facts(earlier: EarlierRun, inputs: OpenedInputs, market: MarketChanges) -> Iterator[Fact]:
    """What was observed and is another, or is gone."""
    for number in market.groups:
        group = inputs.snapshot.groups[number]
        if KINDS[group.kind].fact:
            yield Fact(group.name, number)
    for number in market.gone:
        group = earlier.market.snapshot.groups[number]
        if KINDS[group.kind].fact:
            yield Fact(group.name, number, gone=True)


def _other_settings(earlier: EarlierRun, settings: Settings) -> Iterator[tuple[str, str]]:
    now = yaml.safe_load(resolved_yaml(settings))
    for key in sorted(now.keys() | earlier.settings.keys()):
        if key not in _COMPARED_OTHERWISE and now.get(key) != earlier.settings.get(key):
            yield key, f"{now.get(key)!r} in place of {earlier.settings.get(key)!r}"


def _other_previous(earlier: EarlierRun, inputs: OpenedInputs, market: MarketChanges) -> None:
    previous = inputs.previous
    named = None if previous is None else (previous.as_of.isoformat(), previous.run_id)
    if named != earlier.spec.previous and PNL_SETS[EXPLAIN] in inputs.scenarios.columns.sets:
        market.sets[PNL_SETS[EXPLAIN]] = "another earlier day"


def _fresh_measures(
    earlier: EarlierRun, settings: Settings, inputs: OpenedInputs, market: MarketChanges, stored: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    """Measures none of whose numbers are taken over, each with why."""
    sets = pnl_sets(inputs.scenarios.columns.sets)
    versions, before = measure_versions(settings.measures), earlier.header.measure_versions
    for measure in settings.measures:
        if measure not in earlier.header.measures:
            yield measure, "new"
            continue
        if PNL_SETS.get(measure) in set(stored).difference(earlier.spec.stored_pnl):
            yield measure, "its P&L by trade was not kept"
            continue
        if measure in before and versions.get(measure) != before[measure]:
            yield measure, f"version {versions.get(measure)} in place of {before[measure]}"
            continue
        made_of = [family.name for family in families((measure,))]
        made_of += [each.name for each in sets if each.measure == measure]
        why = [market.sets[name] for name in made_of if name in market.sets]
        if why:
            yield measure, why[0]


def factor_differences(changes: RunChanges, inputs: OpenedInputs, counts: NDArray[np.int64]) -> Iterator[Difference]:
    """A row for every group that is another. :param counts: int64[groups], trades that depend on each."""
    for number, places in sorted(changes.market.groups.items()):
        group = inputs.snapshot.groups[number]
        why = places[0] if places[0] in ("new", "other points") else "levels of " + ", ".join(places)
        yield Difference("factor", f"{group.kind}:{group.name}", why, int(counts[number]))
