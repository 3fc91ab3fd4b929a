"""All inputs of a run, opened and checked together: every fault at once, before anything is priced."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import pyarrow as pa
from msgspec import Struct

from riskpipe import __version__
from riskpipe.analyses.limit_terms import Limit
from riskpipe.config import Settings
from riskpipe.errors import Level, StorageError
from riskpipe.inputs.calendar_input import calendar_locations, open_calendars
from riskpipe.inputs.input_tables import table_sha256, unknown_column_faults
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.limit_input import limit_locations, open_limits
from riskpipe.inputs.previous_day import PREVIOUS, PreviousDay, find_previous, hash_previous
from riskpipe.inputs.remembered import remembered_market, remembered_scenarios
from riskpipe.inputs.scenario_places import history_locations, input_name, scenario_locations
from riskpipe.inputs.trade_columns import TradeColumns, check_trade_columns, trade_columns
from riskpipe.market.dates import MARKET_COLUMNS, OTHER_DAY, days_of_directories
from riskpipe.market.derived import Derivative
from riskpipe.market.factors import days_of
from riskpipe.market.model import MarketModel
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import EMPTY
from riskpipe.measures.catalogue import known_families, measure_versions
from riskpipe.measures.made_scenarios import Scenarios
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.plan.block import digest_id
from riskpipe.plan.fault import Fault
from riskpipe.plan.selection import Selection
from riskpipe.products.catalogue import Catalogue, catalogue
from riskpipe.products.term_ranges import check_ranges
from riskpipe.products.validation import SchemaFault, check_schema, column_names, known_names
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import Store
from riskpipe.store.kept import KeptResults
from riskpipe.store.listing import with_partitions
from riskpipe.store.location import open_store
from riskpipe.store.portfolio import TradeFile, discover, fingerprinted

_WAYS_OUT = {
    "no such directory": ": correct inputs.portfolio in the configuration",
    "no trades": ": trades belong in <product>/<name>.parquet; or correct inputs.portfolio in the configuration",
    "not parquet": ": write the file anew",
}


class _Inputs(Struct, frozen=True):
    """What there is of the inputs, whether they can be used or not.

    :param files: trade files with rows that can be read.
    :param calendars: `Conventions.calendars`.
    :param faults: of everything but the rows of the portfolio (see plan.survey).
    """

    settings: Settings
    products: Catalogue
    portfolio: Store
    files: tuple[TradeFile, ...]
    calendars: Mapping[str, str]
    faults: tuple[Fault, ...]

    @property
    def as_of(self) -> int:
        """Days since 1970-01-01."""
        return days_of(self.settings.as_of)


class RefusedInputs(_Inputs, frozen=True):
    """Inputs that nothing can be priced with.

    :param blocking: those of `faults` that stand in the way; there are some.
    :param model: None where it is the market that cannot be used.
    """

    blocking: tuple[Fault, ...]
    model: MarketModel | None


class OpenedInputs(_Inputs, frozen=True):
    """Inputs that can be used, but for the rows of the portfolio that the survey quarantines.

    :param derivative: of what the market's quotes make, by the quotes.
    :param hashes: name of the input -> SHA-256 of its content; trade files as `portfolio/<path>`.
    :param previous: the day that P&L is explained from, where that is asked for and there is one.
    :param trade_columns: of the table `trades`, beside those that it always has.
    """

    model: MarketModel
    derivative: Derivative
    scenarios: Scenarios
    limits: tuple[Limit, ...]
    hashes: Mapping[str, str]
    previous: PreviousDay | None
    trade_columns: TradeColumns
    blocking: ClassVar[tuple[Fault, ...]] = ()

    @property
    def snapshot(self) -> MarketSnapshot:
        return self.model.snapshot

    @property
    def sha256(self) -> str:
        """Of all inputs together."""
        return _digest(self.hashes)

    def block_inputs(self, selection: Selection) -> dict[str, str]:
        """path -> digest of all that determines the numbers of the file's blocks besides their ranges."""
        shared = [
            self.snapshot.sha256,
            self.scenarios.columns.sha256,
            self.settings.sha256,
            selection.canonical(("book", "product", "trade")),
            __version__,
            *([sorted(versions.items())] if (versions := measure_versions(self.settings.measures)) else ()),
            *([sorted(self.calendars.items())] if self.calendars else ()),
        ]
        return {
            file.path: digest_id(
                self.hashes[f"portfolio/{file.path}"],
                self.products[file.product].version,
                *shared,
                *([sorted(file.partitions.items())] if file.partitions else ()),
            )
            for file in self.files
        }


