"""Questions to the published tables in SQL, answered by DuckDB over the files themselves; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from typing import Any

import pyarrow as pa

from riskpipe.errors import InfrastructureError, UsageError
from riskpipe.results.published_tables import ROWS_AT_A_TIME, Published, PublishedTable

ALL_DAYS = "all_days"
"""The schema in which tables have the rows of every day; elsewhere they have those of one."""
LONG = "scenario_pnl_long"

_LONG_OF = ("scenario_pnl", "scenarios")
_LONG = """
select p.* exclude (pnl, status), s.index as scenario_index, s.scenario, s.date as scenario_date,
       p.pnl[s.index + 1] as pnl, p.status
from {schema}scenario_pnl p join {schema}scenarios s using (as_of_date, run_id, scenario_set)
"""


@contextmanager
def answered(published: Published, query: str, as_of: date | None = None) -> Iterator[pa.RecordBatchReader]:
    """The rows of one SELECT over the published tables, in pieces while the body lasts.

    Each table is a view of its name with the rows of a day, and one in the schema `all_days`; `scenario_pnl_long` has
    a row a trade and scenario.

    :param as_of: the day; None: the latest.
    :raises UsageError: what is not one SELECT, and what DuckDB refuses, in its words.
    :raises InfrastructureError: DuckDB is not installed.
    """
    duckdb = _duckdb()
    published.entry(as_of)
    with duckdb.connect() as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("one SELECT is wanted: published tables are only read")
            paths = _create_views(connection, published, query, as_of)
            _lock(connection, paths)
            reader = _reader(connection.sql(query))
        except duckdb.Error as error:
            raise UsageError(_told(error, published, as_of)) from error
        try:
            yield reader
        except (duckdb.Error, pa.ArrowException) as error:
            raise UsageError(_told(error, published, as_of)) from error


def _reader(relation: Any) -> pa.RecordBatchReader:
    make = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader  # DuckDB 2, and before
    return make(ROWS_AT_A_TIME)


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise InfrastructureError("SQL needs DuckDB: pip install 'riskpipe[sql]'") from error
    return duckdb


def _create_views(connection: Any, published: Published, query: str, as_of: date | None) -> list[str]:
    """Of the tables that the query may mean; returns their files."""
    words = set(re.findall(r"\w+", query.lower()))
    if LONG in words:
        words.update(_LONG_OF)
    connection.execute(f"create schema {ALL_DAYS}")
    files: list[str] = []
    for name in published.tables(as_of):
        if name in words:
            files += _create_view(connection, f'"{name}"', published.table(name, as_of))
    for name in published.every_table() if ALL_DAYS in words else ():
        if name in words:
            files += _create_view(connection, f'{ALL_DAYS}."{name}"', published.all_days(name))
    if LONG in words:
        for schema in ("main.", f"{ALL_DAYS}.") if ALL_DAYS in words else ("main.",):
            connection.execute(f"create view {schema}{LONG} as {_LONG.format(schema=schema)}")
    return files


def _create_view(connection: Any, name: str, table: PublishedTable) -> list[str]:
    paths = table.local_paths()
    listed = ", ".join(_text(path) for path in paths)
    # Days that earlier versions published may lack columns: they are null there.
    source = f"read_parquet([{listed}], hive_partitioning = false, union_by_name = {table.as_of is None})"
    connection.execute(f"create view {name} as select * from {source}")
    return paths


def _lock(connection: Any, paths: list[str]) -> None:
    """What the query may reach: these files, and nothing else of the machine."""
    if paths:
        connection.execute(f"set allowed_paths = [{', '.join(_text(path) for path in paths)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _text(value: str) -> str:
    quoted = value.replace("'", "''")
    return f"'{quoted}'"


def _told(error: Exception, published: Published, as_of: date | None) -> str:
    text = str(error).strip()
    with suppress(UsageError):
        if "Table with name" in text:
            first = text.splitlines()[0]
            return f"{first}\ntables of {published.entry(as_of)[0]}: {', '.join([*published.tables(as_of), LONG])}"
    return text
