"""`limit_checks`: what books' values come to against their limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.limit_terms import FIGURES_OF_THE_TAIL, Limit
from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.store.table_schemas import SCHEMAS

_ORDER = [("book", "ascending"), ("measure", "ascending"), ("name", "ascending"), ("limit", "ascending")]


class LimitChecks(Analysis):
    """A row for every limit and every book and value that it is of. A value that is not known is a breach.

    Sorted by book, measure, name and limit.
    """

    name = "limit_checks"
    version = 1
    measure = "inputs.limits"
    reads = ("aggregates",)

    def compute(self, day: Day) -> Iterator[pa.Table]:
        limits = day.terms.limits
        measures = {limit.measure for limit in limits}
        found = [_checked(limit, values) for values in _values(day, measures) for limit in limits]
        rows = pa.concat_tables(found) if found else None
        if rows is not None and rows.num_rows:
            named = rows.set_column(2, "name", pc.fill_null(rows["name"], ""))
            rows = rows.take(pc.sort_indices(named, _ORDER))
            yield pa.table([*day.constants(rows.num_rows).values(), *rows.columns], SCHEMAS[self.name])


def _values(day: Day, measures: set[str]) -> Iterator[pa.Table]:
    """Of all books, those that limits may be of: book, measure, name, value_base; in pieces."""
    wanted = pa.array(sorted(measures), pa.string())
    for piece in day.read("aggregates") if measures else ():
        rows = piece.filter(pc.is_in(piece["measure"], value_set=wanted))
        yield rows.select(["book", "measure", "scenario", "value_base"]).rename_columns(
            ["book", "measure", "name", "value_base"]
        )
    history = PNL_SETS["historical_var"]
    parts = [f"{tail.name}/{tail.scenario_set or history}/{tail.risk_class or WHOLE_RISK}" for tail in day.terms.tails]
    for piece in day.read("var") if FIGURES_OF_THE_TAIL in measures else ():
        named = pc.binary_join_element_wise(piece["name"], piece["scenario_set"], piece["risk_class"], "/")
        rows = piece.filter(pc.is_in(named, value_set=pa.array(parts, pa.string())))
        measure = pa.repeat(pa.scalar(FIGURES_OF_THE_TAIL, pa.string()), rows.num_rows)
        columns = {"book": rows["book"], "measure": measure, "name": rows["name"], "value_base": rows["value_base"]}
        yield pa.table(columns)


def _checked(limit: Limit, values: pa.Table) -> pa.Table:
    """Those of the values that the limit is of, against it."""
    rows = values.filter(pc.equal(values["measure"], limit.measure))
    if limit.name is not None:
        rows = rows.filter(pc.equal(rows["name"], limit.name))
    books = rows["book"].combine_chunks().dictionary_encode()
    matches = re.compile(translate(limit.book)).match
    is_of = np.array([matches(name) is not None for name in books.dictionary.to_pylist()], np.bool_)
    rows = rows.filter(pa.array(is_of[books.indices.to_numpy()] if len(books) else [], pa.bool_()))
    value: FloatArray = pc.fill_null(rows["value_base"], np.nan).to_numpy()
    unknown, n = np.isnan(value), len(value)
    status = np.where(limit.beyond(value, limit.limit) | unknown, "breach", "ok")
    if limit.warning is not None:
        status = np.where((status == "ok") & limit.beyond(value, limit.warning), "warning", status)
    size = np.abs(value) if limit.direction == "absolute" else value
    use = np.divide(size, limit.limit, out=np.full(n, np.nan), where=np.full(n, limit.limit != 0.0))
    return pa.table(
        {
            **{name: rows[name] for name in ("book", "measure", "name", "value_base")},
            "warning": pa.repeat(pa.scalar(limit.warning, pa.float64()), n),
            "limit": pa.repeat(pa.scalar(limit.limit, pa.float64()), n),
            "use": pa.array(use, from_pandas=True),
            "status": pa.array(status.tolist(), pa.string()),
        }
    )
