"""Merging gives the same rows in the same order however the sources were cut, and refuses what breaks the rules."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.errors import StorageError
from riskpipe.store import sorted_merge as merge_module
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import write_parquet
from riskpipe.store.result_tables import InvalidResultError
from riskpipe.store.sorted_merge import Source, merge_sorted

SCHEMA = pa.schema(
    [
        pa.field("book", pa.string(), nullable=False),
        pa.field("trade_id", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("reason", pa.string()),
        pa.field("pnl", pa.list_(pa.float64())),
    ]
)
KEYS = ("book", "trade_id", "measure")
Row = tuple[str, str, str]

words = st.sampled_from(["a", "b", "B", "a/b", "a-b", "aé", "é", "z", "Zürich", "", "a\U0001f600"])
keys = st.lists(st.tuples(words, words, words), unique=True, max_size=60)


def table(rows: list[Row]) -> pa.Table:
    """Rows sorted by book and trade only: within a trade the order is that given."""
    rows = sorted(rows, key=lambda row: row[:2])
    value = [float(hash_of(row)) for row in rows]
    return pa.table(
        {
            "book": pa.array([row[0] for row in rows], pa.string()),
            "trade_id": pa.array([row[1] for row in rows], pa.string()),
            "measure": pa.array([row[2] for row in rows], pa.string()),
            "value": pa.array([v if v % 3 else None for v in value], pa.float64()),
            "reason": pa.array([None if v % 3 else f"r{v}" for v in value], pa.string()),
            "pnl": pa.array([[v, -v] if v % 3 else None for v in value], pa.list_(pa.float64())),
        },
        schema=SCHEMA,
    )


def hash_of(row: Row) -> int:
    return sum((i + 1) * ord(c) for i, c in enumerate("|".join(row)))


def write(store: Store, parts: list[list[Row]]) -> list[Source]:
    Path(store.root, "b").mkdir(exist_ok=True)
    sources = [Source(f"b/{number:04d}.parquet") for number in range(len(parts))]
    for source, part in zip(sources, parts, strict=True):
        pq.write_table(table(part), Path(store.root, source.path))
    return sources


def merged(store: Store, sources: list[Source], **options: int) -> pa.Table:
    windows = [w.cast(SCHEMA) for w in merge_sorted(store, sources, SCHEMA, KEYS, "scratch", **options)]
    return pa.concat_tables([SCHEMA.empty_table(), *windows])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Windows of a few rows."""
    monkeypatch.setattr(merge_module, "_LEAST_BATCH", 3)
    return {"window_bytes": 1}


@given(rows=keys, cuts=st.lists(st.integers(0, 5), min_size=60, max_size=60), most=st.sampled_from([2, 3, 100]))
@examples(30)
def test_the_order_does_not_depend_on_the_cut(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], cuts: list[int], most: int
) -> None:
    store = open_store(str(tmp_path_factory.mktemp("merge")))
    parts: list[list[Row]] = [[] for _ in range(6)]
    for row, cut in zip(rows, cuts, strict=False):
        parts[cut].append(row)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge_module, "_LEAST_BATCH", 3)
        found = merged(store, write(store, parts), window_bytes=1, most_sources=most)
    assert found.equals(table(sorted(rows)))
    assert not store.is_directory("scratch")


def test_windows_are_bounded(store: Store, tiny: dict[str, int]) -> None:
    parts = [[("b", f"t{i:04d}", "pv") for i in range(n, 300, 4)] for n in range(4)]
    windows = list(merge_sorted(store, write(store, parts), SCHEMA, KEYS, "scratch", **tiny))
    assert max(window.num_rows for window in windows) <= 4 * 2 * 3
    assert sum(window.num_rows for window in windows) == 300


def test_a_trade_larger_than_a_window_stays_together(store: Store, tiny: dict[str, int]) -> None:
    rows = [("b", "t", f"m{i:03d}") for i in range(50)] + [("b", "u", "m")]
    sources = write(store, [rows[::-1][:30], rows[::-1][30:]])
    assert merged(store, sources, **tiny)["measure"].to_pylist() == [*sorted(row[2] for row in rows[:-1]), "m"]


