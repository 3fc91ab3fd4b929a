"""The scenarios of a run: stresses and history read, checked, and made columns of one set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.config.risk_section import ALL
from riskpipe.errors import Level
from riskpipe.inputs.history_input import open_histories
from riskpipe.inputs.inspection import Inspection
from riskpipe.inputs.opened_market import Market
from riskpipe.inputs.previous_day import PreviousDay
from riskpipe.inputs.scenario_places import input_name, scenario_locations
from riskpipe.market.explain_steps import ExplainSteps, Step
from riskpipe.market.factors import RISK_CLASSES
from riskpipe.market.liquidity import LiquidityHorizons
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.measures.families import Bumps
from riskpipe.measures.made_scenarios import Scenarios
from riskpipe.measures.measure_names import NESTED
from riskpipe.measures.run_scenarios import NOT_PRICED, FactorRules, Histories, Stresses, build_scenarios
from riskpipe.plan.selection import Selection
from riskpipe.store.dataset import DataSet


def read_scenario_inputs(inspection: Inspection, market: Market | None) -> tuple[pa.Table | None, Histories]:
    """Stresses and moves of the past, where they are asked for; what cannot be read is a blocking fault."""
    stresses = scenario_locations(inspection.settings).get("scenarios")
    table = None if stresses is None else inspection.read("scenarios", stresses, DataSet.read)
    return table, open_histories(inspection, market)


def _factor_rules(inspection: Inspection, market: Market) -> FactorRules:
    risk = inspection.settings.risk
    wanted = RISK_CLASSES if ALL in risk.by_class else tuple(each for each in risk.by_class if each != ALL)
    known = RiskClasses(market.model.snapshot, inspection.conventions, risk.classes)
    nested: dict[int, NDArray[np.bool_]] = {}
    if risk.liquidity_horizons is not None:
        days = risk.liquidity_horizons.days
        horizons = LiquidityHorizons(market.model.snapshot, known, inspection.settings.base_currency, days)
        nested = {horizon: horizons.at_least(horizon) for horizon in NESTED}
    return FactorRules(
        market.left_out.factors,
        market.units,
        classes={name: known.members(name) for name in wanted},
        every_class=ALL not in risk.by_class,
        conventions=market.model.conventions,
        nested=nested,
    )


def open_scenarios(
    inspection: Inspection, market: Market, selection: Selection, previous: PreviousDay | None = None
) -> Scenarios:
    """The columns of all measures; what stands in the way of some is a blocking fault.

    :param previous: the day that P&L is explained from.
    """
    settings = inspection.settings
    stress, histories = read_scenario_inputs(inspection, market)
    scenarios = build_scenarios(
        market.model.snapshot,
        tuple(settings.measures),
        Bumps(**settings.bumps.model_dump()),
        stress=Stresses(stress, settings.stress.declared()),
        histories=histories,
        selected=lambda name: selection.value("scenario", name),
        rules=_factor_rules(inspection, market),
        derivative=market.derivative,
        explain=() if previous is None else _steps(inspection, market, previous),
    )
    places = scenario_locations(settings)
    for name, location, faults in (
        ("scenarios", settings.inputs.scenarios or "", scenarios.stress_faults),
        ("stress", "", scenarios.declared_faults),
        ("bumps", "", scenarios.bump_faults),
        *(
            (input_name(name), places.get(input_name(name), ""), found)
            for name, found in scenarios.history_faults.items()
        ),
    ):
        for fault in faults:
            # Columns that cannot be read stop; of rows, and where there are none, what depends on them is left out.
            usable = fault.rows > 0 or fault.rule in NOT_PRICED
            blocking = fault.level == Level.ERROR and not usable
            inspection.add_found(name, location, fault, blocking=blocking)
    return scenarios


def _steps(inspection: Inspection, market: Market, previous: PreviousDay) -> Iterator[Step]:
    classes = RiskClasses(market.model.snapshot, inspection.conventions, inspection.settings.risk.classes)
    steps = ExplainSteps(previous.market, market.derivative, inspection.conventions, classes)
    return steps.columns(inspection.settings.risk.explain.order)