def open_inputs(settings: Settings, selection: Selection | None = None) -> OpenedInputs | RefusedInputs:
    """Find, read and check portfolio files, market, history and scenarios.

    :param selection: its terms for products and scenarios leave files and columns out.
    :raises ConfigurationError: a range of what there is not.
    """
    selection = selection or Selection()
    products = catalogue()
    check_ranges(settings.check.ranges, products)
    check_trade_columns(settings, products)
    inspection = Inspection(settings, products, open_store(settings.inputs.portfolio))
    open_calendars(inspection)
    files, columns = _open_portfolio(inspection, selection)
    kept = KeptResults.of_user()
    market = remembered_market(inspection, kept)
    previous = find_previous(inspection, selection)
    scenarios = None
    if market is not None:
        scenarios = remembered_scenarios(inspection, market, selection, kept, previous)
    else:
        from riskpipe.inputs.scenario_input import read_scenario_inputs

        read_scenario_inputs(inspection, None)  # for their faults: all are told at once
    if scenarios is not None and not selection.uses("scenario"):
        _tell_short_history(inspection, scenarios.columns)
    stresses = None if scenarios is None or selection.uses("scenario") else _stresses(inspection, scenarios.columns)
    limits = open_limits(inspection, stresses)
    seen = (settings, products, inspection.portfolio, files, inspection.calendars, tuple(inspection.faults))
    if inspection.blocking or market is None or scenarios is None:
        return RefusedInputs(*seen, tuple(inspection.blocking), None if market is None else market.model)
    return OpenedInputs(*seen, market.model, market.derivative, scenarios, limits, inspection.hashes, previous, columns)


def _stresses(inspection: Inspection, scenarios: ScenarioSet) -> list[str] | None:
    """Names of the named scenarios; None: they are not read, or some are left out, which their own faults say."""
    wrong = any(fault.level == Level.ERROR and fault.table in ("scenarios", "stress") for fault in inspection.faults)
    if wrong or PNL_SETS["stress"] not in scenarios.sets:
        return None
    columns = scenarios.columns_of(PNL_SETS["stress"])
    names: list[str] = scenarios.names[columns.start : columns.stop].to_pylist()
    return names


def _tell_short_history(inspection: Inspection, scenarios: ScenarioSet) -> None:
    """What the section `risk` asks for that wants more days than there are, before anything is priced."""
    days = {
        each.scenario_set: len(range(len(scenarios))[scenarios.columns_of(each.name)])
        for each in pnl_sets(scenarios.sets)
        if each.is_whole and each.measure == "historical_var"
    }
    places = history_locations(inspection.settings)
    for set_name, messages in inspection.settings.risk.terms().wanting(days).items():
        name = input_name(set_name)
        for message in messages:
            found = Fault(Level.ERROR, name, places.get(name, ""), "", "short window", 0, (), message)
            inspection.add(found, blocking=True)


def hash_inputs(settings: Settings, selection: Selection) -> str:
    """`OpenedInputs.sha256` without reading more than bytes; "" when an input cannot be read.

    :param selection: as for `open_inputs`.
    """
    portfolio = open_store(settings.inputs.portfolio)
    hashes: dict[str, str] = {}
    try:
        for file in discover(portfolio).files:
            if file.rows and selection.any_product(file.product):
                hashes[f"portfolio/{file.path}"] = content_sha256(portfolio, file.path)
        calendars = calendar_locations(settings)
        others = {**calendars, **limit_locations(settings), **scenario_locations(settings)}
        for name, location in {"market": settings.inputs.market, **others}.items():
            hashes[name] = table_sha256(location)
        if previous := hash_previous(settings, selection):
            hashes[PREVIOUS] = previous
    except StorageError:
        return ""
    return _digest(hashes)


