"""`riskpipe plan`: blocks, cost, memory, missing data; no cluster, nothing is priced."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe import __version__
from riskpipe.config import Settings
from riskpipe.errors import InputError, Level, StorageError, UsageError
from riskpipe.measures.catalogue import PNL_SETS
from riskpipe.plan.costs import CostModel
from riskpipe.plan.partition import BLOCKS_A_WORKER, Limits, ScenarioRange, scenario_ranges
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import Selection
from riskpipe.plan.stored_plan import (
    LONG_SECONDS,
    SHORT_SECONDS,
    PlanHeader,
    PlanTotals,
    StoredPlan,
    block_tables,
    write_plan,
)
from riskpipe.plan.survey import Fault, Portfolio, Pricing, Survey
from riskpipe.runs.stored import open_plan, put_file
from riskpipe.store.filesystem import Store, explained
from riskpipe.store.location import open_store, store_of_file
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.check import explain, refuse
from riskpipe.workflows.inputs import OpenedInputs, RefusedInputs, open_inputs

RUNS_TO_LEARN_FROM = 5
ROWS_TO_BALANCE = 1_000_000
BLOCKS_TO_ORDER = 20_000


@dataclass(frozen=True)
class Planned:
    """A plan file on this machine, and what it was made from."""

    inputs: OpenedInputs
    plan: StoredPlan
    ranges: tuple[ScenarioRange, ...]
    faults: tuple[Fault, ...]
    quarantine: Quarantine

    @property
    def stored_pnl(self) -> tuple[str, ...]:
        """Scenario sets whose vectors are written per trade."""
        return stored_pnl(self.inputs.settings)


@dataclass(frozen=True)
class ProductRow:
    product: str
    trades: int
    blocks: int
    projected_seconds: float


@dataclass(frozen=True)
class PlanReport:
    """What `riskpipe plan` shows.

    :param valuations: trades x scenarios that will be priced.
    :param numbers: trades x measures that will be reported.
    :param max_memory: the most that a worker process is projected to hold, bytes.
    """

    blocks: int
    trades: int
    scenarios: int
    valuations: int
    numbers: int
    quarantined: int
    quarantined_by_reason: dict[str, int]
    projected_seconds: float
    projected_bytes_output: int
    max_memory: int
    warnings: list[str]
    by_product: list[ProductRow]
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(settings: Settings, selection: Selection, path: str | None = None) -> PlanReport:
    """Plan, and write the plan to `path` when there is one.

    :raises InputError: inputs that cannot be used.
    """
    with make_plan(settings, selection) as planned:
        if path is not None:
            store, name = store_of_file(path)
            put_file(store, name, planned.plan.path)
        return report(settings, planned, path)


@contextmanager
def make_plan(settings: Settings, selection: Selection) -> Iterator[Planned]:
    """Check the inputs and cut them into blocks; the plan file lives as long as the context.

    :raises InputError, GateError: see `check.refuse`. :raises UsageError: nothing is selected.
    """
    if selection.uses("status", "block"):
        raise UsageError("--select status: and block: name parts of a run: they go with `riskpipe retry`")
    inputs = open_inputs(settings, selection)
    if isinstance(inputs, RefusedInputs):
        raise InputError(explain(inputs.blocking))
    columns = inputs.scenarios.columns
    ranges = scenario_ranges(columns, inputs.snapshot, tuple(settings.measures), settings.partition.max_scenarios)
    errors = [fault for fault in inputs.faults if fault.level == Level.ERROR]
    if errors and not ranges:
        raise InputError(f"no scenario is left to price:\n{explain(errors)}")
    costs = learnt_costs(open_store(settings.output))
    survey = Survey(
        Portfolio(inputs.files, inputs.portfolio, inputs.products),
        inputs.as_of,
        inputs.model,
        settings.base_currency,
        selection=selection,
        pricing=Pricing(ranges, costs, bool(stored_pnl(settings))),
        usual=settings.check.usual,
    )
    totals = PlanTotals()
    tables = _blocks(settings, inputs, selection, survey, ranges, totals)
    with tempfile.TemporaryDirectory(prefix="riskpipe-plan-") as directory:
        path = str(Path(directory) / "plan.parquet")
        with explained(path, "write"):
            write_plan(path, tables, lambda: _header(settings, inputs, selection, costs, survey, totals))
        faults = (*inputs.faults, *survey.faults)
        refuse(settings, survey.blocking, faults)
        if not totals.blocks:
            raise UsageError("nothing to do: no trade passes --select")
        yield Planned(inputs, StoredPlan(path), ranges, faults, survey.quarantine)


def _blocks(
    settings: Settings,
    inputs: OpenedInputs,
    selection: Selection,
    survey: Survey,
    ranges: tuple[ScenarioRange, ...],
    totals: PlanTotals,
) -> Iterator[pa.Table]:
    """The blocks: of a large book file by file, as it streams; of others balanced, and the longest first."""
    limits = Limits(**settings.partition.model_dump())
    inputs_of = inputs.block_inputs(selection)
    if sum(file.rows for file in inputs.files) > ROWS_TO_BALANCE:
        yield from block_tables(survey.files(), ranges, limits, inputs_of, totals)
        return
    surveys = list(survey.files())
    seconds = sum(float(found.seconds.sum()) for found in surveys)
    limits = limits.balanced(seconds, settings.cluster.planned_workers(seconds))
    yield from _longest_first(block_tables(surveys, ranges, limits, inputs_of, totals))


def _longest_first(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Few blocks in the order of their length; of many, which last long in any order, none is kept waiting."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += len(table)
        if rows > BLOCKS_TO_ORDER:
            yield from waiting
            yield from tables
            return
    if waiting:
        blocks = pa.concat_tables(waiting)
        yield blocks.take(pc.sort_indices(blocks, [("projected_seconds", "descending"), ("block_id", "ascending")]))


def _header(
    settings: Settings, inputs: OpenedInputs, selection: Selection, costs: CostModel, survey: Survey, totals: PlanTotals
) -> PlanHeader:
    return PlanHeader(
        as_of=settings.as_of.isoformat(),
        base_currency=settings.base_currency,
        measures=tuple(settings.measures),
        inputs_sha256=inputs.sha256,
        config_sha256=settings.sha256,
        snapshot_sha256=inputs.snapshot.sha256,
        scenario_set_sha256=inputs.scenarios.columns.sha256,
        selection=selection.canonical(),
        engine_version=__version__,
        cost_factors=dict(costs.factors),
        valuations=int(survey.valuations),
        product_versions={file.product: inputs.products[file.product].version for file in inputs.files},
        totals=asdict(totals),
    )


def stored_pnl(settings: Settings) -> tuple[str, ...]:
    """Scenario sets whose P&L vectors the settings want per trade."""
    wanted = settings.scenario_pnl.model_dump()
    return tuple(name for measure, name in PNL_SETS.items() if wanted[name] and measure in settings.measures)


def report(settings: Settings, planned: Planned, path: str | None) -> PlanReport:
    """The plan in figures, with its warnings."""
    header, totals = planned.plan.header, planned.plan.header.totals
    pnl = sum(r.pnl_columns for r in planned.ranges) if planned.stored_pnl else 0
    numbers = int(totals["numbers"])
    quarantine = planned.quarantine.table()
    return PlanReport(
        blocks=len(planned.plan),
        trades=int(totals["trades"]),
        scenarios=len(planned.inputs.scenarios.columns),
        valuations=header.valuations,
        numbers=numbers,
        quarantined=len(quarantine),
        quarantined_by_reason=dict(Counter(quarantine.column("reason").to_pylist())),
        projected_seconds=float(totals["projected_seconds"]),
        projected_bytes_output=int(totals["trades"]) * pnl * 8 + numbers * 40,
        max_memory=int(totals["most_bytes"]),
        warnings=_warnings(settings, header, len(quarantine)),
        by_product=[
            ProductRow(name, int(row["trades"]), int(row["blocks"]), row["seconds"])
            for name, row in sorted(totals["products"].items())
        ],
        path=path,
    )


def _warnings(settings: Settings, header: PlanHeader, quarantined: int) -> list[str]:
    totals = header.totals
    warnings = []
    if totals["long_blocks"]:
        warnings.append(
            f"{totals['long_blocks']} blocks are projected beyond {LONG_SECONDS:g} s (the longest "
            f"{totals['longest_seconds']:.0f} s): lower partition.target_seconds or partition.max_trades"
        )
    # A few short blocks are the ends of files, or a short run balanced over its workers; many are overhead.
    seconds = float(totals["projected_seconds"])
    workers = settings.cluster.planned_workers(seconds)
    if totals["short_blocks"] > 4 * BLOCKS_A_WORKER * workers:
        warnings.append(
            f"{totals['short_blocks']} of {totals['blocks']} blocks are projected under {SHORT_SECONDS:g} s: "
            "raise partition.max_trades, max_scenarios or max_memory, or put more trades in a file"
        )
    warnings += settings.cluster.runs_on.size_warnings(settings.cluster.sizing, seconds)
    limit = settings.cluster.memory_limit
    if limit is not None and totals["most_bytes"] > 0.85 * limit:
        warnings.append(
            f"a worker is projected to need {totals['most_bytes'] / 2**20:.0f} MiB of its {limit / 2**20:.0f} MiB: "
            "lower partition.max_memory or raise cluster.memory_limit"
        )
    if quarantined:
        trades = "1 trade" if quarantined == 1 else f"{quarantined} trades"
        warnings.append(f"{trades} will fail with a reason: `riskpipe check` lists them")
    return warnings


def learnt_costs(store: Store) -> CostModel:
    """What the last runs of this output teach about seconds; the default model where there are none.

    A run whose files are damaged teaches nothing.
    """
    model = CostModel()
    try:
        runs = list_runs(store)[-RUNS_TO_LEARN_FROM:]
    except StorageError:
        return model
    for run_id in runs:
        with suppress(StorageError, InputError):
            model = CostModel({**model.factors, **_learnt(RunFolder(store, run_id))})
    return model


def _learnt(folder: RunFolder) -> Mapping[str, float]:
    if not (folder.store.exists(folder.blocks) and folder.planned()):
        return {}
    names = ["product", "worker", "projected_s", "price_s"]
    table = read_parquet(folder.store, folder.blocks, names)
    table = table.filter(table.column("price_s").is_valid())
    # A worker's first block of a product loads its kernels: that is not what a block costs. Rows are in the order in
    # which blocks were done.
    who = pc.binary_join_element_wise(table.column("worker"), table.column("product"), " ")
    warm = np.ones(len(table), np.bool_)
    warm[np.unique(who.to_numpy(zero_copy_only=False), return_index=True)[1]] = False
    sums = table.filter(pa.array(warm)).group_by("product").aggregate([("projected_s", "sum"), ("price_s", "sum")])
    planned_with = CostModel(open_plan(folder).header.cost_factors)
    return planned_with.learnt(
        [(row["product"], row["projected_s_sum"], row["price_s_sum"]) for row in sums.to_pylist()]
    ).factors
