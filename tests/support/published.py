"""Published tables as sorted rows, for comparison to the last bit."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

TABLES = (
    *("valuations", "sensitivities", "scenario_pnl", "scenarios", "aggregates"),
    *("book_pnl", "var", "var_components", "worst_stress", "delta_gamma_var", "reverse_stress"),
)
NOT_NUMBERS = ("run_id", "block_id")


def published(output: Path, table: str) -> pa.Table:
    """All rows of a table, in the order of its files."""
    return ds.dataset(output / "published" / table, partitioning="hive").to_table()


def numbers(output: Path, table: str) -> pa.Table:
    """The published rows less what names the run."""
    rows = published(output, table)
    return rows.drop([name for name in NOT_NUMBERS if name in rows.column_names])


def tables_of(output: Path) -> list[str]:
    """Those of `TABLES` that there are: a run of few measures lacks some."""
    found = [table for table in TABLES if (output / "published" / table).is_dir()]
    assert {"scenarios", "aggregates"} <= set(found)
    return found


def all_numbers(output: Path) -> dict[str, pa.Table]:
    return {table: numbers(output, table) for table in tables_of(output)}


def assert_same_bits(first: Path, second: Path) -> None:
    """Every published table of two outputs has the same rows in the same order, floats compared by their bits."""
    assert tables_of(first) == tables_of(second)
    for table in tables_of(first):
        a, b = numbers(first, table).combine_chunks(), numbers(second, table).combine_chunks()
        assert a.num_rows > 0
        assert a.schema == b.schema
        for name in a.column_names:
            assert bits(a.column(name)).equals(bits(b.column(name))), (table, name)


def bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats as integers, so that -0.0 and 0.0 differ."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if pa.types.is_floating(array.type):
        return pa.chunked_array([array.view(pa.int64())])
    if pa.types.is_list(array.type):
        flat = array.flatten().view(pa.int64())
        return pa.chunked_array([pa.ListArray.from_arrays(array.offsets, flat)])
    return pa.chunked_array([array])
