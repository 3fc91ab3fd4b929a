"""The scenarios of a run: stresses and history read, checked, and made columns of one set."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import Level
from riskpipe.inputs.history_input import open_history
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.market_input import Market
from riskpipe.market.history import HistoricalMoves
from riskpipe.measures.families import Bumps
from riskpipe.measures.run_scenarios import NOT_PRICED, FactorRules, Scenarios, build_scenarios
from riskpipe.plan.selection import Selection
from riskpipe.store.dataset import DataSet

_MEASURES = {"scenarios": "stress", "history": "historical_var"}


def scenario_locations(settings: Settings) -> dict[str, str]:
    """Location of every input that scenarios are made from under these measures, by name."""
    wanted = [name for name, measure in _MEASURES.items() if measure in settings.measures]
    places = {name: getattr(settings.inputs, name) for name in wanted}
    return {name: place for name, place in places.items() if place is not None}


def read_scenario_inputs(
    inspection: Inspection, market: Market | None
) -> tuple[pa.Table | None, HistoricalMoves | None]:
    """Stresses and moves of the past, where they are asked for; what cannot be read is a blocking fault."""
    stresses = scenario_locations(inspection.settings).get("scenarios")
    table = None if stresses is None else inspection.read("scenarios", stresses, DataSet.read)
    return table, open_history(inspection, market)


def open_scenarios(inspection: Inspection, market: Market, selection: Selection) -> Scenarios:
    """The columns of all measures; what stands in the way of some is a blocking fault."""
    settings = inspection.settings
    stress, history = read_scenario_inputs(inspection, market)
    scenarios = build_scenarios(
        market.model.snapshot,
        tuple(settings.measures),
        Bumps(**settings.bumps.model_dump()),
        stress=stress,
        history=history,
        selected=lambda name: selection.value("scenario", name),
        rules=FactorRules(market.left_out.factors, market.units),
        derivative=market.derivative,
    )
    for name, faults in (
        ("scenarios", scenarios.stress_faults),
        ("history", scenarios.history_faults),
    ):
        location = getattr(settings.inputs, name) or ""
        for fault in faults:
            # Columns that cannot be read stop; of rows, and where there are none, what depends on them is left out.
            usable = fault.rows > 0 or fault.rule in NOT_PRICED
            blocking = fault.level == Level.ERROR and not usable
            inspection.add_found(name, location, fault, blocking=blocking)
    return scenarios
