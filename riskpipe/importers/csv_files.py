"""CSV files as trades, market, history and scenarios: the names of their columns say which, and what each column is."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from riskpipe.errors import InputError, UsageError
from riskpipe.importers.book import Book, Row, Values
from riskpipe.importers.import_report import LeftOutError, Report
from riskpipe.market.factors import nearest
from riskpipe.market.point_table import MARKET_SCHEMA, REQUIRED_COLUMNS
from riskpipe.products.base import Column, Product
from riskpipe.products.catalogue import PRODUCTS

_DAYS: Final = ("as_of", "as_of_date", "date")
_HISTORY: Final = {"date": "date", "factor": "string", "value": "number"}
_SCENARIO: Final = {"scenario": "string", "factor": "string", "shift_type": "string", "shift": "number"}
_TRUE, _FALSE = ("true", "yes", "y", "1"), ("false", "no", "n", "0")
_BY_NAME: Final = {product.name: product for product in PRODUCTS}


class _Table(Struct, frozen=True):
    """A file: its columns in riskpipe's spelling, and its rows as text."""

    path: Path
    header: tuple[str, ...]
    rows: list[tuple[int, list[str]]]


def read_csv_files(files: Sequence[Path], as_of: date | None, base_currency: str) -> tuple[Book, Report]:
    """The book of these files.

    :param as_of: None: as the market's file says.
    :raises UsageError: a file is no table that riskpipe has, or no date is known.
    :raises InputError: a file cannot be read.
    """
    tables, report = [_read(path) for path in files], Report()
    day = as_of or _day_of(tables)
    book = Book(day, base_currency)
    for table in tables:
        if {*_SCENARIO} <= {*table.header}:
            book.scenarios += _rows(table, _SCENARIO, "scenario", report)
        elif _is_history(table):
            book.history += _rows(table, _HISTORY, "history", report)
        elif _is_market(table):
            _market(table, book, report)
        else:
            _trades(table, _product_of(table), book, report)
    return book, report


def _is_market(table: _Table) -> bool:
    return {*REQUIRED_COLUMNS} <= {*table.header} and not _is_history(table)


def _is_history(table: _Table) -> bool:
    """Levels of factors by date; with the columns of a market it is one if there are several dates."""
    if not {*_HISTORY} <= {*table.header}:
        return False
    at = table.header.index("date")
    days = {row[at].strip() for _, row in table.rows if at < len(row)}
    return not {*REQUIRED_COLUMNS} <= {*table.header} or len(days - {""}) > 1


def _rows(table: _Table, columns: dict[str, str], kind: str, report: Report) -> list[Values]:
    """Of a table with columns of its own; what cannot be read of a cell is left out with its row."""
    makers: dict[str, Callable[[str], Any]] = {"date": a_day, "number": a_number, "string": str}
    at = {name: table.header.index(name) for name in columns}
    found: list[Values] = []
    for number, row in table.rows:
        cells = {name: row[k].strip() if k < len(row) else "" for name, k in at.items()}
        try:
            found.append({name: makers[columns[name]](cell) if cell else None for name, cell in cells.items()})
        except LeftOutError as error:
            report.left_out(kind, cells["factor"] or str(number), f"{table.path.name}:{number}", str(error))
    report.taken(kind, table.path.name, f"{table.path.name}:1", f"{len(found)} rows")
    return found


def _read(path: Path) -> _Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    lines = list(csv.reader(text.splitlines(), delimiter=delimiter))
    if not lines:
        raise InputError(f"{path}: it is empty; a line with the names of the columns is wanted")
    header = tuple(_spelled(name) for name in lines[0])
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise InputError(f"{path}: two columns are named {', '.join(sorted(twice))}")
    rows = [(number, line) for number, line in enumerate(lines[1:], 2) if any(cell.strip() for cell in line)]
    return _Table(path, header, rows)


