"""data/portfolio/<product>/part-NNN.parquet: any number of trades, a row group at a time.

Trades are numbered book by book, so files are sorted by book and trade id as they are made; nothing is ever
sorted or held. A row group draws from its own random stream: it depends on the arguments alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import UsageError
from riskpipe.market.factors import NO_DATE, nearest
from riskpipe.market.labels import Labels
from riskpipe.sample.desks import DeskTable
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.random_streams import generator
from riskpipe.sample.recipes import RECIPES
from riskpipe.sample.trade_terms import Draw, Lists, Values
from riskpipe.store.list_columns import is_list

ROWS_A_GROUP = 8_192
GROUPS_A_FILE = 32
COUNTERPARTIES = 300


class ProductSummary(Struct, frozen=True):
    trades: int
    files: int
    books: int
    bytes: int


def split_trades(trades: int, shares: Mapping[str, float] | None) -> dict[str, int]:
    """Trades of each product, adding up exactly; every product with a share gets one where there are enough.

    :param shares: of any product that there is a recipe for; None: those of the mixed book.
    :raises UsageError: unknown product, negative share, or no share at all.
    """
    given = {name: recipe.share for name, recipe in RECIPES.items()} if shares is None else dict(shares)
    for name, share in given.items():
        if name not in RECIPES:
            known = ", ".join(RECIPES)
            raise UsageError(f"no sample of the product {name!r}{nearest(name, RECIPES)} (there are {known})")
        if not (0.0 <= share < float("inf")):
            raise UsageError(f"the share of {name} must be a number from 0 up, not {share}")
    wanted = {name: given[name] for name in RECIPES if given.get(name, 0.0) > 0.0}
    if not wanted:
        raise UsageError("the shares of the products add up to nothing")
    counts = _apportion(trades, np.array(list(wanted.values())))
    return {name: int(count) for name, count in zip(wanted, counts, strict=True) if count}


def _apportion(total: int, shares: FloatArray) -> NDArray[np.int64]:
    """Whole numbers in proportion to shares (largest remainders), at least one each if `total` suffices."""
    exact = total * shares / shares.sum()
    counts: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    order = np.argsort(counts - exact, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    if total >= len(shares):
        for empty in np.flatnonzero(counts == 0):
            counts[np.argmax(counts)] -= 1
            counts[empty] = 1
    return counts


def write_product(directory: Path, product: str, trades: int, quotes: Quotes, as_of: int, seed: int) -> ProductSummary:
    """Write the trades of one product as files of up to `GROUPS_A_FILE` row groups.

    Memory is bounded by one row group whatever the number of trades.
    """
    directory.mkdir(parents=True, exist_ok=True)
    desks = DeskTable(RECIPES[product].desks)
    ends = np.cumsum(_apportion(trades, desks.shares))
    starts = range(0, trades, ROWS_A_GROUP)
    files = range(0, len(starts), GROUPS_A_FILE)
    size = 0
    for number, first in enumerate(files):
        path = directory / f"part-{number:03d}.parquet"
        groups = (
            _row_group(product, desks, ends, k, quotes, as_of, seed)
            for k in range(first, min(first + GROUPS_A_FILE, len(starts)))
        )
        _write_file(path, groups)
        size += path.stat().st_size
    return ProductSummary(trades, len(files), int(np.count_nonzero(np.diff(ends, prepend=0))), size)


def _write_file(path: Path, groups: Iterator[pa.Table]) -> None:
    first = next(groups)
    with portfolio_writer(path, first.schema) as writer:
        writer.write_table(first)
        for group in groups:
            writer.write_table(group)


def portfolio_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A file of trades, to be closed by the caller."""
    plain = [field.name for field in schema if field.type in (pa.float64(), pa.bool_()) or is_list(field.type)]
    # Dictionary arrays go in, plain strings are read back: the Arrow schema is not stored.
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[name for name in schema.names if name not in plain and name != "trade_id"],
        store_schema=False,
        write_page_index=True,
    )


