"""Book sums into the aggregates table: every level of the book tree up to the root, VaR and ES of the summed P&L."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.kernels.sums import LIMBS, to_floats
from riskpipe.market.scenarios import ScenarioSet
from riskpipe.measures.catalogue import PNL_SETS
from riskpipe.measures.tail import expected_shortfall, value_at_risk
from riskpipe.valuation.book_sums import BookSum, Key
from riskpipe.valuation.spec import ValuationSpec

ROOT = ""


@dataclass
class _Total:
    trades: int
    failed_trades: int
    limbs: NDArray[np.int64]


def ancestors(book: str) -> Iterator[tuple[int, str]]:
    """(level, path) from the root (0, "") down to the book itself."""
    parts = book.split("/") if book else []
    for level in range(len(parts) + 1):
        yield level, "/".join(parts[:level])


def aggregates_table(spec: ValuationSpec, scenarios: ScenarioSet, sums: Mapping[Key, BookSum]) -> pa.Table:
    """The aggregates of a run, sorted by level, book, measure and scenario.

    A book of which every trade failed has no value (null); otherwise failed trades are left out and counted.
    """
    totals: dict[tuple[str, int, str], _Total] = {}
    for (measure, book), whole in _assembled(sums).items():
        for level, path in ancestors(book):
            known = totals.get((measure, level, path))
            if known is None:
                totals[measure, level, path] = _Total(whole.trades, whole.failed_trades, whole.limbs.copy())
            else:
                known.trades += whole.trades
                known.failed_trades += whole.failed_trades
                known.limbs += whole.limbs
    rows = [row for (measure, level, book), total in totals.items()
            for row in _rows(scenarios, measure, level, book, total)]  # fmt: skip
    rows.sort(key=lambda row: (row["level"], row["book"], row["measure"], row["order"]))
    n = len(rows)
    columns = {
        name: [row[name] for row in rows]
        for name in (
            "level",
            "book",
            "measure",
            "scenario_set",
            "scenario",
            "value_base",
            "trades",
            "failed_trades",
        )
    }
    return pa.table(
        {
            "as_of_date": pa.array([spec.as_of] * n, pa.date32()),
            "run_id": pa.array([spec.run_id] * n, pa.string()),
            "level": pa.array(columns.pop("level"), pa.int32()),
            "value_base": pa.array(columns.pop("value_base"), pa.float64()),
            "trades": pa.array(columns.pop("trades"), pa.int64()),
            "failed_trades": pa.array(columns.pop("failed_trades"), pa.int64()),
            **{name: pa.array(values, pa.string()) for name, values in columns.items()},
        }
    )


def _assembled(sums: Mapping[Key, BookSum]) -> dict[tuple[str, str], _Total]:
    """(measure, book) -> limbs over all columns, from the pieces of each scenario range."""
    widths: dict[str, int] = {}
    for (_, _, measure, first), part in sums.items():
        widths[measure] = max(widths.get(measure, 0), first + part.limbs.shape[1])
    whole: dict[tuple[str, str], _Total] = {}
    for (book, _, measure, first), part in sums.items():
        total = whole.setdefault((measure, book), _Total(0, 0, np.zeros((LIMBS, widths[measure]), np.int64)))
        # Each range counts the same trades; one that failed in any of them is counted there.
        total.trades = max(total.trades, part.trades)
        total.failed_trades = max(total.failed_trades, part.failed_trades)
        total.limbs[:, first : first + part.limbs.shape[1]] += part.limbs
    return whole


def _rows(scenarios: ScenarioSet, measure: str, level: int, book: str, total: _Total) -> Iterator[dict[str, object]]:
    values = to_floats(total.limbs[None])[0]
    empty = total.failed_trades >= total.trades
    common = {"level": level, "book": book, "trades": total.trades, "failed_trades": total.failed_trades}

    def row(name: str, value: float, set_name: str | None = None, scenario: str | None = None, order: int = 0):  # type: ignore[no-untyped-def]
        return {
            **common,
            "measure": name,
            "scenario_set": set_name,
            "scenario": scenario,
            "value_base": None if empty else float(value),
            "order": order,
        }

    if measure == "historical_var":
        set_name = PNL_SETS[measure]
        yield row("var_99", value_at_risk(values, 0.99), set_name)
        yield row("es_97_5", expected_shortfall(values, 0.975), set_name)
    elif measure == "stress":
        columns = scenarios.columns_of(PNL_SETS[measure])
        for k, value in enumerate(values):
            yield row("stress", value, PNL_SETS[measure], scenarios.names[columns.start + k].as_py(), k)
    else:
        yield row(measure, values[0])


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
