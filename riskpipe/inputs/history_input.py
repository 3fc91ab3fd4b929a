"""The history of a run: read in pieces, checked, made moves of today's market."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.opened_market import Market
from riskpipe.inputs.scenario_places import HISTORY, history_locations, input_name
from riskpipe.market.dates import history_date_faults
from riskpipe.market.history import HistoricalMoves, HistoryRules
from riskpipe.market.history_source import distinct_values
from riskpipe.measures.run_scenarios import Histories, History
from riskpipe.store.dataset import DataSet


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
