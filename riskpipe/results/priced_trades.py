"""Trades of a run that are valued once more in this process, from the run's stored inputs and its trade files alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.errors import UsageError
from riskpipe.plan.block import Block
from riskpipe.products.base import Product
from riskpipe.products.trades import Trades
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.stored import open_plan
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.book_sums import BookSums
from riskpipe.valuation.context import Context, open_context
from riskpipe.valuation.results import BlockTables
from riskpipe.valuation.run_block import read_trades, value_block

ROWS_AT_A_TIME = 2_048


class SomeTrades(Struct, frozen=True):
    """Trades of one product, and the block that they are: under all columns of the run, with all of its measures."""

    block: Block
    trades: Trades
    rows: NDArray[np.int64]

    def valued(self, context: Context) -> BlockTables:
        """Every number of them: the bits that the run has, however its work was cut."""
        return value_block(context, self.block, self.trades, self.rows)


class TradesOfRun:
    """The trades that a run was planned with.

    :raises StorageError: the run's files are missing or damaged. Reading trades raises InputChangedError where a trade
        file is not the planned one.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.context = open_context(*folder.place)
        self.context.verify()
        plan = open_plan(folder).columns("product", "measures")
        self.products: Sequence[str] = pc.unique(plan["product"]).to_pylist()
        asked = set(pc.unique(pc.list_flatten(plan["measures"])).to_pylist())
        self._measures = tuple(name for name in self.context.spec.measures if name in asked)

    def product(self, name: str) -> Product:
        return self.context.products[name]

    def one(self, product: str, trade_id: str) -> SomeTrades:
        """A trade. :raises UsageError: it is not among the planned ones any more."""
        for some in self.of_product(product):
            found = np.flatnonzero(pc.equal(some.trades.trade_ids, trade_id).to_numpy(zero_copy_only=False))
            if len(found):
                return self._part(some, found[:1])
        raise UsageError(f"{trade_id} is in no trade file of {product} that the run was planned with")

    def of_book(self, book: str) -> Iterator[SomeTrades]:
        """Those at a book and below it, a few thousand at a time; of the empty name all."""
        for product in self.products:
            for some in self.of_product(product):
                books = some.trades.table["book"]
                within = pc.or_(pc.equal(books, book), pc.starts_with(books, f"{book}/"))
                mine = np.flatnonzero(within.to_numpy()) if book else np.arange(len(some.trades))
                if len(mine):
                    yield self._part(some, mine)

    def of_product(self, product: str) -> Iterator[SomeTrades]:
        """All of a product, as they were selected."""
        every = self.context.rows_of(product)
        first = min((file.path for file in self.context.spec.files.values() if file.product == product), default="")
        for start in range(0, len(every), ROWS_AT_A_TIME):
            stop = min(start + ROWS_AT_A_TIME, len(every))
            block = Block(
                "explained", product, first, start, stop, 0, 0, len(self.context.scenarios), self._measures, "", 0, 0.0
            )
            trades, rows = read_trades(self.context, block)
            yield SomeTrades(replace(block, trades=len(trades)), trades, rows)

    def _part(self, some: SomeTrades, positions: NDArray[np.int64]) -> SomeTrades:
        rows = some.rows[positions]
        block = replace(some.block, trades=len(rows), rows=tuple(rows.tolist()))
        return SomeTrades(block, some.trades.take(positions), rows)

    def totals(self, book: str) -> BookTotals:
        """The exact sums of a book and of those below it, every trade valued once more."""
        partials = [table for some in self.of_book(book) for table in some.valued(self.context).partials()]
        if not partials:
            raise UsageError(f"no trade is in the book {book!r}, or below it")
        books = pc.unique(pa.concat_tables([table.select(["book"]).cast(_BOOK) for table in partials])["book"])
        sums = BookSums(tuple(sorted(books.to_pylist())))
        for table in partials:
            sums.add(table)
        return BookTotals(self.context.scenarios, [sums])


_BOOK = pa.schema([pa.field("book", pa.string())])
