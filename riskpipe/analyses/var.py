"""`var`: value at risk and expected shortfall of every book, as `risk.var` defines them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import EXPLAIN, PNL_SETS
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed
from riskpipe.measures.tail_risk import TailFigures, tail_figures
from riskpipe.store.table_schemas import SCHEMAS

SIMULATED = PNL_SETS["monte_carlo_var"]


class Var(Analysis):
    """Figures of the tail of books' P&L vectors under every history, whole and by risk class, and under simulated
    scenarios, of these none that is of days that follow each other.

    Null where every trade of the book failed, and where scenarios were selected and too few are left.
    """

    name = "var"
    version = 1
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        definitions = sorted(day.terms.tails, key=lambda each: each.name)
        scenarios = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *day.read("scenarios")])
        dated = scenarios.filter(pc.is_valid(scenarios["date"]))
        histories = set(pc.unique(dated["scenario_set"]).to_pylist()) - {PNL_SETS[EXPLAIN]}
        sets = {name: _of_set(scenarios, name) for name in (*sorted(histories), SIMULATED)}
        for piece in day.read("book_pnl"):
            found = [
                (rows, _figures(day, each, sets[scenario_set], piece.take(rows)))
                for scenario_set, risk_class, rows in _by_set(piece)
                if scenario_set in sets
                for each in definitions
                if each.applies_to(scenario_set, risk_class) and not (scenario_set == SIMULATED and each.is_of_days)
            ]
            if found:
                order = np.argsort(np.concatenate([rows for rows, _ in found]), kind="stable")
                yield pa.concat_tables([table for _, table in found]).take(order)


def _of_set(scenarios: pa.Table, name: str) -> pa.Table:
    return scenarios.filter(pc.equal(scenarios["scenario_set"], name)).sort_by("index")


def _by_set(rows: pa.Table) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """Scenario set, risk class, and positions of the rows that have both."""
    sets, classes = rows["scenario_set"].to_pylist(), rows["risk_class"].to_pylist()
    found: dict[tuple[str, str], list[int]] = {}
    for k, key in enumerate(zip(sets, classes, strict=True)):
        found.setdefault(key, []).append(k)
    return ((*key, np.array(positions)) for key, positions in found.items())


def _figures(day: Day, definition: TailDefinition, scenarios: pa.Table, rows: pa.Table) -> pa.Table:
    """One figure of all rows, which are of one scenario set."""
    pnl = rows["pnl"].combine_chunks()
    known = np.flatnonzero(pnl.is_valid().to_numpy(zero_copy_only=False))
    vectors = pnl.drop_null().flatten().to_numpy().reshape(len(known), scenarios.num_rows)
    found = _spread(definition, vectors, known, n := rows.num_rows)
    scenario = pa.array(found.scenario, mask=found.scenario < 0)
    numbers = {"value_base": found.value, "lower": found.lower, "upper": found.upper}
    schema = SCHEMAS["var"]
    columns = {
        **day.constants(n),
        **{name: rows[name] for name in ("level", "book", "scenario_set", "risk_class")},
        **{
            name: pa.repeat(pa.scalar(getattr(definition, name), schema.field(name).type), n)
            for name in ("name", "kind", "confidence", "horizon_days")
        },
        **{name: pa.array(column, mask=np.isnan(column)) for name, column in numbers.items()},
        "scenario": scenarios["scenario"].take(scenario),
        "scenario_date": scenarios["date"].take(scenario),
    }
    return pa.table([columns[field.name] for field in schema], schema)


def _spread(definition: TailDefinition, vectors: FloatArray, known: NDArray[np.int64], rows: int) -> TailFigures:
    """Of all rows: NaN, and no scenario, where there is no vector or too short a one."""
    value, lower, upper = np.full((3, rows), np.nan)
    scenario = np.full(rows, -1)
    if vectors.shape[1] >= scenarios_needed(definition):
        figures = tail_figures(vectors, definition)
        value[known], lower[known], upper[known] = figures.value, figures.lower, figures.upper
        scenario[known] = figures.scenario
    return TailFigures(value, lower, upper, scenario)
