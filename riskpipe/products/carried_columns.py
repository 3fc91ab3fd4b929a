"""Columns of trades that have no part in a number and are carried to the results, and what tells when a trade ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from riskpipe.products.agreed_terms import last_dates
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades

CARRIED = ("counterparty", "netting_set")
"""Optional columns of every product."""

# Arrow types by name: what a column that is carried can be.
_TYPES = {
    str(type_): type_ for type_ in (pa.string(), pa.float64(), pa.int64(), pa.bool_(), pa.date32(), pa.timestamp("us"))
}


def carried_type(types: Iterable[pa.DataType]) -> str | None:
    """Name of the type that holds the values of columns of these types; text where they differ; None: of nested ones.

    :param types: at least one.
    """
    found = {_carried_type(type_) for type_ in types if not pa.types.is_null(type_)}
    if None in found:
        return None
    names = {str(type_) for type_ in found}
    if names == {"int64", "double"}:
        return "double"
    return names.pop() if len(names) == 1 else "string"


def _carried_type(type_: pa.DataType) -> pa.DataType | None:
    is_ = pa.types
    type_ = type_.value_type if is_.is_dictionary(type_) else type_
    if is_.is_boolean(type_):
        return pa.bool_()
    if is_.is_date(type_):
        return pa.date32()
    if is_.is_timestamp(type_):
        return pa.timestamp("us")
    if is_.is_integer(type_):
        return pa.int64()
    if is_.is_floating(type_) or is_.is_decimal(type_):
        return pa.float64()
    return None if is_.is_nested(type_) else pa.string()


def with_carried_types(table: pa.Table, columns: Sequence[tuple[str, str]], product: Product) -> pa.Table:
    """Trades with the columns that are no product's in the types that they are carried in: files may differ."""
    own = {column.name for column in product.columns}
    for name, type_ in columns:
        if name in table.column_names and name not in own:
            table = table.set_column(table.column_names.index(name), name, _as(table[name], type_))
    return table


def carried_columns(
    product: Product, trades: Trades, currency: pa.Array, columns: Sequence[tuple[str, str]]
) -> pa.Table:
    """What the table `trades` says of some trades, beside their book, id and product.

    :param currency: of their values: that of a trade that names none.
    :param columns: name and type of each that is asked for; those that the product lacks are null.
    """
    last = last_dates(product, trades)
    ends = pa.array(last, mask=last == Trades.NO_DATE).cast(pa.date32())
    found = {
        "currency": pc.coalesce(_column(trades, "currency", pa.string()), currency),
        "maturity_date": pc.coalesce(_column(trades, "maturity_date", pa.date32()), ends),
        **{name: _column(trades, name, pa.string()) for name in CARRIED},
        **{name: _column(trades, name, _TYPES[type_]) for name, type_ in columns},
    }
    return pa.table(found)


def _column(trades: Trades, name: str, type_: pa.DataType) -> pa.Array:
    if not trades.has(name):
        return pa.nulls(len(trades), type_)
    return _as(trades.table[name], str(type_)).combine_chunks()


def _as(column: pa.ChunkedArray, type_: str) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) and type_ == "string":
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    made = column.cast(_TYPES[type_], safe=False)
    # What is not finite is no number (results have none).
    return pc.if_else(pc.is_finite(made), made, None) if type_ == "double" else made