def _digest(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _open_portfolio(inspection: Inspection, selection: Selection) -> tuple[tuple[TradeFile, ...], TradeColumns]:
    """The trade files that have rows and can be read, with their checksums; and what is carried of their columns."""
    try:
        found = discover(inspection.portfolio)
    except StorageError as error:
        where = inspection.portfolio.full_path("")
        inspection.add(Fault(Level.ERROR, "portfolio", where, "", "unreadable", 0, (), str(error)), blocking=True)
        return (), ()
    for problem in found.faults:
        message = problem.message + _WAYS_OUT.get(problem.rule, "")
        fault = Fault(problem.level, "portfolio", problem.path, "", problem.rule, 0, (), message)
        inspection.add(fault, blocking=problem.level == Level.ERROR)
    for name, message in (*inspection.products.broken.items(), *known_families().broken.items()):
        inspection.add(Fault(Level.WARNING, "portfolio", name, "", "broken plug-in", 0, (), message), blocking=False)
    for name in found.products:
        if name not in inspection.products and selection.any_product(name):
            message = _unknown(inspection.products, name)
            inspection.add(Fault(Level.ERROR, "portfolio", name, "", "unknown product", 0, (), message), blocking=True)
    known = [f for f in found.files if f.product in inspection.products and selection.any_product(f.product)]
    _tell_unknown_columns(inspection, known, found.schemas)
    _tell_other_days(inspection, known)
    # Of many files most have the same columns: looked at once.
    faults_of = lru_cache(lambda product, schema: check_schema(schema, inspection.products[product]))
    sound = []
    for file in known:
        own = found.schemas[file.path]
        schema = with_partitions(own.empty_table(), file.partitions).schema if file.partitions else own
        if _check_columns(inspection, file, faults_of(file.product, schema)) and file.rows:
            sound.append(file)
    planned = []
    for file in sound:
        file, inspection.hashes[f"portfolio/{file.path}"] = fingerprinted(inspection.portfolio, file)
        planned.append(file)
    return tuple(planned), trade_columns(inspection, planned, found.schemas)


def _unknown(products: Catalogue, name: str) -> str:
    near = difflib.get_close_matches(name, products, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(products))}"
    if products.broken:
        hint = "; ".join(products.why(name))
    return f"no product is called {name!r}: {hint}"


def _tell_unknown_columns(inspection: Inspection, files: Sequence[TradeFile], schemas: Mapping[str, pa.Schema]) -> None:
    """Once a product, over all its files."""
    for name in dict.fromkeys(file.product for file in files):
        mine = [file for file in files if file.product == name]
        product = inspection.products[name]
        distinct = dict.fromkeys(schemas[file.path] for file in mine)
        columns = [column for schema in distinct for column in column_names(schema, product)]
        columns += [column for file in mine for column in file.partitions]
        dates = {column for file in mine for column in file.partitions if column.lower() in MARKET_COLUMNS}
        known = known_names(product) | dates
        for fault in unknown_column_faults(inspection.settings.inputs, "portfolio", name, columns, known, of=name):
            inspection.add(fault, blocking=fault.level == Level.ERROR)


def _tell_other_days(inspection: Inspection, files: Sequence[TradeFile]) -> None:
    """Files in directories of another day than `as_of`: their trades would be valued as today's."""
    other = [file for file in files if days_of_directories(file.partitions) - {inspection.as_of}]
    as_of, level = inspection.settings.as_of, Level(inspection.settings.check.market_date)
    for name in dict.fromkeys(file.product for file in other):
        where = sorted({file.path.rpartition("/")[0] for file in other if file.product == name})
        message = (
            f"{len(where)} directories, such as {where[0]}, are of another day than as_of ({as_of}): "
            "let inputs.portfolio have the trades of the day alone, or give --as-of"
        )
        fault = Fault(level, "portfolio", name, "", OTHER_DAY, 0, (), message)
        inspection.add(fault, blocking=level == Level.ERROR)


def _check_columns(inspection: Inspection, file: TradeFile, faults: Sequence[SchemaFault]) -> bool:
    """Whether the file can be read as trades of its product. :param faults: of its columns."""
    if faults and not file.rows:  # an empty DataFrame's: it may have no columns, or some of no type
        message = "the file has no rows, and lacks columns of the product: it is not read"
        inspection.add(Fault(Level.WARNING, "portfolio", file.path, "", EMPTY, 0, (), message), blocking=False)
        return False
    for fault in faults:
        found = Fault(Level.ERROR, "portfolio", file.path, fault.column, fault.rule, file.rows, (), fault.message)
        inspection.add(found, blocking=True)
    return not faults
