"""How many numbers of a measure a book's sums have."""

from __future__ import annotations

from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.catalogue import ADDITIVE_MEASURES, PNL_SETS


def summed_columns(scenarios: ScenarioSet, measure: str) -> int:
    """One a scenario of the measure's set of P&L, or one of the trades' values; 0: it does not add up."""
    if measure not in PNL_SETS:
        return int(measure in ADDITIVE_MEASURES)
    if PNL_SETS[measure] not in scenarios.sets:
        return 0
    columns = scenarios.columns_of(PNL_SETS[measure])
    return int(columns.stop - columns.start)
