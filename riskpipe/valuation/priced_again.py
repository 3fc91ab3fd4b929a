"""A block's trades under a few more columns, when its books' sums are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.plan.block import Block
from riskpipe.products.trades import Trades
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import Context
from riskpipe.valuation.isolate import isolate
from riskpipe.valuation.part import with_rows
from riskpipe.valuation.price import value_columns
from riskpipe.valuation.run_block import read_trades


class RecordedFile(Struct, frozen=True):
    """A file of the run and what it must be."""

    path: str
    sha256: str


def recorded(file: WrittenFile) -> RecordedFile:
    return RecordedFile(file.path, file.sha256)


class PricedAgain(Struct, frozen=True):
    """:param books, trade_ids: of n trades. :param pnl: float64[n, columns], NaN throughout where a trade has none.
    :param known: bool[n], trades whose vectors are in their books' sums. :param is_good: bool[n], those of them that
        have P&L here.
    """

    books: pa.ChunkedArray
    trade_ids: pa.ChunkedArray
    pnl: FloatArray
    known: NDArray[np.bool_]

    @property
    def is_good(self) -> NDArray[np.bool_]:
        return self.known & ~np.isnan(self.pnl).any(axis=1)

    def of_book(self, book: str) -> NDArray[np.bool_]:
        """bool[n], which of the trades are in a book or below it."""
        if not book:
            return np.ones(len(self.books), np.bool_)
        inside = pc.or_(pc.equal(self.books, book), pc.starts_with(self.books, f"{book}/"))
        return np.asarray(inside.to_numpy(), np.bool_)

    @classmethod
    def of(cls, trades: Trades, pnl: FloatArray, known: NDArray[np.bool_]) -> PricedAgain:
        return cls(trades.table["book"], trades.trade_ids, pnl, known)


def price_again(
    context: Context, block: Block, without: tuple[int, ...], set_name: str, columns: NDArray[np.int64]
) -> Iterator[PricedAgain]:
    """:param without: rows, as the block counts them, of trades that have no vector or another block's.

    :param columns: int64[m], of the context's ScenarioSet, ascending, all of one set.
    :raises InputChangedError: a trade file is not the planned one.
    """
    product = context.products[block.product]
    trades, rows = read_trades(context, block)
    good = ~np.isin(rows, list(context.quarantined(block)))
    if not good.any():
        return
    trades = trades.take(np.flatnonzero(good))
    parts = isolate(trades, lambda some: value_columns(context, product, some, set_name, columns))
    for part, mine in with_rows(parts, rows[good]):
        pnl = part.pnl.get(set_name)
        found = np.full((len(mine), len(columns)), np.nan) if pnl is None else pnl
        yield PricedAgain.of(part.trades, found, ~np.isin(mine, without))
