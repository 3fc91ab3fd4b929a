"""Terms of trades that are possible and odd, such as a coupon of 5.0 where 5 % is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from riskpipe.errors import ConfigurationError, Level, Reason
from riskpipe.market.factors import KINDS, nearest
from riskpipe.market.ranges import COLUMN_RANGES, RANGES, Ranges, outside
from riskpipe.products.base import Column, Product, RowFaults
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, of_trades


def odd_terms(trades: Trades, product: Product, ranges: Ranges) -> list[RowFaults]:
    """A warning for each column of numbers with values outside its range; nulls and what is not finite aside."""
    return _odd_values(trades, all_columns(product), ranges)


def _odd_values(trades: Trades, columns: Iterable[Column], ranges: Ranges) -> list[RowFaults]:
    faults: list[RowFaults] = []
    for column in columns:
        if not trades.has(column.name):
            continue
        if column.nested:
            nested = trades.nested(column.name)
            faults += of_trades(_odd_values(nested.rows, column.elements, ranges), nested, column)
            continue
        key = range_key(column, ranges)
        if key is None:
            continue
        low, high = ranges[key]
        values = trades.numbers(column.name)
        rows = np.flatnonzero(np.isfinite(values) & ((values < low) | (values > high))).astype(np.int64)
        if len(rows):
            message = f"{column.name} is {outside(key, ranges)}"
            faults.append(RowFaults(column.name, "odd value", rows, Reason.INVALID_TRADE, message, level=Level.WARNING))
    return faults


def check_ranges(given: Ranges, products: Mapping[str, Product]) -> None:
    """:raises ConfigurationError: a range for what is neither a kind of factor nor a column of numbers."""
    if {*given} <= {*RANGES, *KINDS}:
        return
    every = (column for product in products.values() for column in all_columns(product))
    columns = {c.name for column in every for c in (*column.fields, column) if c.kind == "number"}
    known = {*RANGES, *KINDS, *columns}
    what = "neither a kind of factor nor a column of numbers of any product"
    faults = [f"check.ranges.{key}: {what}{nearest(key, sorted(known))}" for key in sorted(set(given) - known)]
    if faults:
        raise ConfigurationError(faults)


def range_key(column: Column, ranges: Ranges) -> str | None:
    """Which range a column has: that of its name, of what it says it is, or of the name that its own ends with."""
    if column.kind != "number":
        return None
    for key in (column.name, column.quantity):
        if key in ranges:
            return key
    endings = (name for name in sorted(COLUMN_RANGES, key=len, reverse=True) if column.name.endswith(f"_{name}"))
    return next(endings, None)