def test_dropped_trades_come_from_elsewhere(store: Store, tiny: dict[str, int]) -> None:
    old, new = write(store, [[("b", f"t{i}", "pv") for i in range(9)], [("b", "t3", "pv"), ("b", "t8", "pv")]])
    found = merged(store, [Source(old.path, frozenset({"t3", "t8"})), new], **tiny)
    assert found.equals(table([("b", f"t{i}", "pv") for i in range(9)]))
    everything = merged(store, [Source(old.path, frozenset(f"t{i}" for i in range(9)))], **tiny)
    assert everything.num_rows == 0


@pytest.mark.parametrize("most", [2, 100])
def test_a_row_that_is_there_twice_is_refused(store: Store, most: int) -> None:
    sources = write(store, [[("b", "t1", "pv")], [("b", "t1", "delta")], [("b", "t1", "pv")]])
    with pytest.raises(InvalidResultError, match="1 results are there twice, such as b, t1, pv"):
        merged(store, sources, most_sources=most)
    assert not store.is_directory("scratch")


def test_a_source_that_is_not_sorted_is_named(store: Store) -> None:
    unsorted = table([("b", "t1", "pv"), ("b", "t2", "pv"), ("c", "t0", "pv")]).take([1, 0, 2])
    write_parquet(store, "x.parquet", unsorted)
    good = write(store, [[("b", "t5", "pv")]])
    with pytest.raises(InvalidResultError, match=r"x\.parquet is not sorted by book and trade_id"):
        merged(store, [*good, Source("x.parquet")])


def test_a_source_that_is_not_sorted_across_windows_is_refused(store: Store, tiny: dict[str, int]) -> None:
    rows = table([("b", f"t{i:02d}", "pv") for i in range(20)])
    write_parquet(store, "x.parquet", pa.concat_tables([rows.slice(10), rows.slice(0, 10)]))
    with pytest.raises(InvalidResultError, match="is not sorted"):
        merged(store, [Source("x.parquet")], **tiny)


def test_a_missing_nullable_column_is_null(store: Store) -> None:
    write_parquet(store, "x.parquet", table([("b", "t", "pv")]).drop_columns(["reason", "pnl"]))
    found = merged(store, [Source("x.parquet")])
    assert (found["reason"].to_pylist(), found["pnl"].to_pylist()) == ([None], [None])


def test_no_sources_no_rows(store: Store) -> None:
    assert merged(store, []).num_rows == 0
    assert merged(store, write(store, [[], []])).num_rows == 0


def test_a_broken_source_is_named(store: Store) -> None:
    sources = write(store, [[("b", "t", "pv")], [("b", "u", "pv")]])
    path = Path(store.root, sources[0].path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"b/0000\.parquet: truncated"):
        merged(store, sources)


def test_a_source_that_breaks_while_it_is_read_is_named(store: Store) -> None:
    sources = write(store, [[("b", f"t{i}", "pv") for i in range(1000)], [("b", "u", "pv")]])
    path = Path(store.root, sources[0].path)
    data = bytearray(path.read_bytes())
    data[40:400] = b"\xff" * 360
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"cannot read .*b/0000\.parquet"):
        merged(store, sources)


def opened(store: Store) -> int:
    """Files of the store that this process has open; its threads of other tests open others."""
    paths = [Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd")]
    return sum(1 for path in paths if os.path.realpath(path).startswith(store.root))


def test_more_sources_than_open_files(store: Store) -> None:
    sources = write(store, [[("b", f"t{i:03d}", "pv")] for i in range(40)])
    windows = merge_sorted(store, sources, SCHEMA, KEYS, "scratch", most_sources=7)
    first = next(windows)
    assert 2 <= opened(store) <= 7
    assert first.num_rows + sum(window.num_rows for window in windows) == 40
    assert opened(store) == 0
