"""Tables of the book tree's nodes, in pieces: what measures add up to, VaR and ES of the summed P&L, and that P&L."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import RISK_CLASSES
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.measure_names import CROSS, EXPLAIN, NESTED, PNL_SETS, SIMULATED, WHOLE_RISK
from riskpipe.measures.pnl_sets import PnlSet, pnl_sets
from riskpipe.measures.summed_columns import Summed
from riskpipe.measures.tail import expected_shortfall, value_at_risk
from riskpipe.runs.book_totals import BookTotals
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.valuation.spec import ValuationSpec

ROWS_AT_A_TIME = 50_000
HEADLINE = ("pv", "var_99", "es_97_5")
# Numbers of P&L vectors that are held at a time.
_NUMBERS_AT_A_TIME = 2_000_000

_ORDER = {name: k for k, name in enumerate((WHOLE_RISK, *RISK_CLASSES, CROSS, *NESTED.values()))}


class _Row(Struct, frozen=True):
    """A row that nodes have: a column of a measure's values.

    :param name: of the row's measure. :param summed: what it is made of.
    :param scenario: of the set, where the set's scenarios have a row each.
    """

    name: str
    summed: Summed
    column: int
    scenario_set: str | None = None
    scenario: str | None = None


def _rows(scenarios: ScenarioSet, what: Summed) -> list[_Row]:
    """Of a measure's own set alone: others, and parts, are in `book_pnl` and what is made of it."""
    set_name = PNL_SETS.get(what.measure)
    if set_name is None:
        return [_Row(what.measure, what, 0)]
    if what.scenario_set != set_name or what.measure in SIMULATED:
        return []
    if what.measure == "historical_var":
        return [_Row(name, what, k, set_name) for k, name in enumerate(("var_99", "es_97_5"))]
    columns = scenarios.columns_of(set_name)
    names = (scenarios.names[k].as_py() for k in range(columns.start, columns.stop))
    return [_Row(what.measure, what, k, set_name, name) for k, name in enumerate(names)]


def _values(measure: str, totals: FloatArray) -> FloatArray:
    """float64[n, rows of the measure]."""
    if measure == "historical_var":
        tails = [(value_at_risk(pnl, 0.99), expected_shortfall(pnl, 0.975)) for pnl in totals]
        return np.array(tails, np.float64).reshape(len(tails), 2)
    return totals


