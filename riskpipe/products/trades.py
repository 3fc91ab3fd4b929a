"""A block's trades: one Arrow table of one product, read column by column as numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendar_names import is_calendar_column, with_own
from riskpipe.market.labels import Labels
from riskpipe.store.list_columns import columns_of, flattened


class Trades:
    """Columns of a canonical trade table (types and names as the product's schema says) as arrays.

    Null numbers are NaN, null dates are `NO_DATE`, null strings are code -1. Calendars go by what they are called
    everywhere (`riskpipe.market.own_calendars`).
    """

    NO_DATE = np.int32(-(2**31))

    def __init__(self, table: pa.Table, calendars: Mapping[str, str] | None = None) -> None:
        """:param calendars: `Conventions.calendars`, of whose names columns may be."""
        self.table = table
        self._calendars = calendars or {}
        self._labels: dict[str, Labels] = {}
        self._nested: dict[str, Nested] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, column: str) -> bool:
        return column in self._columns

    @cached_property
    def _columns(self) -> frozenset[str]:
        return frozenset(self.table.column_names)

    def labels(self, column: str) -> Labels:
        """A string column, dictionary-encoded, once. A missing column is all null."""
        if column not in self._labels:
            self._labels[column] = self._encoded(column)
        return self._labels[column]

    def _encoded(self, column: str) -> Labels:
        if not self.has(column):
            return Labels(np.full(len(self), -1, np.int32), ())
        array = self.table.column(column).combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
        if not pa.types.is_dictionary(array.type):
            array = pc.dictionary_encode(array)
        codes = filled(array.indices, -1).astype(np.int32)
        labels = Labels(codes, tuple(array.dictionary.to_pylist()))
        if self._calendars and is_calendar_column(column):
            return labels.map(lambda name: with_own(name, self._calendars))
        return labels

    def numbers(self, column: str, default: float = np.nan) -> FloatArray:
        """float64[n]; nulls, and a missing column, are `default`."""
        if not self.has(column):
            return np.full(len(self), default)
        return np.ascontiguousarray(filled(self.table.column(column).cast(pa.float64()), default), np.float64)

    def days(self, column: str) -> NDArray[np.int32]:
        """A date column as int32[n] days since 1970-01-01; null and missing are `NO_DATE`."""
        if not self.has(column):
            return np.full(len(self), self.NO_DATE, np.int32)
        as_int = self.table.column(column).cast(pa.date32()).cast(pa.int32())
        return np.ascontiguousarray(filled(as_int, int(self.NO_DATE)), np.int32)

    def flags(self, column: str) -> NDArray[np.bool_]:
        """bool[n]; nulls, and a missing column, are false."""
        if not self.has(column):
            return np.zeros(len(self), np.bool_)
        return np.asarray(filled(self.table.column(column).cast(pa.bool_()), False), np.bool_)

    def is_one(self, column: str, value: str) -> NDArray[np.bool_]:
        """bool[n]: the string column equals `value`."""
        return self.labels(column).is_one(value)

    def nested(self, column: str) -> Nested:
        """The elements of a column of lists, taken apart once; those of structs have a column for each field. Of a
        missing column there are none."""
        if column not in self._nested:
            self._nested[column] = self._taken_apart(column)
        return self._nested[column]

    def _taken_apart(self, column: str) -> Nested:
        if not self.has(column):
            return Nested(np.zeros(len(self) + 1, np.int64), Trades(pa.table({})))
        flat = flattened(self.table.column(column))
        is_table = pa.types.is_struct(flat.values.type)
        return Nested(
            flat.offsets, self.with_table(columns_of(flat.values) if is_table else pa.table({column: flat.values}))
        )

    @cached_property
    def trade_ids(self) -> pa.Array:
        return self.table.column("trade_id").combine_chunks()

    @cached_property
    def books(self) -> Labels:
        return self.labels("book")

    def take(self, rows: NDArray[np.integer]) -> Trades:
        return self.with_table(self.table.take(pa.array(rows)))

    def slice(self, start: int, stop: int) -> Trades:
        return self.with_table(self.table.slice(start, stop - start))

    def with_column(self, column: str, values: pa.Array | pa.ChunkedArray) -> Trades:
        """The same trades with another content of a column."""
        return self.with_table(self.table.set_column(self.table.column_names.index(column), column, values))

    def with_table(self, table: pa.Table) -> Trades:
        """Other rows, whose calendars go by the same names."""
        return Trades(table, self._calendars)


class Nested(Struct, frozen=True, dict=True):
    """What n trades have any number of, in compressed rows: trade k has the rows `offsets[k]:offsets[k + 1]`.

    :param offsets: int64[n + 1]. :param rows: one for each element, with its columns.
    """

    offsets: NDArray[np.int64]
    rows: Trades

    @cached_property
    def trades(self) -> NDArray[np.int64]:
        """int64[rows]: the trade of each row."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """int64[rows]: which of its trade's each row is, from 0 on."""
        return np.arange(len(self.trades)) - self.offsets[:-1][self.trades]


def filled(column: pa.Array | pa.ChunkedArray, default: float) -> NDArray[np.generic]:
    """The values, `default` for nulls. Small blocks have many columns and few nulls: to count these takes no time."""
    given = pc.fill_null(column, default) if column.null_count else column
    return np.asarray(given)
