"""Trade tables against a product's columns: types of the table, rules of single rows, the canonical form.

Rules between columns are the product's own (`Product.validate`); the helpers at the end are for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.errors import InputError, Reason
from riskpipe.market.labels import Labels
from riskpipe.market.minor_units import MINOR_UNITS
from riskpipe.products.base import COMMON_COLUMNS, Column, Product, RowFaults
from riskpipe.products.books import normal_books
from riskpipe.products.trades import Nested, Trades
from riskpipe.store.columns import ARROW_TYPES, KIND_TYPES, Unread, can_read, composed, nearest_name, read_column
from riskpipe.store.list_columns import columns_of, flattened, is_list, structs_of

CURRENCY = re.compile(r"[A-Z]{3}")

_COMMON = {column.name: column for column in COMMON_COLUMNS}
# QuantLib's calendars have these years; schedules run well inside of what 32-bit days and memory can take.
FIRST_DAY = int(np.datetime64("1901-01-01").astype("datetime64[D]").astype(int))
LAST_DAY = int(np.datetime64("2199-12-31").astype("datetime64[D]").astype(int))
_REACH = 54_787  # days: 150 years, more than the longest bonds have and less than stand-ins for no date

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class SchemaFault(Struct, frozen=True):
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
    return _check_fields(schema, all_columns(product), product.name, "")


def _check_fields(schema: pa.Schema, columns: Iterable[Column], what: str, within: str) -> list[SchemaFault]:
    """:param within: the column of structs whose fields these are, with a dot; empty: none."""
    faults = []
    columns = tuple(columns)
    known = {column.name for column in columns}
    named: dict[str, list[pa.Field]] = {}
    for field in schema:
        named.setdefault(field.name, []).append(field)
    for column in columns:
        name = within + column.name
        fields = named.get(column.name, [])
        if not fields:
            if column.required:
                near = nearest_name(column.name, [name for name in schema.names if name not in known])
                hint = f"; is it {near!r}?" if near else ""
                message = f"{what}: the column {name!r} is missing{hint}"
                faults.append(SchemaFault(name, "missing_column", message))
        elif len(fields) > 1:
            message = f"{what}: the column {name!r} occurs {len(fields)} times"
            faults.append(SchemaFault(name, "duplicate_column", message))
        elif not _can_hold(fields[0], column):
            message = f"{what}: the column {name!r} has type {fields[0].type}; it must be {_wanted(column)}"
            faults.append(SchemaFault(name, "wrong_type", message))
        elif column.kind == "table" and not pa.types.is_null(fields[0].type):
            faults += _check_fields(pa.schema(fields[0].type.value_type), column.fields, what, f"{name}.")
    return faults


def _can_hold(field: pa.Field, column: Column) -> bool:
    if column.nested and pa.types.is_null(field.type):
        return True
    if not column.nested:
        return column.kind != "table" and can_read(field, column.kind, identifier=column.identifier)
    if not is_list(field.type):
        return False
    element = field.type.value_field
    if column.kind == "table":
        return bool(pa.types.is_struct(element.type))
    return can_read(element, column.kind, identifier=column.identifier)


def _wanted(column: Column) -> str:
    if column.kind == "table":
        return "a list of structs"
    return f"a list, of which each is {KIND_TYPES[column.kind]}" if column.many else KIND_TYPES[column.kind]


def column_names(schema: pa.Schema, product: Product) -> list[str]:
    """Of a trade file, with the fields of columns of structs as `column.field`."""
    tables = [column.name for column in all_columns(product) if column.kind == "table"]
    names = list(schema.names)
    for field in schema:
        if field.name in tables and is_list(field.type) and pa.types.is_struct(field.type.value_type):
            names += (f"{field.name}.{inner.name}" for inner in field.type.value_type)
    return names


def known_names(product: Product) -> set[str]:
    """Of all columns of a product, those of structs as `column.field`."""
    columns = all_columns(product)
    return {c.name for c in columns} | {f"{c.name}.{field.name}" for c in columns for field in c.fields}


def canonical(table: pa.Table, product: Product) -> pa.Table:
    """The product's columns as string, float64, date32 and bool (store.columns); other columns are left as they are.

    What cannot be read becomes null: `check_rows` with the original table tells of it. Books get their normal form
    (books.py).

    :raises InputError: with every fault of `check_schema`.
    """
    faults = check_schema(table.schema, product)
    if faults:
        raise InputError("\n".join(fault.message for fault in faults))
    return _canonical_columns(table, all_columns(product))


def _canonical_columns(table: pa.Table, columns: Iterable[Column]) -> pa.Table:
    schema, arrays = table.schema, list(table.columns)
    fields = list(schema)
    for column in columns:
        at = schema.get_field_index(column.name)
        if at < 0:
            continue
        values, _ = _read(fields[at], arrays[at], column)
        if column.name == "book":
            values = normal_books(values)
        elif column.kind == "string" and not column.identifier and not column.many:
            values = composed(values)
        fields[at], arrays[at] = pa.field(column.name, values.type), values
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, schema.metadata))


def _read(field: pa.Field, values: pa.ChunkedArray, column: Column) -> tuple[pa.ChunkedArray, list[Unread]]:
    """A column, or the lists that it has, and what of it could not be read (`_check_nested` looks at elements)."""
    if not column.nested:
        assert column.kind != "table"
        return read_column(values, field, column.kind, optional=not column.required)
    if pa.types.is_null(field.type):
        return values.cast(_arrow_type(column)), []
    lists = flattened(values)
    read = _canonical_columns(_elements(lists.values, column), column.elements)
    elements = structs_of(_complete(read, column.fields)) if column.kind == "table" else read.column(0).combine_chunks()
    return pa.chunked_array([lists.lists(elements)]), []


def _read_of(table: pa.Table, column: Column) -> tuple[pa.ChunkedArray, list[Unread]]:
    return _read(table.schema.field(column.name), table.column(column.name), column)


def _elements(values: pa.Array, column: Column) -> pa.Table:
    """The elements of lists as a table."""
    return columns_of(values) if column.kind == "table" else pa.table({column.name: values})


def _complete(table: pa.Table, columns: Iterable[Column]) -> pa.Table:
    """These columns in this order, nulls where they are missing, so that the structs of all files are of one type."""
    given = dict(zip(table.column_names, table.columns, strict=True))
    return pa.table({c.name: given.get(c.name, pa.nulls(len(table), _arrow_type(c))) for c in columns})


def _arrow_type(column: Column) -> pa.DataType:
    if column.kind == "table":
        return pa.list_(pa.struct([(field.name, _arrow_type(field)) for field in column.fields]))
    return pa.list_(ARROW_TYPES[column.kind]) if column.many else ARROW_TYPES[column.kind]


def read_trade_ids(table: pa.Table) -> list[str | None]:
    """The column `trade_id` alone, read as `canonical` does."""
    ids: list[str | None] = _read_of(table, _COMMON["trade_id"])[0].to_pylist()
    return ids


def renamed_books(trades: Trades, original: pa.Table) -> tuple[NDArray[np.int64], list[str]]:
    """The rows of `trades`, which is `canonical(original)`, whose book has another name in its normal form, and their
    books as they were given."""
    given = _read_of(original, _COMMON["book"])[0]
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
    return _check_columns(trades, all_columns(product), original, as_of)


def _check_columns(
    trades: Trades, columns: Iterable[Column], original: pa.Table | None, as_of: int | None
) -> list[RowFaults]:
    faults: list[RowFaults] = []
    for column in columns:
        if not trades.has(column.name):
            continue
        null = _mask(pc.is_null(trades.table.column(column.name)))
        if original is not None and null.any() and column.name in original.column_names:
            for unread in _read_of(original, column)[1]:
                faults += rows_fault(column.name, unread.rule, unread.rows, f"{column.name} {unread.what}")
                null &= ~unread.rows
        if column.required:
            faults += rows_fault(column.name, "not_null", null, f"{column.name} is null")
        if column.nested:
            faults += _check_nested(trades, column, original, as_of)
            continue
        faults += _RULES[column.kind](trades, column)
        if column.kind == "date":
            faults += _far_dates(trades, column, as_of)
    return faults


def _check_nested(trades: Trades, column: Column, original: pa.Table | None, as_of: int | None) -> Iterator[RowFaults]:
    """Rules of the elements, said of their trades."""
    nested = trades.nested(column.name)
    if column.required:
        empty = (np.diff(nested.offsets) == 0) & ~_mask(pc.is_null(trades.table.column(column.name)))
        yield from rows_fault(column.name, "not_empty", empty, f"{column.name} is an empty list")
    given = None
    if original is not None and column.name in original.column_names and is_list(original.field(column.name).type):
        given = _elements(flattened(original.column(column.name)).values, column)
    yield from of_trades(_check_columns(nested.rows, column.elements, given, as_of), nested, column)


def of_trades(faults: Iterable[RowFaults], nested: Nested, column: Column) -> Iterator[RowFaults]:
    """Faults of the elements of a nested column as faults of the trades that have them."""
    for fault in faults:
        rows = np.unique(nested.trades[fault.rows])
        if column.kind == "table":
            name, message = f"{column.name}.{fault.column}", f"{column.name}: {fault.message}"
            yield replace(fault, column=name, rows=rows, message=message)
        else:
            yield replace(fault, rows=rows, message=f"an element of {fault.message}")


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
    if column.required and not column.choices:
        empty = _mask(pc.fill_null(pc.equal(trades.table.column(column.name), ""), False))
        yield from rows_fault(column.name, "not_empty", empty, f"{column.name} is empty")
    if column in COMMON_COLUMNS:  # carried; the others name curves, calendars and so on
        return
    labels = trades.labels(column.name)
    if not column.choices:
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


def is_currency(labels: Labels) -> NDArray[np.bool_]:
    """bool[n]: the trade has a name, of three capital letters."""
    return label_mask(labels, lambda name: CURRENCY.fullmatch(name) is not None)


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
