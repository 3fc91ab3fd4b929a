"""Trade tables against a product's columns: types of the table, rules of single rows, the canonical form.

Rules between columns are the product's own (`Product.validate`); the helpers at the end are for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.errors import InputError, Reason
from riskpipe.market.labels import Labels
from riskpipe.market.minor_units import MINOR_UNITS
from riskpipe.products.base import COMMON_COLUMNS, Column, Product, RowFaults
from riskpipe.products.books import normal_books
from riskpipe.products.trades import Trades
from riskpipe.store.columns import KIND_TYPES, Unread, can_read, composed, nearest_name, read_column

CURRENCY = re.compile(r"[A-Z]{3}")

_COMMON = {column.name: column for column in COMMON_COLUMNS}
# QuantLib's calendars have these years; schedules run well inside of what 32-bit days and memory can take.
FIRST_DAY = int(np.datetime64("1901-01-01").astype("datetime64[D]").astype(int))
LAST_DAY = int(np.datetime64("2199-12-31").astype("datetime64[D]").astype(int))
_REACH = 54_787  # days: 150 years, more than the longest bonds have and less than stand-ins for no date

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class SchemaFault:
    """A column that is missing, doubled or of a type that cannot be read; the whole file is unusable."""

    column: str
    rule: str
    message: str


def all_columns(product: Product) -> tuple[Column, ...]:
    """The common columns, then the product's own; each name once."""
    own = {column.name for column in product.columns}
    return (*(column for column in COMMON_COLUMNS if column.name not in own), *product.columns)


def check_schema(schema: pa.Schema, product: Product) -> list[SchemaFault]:
    """Missing required columns, names that occur twice, types that cannot be read without loss."""
    faults = []
    for column in all_columns(product):
        fields = [field for field in schema if field.name == column.name]
        if not fields:
            if column.required:
                near = nearest_name(column.name, schema.names)
                hint = f"; is it {near!r}?" if near else ""
                message = f"{product.name}: the column {column.name!r} is missing{hint}"
                faults.append(SchemaFault(column.name, "missing_column", message))
        elif len(fields) > 1:
            message = f"{product.name}: the column {column.name!r} occurs {len(fields)} times"
            faults.append(SchemaFault(column.name, "duplicate_column", message))
        elif not can_read(fields[0], column.kind, identifier=column.identifier):
            message = (
                f"{product.name}: the column {column.name!r} has type {fields[0].type}; "
                f"it must be {KIND_TYPES[column.kind]}"
            )
            faults.append(SchemaFault(column.name, "wrong_type", message))
    return faults


def canonical(table: pa.Table, product: Product) -> pa.Table:
    """The product's columns as string, float64, date32 and bool (store.columns); other columns are left as they are.

    What cannot be read becomes null: `check_rows` with the original table tells of it. Books get their normal form
    (books.py).

    :raises InputError: with every fault of `check_schema`.
    """
    faults = check_schema(table.schema, product)
    if faults:
        raise InputError("\n".join(fault.message for fault in faults))
    for column in all_columns(product):
        position = table.schema.get_field_index(column.name)
        if position >= 0:
            values, _ = _read(table, column)
            if column.name == "book":
                values = normal_books(values)
            elif column.kind == "string" and not column.identifier:
                values = composed(values)
            table = table.set_column(position, column.name, values)
    return table


def _read(table: pa.Table, column: Column) -> tuple[pa.ChunkedArray, list[Unread]]:
    field = table.schema.field(column.name)
    return read_column(table.column(column.name), field, column.kind, optional=not column.required)


def read_trade_ids(table: pa.Table) -> list[str | None]:
    """The column `trade_id` alone, read as `canonical` does."""
    ids: list[str | None] = _read(table, _COMMON["trade_id"])[0].to_pylist()
    return ids


def renamed_books(trades: Trades, original: pa.Table) -> tuple[NDArray[np.int64], list[str]]:
    """The rows of `trades`, which is `canonical(original)`, whose book has another name in its normal form, and their
    books as they were given."""
    given = _read(original, _COMMON["book"])[0]
    normal = trades.table.column("book")
    other = pc.and_(pc.not_equal(given, normal), pc.not_equal(normal, ""))
    rows = np.flatnonzero(_mask(pc.fill_null(other, False))).astype(np.int64)
    return rows, given.take(pa.array(rows)).to_pylist()


def check_rows(
    trades: Trades, product: Product, original: pa.Table | None = None, as_of: int | None = None
) -> list[RowFaults]:
    """Single-column rules over a canonical table: nulls, choices, finiteness, sign, range of dates, empty names.

    :param original: the table before `canonical`, to tell values that could not be read from nulls.
    :param as_of: days since 1970-01-01, which dates must not be too far from; None: anywhere in the calendars' years.
    """
    faults: list[RowFaults] = []
    for column in all_columns(product):
        if not trades.has(column.name):
            continue
        null = _mask(pc.is_null(trades.table.column(column.name)))
        if original is not None and null.any():
            for unread in _read(original, column)[1]:
                faults += rows_fault(column.name, unread.rule, unread.rows, f"{column.name} {unread.what}")
                null &= ~unread.rows
        if column.required:
            faults += rows_fault(column.name, "not_null", null, f"{column.name} is null")
        faults += _RULES[column.kind](trades, column)
        if column.kind == "date":
            faults += _far_dates(trades, column, as_of)
    return faults


