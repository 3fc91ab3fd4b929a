"""Trade rows as blocks read them, in canonical form. Many short blocks lie in a row group: it is read once for all."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from riskpipe.products.base import Product
from riskpipe.products.validation import canonical
from riskpipe.store.filesystem import Store
from riskpipe.store.portfolio import read_rows
from riskpipe.store.trade_rows import FileRows

# Of the rows that a process keeps: little against what a block takes.
KEPT_BYTES = 8 << 20


class RecentRows:
    """Reads rows of trade files, and keeps what the last block left of its row groups.

    Every row has been held against the plan when it was read; a row group that is overwritten later is not read again.
    """

    def __init__(self, portfolio: Store) -> None:
        self._portfolio = portfolio
        self._place: FileRows | None = None
        self._table = pa.table({})

    def read(self, product: Product, rows: FileRows, columns: Sequence[str]) -> pa.Table:
        """Some rows of a file, canonical.

        :param columns: those of the product that are wanted, the same in every call.
        :raises InputChangedError, StorageError: as `read_rows` does.
        """
        kept = self._place
        if kept is None or kept.file != rows.file or not (kept.start <= rows.start and rows.stop <= kept.stop):
            kept = FileRows(rows.file, *rows.file.row_groups_around(rows.start, rows.stop))
            read = read_rows(self._portfolio, kept.file, kept.start, kept.stop, columns)
            if len(rows) == len(kept) or read.nbytes > KEPT_BYTES:
                return canonical(read.slice(rows.start - kept.start, len(rows)), product)
            self._place, self._table = kept, canonical(read, product)
        return self._table.slice(rows.start - kept.start, len(rows))
