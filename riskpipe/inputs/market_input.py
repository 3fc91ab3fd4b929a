"""The market of a run: read, checked, completed by what its quotes make, without what has faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from riskpipe.errors import Level
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.opened_market import Market
from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.checks import canonical_table, check_market_table
from riskpipe.market.consistency import consistency_faults
from riskpipe.market.dates import DateSource, market_date_faults
from riskpipe.market.derived import Derivative, GroupName, derive
from riskpipe.market.left_out import LeftOut, without_errors
from riskpipe.market.minor_units import in_major_units
from riskpipe.market.model import MarketModel
from riskpipe.market.odd_values import odd_facts, odd_levels
from riskpipe.market.point_table import MARKET_SCHEMA, REQUIRED_COLUMNS
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.plan.fault import Fault
from riskpipe.store.dataset import DataSet


def open_market(inspection: Inspection) -> Market | None:
    """The market, less what has faults; None where nothing is left, which is a fault that stands in the way."""
    location = inspection.settings.inputs.market
    table = inspection.read("market", location, DataSet.read)
    if table is None:
        return None
    as_of = inspection.as_of
    where, level = inspection.settings.inputs.market_date, Level(inspection.settings.check.market_date)
    source = None if where is None else DateSource(where, location)
    for fault in market_date_faults(table, as_of, level, source):
        inspection.add_found("market", location, fault, blocking=fault.level == Level.ERROR)
    faults = check_market_table(table, as_of)
    for fault in faults:
        # A fault of whole columns leaves no market; one of points leaves the curves and surfaces without them.
        inspection.add_found("market", location, fault, blocking=fault.level == Level.ERROR and fault.rows == 0)
    if any(fault.table == "market" for fault in inspection.blocking):
        return None
    errors = frozenset().union(*(f.ids for f in faults if f.level == Level.ERROR))
    sound, left_out = without_errors(_canonical(table), errors)
    market = _derived(inspection, *_consistent(inspection, sound, left_out))
    if market is not None:
        for fault in (*odd_facts(market.model, inspection.settings.check.usual), *arbitrage_faults(market.model)):
            inspection.add_found("market", location, fault, blocking=False)
    return market


def _consistent(
    inspection: Inspection, table: pa.Table, before: LeftOut
) -> tuple[pa.Table, LeftOut, Mapping[str, float]]:
    """The market in major units, less what of it excludes each other; all that is left out; `Market.units`."""
    table, units = in_major_units(table)
    check = inspection.settings.check
    faults = [
        *consistency_faults(table, inspection.as_of, check.tolerances.values()),
        *odd_levels(table, check.usual),
    ]
    for fault in faults:
        inspection.add_found("market", inspection.settings.inputs.market, fault, blocking=False)
    errors = frozenset().union(*(fault.ids for fault in faults if fault.level == Level.ERROR))
    sound, left_out = without_errors(table, errors)
    return sound, LeftOut(before.factors | left_out.factors, before.groups | left_out.groups), units


def _derived(inspection: Inspection, table: pa.Table, left_out: LeftOut, units: Mapping[str, float]) -> Market | None:
    """The market with what its quotes make."""
    location = inspection.settings.inputs.market
    derivation = derive(table, PRODUCERS, inspection.as_of, inspection.conventions, left_out.groups)
    for fault in derivation.faults:
        inspection.add_found("market", location, fault, blocking=False)
    if not len(derivation.table):
        message = "no curve or surface of the market is without error"
        inspection.add(Fault(Level.ERROR, "market", location, "", "empty", 0, (), message), blocking=True)
        return None
    dropped = _ids(table) - _ids(derivation.table)
    left_out = LeftOut(left_out.factors | dropped, derivation.left_out)
    made = {group for each in derivation.groups for group in _groups(each.points)}
    snapshot = MarketSnapshot.of_completed(derivation.table, made, inspection.as_of)
    model = MarketModel(snapshot, inspection.conventions, left_out=left_out.groups)
    return Market(model, Derivative(snapshot, derivation.groups), left_out, units)


def _ids(table: pa.Table) -> frozenset[str]:
    return frozenset(table.column("factor").to_pylist())


def _groups(table: pa.Table) -> Iterator[GroupName]:
    return zip(table.column("kind").to_pylist(), table.column("name").to_pylist(), strict=True)


def _canonical(table: pa.Table) -> pa.Table:
    return canonical_table(table, MARKET_SCHEMA, REQUIRED_COLUMNS)[0]