def _spelled(name: str) -> str:
    """`Trade ID`, `tradeId` and `TRADE-ID` are trade_id."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-.]+", "_", apart).lower()


def _day_of(tables: Iterable[_Table]) -> date:
    for table in tables:
        if not _is_market(table):
            continue
        for name in _DAYS:
            if name in table.header:
                at = table.header.index(name)
                for number, row in table.rows:
                    if at < len(row) and row[at].strip():
                        try:
                            return a_day(row[at])
                        except LeftOutError as error:
                            raise InputError(f"{table.path}:{number}: {name}: {error}") from None
    raise UsageError("of which day is the book? Say --as-of DATE, or give the market's file a column as_of")


def _product_of(table: _Table) -> Product:
    """As the file is named, else the one product whose required columns are all there.

    :raises UsageError: there is none, or several.
    """
    stem = _spelled(table.path.stem)
    if stem in _BY_NAME:
        return _BY_NAME[stem]
    fitting = [product for product in PRODUCTS if _required(product) <= {*table.header}]
    most = max((len(_required(product)) for product in fitting), default=0)
    best = [product for product in fitting if len(_required(product)) == most]
    if len(best) == 1:
        return best[0]
    if best:
        names = " or ".join(product.name for product in best)
        raise UsageError(f"{table.path}: its columns are those of {names}; name the file as the product that it is of")
    near = min(PRODUCTS, key=lambda product: len(_required(product) - {*table.header}))
    lacking = ", ".join(sorted(_required(near) - {*table.header}))
    raise UsageError(
        f"{table.path}: no product has these columns, and they are not a market's ({', '.join(REQUIRED_COLUMNS)}), "
        f"a history's ({', '.join(_HISTORY)}) or scenarios' ({', '.join(_SCENARIO)}); "
        f"of {near.name} it lacks {lacking}. A file may be named as its product, such as fx_forward.csv"
    )


def _required(product: Product) -> set[str]:
    return {column.name for column in product.columns if column.required}


def _trades(table: _Table, product: Product, book: Book, report: Report) -> None:
    by_name = {column.name: column for column in product.columns}
    known = [(at, by_name[name]) for at, name in enumerate(table.header) if name in by_name]
    for name in table.header:
        if name not in by_name:
            reason = f"{product.name} has no such column{nearest(name, by_name)}"
            report.left_out("column", name, f"{table.path.name}:1", reason, product.name)
    for number, row in table.rows:
        place = f"{table.path.name}:{number}"
        try:
            values = {column.name: parsed(column, row[at]) for at, column in known if at < len(row)}
        except LeftOutError as error:
            report.left_out("trade", _id(table, row) or place, place, str(error), product.name)
            continue
        book.rows.append(Row(product.name, {k: v for k, v in values.items() if v is not None}))
        report.taken("trade", str(values.get("trade_id") or place), place, product.name)


def _id(table: _Table, row: list[str]) -> str:
    at = table.header.index("trade_id") if "trade_id" in table.header else len(row)
    return row[at].strip() if at < len(row) else ""


def _market(table: _Table, book: Book, report: Report) -> None:
    names = [field.name for field in MARKET_SCHEMA]
    taken = 0
    for number, row in table.rows:
        place = f"{table.path.name}:{number}"
        cells = {name: cell.strip() for name, cell in zip(table.header, row, strict=False) if name in names}
        values: Values = {name: cell for name, cell in cells.items() if cell}
        factor = str(values.get("factor", ""))
        try:
            values |= {name: a_number(str(values[name])) for name in ("value", "strike") if name in values}
        except LeftOutError as error:
            report.left_out("point", factor or place, place, str(error))
            continue
        if factor in book.points:
            report.left_out("point", factor, place, "there is a point of that id before it")
            continue
        book.points[factor] = values
        taken += 1
    report.taken("market", table.path.name, f"{table.path.name}:1", f"{taken} points")


def parsed(column: Column, text: str) -> Any:
    """A cell as a column's value; null where it is blank. Lists are divided by semicolons, tables are JSON.

    :raises LeftOutError: it is no such value.
    """
    cell = text.strip()
    if not cell:
        return None
    try:
        if column.kind == "table":
            return [_struct(column, entry) for entry in _json_list(cell)]
        if column.many:
            parts = _json_list(cell) if cell.startswith("[") else cell.split(";")
            return [_value(column, str(part).strip()) for part in parts]
        return _value(column, cell)
    except LeftOutError as error:
        raise LeftOutError(f"{column.name}: {error}") from None


def _json_list(cell: str) -> list[Any]:
    try:
        found = json.loads(cell)
    except json.JSONDecodeError as error:
        raise LeftOutError(f"not JSON: {error}") from None
    if not isinstance(found, list):
        raise LeftOutError("a JSON list is wanted")
    return found


def _struct(column: Column, entry: Any) -> Values:
    by_name = {field.name: field for field in column.fields}
    if not isinstance(entry, dict):
        raise LeftOutError("a list of JSON objects is wanted")
    found: Values = {}
    for name, value in entry.items():
        if name not in by_name:
            raise LeftOutError(f"there is no {name}{nearest(name, by_name)}")
        field = by_name[name]
        text = json.dumps(value) if isinstance(value, (list, dict)) else "" if value is None else str(value)
        found[name] = parsed(field, text)
    return found


def _value(column: Column, cell: str) -> Any:
    makers: dict[str, Callable[[str], Any]] = {"number": a_number, "date": a_day, "boolean": _flag}
    return makers.get(column.kind, str)(cell)


def a_number(cell: str) -> float:
    """:raises LeftOutError: it is none. A point divides, as in 0.025; 2.5% is 0.025."""
    text = cell.strip().replace("_", "")
    try:
        return float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        raise LeftOutError(f"{cell!r} is no number such as 1250000.5") from None


def a_day(cell: str) -> date:
    """:raises LeftOutError: it is no date of the form YYYY-MM-DD or YYYYMMDD."""
    text = cell.strip().removesuffix(" 00:00:00").removesuffix("T00:00:00")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LeftOutError(f"{cell!r} is no date such as 2026-11-20") from None


def _flag(cell: str) -> bool:
    if cell.lower() in _TRUE:
        return True
    if cell.lower() in _FALSE:
        return False
    raise LeftOutError(f"{cell!r} is neither true nor false")
