"""Scenario sets that are made of the covariance of the history's moves."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct

from riskpipe.errors import Level
from riskpipe.market.covariance import Covariance
from riskpipe.market.covariance_directions import delta_gamma_columns
from riskpipe.market.factors import MarketFault, fault
from riskpipe.market.history import HistoricalMoves, PastMoves
from riskpipe.market.monte_carlo import simulated_columns
from riskpipe.market.monte_carlo_terms import MonteCarloTerms
from riskpipe.market.scenarios import ScenarioSetBuilder
from riskpipe.measures.measure_names import PNL_SETS, SIMULATED


class Simulation(Struct, frozen=True):
    """Moves of the past, taken before they become columns, and what is simulated with them.

    :param measures: those of `SIMULATED` that are asked for.
    """

    past: PastMoves
    terms: MonteCarloTerms
    measures: Collection[str]


def simulation_of(
    measures: Collection[str], history: HistoricalMoves | None, terms: MonteCarloTerms | None
) -> Simulation | None:
    """None: nothing asks for it, or there are no moves, which the history's faults tell."""
    wanted = [name for name in SIMULATED if name in measures]
    if not wanted or history is None or terms is None:
        return None
    past = history.matrix()
    return None if past is None else Simulation(past, terms, wanted)


def add_simulated(
    builder: ScenarioSetBuilder, simulation: Simulation, selected: Callable[[str], bool]
) -> list[MarketFault]:
    """The columns of the sets that are asked for; what of the moves cannot be used."""
    try:
        covariance = Covariance(simulation.past, builder.snapshot, simulation.terms.shrinkage)
    except ValueError as error:
        names = " and ".join(simulation.measures)
        return [fault(Level.ERROR, "value", "no moves", (), f"{error}: take {names} out of measures")]
    makers = {
        "monte_carlo_var": lambda: simulated_columns(covariance, simulation.terms),
        "delta_gamma_var": lambda: delta_gamma_columns(covariance, simulation.terms.seed),
    }
    for measure in simulation.measures:
        for name, factors, levels in makers[measure]():
            if selected(name):
                builder.add(name, PNL_SETS[measure], factors, levels)
    return covariance.faults
