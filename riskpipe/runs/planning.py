"""From settings to the blocks of a run, projected by what earlier runs took."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from riskpipe import __version__
from riskpipe.config.models import Settings
from riskpipe.errors import InputError, Level, StorageError, UsageError
from riskpipe.inputs.faults import explain, refuse
from riskpipe.inputs.limit_input import unknown_books
from riskpipe.inputs.opened import OpenedInputs, RefusedInputs, open_inputs
from riskpipe.measures.catalogue import measure_versions
from riskpipe.measures.measure_names import PNL_SETS
from riskpipe.plan.costs import CostModel
from riskpipe.plan.fault import Fault
from riskpipe.plan.partition import Limits, ScenarioRange, scenario_ranges
from riskpipe.plan.planned_blocks import PlanTotals, block_tables
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.row_ranges import reading_seconds
from riskpipe.plan.selection import Selection
from riskpipe.plan.stored_plan import PlanHeader, StoredPlan, write_plan
from riskpipe.plan.survey import Survey
from riskpipe.plan.survey_piece import Portfolio, Pricing
from riskpipe.plan.taper import tapered
from riskpipe.runs.earlier_run import EarlierRun
from riskpipe.runs.planning_workers import PlanningWorkers
from riskpipe.runs.reuse import BLOCK_COLUMNS, Matching, ReusePlan
from riskpipe.runs.run_changes import run_changes
from riskpipe.runs.stored import open_plan
from riskpipe.store.filesystem import Store, explained
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.structs import asdict

RUNS_TO_LEARN_FROM = 5
ROWS_TO_BALANCE = 1_000_000
BLOCKS_TO_ORDER = 20_000


class Planned(Struct, frozen=True):
    """A plan file on this machine, and what it was made from.

    :param contents: what every trade is: rows of `trade_contents.CONTENTS`, a table after the other.
    :param reuse: what is taken over of an earlier run.
    """

    inputs: OpenedInputs
    plan: StoredPlan
    ranges: tuple[ScenarioRange, ...]
    faults: tuple[Fault, ...]
    quarantine: Quarantine
    contents: Callable[[], Iterator[pa.Table]]
    reuse: ReusePlan | None = None

    @property
    def stored_pnl(self) -> tuple[str, ...]:
        """Scenario sets whose vectors are written per trade."""
        return stored_pnl(self.inputs.settings)


@contextmanager
def make_plan(
    settings: Settings,
    selection: Selection,
    find_earlier: Callable[[], EarlierRun | None] = lambda: None,
    run: RunFolder | None = None,
) -> Iterator[Planned]:
    """Check the inputs and cut them into blocks; the plan file lives as long as the context.

    :param find_earlier: the run whose numbers are to be taken over.
    :param run: that is planned: workers of its cluster that are there already take part.
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
    earlier = find_earlier()
    changes = None if earlier is None else run_changes(earlier, settings, inputs, stored_pnl(settings))
    dependants = None if changes is None else changes.dependants()
    # What was learnt since would cut the trades at other places, and a block would read of two.
    costs = learnt_costs(open_store(settings.output)) if earlier is None else CostModel(earlier.header.cost_factors)
    workers = PlanningWorkers(settings, sum(file.rows for file in inputs.files), run)
    with tempfile.TemporaryDirectory(prefix="riskpipe-plan-") as directory, workers.files() as files:
        path = str(Path(directory) / "plan.parquet")
        with workers.mapper() as mapper:
            survey = Survey(
                Portfolio(inputs.files, inputs.portfolio, inputs.products, inputs.calendars),
                inputs.as_of,
                inputs.model,
                settings.base_currency,
                files,
                mapper=mapper,
                selection=selection,
                pricing=Pricing(ranges, costs, bool(stored_pnl(settings))),
                usual=settings.check.usual,
                dependants=dependants,
            )
            matching = None
            if earlier is not None and changes is not None and dependants is not None:
                matching = Matching(earlier, changes, inputs, dependants, survey)
            totals = PlanTotals()
            tables = _blocks(settings, inputs, selection, survey, ranges, totals, matching)
            if len(ranges) == 1 and matching is None:  # else blocks would be cut at other places than earlier ones
                tables = tapered(tables, lambda: settings.cluster.planned_workers(totals.projected_seconds), totals)
            with explained(path, "write"):
                write_plan(path, tables, lambda: _header(settings, inputs, selection, costs, survey, totals))
        unknown = [] if selection.canonical() else unknown_books(settings, inputs.limits, survey.book_paths)
        faults = (*inputs.faults, *survey.faults, *unknown)
        refuse(settings, [*survey.blocking, *unknown], faults)
        if not totals.blocks:
            raise UsageError("nothing to do: no trade passes --select")
        plan = StoredPlan(path)
        reuse = None if matching is None else matching.plan(plan.columns(*BLOCK_COLUMNS))
        yield Planned(inputs, plan, ranges, faults, survey.quarantine, survey.content_tables, reuse)


def _blocks(
    settings: Settings,
    inputs: OpenedInputs,
    selection: Selection,
    survey: Survey,
    ranges: tuple[ScenarioRange, ...],
    totals: PlanTotals,
    matching: Matching | None,
) -> Iterator[pa.Table]:
    """The blocks: of a large book as it streams; of others balanced, and the longest first."""
    limits = Limits(**settings.partition.model_dump())
    inputs_of = inputs.block_inputs(selection)
    if sum(file.rows for file in inputs.files) > ROWS_TO_BALANCE:
        yield from block_tables(survey.rows(), ranges, limits, inputs_of, totals)
        return
    surveys = list(survey.rows())
    seconds = sum(float(found.seconds.sum() + reading_seconds(found).sum()) for found in surveys)
    limits = limits.balanced(seconds, settings.cluster.planned_workers(seconds))
    tables = block_tables(surveys, ranges, limits, inputs_of, totals)
    yield from _longest_first(tables if matching is None else matching.scaled(tables))


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
        measure_versions=measure_versions(settings.measures),
        totals=asdict(replace(totals, books=survey.books)),
    )


def stored_pnl(settings: Settings) -> tuple[str, ...]:
    """Scenario sets whose P&L vectors the settings want per trade."""
    wanted = settings.scenario_pnl.model_dump()
    return tuple(name for measure, name in PNL_SETS.items() if wanted.get(name, True) and measure in settings.measures)


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
    if not (folder.store.exists(folder.blocks) and folder.planned()) or folder.store.exists(folder.reuse):
        return {}  # what a block took that took over most of its trades says nothing of others
    names = ["product", "worker", "projected_s", "price_s"]
    table = read_parquet(folder.store, folder.blocks, names)
    table = table.filter(table.column("price_s").is_valid())
    product = table.column("product").combine_chunks().dictionary_encode()
    who = pc.binary_join_element_wise(table.column("worker"), table.column("product"), " ").combine_chunks()
    codes = who.dictionary_encode().indices.to_numpy()  # new ones come in ascending order
    # A worker's first block of a product loads its kernels: that is not what a block costs. Rows are in the order in
    # which blocks were done.
    is_warm = np.diff(np.maximum.accumulate(codes), prepend=-1) == 0
    projected, taken = (
        np.bincount(
            product.indices.to_numpy()[is_warm], table.column(name).to_numpy()[is_warm], len(product.dictionary)
        )
        for name in names[2:]
    )
    planned_with = CostModel(open_plan(folder).header.cost_factors)
    return planned_with.learnt(
        zip(product.dictionary.to_pylist(), projected.tolist(), taken.tolist(), strict=True)
    ).factors
