"""Calendars of one's own, `market.calendars`: read whole, and passed on as what they list (`market.own_calendars`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from riskpipe.config import Settings
from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.market.factors import MarketFault, fault
from riskpipe.market.open_days import FIRST, LAST
from riskpipe.market.own_calendars import Days, own_calendar
from riskpipe.store.columns import can_read, read_column
from riskpipe.store.dataset import DataSet

_COLUMN = "date"


def calendar_locations(settings: Settings) -> dict[str, str]:
    """Where each lies, by its key, which names it among the inputs."""
    return {f"market.calendars.{name}": entry.path for name, entry in settings.market.calendars.items()}


def open_calendars(inspection: Inspection) -> None:
    """Read them into `inspection.calendars`. One that cannot be read is a fault that stands in the way; meanwhile it is
    its base alone, so that all else can be looked at."""
    entries = inspection.settings.market.calendars.values()
    for (key, location), entry in zip(calendar_locations(inspection.settings).items(), entries, strict=True):
        table = inspection.read(key, location, DataSet.read)
        found = [] if table is None else list(_faults(table))
        for each in found:
            inspection.add_found(key, location, each, blocking=each.level == Level.ERROR)
        sound = table is not None and all(each.level != Level.ERROR for each in found)
        holidays = _days(table) if sound else np.zeros(0, np.int32)
        inspection.calendars[key.rpartition(".")[2]] = own_calendar(holidays, entry.base, entry.weekend)


def _days(table: pa.Table) -> Days:
    """int32[n]; nulls, and what cannot be read, aside."""
    days = read_column(table.column(_COLUMN), table.schema.field(_COLUMN), "date", optional=True)[0]
    return np.asarray(days.drop_null().cast(pa.int32()).to_numpy(), np.int32)


def _faults(table: pa.Table) -> Iterator[MarketFault]:
    """What is wrong with a file of holidays."""
    if table.column_names.count(_COLUMN) != 1 or not can_read(table.schema.field(_COLUMN), "date"):
        yield fault(Level.ERROR, _COLUMN, "schema", (), f"holidays are a column {_COLUMN!r} of dates, once in the file")
        return
    days = _days(table)
    unread = len(table) - len(days)
    if unread:
        message = f"{unread} rows have no date that can be read: every row is a holiday"
        yield fault(Level.ERROR, _COLUMN, "missing", (), message)
    beyond = days[(days < FIRST) | (days > LAST)]
    if beyond.size:
        message = "a holiday is not of the years 1901 to 2199, outside which calendars have weekends alone"
        yield fault(Level.ERROR, _COLUMN, "date_range", beyond.astype("datetime64[D]"), message)
    if not len(table):
        yield fault(Level.WARNING, _COLUMN, "empty", (), "there is no holiday in it")
