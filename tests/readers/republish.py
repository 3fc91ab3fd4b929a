"""Publishes one run after another on the same day, for the readers that look on. Usage: republish.py ROOT FIRST LAST.

It says so on stdout after each run and waits for a line on stdin before the next: who reads meanwhile, and sends the
line between two reads, is overtaken by at most one publication during a read.

Run number i has 1000 + i rows in each of its tables and the id of `run_id(i)`, so a reader can tell whole from half.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.published import publish_day
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.stage import stage

AS_OF = date(2026, 11, 20)


def run_id(number: int) -> str:
    return f"20261120-193055-{number:06x}"


def rows_of(run: str) -> int:
    return 1000 + int(run[-6:], 16)


def valuations(rows: int) -> pa.Table:
    failed = np.arange(rows) % 10 == 3
    value = pa.array(np.arange(rows) * 1.5, mask=failed)
    return pa.table(
        {
            "book": [f"desk{i * 7 // rows}/options" for i in range(rows)],
            "trade_id": [f"T{i:09d}" for i in range(rows)],
            "product": ["fx_option"] * rows,
            "measure": ["pv"] * rows,
            "value": value,
            "currency": ["USD"] * rows,
            "value_base": value,
            "status": np.where(failed, "failed", "ok"),
            "reason": pa.array(["NUMERICAL"] * rows, mask=~failed),
            "block_id": ["b1"] * rows,
        }
    )


def scenario_pnl(rows: int) -> pa.Table:
    return pa.table(
        {
            "book": ["desk/options"] * rows,
            "trade_id": [f"T{i:09d}" for i in range(rows)],
            "product": ["fx_option"] * rows,
            "scenario_set": ["history"] * rows,
            "pnl": [[float(i), -1.0, 0.5] for i in range(rows)],
            "status": ["ok"] * rows,
        }
    )


def publish(store: Store, number: int) -> None:
    folder = RunFolder(store, run_id(number))
    provenance = Provenance(folder.run_id, AS_OF, "c" * 64, "d" * 64, "0.1.0", "USD")
    rows = rows_of(folder.run_id)
    tables = {
        "valuations": stage(folder, "valuations", [valuations(rows)], provenance),
        "scenario_pnl": stage(folder, "scenario_pnl", [scenario_pnl(rows)], provenance),
    }
    publish_day(folder, AS_OF, tables, datetime(2026, 11, 20, 19, 30, tzinfo=UTC))


if __name__ == "__main__":
    root, first, last = sys.argv[1:]
    for run in range(int(first), int(last)):
        publish(open_store(root), run)
        print(run, flush=True)  # noqa: T201
        sys.stdin.readline()
