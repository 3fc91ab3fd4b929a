"""A book while it is imported: trades, points of the market and conventions; then the files of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import yaml
from msgspec import Struct, field

from riskpipe.errors import UsageError
from riskpipe.importers.import_report import Report
from riskpipe.market.dates import FOOTER_KEY
from riskpipe.market.history_source import HISTORY_SCHEMA
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.stresses import SCENARIO_SCHEMA
from riskpipe.products.base import Column
from riskpipe.products.catalogue import PRODUCTS
from riskpipe.store.filesystem import explained
from riskpipe.store.location import open_store
from riskpipe.store.parquet import write_parquet

CONFIG_FILE: Final = "riskpipe.yaml"
PORTFOLIO, MARKET = "data/portfolio", "data/market.parquet"
HISTORY, SCENARIOS = "data/history.parquet", "data/scenarios.parquet"
REPORT_FILE, SUMMARY_FILE = "import/report.parquet", "import/report.json"

Values = dict[str, Any]
_KINDS: Final = {"string": pa.string(), "number": pa.float64(), "date": pa.date32(), "boolean": pa.bool_()}
_COLUMNS: Final = {product.name: product.columns for product in PRODUCTS}


class Row(Struct, frozen=True):
    """One trade as riskpipe has it: columns that are not named are null."""

    product: str
    values: Values


class Book(Struct):
    """What is imported.

    :param conventions: the section `market` of the configuration.
    :param history: date, factor and value; `scenarios`: scenario, factor, shift_type and shift.
    """

    as_of: date
    base_currency: str
    rows: list[Row] = field(default_factory=list)
    points: dict[str, Values] = field(default_factory=dict)
    conventions: dict[str, dict[str, Values] | str] = field(default_factory=dict)
    history: list[Values] = field(default_factory=list)
    scenarios: list[Values] = field(default_factory=list)

    def point(self, kind: str, name: str, value: float, *coordinates: str, **columns: object) -> None:
        """One point of the market; a second one of that id is not taken."""
        factor = ":".join((kind, name, *coordinates))
        self.points.setdefault(factor, {"factor": factor, "kind": kind, "name": name, "value": value, **columns})

    def convention(self, section: str, name: str, **values: object) -> None:
        """An entry of `market.<section>`; keys without a value are not written."""
        entries = self.conventions.setdefault(section, {})
        assert isinstance(entries, dict)
        entries.setdefault(name, {}).update({key: value for key, value in values.items() if value is not None})

    def tables(self) -> dict[str, pa.Table]:
        """By product."""
        found: dict[str, list[Values]] = {}
        for row in self.rows:
            found.setdefault(row.product, []).append(row.values)
        return {product: trade_table(_COLUMNS[product], rows) for product, rows in found.items()}

    def market(self) -> pa.Table:
        rows = list(self.points.values())
        arrays = [pa.array([row.get(column.name) for row in rows], column.type) for column in MARKET_SCHEMA]
        return pa.table(arrays, schema=MARKET_SCHEMA)


def trade_table(columns: tuple[Column, ...], rows: list[Values]) -> pa.Table:
    """Of rows that name columns of the product; a column that none of them has is not in the table.

    :raises KeyError: a row names another column.
    """
    by_name = {column.name: column for column in columns}
    for row in rows:
        for name in row:
            by_name[name]
    used = [column for column in columns if column.required or any(row.get(column.name) is not None for row in rows)]
    arrays = [pa.array([row.get(column.name) for row in rows], _arrow_type(column)) for column in used]
    return pa.table(arrays, names=[column.name for column in used])


def _arrow_type(column: Column) -> pa.DataType:
    if column.kind == "table":
        return pa.list_(pa.struct([(each.name, _arrow_type(each)) for each in column.fields]))
    kind = _KINDS[column.kind]
    return pa.list_(kind) if column.many else kind


def write_book(directory: Path, book: Book, report: Report, *, source: str, force: bool = False) -> None:
    """Portfolio, market, configuration and report.

    :param source: what was imported, for the configuration's first line.
    :param force: write into a directory that is not empty; an earlier book's files in it are replaced.
    :raises UsageError: the directory is not empty.
    :raises StorageError: it cannot be written.
    """
    with explained(str(directory), "write"):
        _clear(directory, force)
        store = open_store(str(directory))
        for product, table in book.tables().items():
            write_parquet(store, f"{PORTFOLIO}/{product}/imported.parquet", table)
        write_parquet(store, MARKET, book.market(), {FOOTER_KEY: book.as_of.isoformat()})
        for path, rows, schema in (
            (HISTORY, book.history, HISTORY_SCHEMA),
            (SCENARIOS, book.scenarios, SCENARIO_SCHEMA),
        ):
            if rows:
                write_parquet(store, path, pa.Table.from_pylist(rows, schema))
        write_parquet(store, REPORT_FILE, report.table())
        (directory / SUMMARY_FILE).write_text(json.dumps(report.counts(), indent=2) + "\n", encoding="utf-8")
        (directory / CONFIG_FILE).write_text(config_text(book, source), encoding="utf-8")


def _clear(directory: Path, force: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file; name a directory that is new or empty")
    if directory.is_dir() and any(directory.iterdir()) and not force:
        raise UsageError(f"{directory} is not empty; name a new directory, or replace its book with --force")
    directory.mkdir(parents=True, exist_ok=True)
    for name in (HISTORY, SCENARIOS):
        (directory / name).unlink(missing_ok=True)
    for stale in (directory / PORTFOLIO).glob("*/imported.parquet"):
        stale.unlink()
        if not any(stale.parent.iterdir()):
            stale.parent.rmdir()


def _more_inputs(book: Book) -> dict[str, str]:
    found = {"history": HISTORY} if book.history else {}
    return {**found, "scenarios": SCENARIOS} if book.scenarios else found


def config_text(book: Book, source: str) -> str:
    """The configuration that prices the book."""
    content: Mapping[str, object] = {
        "as_of": book.as_of,
        "base_currency": book.base_currency,
        "inputs": {"portfolio": PORTFOLIO, "market": MARKET, **_more_inputs(book)},
        "output": "output",
        "measures": ["pv"],
        "market": book.conventions,
    }
    text = yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True)
    return f"# Imported from {source}; {REPORT_FILE} says what was taken.\n{text}"
