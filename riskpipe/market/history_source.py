"""A history as rows that are read in pieces, and what they name: the days and the factors there are."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

import pyarrow as pa

from riskpipe.market.dates import AS_OF_COLUMNS
from riskpipe.store.columns import can_read, read_column

HISTORY_SCHEMA = pa.schema([("date", pa.date32()), ("factor", pa.string()), ("value", pa.float64())])


class HistorySource(Protocol):
    """Rows that can be read again and again, the same in the same order (`riskpipe.store.dataset.DataSet`)."""

    @property
    def rows(self) -> int:
        """How many there are."""

    @property
    def schema(self) -> pa.Schema:
        """Of all columns, with the footer's keys as metadata."""

    def batches(self, columns: Collection[str]) -> Iterator[pa.Table]:
        """Pieces of all rows with some columns; text may be dictionaries."""


def distinct_values(source: HistorySource) -> pa.Table:
    """The distinct days and factors of a history, and the days that it says it was made for.

    :return: columns `date`, `factor` and those of `AS_OF_COLUMNS`, as far as the history has them once: each its
        distinct values and then nulls (nulls alone, where nothing of its type is a day or a name); no dictionaries.
    """
    names = [name for name in source.schema.names if name in ("date", "factor") or name.lower() in AS_OF_COLUMNS]
    fields = [source.schema.field(name) for name in names if names.count(name) == 1]
    found = {field.name: pa.array([], _plain_type(field)) for field in fields}
    wanted = [field for field in fields if can_read(field, "string", identifier=True) or _is_time(field.type)]
    for batch in source.batches([field.name for field in wanted]) if wanted else ():
        for field in wanted:
            values = [_plain(chunk.unique()) for chunk in comparable(batch.column(field.name), field).chunks]
            found[field.name] = pa.concat_arrays([found[field.name], *values]).unique()
    length = max([1, *(len(values) for values in found.values())])
    padded = [pa.concat_arrays([values, pa.nulls(length - len(values), values.type)]) for values in found.values()]
    schema = pa.schema([field.with_type(found[field.name].type) for field in fields], source.schema.metadata)
    return pa.table(padded, schema=schema)


def comparable(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    """A column of days or names as values that Arrow can compare; dictionaries as they are."""
    return read_column(column, field, "string", optional=False)[0] if _is_odd(field.type) else column


def _is_odd(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_string_view(kind) or types.is_binary_view(kind) or isinstance(kind, pa.BaseExtensionType))


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _plain_type(field: pa.Field) -> pa.DataType:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return pa.string() if _is_odd(kind) and can_read(field, "string") else kind


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
