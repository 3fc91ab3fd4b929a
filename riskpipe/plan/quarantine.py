"""Trades that are not priced, with the reason that they get in place of numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.errors import Reason


class Quarantine(Struct):
    """Rows that get a reason in place of numbers, by file and row."""

    path: list[str] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    message: list[str] = field(default_factory=list)
    doubled: list[bool] = field(default_factory=list)

    def add(self, path: str, rows: NDArray[np.int64], reason: Reason, message: str, *, doubled: bool = False) -> None:
        """:param doubled: their trade ids are those of other rows too, so that they do not name them."""
        self.path += [path] * len(rows)
        self.row += rows.tolist()
        self.reason += [reason.value] * len(rows)
        self.message += [message] * len(rows)
        self.doubled += [doubled] * len(rows)

    def extend(self, other: Quarantine) -> None:
        """All of another one."""
        self.path += other.path
        self.row += other.row
        self.reason += other.reason
        self.message += other.message
        self.doubled += other.doubled

    def table(self) -> pa.Table:
        """One row a trade, sorted by path and row: the first reason found, and whether its id is doubled."""
        table = pa.table(
            {
                "path": pa.array(self.path, pa.string()),
                "row": pa.array(self.row, pa.int64()),
                "reason": pa.array(self.reason, pa.string()),
                "message": pa.array(self.message, pa.string()),
                "doubled": pa.array(self.doubled, pa.bool_()),
                "order": pa.array(range(len(self.row)), pa.int64()),
            }
        ).sort_by([("path", "ascending"), ("row", "ascending"), ("order", "ascending")])
        if not len(table):
            return table.drop(["order"])
        path, row = table.column("path").to_pylist(), table.column("row").to_pylist()
        first = [k == 0 or (path[k], row[k]) != (path[k - 1], row[k - 1]) for k in range(len(table))]
        doubled = np.logical_or.reduceat(table.column("doubled").to_numpy(), np.flatnonzero(first))
        kept = table.filter(pa.array(first)).drop(["order", "doubled"])
        return kept.append_column("doubled", pa.array(doubled))
