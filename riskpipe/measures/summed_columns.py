"""What of a trade's numbers adds up to a book's, and how many sums that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from riskpipe.market.scenarios import BASE, ScenarioSet
from riskpipe.measures.catalogue import additive_measures
from riskpipe.measures.measure_names import EXPLAIN
from riskpipe.measures.pnl_sets import pnl_set, pnl_sets


class Summed(NamedTuple):
    """What is summed: P&L under the scenarios of a set, or a measure's values.

    :param scenario_set: the set's name among the run's scenarios; of values: the base.
    """

    scenario_set: str
    measure: str


def all_summed(scenarios: ScenarioSet, measures: tuple[str, ...]) -> Iterator[Summed]:
    """What a run with these measures sums."""
    yield from (Summed(BASE, measure) for measure in measures if measure in additive_measures())
    wanted = [measure for measure in measures if measure != EXPLAIN]
    yield from (Summed(each.name, each.measure) for each in pnl_sets(scenarios.sets) if each.measure in wanted)


def summed_columns(scenarios: ScenarioSet, what: Summed) -> int:
    """How many sums a book has: one a scenario, or one of values."""
    if pnl_set(what.scenario_set) is None:
        return 1
    columns = scenarios.columns_of(what.scenario_set)
    return int(columns.stop - columns.start)
