"""Corrections of a book's inputs, as they come in the course of a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def rewritten(path: Path, name: str, row: int, change: Callable[[float], float]) -> None:
    """A number of a Parquet file is another."""
    table = pq.read_table(path)
    values = table[name].to_numpy().copy()
    values[row] = change(values[row])
    k = table.schema.get_field_index(name)
    pq.write_table(table.set_column(k, table.schema.field(k), pa.array(values)), path)


def correct_level(market: Path, factor: str, ratio: float = 1.01) -> None:
    """A point of a market file is so many times what it was."""
    row = pq.read_table(market, columns=["factor"])["factor"].to_pylist().index(factor)
    rewritten(market, "value", row, lambda level: level * ratio)