def _far_dates(trades: Trades, column: Column, as_of: int | None) -> list[RowFaults]:
    """Stand-ins for no date, and dates beyond what calendars and memory reach: of every product, plug-ins too."""
    days = trades.days(column.name)
    first, last = (FIRST_DAY, LAST_DAY) if as_of is None else (as_of - _REACH, as_of + _REACH)
    outside = ((days < max(first, FIRST_DAY)) | (days > min(last, LAST_DAY))) & (days != Trades.NO_DATE)
    message = (
        f"{column.name} is not in the years 1901 to 2199, at most 150 years from as_of; a date that stands for none, "
        "such as 9999-12-31, is not understood"
    )
    return rows_fault(column.name, "date_range", outside, message)


def _check_numbers(trades: Trades, column: Column) -> Iterator[RowFaults]:
    values = trades.table.column(column.name)
    present = ~_mask(pc.is_null(values))
    numbers = trades.numbers(column.name)
    bad = present & ~np.isfinite(numbers)
    yield from rows_fault(column.name, "finite", bad, f"{column.name} is not a finite number")
    good = present & ~bad
    if column.rule == "positive":
        yield from rows_fault(column.name, "positive", good & (numbers <= 0.0), f"{column.name} must be above zero")
    elif column.rule == "nonnegative":
        yield from rows_fault(column.name, "nonnegative", good & (numbers < 0.0), f"{column.name} must not be negative")


def _check_strings(trades: Trades, column: Column) -> Iterator[RowFaults]:
    labels = trades.labels(column.name)
    if column.required and not column.choices:
        empty = label_mask(labels, lambda name: not name)
        yield from rows_fault(column.name, "not_empty", empty, f"{column.name} is empty")
    if not column.choices:
        if column not in COMMON_COLUMNS:  # those are carried; the others name curves, calendars and so on
            broken = label_mask(labels, lambda name: bool(_CONTROL.search(name)))
            message = f"{column.name} has a control character"
            yield from rows_fault(column.name, "control_character", broken, message)
        return
    for code, name in enumerate(labels.names):
        if name not in column.choices:
            near = get_close_matches(name.lower(), column.choices, 1)
            hint = f"; is it {near[0]!r}?" if near else f"; it must be one of {', '.join(column.choices)}"
            message = f"{column.name} {name[:40]!r} is unknown{hint}"
            yield from rows_fault(column.name, "choice", labels.codes == code, message)


def _check_nothing(trades: Trades, column: Column) -> Iterator[RowFaults]:
    return iter(())


_RULES: dict[str, Callable[[Trades, Column], Iterator[RowFaults]]] = {
    "number": _check_numbers,
    "string": _check_strings,
    "date": _check_nothing,
    "boolean": _check_nothing,
}


def _mask(values: pa.ChunkedArray) -> NDArray[np.bool_]:
    return np.asarray(values.to_numpy(), np.bool_)


# --- for the products' own rules ---


def rows_fault(
    column: str, rule: str, rows: NDArray[np.bool_], message: str, reason: Reason = Reason.INVALID_TRADE
) -> list[RowFaults]:
    """One fault over the rows of a mask bool[n]; none where it is empty."""
    positions = np.flatnonzero(rows).astype(np.int64)
    return [RowFaults(column, rule, positions, reason, message)] if len(positions) else []


def label_mask(labels: Labels, holds: Callable[[str], bool]) -> NDArray[np.bool_]:
    """bool[n]: the trade has a name for which `holds`, which is called once a distinct name."""
    answers = np.array([*(holds(name) for name in labels.names), False], np.bool_)
    return np.asarray(answers[labels.codes])


def unknown_currencies(trades: Trades, *columns: str) -> list[RowFaults]:
    """Currencies that are not three capital letters, or hundredths of one."""
    faults: list[RowFaults] = []
    for column in columns:
        minor = label_mask(trades.labels(column), lambda name: name in MINOR_UNITS)
        message = f"{column} is a hundredth of a currency: give it, strikes and amounts in the currency (pence in GBP)"
        faults += rows_fault(column, "minor_unit", minor, message)
        bad = label_mask(trades.labels(column), lambda name: not CURRENCY.fullmatch(name)) & ~minor
        message = f"{column} is not an ISO currency code (three capital letters)"
        faults += rows_fault(column, "currency", bad, message)
    return faults


def past_dates(trades: Trades, column: str, as_of: int, what: str) -> list[RowFaults]:
    """Dates before the valuation date: "<what> in the past".

    The column is the date of the last payment: until then a trade is alive.
    """
    return rows_fault(column, "not_past", trades.days(column) < as_of, f"{what} in the past")


def out_of_order(trades: Trades, first: str, last: str) -> list[RowFaults]:
    """Trades whose date `last` is before their date `first`; missing dates are in order."""
    begin, end = trades.days(first), trades.days(last)
    missing = (begin == Trades.NO_DATE) | (end == Trades.NO_DATE)
    return rows_fault(last, "date_order", (end < begin) & ~missing, f"{last} is before {first}")
