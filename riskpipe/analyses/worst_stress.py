"""`worst_stress`: the named stress under which each book loses most."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Analysis, Day
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.store.table_schemas import SCHEMAS


class WorstStress(Analysis):
    """The scenario of the set `stress` with the lowest P&L; of equal ones the first.

    Null where every trade of the book failed.
    """

    name = "worst_stress"
    version = 1
    measure = "stress"
    reads = ("book_pnl", "scenarios")

    def compute(self, day: Day) -> Iterator[pa.Table]:
        stress = PNL_SETS[self.measure]
        scenarios = pa.concat_tables([SCHEMAS["scenarios"].empty_table(), *day.read("scenarios")])
        scenarios = scenarios.filter(pc.equal(scenarios["scenario_set"], stress)).sort_by("index")
        if not scenarios.num_rows:
            return
        for piece in day.read("book_pnl"):
            wanted = pc.and_(pc.equal(piece["scenario_set"], stress), pc.equal(piece["risk_class"], WHOLE_RISK))
            rows = piece.filter(wanted)
            if rows.num_rows:
                yield _worst(day, scenarios["scenario"], rows)


def _worst(day: Day, names: pa.ChunkedArray, rows: pa.Table) -> pa.Table:
    known = rows["pnl"].combine_chunks().is_valid().to_numpy(zero_copy_only=False)
    vectors = pc.list_flatten(rows["pnl"]).to_numpy().reshape(-1, len(names))
    place, value = np.zeros(len(known), np.int64), np.zeros(len(known))
    place[known], value[known] = vectors.argmin(axis=1), vectors.min(axis=1)
    columns = {
        **day.constants(len(known)),
        **{name: rows[name] for name in ("level", "book")},
        "scenario": names.take(pa.array(place, mask=~known)),
        "value_base": pa.array(value, mask=~known),
        "scenarios": pa.repeat(pa.scalar(len(names), pa.int32()), len(known)),
    }
    return pa.table([columns[field.name] for field in SCHEMAS["worst_stress"]], SCHEMAS["worst_stress"])
