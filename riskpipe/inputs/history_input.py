"""The history of a run: read in pieces, checked, made moves of today's market."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.market_input import Market
from riskpipe.market.dates import history_date_faults
from riskpipe.market.history import HistoricalMoves, HistoryRules
from riskpipe.market.history_source import distinct_values
from riskpipe.measures.measure_names import PNL_SETS, SIMULATED
from riskpipe.measures.run_scenarios import Histories, History
from riskpipe.store.dataset import DataSet

HISTORY = "history"


def uses_history(settings: Settings) -> bool:
    """Whether a measure asks for moves of the past."""
    measures = settings.measures
    of_moves = {"historical_var", *SIMULATED} & set(measures)
    return bool(of_moves) or ("stress" in measures and bool(settings.stress.history))


def history_locations(settings: Settings) -> dict[str, str]:
    """Location of every history that is asked for, by the input's name."""
    inputs = settings.inputs
    if inputs.history is None or not uses_history(settings):
        return {}
    further = inputs.histories.items() if "historical_var" in settings.measures else ()
    return {HISTORY: inputs.history, **{input_name(name): each.path or inputs.history for name, each in further}}


def input_name(set_name: str) -> str:
    """What the history of a scenario set is called among the inputs."""
    return HISTORY if set_name == PNL_SETS["historical_var"] else f"inputs.histories.{set_name}.path"


def open_histories(inspection: Inspection, market: Market | None) -> Histories:
    """The moves of the past, less what nothing asks for, what cannot be read, and what has no market to move."""
    settings = inspection.settings
    found = {name: _open(inspection, market, name, place) for name, place in history_locations(settings).items()}
    further = {
        name: History(moves, *(None if day is None else day.isoformat() for day in (each.first, each.last)))
        for name, each in settings.inputs.histories.items()
        if (moves := found.get(input_name(name))) is not None
    }
    return Histories(found.get(HISTORY), further, settings.risk.monte_carlo.terms())


def _open(inspection: Inspection, market: Market | None, name: str, location: str) -> HistoricalMoves | None:
    settings = inspection.settings

    def read(files: DataSet) -> tuple[pa.Table, HistoricalMoves | None]:
        distinct = distinct_values(files)
        if market is None:
            return distinct, None
        rules = HistoryRules(
            returns=settings.history.returns,
            horizon_days=settings.history.horizon_days,
            units=market.units,
            derived=market.derivative.is_derived,
        )
        return distinct, HistoricalMoves(files, distinct, market.model.snapshot, rules)

    found = inspection.read(name, location, read)
    if found is None:
        return None
    distinct, moves = found
    if name == HISTORY:  # others are of whatever past
        for fault in history_date_faults(distinct, inspection.as_of, Level(settings.check.market_date)):
            inspection.add_found(name, location, fault, blocking=fault.level == Level.ERROR)
    return moves
