"""The P&L vectors of all books of a day under the history, kept in a file: books are needed beside those above them."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow.compute as pc

from riskpipe.analyses.analysis import Day
from riskpipe.arrays import FloatArray
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK

HISTORICAL = PNL_SETS["historical_var"]


class BookVectors:
    """Vectors of the books that have one: not every trade failed.

    :ivar books: their paths, by level and path. :ivar levels: of each. :ivar trades: int64[k], that have a P&L.
    :ivar scenarios: length of a vector.
    """

    def __init__(self, day: Day, scenario_set: str = HISTORICAL, risk_class: str = WHOLE_RISK) -> None:
        self.books: list[str] = []
        self.levels: list[int] = []
        trades: list[np.ndarray] = []
        self._file = tempfile.TemporaryFile(prefix="riskpipe-vectors-")  # noqa: SIM115  (ends with this object)
        for piece in day.read("book_pnl"):
            wanted = pc.and_(pc.equal(piece["scenario_set"], scenario_set), pc.equal(piece["risk_class"], risk_class))
            rows = piece.filter(pc.and_(wanted, pc.is_valid(piece["pnl"])))
            self.books += rows["book"].to_pylist()
            self.levels += rows["level"].to_pylist()
            trades.append(rows["trades"].to_numpy() - rows["failed_trades"].to_numpy())
            pc.list_flatten(rows["pnl"]).to_numpy().tofile(self._file)
        self.trades = np.concatenate(trades) if trades else np.empty(0, np.int64)
        self._file.flush()
        size = self._file.tell()
        self.scenarios = size // 8 // max(len(self.books), 1)
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) if size else None

    def take(self, rows: Sequence[int]) -> FloatArray:
        """Vectors of some books, float64[rows, scenarios]."""
        if self._map is None:
            return np.empty((len(rows), 0))
        found: FloatArray = np.frombuffer(self._map).reshape(len(self.books), -1)[list(rows)]
        self._map.madvise(mmap.MADV_DONTNEED)  # what was read is not to count as memory
        return found

    def families(self) -> Iterator[tuple[int, list[int]]]:
        """Each book with those right below it, in the books' order."""
        place = {book: row for row, book in enumerate(self.books)}
        below: dict[int, list[int]] = {}
        for row, book in enumerate(self.books):
            if book:
                above = place.get(book.rpartition("/")[0])
                if above is not None:
                    below.setdefault(above, []).append(row)
        return ((row, below.get(row, [])) for row in range(len(self.books)))
