"""All inputs of a run, opened and checked together: every fault at once, before anything is priced."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import StorageError
from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.checks import canonical_table, check_market_table
from riskpipe.market.consistency import consistency_faults
from riskpipe.market.dates import (
    MARKET_COLUMNS,
    OTHER_DAY,
    days_of_directories,
    history_date_faults,
    market_date_faults,
)
from riskpipe.market.derived import Derivative, derive
from riskpipe.market.factors import MARKET_SCHEMA, REQUIRED_COLUMNS, MarketFault, days_of
from riskpipe.market.left_out import LeftOut, without_errors
from riskpipe.market.minor_units import in_major_units
from riskpipe.market.model import MarketModel
from riskpipe.market.odd_values import odd_facts, odd_levels
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import EMPTY
from riskpipe.measures.families import Bumps
from riskpipe.measures.scenarios import NOT_PRICED, Scenarios, build_scenarios
from riskpipe.plan.block import digest_id
from riskpipe.plan.selection import Selection
from riskpipe.plan.survey import Fault
from riskpipe.products.catalogue import Catalogue, catalogue
from riskpipe.products.ranges import check_ranges
from riskpipe.products.validation import all_columns, check_schema
from riskpipe.store.filesystem import Store
from riskpipe.store.listing import with_partitions
from riskpipe.store.location import open_store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.portfolio import TradeFile, content_sha256, discover, fingerprinted
from riskpipe.workflows.tables import read_table, table_sha256, unknown_column_faults

_WAYS_OUT = {
    "no such directory": ": correct inputs.portfolio in the configuration",
    "no trades": ": trades belong in <product>/<name>.parquet; or correct inputs.portfolio in the configuration",
    "not parquet": ": write the file anew",
}


@dataclass
class Inputs:
    """What `open_inputs` found. `snapshot`, `model` and `scenarios` are there when `blocking` is empty.

    :param files: trade files with rows that can be read.
    :param faults: of everything but the rows of the portfolio (see plan.survey).
    :param units: factor -> how many of what it is quoted in make one of its currency (100 pence), where not one.
    :param hashes: name of the input -> SHA-256 of its content; trade files as `portfolio/<path>`.
    """

    settings: Settings
    products: Catalogue
    portfolio: Store
    files: tuple[TradeFile, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    blocking: list[Fault] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    snapshot: MarketSnapshot | None = None
    derivative: Derivative | None = None
    scenarios: Scenarios | None = None
    left_out: LeftOut = field(default_factory=lambda: LeftOut())
    units: dict[str, float] = field(default_factory=dict)

    @cached_property
    def model(self) -> MarketModel:
        if self.snapshot is None:
            raise AssertionError("inputs with blocking faults have no model")
        return MarketModel(self.snapshot, self.settings.conventions(), left_out=self.left_out.groups)

    @property
    def as_of(self) -> int:
        """Days since 1970-01-01."""
        return days_of(self.settings.as_of)

    @property
    def sha256(self) -> str:
        """Of all inputs together."""
        return _digest(self.hashes)

    def block_inputs(self, selection: Selection) -> dict[str, str]:
        """path -> digest of all that determines the numbers of the file's blocks besides their ranges."""
        assert self.snapshot is not None
        assert self.scenarios is not None
        shared = [
            self.snapshot.sha256,
            self.scenarios.columns.sha256,
            self.settings.sha256,
            selection.canonical(("book", "product", "trade")),
            __version__,
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

    def add(self, fault: Fault, *, blocking: bool) -> None:
        self.faults.append(fault)
        if blocking:
            self.blocking.append(fault)


def open_inputs(settings: Settings, selection: Selection | None = None) -> Inputs:
    """Find, read and check portfolio files, market, history and scenarios.

    :param selection: its terms for products and scenarios leave files and columns out.
    :raises ConfigurationError: a range of what there is not.
    """
    selection = selection or Selection()
    products = catalogue()
    check_ranges(settings.check.ranges, products)
    inputs = Inputs(settings, products, open_store(settings.inputs.portfolio))
    _open_portfolio(inputs, selection)
    _open_market(inputs)
    tables = {
        "scenarios": _read_optional(inputs, "scenarios", settings.inputs.scenarios, "stress"),
        "history": _read_optional(inputs, "history", settings.inputs.history, "historical_var"),
    }
    if tables["history"] is not None:
        for fault in history_date_faults(tables["history"], inputs.as_of, settings.check.market_date):
            found = _input_fault("history", settings.inputs.history or "", fault)
            inputs.add(found, blocking=fault.level == "error")
    if inputs.snapshot is not None:
        _build_scenarios(inputs, selection, tables)
    return inputs


def hash_inputs(settings: Settings, selection: Selection) -> str:
    """`Inputs.sha256` without reading more than bytes; "" when an input cannot be read.

    :param selection: as for `open_inputs`.
    """
    portfolio = open_store(settings.inputs.portfolio)
    hashes: dict[str, str] = {}
    try:
        for file in discover(portfolio).files:
            if file.rows and selection.any_product(file.product):
                hashes[f"portfolio/{file.path}"] = content_sha256(portfolio, file.path)
        for name, measure in (("market", None), ("scenarios", "stress"), ("history", "historical_var")):
            location = getattr(settings.inputs, name)
            if location is not None and (measure is None or measure in settings.measures):
                hashes[name] = table_sha256(location)
    except StorageError:
        return ""
    return _digest(hashes)


def _digest(hashes: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _open_portfolio(inputs: Inputs, selection: Selection) -> None:
    try:
        found = discover(inputs.portfolio)
    except StorageError as error:
        where = inputs.portfolio.full_path("")
        inputs.add(Fault("error", "portfolio", where, "", "unreadable", 0, (), str(error)), blocking=True)
        return
    for problem in found.faults:
        message = problem.message + _WAYS_OUT.get(problem.rule, "")
        fault = Fault(problem.level, "portfolio", problem.path, "", problem.rule, 0, (), message)
        inputs.add(fault, blocking=problem.level == "error")
    for name, message in inputs.products.broken.items():
        inputs.add(Fault("warning", "portfolio", name, "", "broken plug-in", 0, (), message), blocking=False)
    for name in found.products:
        if name not in inputs.products and selection.any_product(name):
            message = _unknown(inputs.products, name)
            inputs.add(Fault("error", "portfolio", name, "", "unknown product", 0, (), message), blocking=True)
    known = [f for f in found.files if f.product in inputs.products and selection.any_product(f.product)]
    _tell_unknown_columns(inputs, known)
    _tell_other_days(inputs, known)
    inputs.files = tuple([file for file in known if _check_columns(inputs, file) and file.rows])
    planned = []
    for file in inputs.files:
        file, inputs.hashes[f"portfolio/{file.path}"] = fingerprinted(inputs.portfolio, file)
        planned.append(file)
    inputs.files = tuple(planned)


def _unknown(products: Catalogue, name: str) -> str:
    near = difflib.get_close_matches(name, products, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(products))}"
    if products.broken:
        hint = "; ".join(products.why(name))
    return f"no product is called {name!r}: {hint}"


def _tell_unknown_columns(inputs: Inputs, files: Sequence[TradeFile]) -> None:
    """Once a product, over all its files."""
    for name in dict.fromkeys(file.product for file in files):
        mine = [file for file in files if file.product == name]
        columns = [column for file in mine for column in (*file.columns, *file.partitions)]
        dates = {column for file in mine for column in file.partitions if column.lower() in MARKET_COLUMNS}
        known = {*(column.name for column in all_columns(inputs.products[name])), *dates}
        for fault in unknown_column_faults(inputs.settings.inputs, "portfolio", name, columns, known, of=name):
            inputs.add(fault, blocking=fault.level == "error")


def _tell_other_days(inputs: Inputs, files: Sequence[TradeFile]) -> None:
    """Files in directories of another day than `as_of`: their trades would be valued as today's."""
    other = [file for file in files if days_of_directories(file.partitions) - {inputs.as_of}]
    level = inputs.settings.check.market_date
    for name in dict.fromkeys(file.product for file in other):
        where = sorted({file.path.rpartition("/")[0] for file in other if file.product == name})
        message = (
            f"{len(where)} directories, such as {where[0]}, are of another day than as_of ({inputs.settings.as_of}): "
            "let inputs.portfolio have the trades of the day alone, or give --as-of"
        )
        fault = Fault(level, "portfolio", name, "", OTHER_DAY, 0, (), message)
        inputs.add(fault, blocking=level == "error")


def _check_columns(inputs: Inputs, file: TradeFile) -> bool:
    """Whether the file can be read as trades of its product."""
    with open_parquet(inputs.portfolio, file.path) as parquet:
        schema = with_partitions(parquet.schema_arrow.empty_table(), file.partitions).schema
    faults = check_schema(schema, inputs.products[file.product])
    if faults and not file.rows:  # an empty DataFrame's: it may have no columns, or some of no type
        message = "the file has no rows, and lacks columns of the product: it is not read"
        inputs.add(Fault("warning", "portfolio", file.path, "", EMPTY, 0, (), message), blocking=False)
        return False
    for fault in faults:
        found = Fault("error", "portfolio", file.path, fault.column, fault.rule, file.rows, (), fault.message)
        inputs.add(found, blocking=True)
    return not faults


def _open_market(inputs: Inputs) -> None:
    location = inputs.settings.inputs.market
    table = _read(inputs, "market", location)
    if table is None:
        return
    as_of = inputs.as_of
    for fault in market_date_faults(table, as_of, inputs.settings.check.market_date):
        inputs.add(_input_fault("market", location, fault), blocking=fault.level == "error")
    faults = check_market_table(table, as_of)
    for fault in faults:
        # A fault of whole columns leaves no market; one of points leaves the curves and surfaces without them.
        inputs.add(_input_fault("market", location, fault), blocking=fault.level == "error" and fault.rows == 0)
    if not inputs.blocking or not any(fault.table == "market" for fault in inputs.blocking):
        errors = frozenset().union(*(f.ids for f in faults if f.level == "error"))
        sound, inputs.left_out = without_errors(_canonical(table), errors)
        sound = _consistent(inputs, location, sound)
        derivation = derive(sound, PRODUCERS, as_of, inputs.settings.conventions(), inputs.left_out.groups)
        for fault in derivation.faults:
            inputs.add(_input_fault("market", location, fault), blocking=False)
        if not len(derivation.table):
            message = "no curve or surface of the market is without error"
            inputs.add(Fault("error", "market", location, "", "empty", 0, (), message), blocking=True)
        else:
            dropped = _ids(sound) - _ids(derivation.table)
            inputs.left_out = LeftOut(inputs.left_out.factors | dropped, derivation.left_out)
            inputs.snapshot = MarketSnapshot.from_table(derivation.table, as_of)
            inputs.derivative = Derivative(inputs.snapshot, derivation.groups)
            for fault in (*odd_facts(inputs.model, inputs.settings.check.usual), *arbitrage_faults(inputs.model)):
                inputs.add(_input_fault("market", location, fault), blocking=False)


def _consistent(inputs: Inputs, location: str, table: pa.Table) -> pa.Table:
    """The market in major units, less what of it excludes each other."""
    table, inputs.units = in_major_units(table)
    faults = [*consistency_faults(table), *odd_levels(table, inputs.settings.check.usual)]
    for fault in faults:
        inputs.add(_input_fault("market", location, fault), blocking=False)
    errors = frozenset().union(*(fault.ids for fault in faults if fault.level == "error"))
    sound, left_out = without_errors(table, errors)
    before = inputs.left_out
    inputs.left_out = LeftOut(before.factors | left_out.factors, before.groups | left_out.groups)
    return sound


def _ids(table: pa.Table) -> frozenset[str]:
    return frozenset(table.column("factor").to_pylist())


def _canonical(table: pa.Table) -> pa.Table:
    return canonical_table(table, MARKET_SCHEMA, REQUIRED_COLUMNS)[0]


def _read_optional(inputs: Inputs, name: str, location: str | None, measure: str) -> pa.Table | None:
    if location is None or measure not in inputs.settings.measures:
        return None
    return _read(inputs, name, location)


def _read(inputs: Inputs, name: str, location: str) -> pa.Table | None:
    found = read_table(name, location, inputs.settings.inputs)
    for fault in found.faults:
        inputs.add(fault, blocking=fault.level == "error")
    if found.table is not None:
        inputs.hashes[name] = found.sha256
    return found.table


def _build_scenarios(inputs: Inputs, selection: Selection, tables: Mapping[str, pa.Table | None]) -> None:
    assert inputs.snapshot is not None
    settings = inputs.settings
    inputs.scenarios = build_scenarios(
        inputs.snapshot,
        tuple(settings.measures),
        Bumps(**settings.bumps.model_dump()),
        stress=tables["scenarios"],
        history=tables["history"],
        returns=settings.history.returns,
        selected=lambda name: selection.value("scenario", name),
        left_out=inputs.left_out.factors,
        units=inputs.units,
        derivative=inputs.derivative,
    )
    for name, faults in (
        ("scenarios", inputs.scenarios.stress_faults),
        ("history", inputs.scenarios.history_faults),
    ):
        location = getattr(settings.inputs, name) or ""
        for fault in faults:
            # Columns that cannot be read stop; of rows, and where there are none, what depends on them is left out.
            usable = fault.rows > 0 or fault.rule in NOT_PRICED
            blocking = fault.level == "error" and not usable
            inputs.add(_input_fault(name, location, fault), blocking=blocking)


def _input_fault(table: str, location: str, fault: MarketFault) -> Fault:
    return Fault(fault.level, table, location, fault.column, fault.rule, fault.rows, fault.sample, fault.message)