def aggregates(spec: ValuationSpec, scenarios: ScenarioSet, totals: BookTotals) -> Iterator[pa.Table]:
    """The aggregates of a run, sorted by level, book, measure and scenario, in pieces.

    A book of which every trade failed has no value (null); otherwise failed trades are left out and counted.
    """
    rows = [row for what in totals.summed for row in _rows(scenarios, what)]
    rows.sort(key=lambda row: (row.name, row.column))
    for nodes in totals.pieces(ROWS_AT_A_TIME // max(len(rows), 1)):
        yield _aggregates_of(spec, totals, nodes, rows)


def headline(spec: ValuationSpec, scenarios: ScenarioSet, totals: BookTotals) -> dict[str, float]:
    """What is told of all books first: pv and figures of the history, in the base currency; those that there are."""
    rows = [row for what in totals.summed for row in _rows(scenarios, what) if row.name in HEADLINE]
    rows.sort(key=lambda row: HEADLINE.index(row.name))
    root = _aggregates_of(spec, totals, range(1), rows)
    named = zip(root["measure"].to_pylist(), root["value_base"].to_pylist(), strict=True)
    return {name: value for name, value in named if value is not None}


def _aggregates_of(spec: ValuationSpec, totals: BookTotals, nodes: range, rows: list[_Row]) -> pa.Table:
    """All rows of some nodes."""
    shape = (len(nodes), len(rows))
    present, value = np.zeros(shape, np.bool_), np.zeros(shape)
    counts = np.zeros((*shape, 2), np.int64)
    for what in dict.fromkeys(row.summed for row in rows):
        found = totals.of(what, nodes)
        values = _values(what.measure, found.values)
        for k, row in enumerate(rows):
            if row.summed == what:
                present[found.present, k] = True
                counts[found.present, k] = np.stack([found.trades, found.failed_trades], 1)
                value[found.present, k] = values[:, row.column]
    trades, failed = (counts[..., k][present] for k in range(2))
    node, which = np.nonzero(present)
    columns = {
        **_of_nodes(spec, totals, nodes, node),
        "measure": pa.array([row.name for row in rows], pa.string()).take(pa.array(which)),
        "scenario_set": pa.array([row.scenario_set for row in rows], pa.string()).take(pa.array(which)),
        "scenario": pa.array([row.scenario for row in rows], pa.string()).take(pa.array(which)),
        "value_base": pa.array(value[present], mask=failed >= trades),
        "trades": pa.array(trades),
        "failed_trades": pa.array(failed),
    }
    return pa.table([columns[field.name] for field in SCHEMAS["aggregates"]], SCHEMAS["aggregates"])


def _of_nodes(spec: ValuationSpec, totals: BookTotals, nodes: range, which: NDArray[np.int64]) -> dict[str, pa.Array]:
    """Columns that every table of nodes has. :param which: int64[rows], of the nodes."""
    position = pa.array(which)
    return {
        "as_of_date": pa.repeat(pa.scalar(spec.as_of, pa.date32()), len(which)),
        "run_id": pa.repeat(pa.scalar(spec.run_id, pa.string()), len(which)),
        "level": pa.array(totals.levels[nodes.start : nodes.stop], pa.int32()).take(position),
        "book": pa.array(totals.paths[nodes.start : nodes.stop], pa.string()).take(position),
    }


def book_pnl(spec: ValuationSpec, totals: BookTotals) -> Iterator[pa.Table]:
    """P&L vectors of every node of the book tree, sorted by level, book, scenario set and risk class, in pieces.

    From the exact sums, so the same however the work was cut. Null where every trade of the book failed.
    """
    sets = sorted(
        pnl_sets(what.scenario_set for what in totals.summed),
        key=lambda each: (each.scenario_set, _ORDER[each.risk_class]),
    )
    width = sum(totals.columns_of(Summed(each.name, each.measure)) for each in sets)
    for nodes in totals.pieces(_NUMBERS_AT_A_TIME // max(width, 1)):
        parts = [_vectors(spec, totals, nodes, each) for each in sets]
        if parts:
            which = np.concatenate([node for node, _ in parts])
            in_order = pa.array(np.argsort(which, kind="stable"))
            yield pa.concat_tables([table for _, table in parts]).take(in_order)


def _vectors(spec: ValuationSpec, totals: BookTotals, nodes: range, of: PnlSet) -> tuple[NDArray[np.int64], pa.Table]:
    """Rows of one set, and which of the nodes they are of."""
    found = totals.of(Summed(of.name, of.measure), nodes)
    n, known = len(found.present), found.is_known
    offsets = np.concatenate([[0], np.cumsum(np.where(known, found.values.shape[1], 0))]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(found.values[known].ravel()), mask=pa.array(~known))
    columns = {
        **_of_nodes(spec, totals, nodes, found.present),
        "scenario_set": pa.repeat(pa.scalar(of.scenario_set, pa.string()), n),
        "risk_class": pa.repeat(pa.scalar(of.risk_class, pa.string()), n),
        "pnl": lists,
        "trades": pa.array(found.trades),
        "failed_trades": pa.array(found.failed_trades),
    }
    return found.present, pa.table([columns[field.name] for field in SCHEMAS["book_pnl"]], SCHEMAS["book_pnl"])


def scenarios_table(spec: ValuationSpec, scenarios: ScenarioSet) -> pa.Table:
    """Names (and dates) of the columns of each P&L set, in the order of the vectors; parts have those of the whole.

    Steps of explained P&L have the date of the day that they begin at.
    """
    rows: list[tuple[PnlSet, int, str]] = []
    for each in pnl_sets(scenarios.sets):
        if each.is_whole:
            columns = scenarios.columns_of(each.name)
            rows += [(each, k, scenarios.names[c].as_py()) for k, c in enumerate(range(columns.start, columns.stop))]
    names = [name for _, _, name in rows]
    previous = None if spec.previous is None else spec.previous[0]
    of_measure = {EXPLAIN: previous}
    dates = [name if each.measure == "historical_var" else of_measure.get(each.measure) for each, _, name in rows]
    return pa.table(
        {
            "as_of_date": pa.array([spec.as_of] * len(rows), pa.date32()),
            "run_id": pa.array([spec.run_id] * len(rows), pa.string()),
            "scenario_set": pa.array([each.scenario_set for each, _, _ in rows], pa.string()),
            "index": pa.array([k for _, k, _ in rows], pa.int32()),
            "scenario": pa.array(names, pa.string()),
            "date": pa.array(dates, pa.string()).cast(pa.date32()),
        }
    )
