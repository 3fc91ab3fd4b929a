"""`delta_gamma_var`: figures of the tail to second order, beside those of the full revaluation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.arrays import FloatArray
from riskpipe.market.covariance_directions import STEP, directions_of
from riskpipe.measures.cornish_fisher import Cumulants, cornish_fisher, cumulants, normal_figure
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.measures.reverse_move import DELTA_GAMMA
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed
from riskpipe.measures.tail_risk import tail_figures
from riskpipe.store.table_schemas import SCHEMAS

MONTE_CARLO = PNL_SETS["monte_carlo_var"]


class DeltaGammaVar(Analysis):
    """The figures of `risk.var` by the expansion of Cornish and Fisher, of the history's covariance and of each book's
    delta and gamma; those of its simulated P&L, and what these have beyond the former.

    Null where every trade of the book failed, or where nothing was simulated; none of definitions that are of days.
    Without rows where scenarios were selected and directions are missing.
    """

    name = "delta_gamma_var"
    version = 1
    measure = "delta_gamma_var"
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        wanted = [each for each in day.terms.tails if each.applies_to(MONTE_CARLO) and not each.is_of_days]
        definitions = sorted(wanted, key=lambda each: each.name)
        scenarios = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *day.read("scenarios")])
        steps = scenarios.filter(pc.equal(scenarios["scenario_set"], DELTA_GAMMA)).sort_by("index")
        simulated = pc.sum(pc.equal(scenarios["scenario_set"], MONTE_CARLO)).as_py() or 0
        if definitions and is_whole(steps["scenario"].to_pylist()):
            for rows in _whole_books(day):
                yield _figures(day, definitions, rows, steps.num_rows, simulated)


def is_whole(names: Sequence[str]) -> bool:
    """Whether each direction is there, up and then down."""
    half = directions_of(len(names))
    up, down = names[:half], names[half : 2 * half]
    return half > 0 and [name.removesuffix("up") for name in up] == [name.removesuffix("down") for name in down]


def _whole_books(day: Day) -> Iterator[pa.Table]:
    """Rows of both sets in pieces that end where a book ends."""
    kept = SCHEMAS["book_pnl"].empty_table()
    for piece in day.read("book_pnl"):
        sets = pc.is_in(piece["scenario_set"], value_set=pa.array([DELTA_GAMMA, MONTE_CARLO]))
        rows = pa.concat_tables([kept, piece.filter(pc.and_(sets, pc.equal(piece["risk_class"], WHOLE_RISK)))])
        books = rows["book"].to_pylist()
        last = books.index(books[-1]) if books else 0
        if last:
            yield rows.slice(0, last)
        kept = rows.slice(last)
    if kept.num_rows:
        yield kept


def _figures(day: Day, definitions: Sequence[TailDefinition], rows: pa.Table, steps: int, simulated: int) -> pa.Table:
    """:param steps, simulated: how many scenarios the two sets have."""
    ours = rows.filter(pc.equal(rows["scenario_set"], DELTA_GAMMA))
    theirs = rows.filter(pc.equal(rows["scenario_set"], MONTE_CARLO))
    known, vectors = _vectors(ours, steps)
    half = directions_of(steps)
    of = cumulants(vectors[:, :half], vectors[:, half : 2 * half], STEP)
    place = {book: k for k, book in enumerate(ours["book"].to_pylist())}
    at = np.array([place[book] for book in theirs["book"].to_pylist()], np.int64)
    revalued, pnl = _vectors(theirs, simulated)
    found = []
    for definition in definitions:
        full = np.full(ours.num_rows, np.nan)
        if len(revalued) and simulated >= scenarios_needed(definition):
            full[at[revalued]] = tail_figures(pnl, definition).value
        found.append(_table(day, definition, ours, _spread(of, known, ours.num_rows), full))
    order = np.arange(len(definitions) * ours.num_rows).reshape(len(definitions), -1).T.ravel()
    return pa.concat_tables(found).take(order)


def _vectors(rows: pa.Table, scenarios: int) -> tuple[NDArray[np.int64], FloatArray]:
    """Which rows have a vector, and these."""
    pnl = rows["pnl"].combine_chunks()
    known = np.flatnonzero(pnl.is_valid().to_numpy(zero_copy_only=False))
    return known, pnl.drop_null().flatten().to_numpy().reshape(len(known), scenarios)


def _spread(of: Cumulants, known: NDArray[np.int64], rows: int) -> Cumulants:
    """Of all rows, NaN where there is no vector."""
    found = {name: np.full(rows, np.nan) for name in of.__struct_fields__}
    for name, spread in found.items():
        spread[known] = getattr(of, name)
    return Cumulants(**found)


def _table(day: Day, definition: TailDefinition, rows: pa.Table, of: Cumulants, full: FloatArray) -> pa.Table:
    scale = math.sqrt(definition.horizon_days)
    value = scale * cornish_fisher(definition.kind, definition.confidence, of)
    numbers = {
        "delta_normal_base": scale * normal_figure(definition.kind, definition.confidence) * of.delta,
        "value_base": value,
        "monte_carlo_base": full,
        "difference_base": full - value,
        "mean_base": of.mean,
        "deviation_base": of.deviation,
        "skewness": of.skewness,
        "kurtosis": of.kurtosis,
    }
    schema, n = SCHEMAS["delta_gamma_var"], rows.num_rows
    columns = {
        **day.constants(n),
        **{name: rows[name] for name in ("level", "book")},
        **{
            name: pa.repeat(pa.scalar(getattr(definition, name), schema.field(name).type), n)
            for name in ("name", "kind", "confidence", "horizon_days")
        },
        **{name: pa.array(column, mask=np.isnan(column)) for name, column in numbers.items()},
    }
    return pa.table([columns[field.name] for field in schema], schema)
