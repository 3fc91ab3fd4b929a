"""A block's trades: one Arrow table of one product, read column by column as numpy arrays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels


class Trades:
    """Columns of a canonical trade table (types and names as the product's schema says) as arrays.

    Null numbers are NaN, null dates are `NO_DATE`, null strings are code -1.
    """

    NO_DATE = np.int32(-(2**31))

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._labels: dict[str, Labels] = {}

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def has(self, column: str) -> bool:
        return column in self.table.column_names

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
        codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
        return Labels(codes, tuple(array.dictionary.to_pylist()))

    def numbers(self, column: str, default: float = np.nan) -> FloatArray:
        """float64[n]; nulls, and a missing column, are `default`."""
        if not self.has(column):
            return np.full(len(self), default)
        filled = pc.fill_null(self.table.column(column).cast(pa.float64()), default)
        return np.ascontiguousarray(filled.to_numpy(), np.float64)

    def days(self, column: str) -> NDArray[np.int32]:
        """A date column as int32[n] days since 1970-01-01; null and missing are `NO_DATE`."""
        if not self.has(column):
            return np.full(len(self), self.NO_DATE, np.int32)
        as_int = self.table.column(column).cast(pa.date32()).cast(pa.int32())
        return np.ascontiguousarray(pc.fill_null(as_int, int(self.NO_DATE)).to_numpy(), np.int32)

    def flags(self, column: str) -> NDArray[np.bool_]:
        """bool[n]; nulls, and a missing column, are false."""
        if not self.has(column):
            return np.zeros(len(self), np.bool_)
        return np.asarray(pc.fill_null(self.table.column(column).cast(pa.bool_()), False).to_numpy(), np.bool_)

    def is_one(self, column: str, value: str) -> NDArray[np.bool_]:
        """bool[n]: the string column equals `value`."""
        labels = self.labels(column)
        if value not in labels.names:
            return np.zeros(len(self), np.bool_)
        return np.asarray(labels.codes == labels.names.index(value))

    @cached_property
    def trade_ids(self) -> pa.Array:
        return self.table.column("trade_id").combine_chunks()

    @cached_property
    def books(self) -> Labels:
        return self.labels("book")

    def take(self, rows: NDArray[np.integer]) -> Trades:
        return Trades(self.table.take(pa.array(rows)))

    def slice(self, start: int, stop: int) -> Trades:
        return Trades(self.table.slice(start, stop - start))
