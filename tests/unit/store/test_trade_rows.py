"""Rows of a product through all its files, and small tables read as one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.store.columns import FROM_PATH
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.trade_rows import FileRows, ProductRows, gathered


def _file(path: str, rows: int) -> TradeFile:
    return TradeFile(path.partition("/")[0], path, rows, 1, (0, rows), ())


FILES = [_file("bond/c", 4), _file("bond/a", 3), _file("bond/b", 1)]


def _pieces(start: int, stop: int) -> list[tuple[str, int, int]]:
    return [(piece.file.path, piece.start, piece.stop) for piece in ProductRows(FILES).pieces(start, stop)]


def test_files_follow_each_other_by_path() -> None:
    rows = ProductRows(FILES)

    assert len(rows) == 8
    assert [rows.first_of(f"bond/{name}") for name in "abc"] == [0, 3, 4]
    assert rows.places(np.array([0, 2, 3, 4, 7])) == ["bond/a#0", "bond/a#2", "bond/b#0", "bond/c#0", "bond/c#3"]


def test_pieces_of_a_range() -> None:
    assert _pieces(0, 8) == [("bond/a", 0, 3), ("bond/b", 0, 1), ("bond/c", 0, 4)]
    assert _pieces(1, 3) == [("bond/a", 1, 3)]
    assert _pieces(2, 5) == [("bond/a", 2, 3), ("bond/b", 0, 1), ("bond/c", 0, 1)]
    assert _pieces(5, 7) == [("bond/c", 1, 3)]
    assert _pieces(3, 3) == []
    for start, stop in ((-1, 2), (0, 9), (3, 2)):
        with pytest.raises(ValueError, match="of files that have 8"):
            _pieces(start, stop)


def _gathered(tables: Iterable[pa.Table], max_rows: int | None = None) -> list[tuple[int, int]]:
    """Pieces and rows of what was put together."""
    given = [(FileRows(_file(f"bond/{k}", len(t)), 0, len(t)), t) for k, t in enumerate(tables)]
    found = list(gathered(iter(given), max_rows))
    assert [piece for pieces, _ in found for piece in pieces] == [piece for piece, _ in given]
    assert [v for _, table in found for v in table.column("x").to_pylist()] == [
        v for _, table in given for v in table.column("x").to_pylist()
    ]
    assert all(len(table) == sum(map(len, pieces)) for pieces, table in found)
    return [(len(pieces), len(table)) for pieces, table in found]


def test_neighbours_up_to_a_number_of_rows() -> None:
    tables = [pa.table({"x": list(range(n))}) for n in (2, 3, 4, 1, 9, 1)]

    assert _gathered(tables, 5) == [(2, 5), (2, 5), (1, 9), (1, 1)]
    assert _gathered(tables) == [(6, 20)]
    assert _gathered([]) == []


def test_other_columns_are_not_put_together() -> None:
    plain, pandas = pa.table({"x": [1]}), pa.table({"x": [2]}).replace_schema_metadata({"pandas": "1 row"})
    marked = pa.table({"x": [3]}, pa.schema([pa.field("x", pa.int64(), metadata=FROM_PATH)]))
    wider = pa.table({"x": [4], "y": [5]})

    assert _gathered([plain, pandas, marked, marked, wider, plain]) == [(2, 2), (2, 2), (1, 1), (1, 1)]


def test_products_are_not_put_together() -> None:
    table = pa.table({"x": [1]})
    given = [(FileRows(_file(f"{product}/a", 1), 0, 1), table) for product in ("bond", "bond", "fra")]

    assert [len(pieces) for pieces, _ in gathered(given)] == [2, 1]


def test_dictionaries_whose_indices_are_too_narrow_for_all_names() -> None:
    index = pa.array(range(100), pa.int8())
    tables = [
        pa.table({"x": pa.DictionaryArray.from_arrays(index, [f"{name}{k}" for k in range(100)])}) for name in "abc"
    ]

    assert _gathered(tables) == [(3, 300)]
