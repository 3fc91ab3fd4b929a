"""Sums of the book tree's nodes into the aggregates table: values, VaR and ES of the summed P&L, in pieces.

What is known of a node that is closed is a few numbers, or one a stress; they wait in a temporary file until every
node is known, for the table is ordered by level.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.sums import to_floats
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.catalogue import PNL_SETS
from riskpipe.measures.summed_columns import summed_columns
from riskpipe.measures.tail import expected_shortfall, value_at_risk
from riskpipe.runs.book_tree import closed_nodes, level_of
from riskpipe.store.result_tables import SCHEMAS
from riskpipe.valuation.book_sums import BookSums, Sums
from riskpipe.valuation.spec import ValuationSpec

ROWS_AT_A_TIME = 50_000


@dataclass(frozen=True)
class _Row:
    """A row that nodes have: a column of a measure's values.

    :param name: of the row's measure. :param scenario: of the set, where the set's scenarios have a row each.
    """

    name: str
    measure: str
    column: int
    scenario_set: str | None = None
    scenario: str | None = None


def _rows(scenarios: ScenarioSet, measure: str) -> list[_Row]:
    set_name = PNL_SETS.get(measure)
    if measure == "historical_var":
        return [_Row(name, measure, k, set_name) for k, name in enumerate(("var_99", "es_97_5"))]
    if measure == "stress":
        first = scenarios.columns_of(PNL_SETS[measure]).start
        names = (scenarios.names[first + k].as_py() for k in range(summed_columns(scenarios, measure)))
        return [_Row(measure, measure, k, set_name, name) for k, name in enumerate(names)]
    return [_Row(measure, measure, 0)]


def _values(measure: str, sums: Sums) -> FloatArray:
    """float64[n, rows of the measure]."""
    totals = to_floats(sums.limbs)
    if measure == "historical_var":
        tails = [(value_at_risk(pnl, 0.99), expected_shortfall(pnl, 0.975)) for pnl in totals]
        return np.array(tails, np.float64).reshape(len(tails), 2)
    return totals


class _Found:
    """What is known of a measure, by node; the values lie in a file."""

    def __init__(self, rows: list[_Row]) -> None:
        self.rows = rows
        self._nodes: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._file = tempfile.TemporaryFile(prefix="riskpipe-aggregates-")  # noqa: SIM115  (ends with this object)

    def add(self, first: int, measure: str, sums: Sums) -> None:
        """:param first: number of the first node of `sums`."""
        present = np.flatnonzero(sums.present)
        self._nodes.append(present + first)
        self._counts.append(np.stack([sums.trades[present], sums.failed_trades[present]], 1))
        _values(measure, sums.take(present)).tofile(self._file)

    def close(self, nodes: int) -> None:
        """:param nodes: how many there are in all."""
        known = np.concatenate(self._nodes)
        self.place = np.full(nodes, -1)
        self.place[known] = np.arange(len(known))
        self.counts = np.concatenate(self._counts)
        self._file.flush()
        shape = (len(known), len(self.rows))
        self.values = np.memmap(self._file, np.float64, "r", shape=shape) if len(known) else np.empty(shape)


def aggregates(spec: ValuationSpec, scenarios: ScenarioSet, ranges: Iterable[BookSums]) -> Iterator[pa.Table]:
    """The aggregates of a run, sorted by level, book, measure and scenario, in pieces.

    A book of which every trade failed has no value (null); otherwise failed trades are left out and counted.

    :param ranges: as `read_sums` has them.
    """
    found: dict[str, _Found] = {}
    paths: list[str] = []
    for nodes in closed_nodes(ranges, lambda measure: summed_columns(scenarios, measure)):
        for measure, sums in nodes.sums.items():
            if measure not in found:
                found[measure] = _Found(_rows(scenarios, measure))
            found[measure].add(len(paths), measure, sums)
        paths += nodes.paths
    for known in found.values():
        known.close(len(paths))
    rows = sorted((row for known in found.values() for row in known.rows), key=lambda row: (row.name, row.column))
    order = np.array(sorted(range(len(paths)), key=lambda k: (level_of(paths[k]), paths[k])), np.int64)
    step = max(ROWS_AT_A_TIME // max(len(rows), 1), 1)
    for start in range(0, len(order), step):
        yield _table(spec, paths, order[start : start + step], rows, found)


def _table(
    spec: ValuationSpec, paths: list[str], nodes: NDArray[np.int64], rows: list[_Row], found: dict[str, _Found]
) -> pa.Table:
    """All rows of some nodes."""
    shape = (len(nodes), len(rows))
    present, value = np.zeros(shape, np.bool_), np.zeros(shape)
    counts = np.zeros((*shape, 2), np.int64)
    for k, row in enumerate(rows):
        known = found[row.measure]
        place = known.place[nodes]
        at = np.flatnonzero(place >= 0)
        present[at, k] = True
        counts[at, k] = known.counts[place[at]]
        value[at, k] = known.values[place[at], row.column]
    trades, failed = (counts[..., k][present] for k in range(2))
    node, which = (pa.array(index) for index in np.nonzero(present))
    columns = {
        "level": pa.array([level_of(paths[k]) for k in nodes.tolist()], pa.int32()).take(node),
        "book": pa.array([paths[k] for k in nodes.tolist()], pa.string()).take(node),
        "measure": pa.array([row.name for row in rows], pa.string()).take(which),
        "scenario_set": pa.array([row.scenario_set for row in rows], pa.string()).take(which),
        "scenario": pa.array([row.scenario for row in rows], pa.string()).take(which),
        "value_base": pa.array(value[present], mask=failed >= trades),
        "trades": pa.array(trades),
        "failed_trades": pa.array(failed),
        "as_of_date": pa.repeat(pa.scalar(spec.as_of, pa.date32()), len(node)),
        "run_id": pa.repeat(pa.scalar(spec.run_id, pa.string()), len(node)),
    }
    return pa.table([columns[field.name] for field in SCHEMAS["aggregates"]], SCHEMAS["aggregates"])


def scenarios_table(spec: ValuationSpec, scenarios: ScenarioSet) -> pa.Table:
    """Names (and dates) of the columns of each P&L set, in the order of the vectors."""
    rows: list[tuple[str, int, str]] = []
    for set_name in PNL_SETS.values():
        if set_name in scenarios.sets:
            columns = scenarios.columns_of(set_name)
            rows += [
                (set_name, k, scenarios.names[c].as_py()) for k, c in enumerate(range(columns.start, columns.stop))
            ]
    names = [name for _, _, name in rows]
    dates = [name if set_name == PNL_SETS["historical_var"] else None for set_name, _, name in rows]
    return pa.table(
        {
            "as_of_date": pa.array([spec.as_of] * len(rows), pa.date32()),
            "run_id": pa.array([spec.run_id] * len(rows), pa.string()),
            "scenario_set": pa.array([set_name for set_name, _, _ in rows], pa.string()),
            "index": pa.array([k for _, k, _ in rows], pa.int32()),
            "scenario": pa.array(names, pa.string()),
            "date": pa.array(dates, pa.string()).cast(pa.date32()),
        }
    )
