"""Columns that hold a list for each row, taken apart into flat ones and put together again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray


class FlatList(Struct, frozen=True):
    """The elements of n lists, one after another.

    :param offsets: int64[n + 1]: list k has the elements `offsets[k]:offsets[k + 1]`.
    :param values: the elements. :param null: bool[n]: there is no list, not even an empty one.
    """

    offsets: NDArray[np.int64]
    values: pa.Array
    null: NDArray[np.bool_]

    def lists(self, values: pa.Array) -> pa.ListArray:
        """The same lists of other elements."""
        return pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), values, mask=pa.array(self.null))

    def rows_of(self, elements: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """bool[n]: the lists that have any of these elements."""
        counts = np.concatenate(([0], np.cumsum(elements)))
        return np.asarray(counts[self.offsets[1:]] > counts[self.offsets[:-1]])


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's lists, of any layout."""
    types = pa.types
    views = types.is_list_view(kind) or types.is_large_list_view(kind)
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind) or views)


def flattened(values: pa.ChunkedArray) -> FlatList:
    """The lists of a column of a type that `is_list`."""
    column = _whole(values)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
    null = np.asarray(column.is_null().to_numpy(zero_copy_only=False), np.bool_)
    return FlatList(offsets, pc.list_flatten(column), null)


def columns_of(structs: pa.StructArray) -> pa.Table:
    """The fields of structs as a table; of a struct that is null all are."""
    fields = list(structs.type)
    return pa.table(structs.flatten(), schema=pa.schema(fields))


def structs_of(table: pa.Table) -> pa.StructArray:
    """The rows of a table as structs."""
    arrays = [_whole(column) for column in table.columns]
    return pa.StructArray.from_arrays(arrays, fields=list(table.schema)) if arrays else pa.nulls(len(table))


def _whole(values: Any) -> pa.Array:
    if not isinstance(values, pa.ChunkedArray):
        return values
    array = values.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    return array
