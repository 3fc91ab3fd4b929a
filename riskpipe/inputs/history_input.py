"""The history of a run: read in pieces, checked, made moves of today's market."""

from __future__ import annotations

import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.market_input import Market
from riskpipe.market.dates import history_date_faults
from riskpipe.market.history import HistoricalMoves, HistoryRules
from riskpipe.market.history_source import distinct_values
from riskpipe.store.dataset import DataSet


def open_history(inspection: Inspection, market: Market | None) -> HistoricalMoves | None:
    """The moves of the past; None where nothing asks for them, they cannot be read, or there is no market to move."""
    settings, location = inspection.settings, inspection.settings.inputs.history
    if location is None or "historical_var" not in settings.measures:
        return None

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

    found = inspection.read("history", location, read)
    if found is None:
        return None
    distinct, moves = found
    for fault in history_date_faults(distinct, inspection.as_of, Level(settings.check.market_date)):
        inspection.add_found("history", location, fault, blocking=fault.level == Level.ERROR)
    return moves
