"""`stressed_windows`: the days in which a book's P&L vector has the largest expected shortfall."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.analyses.risk_terms import StressedWindow
from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import WHOLE_RISK
from riskpipe.measures.rolling_shortfall import rolling_shortfall
from riskpipe.store.table_schemas import SCHEMAS


class StressedWindows(Analysis):
    """The windows that `risk.stressed_windows` asks for: of several that are as bad, the first.

    Without figures where the day has no such book, where every trade of it failed, and where the history is shorter
    than the window.
    """

    name = "stressed_windows"
    version = 1
    key = "risk.stressed_windows"
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        wanted = day.terms.stressed_windows
        vectors: dict[tuple[str, str], tuple[int, FloatArray]] = {}
        for piece in day.read("book_pnl") if wanted else ():
            for each in wanted:
                mine = pc.and_(pc.equal(piece["scenario_set"], each.scenario_set), pc.equal(piece["book"], each.book))
                rows = piece.filter(pc.and_(mine, pc.equal(piece["risk_class"], WHOLE_RISK)))
                for row in rows.filter(pc.is_valid(rows["pnl"])).to_pylist():
                    vectors[each.scenario_set, each.book] = (row["level"], np.array(row["pnl"]))
        if not vectors:
            return
        scenarios = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *day.read("scenarios")])
        schema = SCHEMAS["stressed_windows"]
        rows = [_row(each, vectors, scenarios) for each in sorted(wanted, key=lambda each: each.name)]
        yield pa.Table.from_pylist([{"as_of_date": day.as_of, "run_id": day.run_id, **row} for row in rows], schema)


def _row(
    wanted: StressedWindow, vectors: dict[tuple[str, str], tuple[int, FloatArray]], scenarios: pa.Table
) -> dict[str, object]:
    level = wanted.book.count("/") + 1 if wanted.book else 0
    row: dict[str, object] = {
        "name": wanted.name,
        "level": level,
        "book": wanted.book,
        "scenario_set": wanted.scenario_set,
        "confidence": wanted.confidence,
        "days": wanted.days,
    }
    _, pnl = vectors.get((wanted.scenario_set, wanted.book), (level, np.empty(0)))
    if len(pnl) < wanted.days:
        return row
    mine = scenarios.filter(pc.equal(scenarios["scenario_set"], wanted.scenario_set)).sort_by("index")
    found = rolling_shortfall(pnl, wanted.days, wanted.confidence)
    worst = int(np.argmax(found))
    return {
        **row,
        "first_date": mine["date"][worst].as_py(),
        "last_date": mine["date"][worst + wanted.days - 1].as_py(),
        "value_base": float(found[worst]),
        "latest_base": float(found[-1]),
    }
