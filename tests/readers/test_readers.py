"""What reporting uses reads what is published, at rest and while it is being replaced."""

from __future__ import annotations

import importlib.util
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pytest
from selections import one_in

from riskpipe.store.location import open_store

LAST = 20
SCRIPT = Path(__file__).with_name("republish.py")
_spec = importlib.util.spec_from_file_location("republish", SCRIPT)
assert _spec is not None
assert _spec.loader is not None
republish = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(republish)

Summary = tuple[set[str], int, float, int, set[str]]
"""Run ids, rows, sum of values, nulls among them, days of the path."""

COLUMNS = ["run_id", "value", "as_of"]


def summary(frame: pd.DataFrame) -> Summary:
    days = {str(day)[:10] for day in frame["as_of"].unique()}
    return set(frame["run_id"]), len(frame), frame["value"].sum(), int(frame["value"].isna().sum()), days


def duckdb_reads(source: str) -> Summary:
    with duckdb.connect() as connection:
        query = "select list(distinct run_id), count(*), sum(value), count(*) - count(value), list(distinct as_of) from"
        row = connection.execute(f"{query} read_parquet('{source}', hive_partitioning = true)").fetchone()
    assert row is not None
    return set(row[0]), row[1], row[2], row[3], {str(day) for day in row[4]}


def by_duckdb_glob(table: Path) -> Summary:
    return duckdb_reads(f"{table}/*/*.parquet")


def by_duckdb_directory(table: Path) -> Summary:
    return duckdb_reads(f"{table}/**")


def by_polars_directory(table: Path) -> Summary:
    return summary(pl.scan_parquet(table, hive_partitioning=True).select(COLUMNS).collect().to_pandas())


def by_polars_glob(table: Path) -> Summary:
    frame = pl.read_parquet(f"{table}/as_of=*/*.parquet", hive_partitioning=True, columns=COLUMNS)
    return summary(frame.to_pandas())


def by_dataset(table: Path) -> Summary:
    data = ds.dataset(table, partitioning="hive").to_table(columns=COLUMNS)
    return (
        set(pc.unique(data["run_id"]).to_pylist()),
        data.num_rows,
        pc.sum(data["value"]).as_py(),
        data["value"].null_count,
        set(pc.unique(data["as_of"]).to_pylist()),
    )


def by_pandas(table: Path) -> Summary:
    return summary(pd.read_parquet(table, columns=COLUMNS))


def by_pandas_file(table: Path) -> Summary:
    frame = pd.read_parquet(table / "as_of=2026-11-20/part-000.parquet", partitioning=None)
    return summary(frame.assign(as_of=frame["as_of_date"].astype(str)))


READERS = [
    by_duckdb_glob,
    by_duckdb_directory,
    by_polars_directory,
    by_polars_glob,
    by_dataset,
    by_pandas,
    by_pandas_file,
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("output")
    republish.publish(open_store(str(root)), 0)
    republish.publish(open_store(str(root)), 5)
    return root


def expected(run: str) -> Summary:
    rows = republish.rows_of(run)
    failed = [i for i in range(rows) if i % 10 == 3]
    return {run}, rows, 1.5 * (rows * (rows - 1) / 2 - sum(failed)), len(failed), {"2026-11-20"}


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_every_reader_sees_the_day(published: Path, read: Callable[[Path], Summary]) -> None:
    assert read(published / "published/valuations") == expected(republish.run_id(5))


def test_published_has_parquet_files_only(published: Path) -> None:
    found = sorted(str(path.relative_to(published)) for path in published.rglob("*") if path.is_file())
    assert found == [
        "meta/CURRENT.json",
        "published/scenario_pnl/as_of=2026-11-20/part-000.parquet",
        "published/valuations/as_of=2026-11-20/part-000.parquet",
    ]


def test_types_are_plain(published: Path) -> None:
    path = published / "published/valuations/as_of=2026-11-20/part-000.parquet"
    frame = pl.read_parquet(path, hive_partitioning=False)
    assert frame.schema["book"] == pl.String
    assert frame.schema["as_of_date"] == pl.Date
    assert frame.schema["value"] == pl.Float64
    assert frame["as_of_date"].unique().to_list() == [date(2026, 11, 20)]
    with duckdb.connect() as connection:
        types = dict(connection.execute(f"select column_name, column_type from (describe from '{path}')").fetchall())
        pnl = f"{published}/published/scenario_pnl/*/*.parquet"
        last = connection.execute(f"select pnl from '{pnl}' order by trade_id desc limit 1").fetchone()
    assert (types["book"], types["value"], types["as_of_date"]) == ("VARCHAR", "DOUBLE", "DATE")
    assert last == ([1004.0, -1.0, 0.5],)


@pytest.fixture
def being_published(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    republish.publish(open_store(str(tmp_path)), 0)
    command = [sys.executable, str(SCRIPT), str(tmp_path), "1", str(LAST + 1)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as publisher:
        yield tmp_path / "published/valuations", publisher
        publisher.kill()


@pytest.mark.parametrize("read", one_in(4, READERS), ids=lambda read: read.__name__)
def test_no_reader_sees_half_a_day(
    being_published: tuple[Path, subprocess.Popen[bytes]], read: Callable[[Path], Summary]
) -> None:
    table, publisher = being_published
    assert publisher.stdin is not None
    assert publisher.stdout is not None
    published, seen = 0, []
    while published < LAST:
        found = read(table)
        (run,) = found[0]
        assert found == expected(run)
        seen.append(run)
        if select.select([publisher.stdout], [], [], 0)[0]:
            published = int(publisher.stdout.readline())
            publisher.stdin.write(b"\n")
    assert publisher.wait(timeout=120) == 0
    assert read(table) == expected(republish.run_id(LAST))
    assert seen == sorted(seen)
    assert len(set(seen)) > LAST // 3