def added_trades(product: str, before: int, count: int, quotes: Quotes, as_of: int, seed: int) -> pa.Table:
    """More trades of a product, numbered on from those that there are, sorted by book and trade id.

    :param before: how many there are. :param as_of: on which they are dealt.
    """
    desks = DeskTable(RECIPES[product].desks)
    ends = np.cumsum(_apportion(count, desks.shares))
    rng = generator(seed, "next day", "new trades", product)
    return _trades(product, desks, ends, np.arange(count), rng, Dealt(quotes, as_of, before))


def _row_group(
    product: str,
    desks: DeskTable,
    ends: NDArray[np.int64],
    group: int,
    quotes: Quotes,
    as_of: int,
    seed: int,
) -> pa.Table:
    rows = np.arange(group * ROWS_A_GROUP, min((group + 1) * ROWS_A_GROUP, int(ends[-1])))
    rng = generator(seed, "portfolio", product, group)
    return _trades(product, desks, ends, rows, rng, Dealt(quotes, as_of))


class Dealt(Struct, frozen=True):
    """The day on which trades are made. :param before: how many of the product were there already."""

    quotes: Quotes
    as_of: int
    before: int = 0


def _trades(
    product: str,
    desks: DeskTable,
    ends: NDArray[np.int64],
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    dealt: Dealt,
) -> pa.Table:
    """Trades by their numbers. :param ends: of each desk's."""
    recipe = RECIPES[product]
    desk = np.searchsorted(ends, rows, side="right").astype(np.int32)
    instruments = desks.draw_instruments(desk, rng.random(len(rows)))
    draw = Draw(rng, dealt.as_of, dealt.quotes, instruments, rng.random(len(rows)) < desks.long[desk])
    parties = (COUNTERPARTIES * rng.random(len(rows)) ** 2).astype(np.int32)
    if not recipe.counterparty:
        parties = np.full(len(rows), -1, np.int32)
    width = max(7, len(str(dealt.before + int(ends[-1]))))
    columns: dict[str, pa.Array] = {
        "trade_id": _trade_ids(recipe.prefix, rows + 1 + dealt.before, width),
        "book": _array(desks.books(desk), "book"),
        "counterparty": _array(Labels(parties, _numbered("CP")), "counterparty"),
        "netting_set": _array(Labels(parties, _numbered("NS")), "netting_set"),
    }
    columns |= {name: _array(values, name) for name, values in recipe.generate(draw).items()}
    return pa.table(columns)


def _numbered(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}-{k:04d}" for k in range(1, COUNTERPARTIES + 1))


def _array(values: Values | Lists, name: str) -> pa.Array:
    if isinstance(values, Lists):
        return pa.ListArray.from_arrays(pa.array(values.offsets, pa.int32()), _elements(values, name))
    if isinstance(values, Labels):
        # Each name once: pyarrow does not write a dictionary with doubles the same way twice.
        values = values.map(str)
        indices = pa.array(values.codes, pa.int32(), mask=values.codes < 0)
        return pa.DictionaryArray.from_arrays(indices, pa.array(values.names, pa.string()))
    if values.dtype == np.bool_:
        return pa.array(values)
    if name.endswith("_date") or values.dtype == np.int32:
        days = values.astype(np.int32)
        return pa.array(days, mask=days == NO_DATE).cast(pa.date32())
    return pa.array(values.astype(np.float64), from_pandas=True)


def _elements(lists: Lists, name: str) -> pa.Array:
    if isinstance(lists.elements, Mapping):
        fields = {field: _plain(_array(values, field)) for field, values in lists.elements.items()}
        return pa.StructArray.from_arrays([*fields.values()], names=[*fields])
    return _plain(_array(lists.elements, name))


def _plain(array: pa.Array) -> pa.Array:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _trade_ids(prefix: str, numbers: NDArray[np.int64], width: int) -> pa.Array:
    """`IRS-0000001` and so on, made digit by digit into Arrow's own layout."""
    head = np.frombuffer(f"{prefix}-".encode(), np.uint8)
    text = np.empty((len(numbers), len(head) + width), np.uint8)
    text[:, : len(head)] = head
    for place in range(width):
        text[:, len(head) + width - 1 - place] = (numbers // 10**place) % 10 + ord("0")
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(text))
