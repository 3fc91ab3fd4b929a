"""What tells a trade from another of its name: a digest of its terms, and the last of its dates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.kernels.hashing import hash_strings
from riskpipe.products.base import COMMON_COLUMNS, Product
from riskpipe.products.trades import Trades, filled
from riskpipe.store.list_columns import columns_of, flattened, is_list

Digests = NDArray[np.uint64]
Days = NDArray[np.int32]

_CARRIED = frozenset(column.name for column in COMMON_COLUMNS)


class AgreedTerms(Struct, frozen=True):
    """Of n trades.

    :param digest: uint64[n], of every column that has a part in the price and was agreed, not observed since. Columns
        that are missing are as good as null, the order of columns does not matter.
    :param last_date: int32[n], the last of a trade's dates, `Trades.NO_DATE` where it has none.
    """

    digest: Digests
    last_date: Days


def agreed_terms(product: Product, trades: Trades) -> AgreedTerms:
    digest = _mixed(np.full(len(trades), _of_name(product.name)))
    for found in _columns(_agreed(product, trades)):
        digest += found
    return AgreedTerms(digest, last_dates(product, trades))


def last_dates(product: Product, trades: Trades) -> Days:
    """int32[n]: see `AgreedTerms.last_date`."""
    return _last_dates(_agreed(product, trades))


def _agreed(product: Product, trades: Trades) -> pa.Table:
    agreed = {column.name for column in product.columns if not column.observed} - _CARRIED
    return trades.table.select([name for name in trades.table.column_names if name in agreed])


def _last_dates(table: pa.Table) -> Days:
    last = np.full(len(table), Trades.NO_DATE, np.int32)
    for column in table.columns:
        kind = column.type
        if pa.types.is_date(kind):
            np.maximum(last, _days(column), out=last)
        elif pa.types.is_struct(kind):
            np.maximum(last, _last_dates(columns_of(column.combine_chunks())), out=last)
        elif is_list(kind):
            lists = flattened(column)
            of_elements = _last_dates(pa.table({"": lists.values}))
            np.maximum.at(last, np.repeat(np.arange(len(last)), np.diff(lists.offsets)), of_elements)
    return last


def _days(column: pa.ChunkedArray) -> Days:
    days = column.cast(pa.date32()).cast(pa.int32())
    return np.asarray(filled(days, int(Trades.NO_DATE)), np.int32)


def contents(product: Product, trades: Trades) -> Digests:
    """uint64[n]: digests of every column that is read of the trades, but of their ids."""
    read = [column.name for column in product.columns if column.required or column not in COMMON_COLUMNS]
    table = trades.table.select([name for name in read if trades.has(name) and name != "trade_id"])
    digest = _mixed(np.full(len(trades), _of_name(product.name)))
    for found in _columns(table):
        digest += found
    return digest


def _columns(table: pa.Table) -> Iterator[Digests]:
    for name in table.column_names:
        column = table[name]
        kind = column.type
        found = _lists(column) if is_list(kind) else _structs(column) if pa.types.is_struct(kind) else _plain(column)
        valid = pc.is_valid(column).to_numpy(zero_copy_only=False)
        yield np.where(valid, _mixed(found ^ _of_name(name)), np.uint64(0))


def _plain(column: pa.ChunkedArray) -> Digests:
    """Digests of the nulls are anything."""
    kind = column.type
    if pa.types.is_floating(kind):
        numbers = np.asarray(filled(column.cast(pa.float64()), 0.0), np.float64) + 0.0  # no zero below zero
        return np.ascontiguousarray(numbers).view(np.uint64)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return _of_strings(column)
    if pa.types.is_date(kind):
        return _days(column).astype(np.int64).view(np.uint64)
    whole = filled(column.cast(pa.int64()), 0)
    return np.ascontiguousarray(whole).view(np.uint64)


def _structs(column: pa.ChunkedArray) -> Digests:
    digest = np.zeros(len(column), np.uint64)
    for found in _columns(columns_of(column.combine_chunks())):
        digest += found
    return digest


def _lists(column: pa.ChunkedArray) -> Digests:
    lists = flattened(column)
    sizes = np.diff(lists.offsets)
    (found,) = _columns(pa.table({"": lists.values}))
    place = np.arange(len(found)) - np.repeat(lists.offsets[:-1], sizes)
    placed = _mixed(found + _mixed(place.astype(np.uint64) + np.uint64(1)))
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(placed, dtype=np.uint64)])  # modulo 2^64, so exact
    return np.asarray(running[lists.offsets[1:]] - running[lists.offsets[:-1]] + sizes.astype(np.uint64))


def _of_strings(column: pa.ChunkedArray) -> Digests:
    array = column.combine_chunks()
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    if not len(coded.dictionary):
        return np.zeros(len(column), np.uint64)
    codes = filled(coded.indices, 0)
    return np.asarray(np.array([_of_name(text) for text in coded.dictionary.to_pylist()], np.uint64)[codes])


def _of_name(text: str) -> np.uint64:
    encoded = np.frombuffer(text.encode(), np.uint8)
    return np.uint64(hash_strings(np.array([0, len(encoded)], np.int64), encoded)[0])


def _mixed(values: Digests) -> Digests:
    """The finishing rounds of SplitMix64 (Steele, Lea and Flood 2014)."""
    z = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))
