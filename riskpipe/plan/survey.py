"""The pass over the portfolio: every fault of every row, and what each trade will cost, put together of its pieces.

Pieces are surveyed by whoever there is (`portfolio_pieces.Mapper`) and put together in their order, so that what is
found does not depend on who that was. Memory of the driver grows with files and faults, not with trades.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.errors import Level, Reason
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import RANGES, Ranges
from riskpipe.plan.dependants import Dependants
from riskpipe.plan.doubled_ids import doubled_ids, partitions_for
from riskpipe.plan.fault import Fault
from riskpipe.plan.piece_files import PieceFiles, SurveyedRows, rows_of
from riskpipe.plan.portfolio_pieces import PIECE_ROWS, Mapper, Piece, in_turn, pieces_of
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import Selection
from riskpipe.plan.survey_batches import SAMPLES, RenamedBooks
from riskpipe.plan.survey_piece import FaultKey, Findings, Portfolio, Pricing, SurveyTerms, survey_piece
from riskpipe.plan.trade_contents import CONTENTS, contents_table
from riskpipe.store.trade_rows import FileRows


class Survey:
    """The pass. Iterate `rows()` to its end; then `faults`, `blocking`, `quarantine` and `trades` are whole.

    :param as_of: days since 1970-01-01. :param model: None: the market cannot be read, its part is left out.
    :param files: where pieces leave what they find; read as long as the survey is.
    :param usual: what lies outside is a warning. :param dependants: are told what each trade depends on.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        as_of: int,
        model: MarketModel | None,
        base_currency: str,
        files: PieceFiles,
        *,
        mapper: Mapper = in_turn,
        selection: Selection | None = None,
        pricing: Pricing | None = None,
        usual: Ranges = RANGES,
        dependants: Dependants | None = None,
    ) -> None:
        self._terms = SurveyTerms(
            portfolio.store,
            portfolio.products,
            portfolio.calendars,
            as_of,
            model,
            base_currency,
            selection or Selection(),
            pricing or Pricing(),
            usual,
            dependants,
            files,
            partitions_for(sum(file.rows for file in portfolio.files)),
        )
        self._pieces = pieces_of(portfolio.files, PIECE_ROWS)
        self._map = mapper
        self._faults: dict[FaultKey, tuple[int, tuple[str, ...]]] = {}
        self._renamed = RenamedBooks()
        self._books: dict[str, int] = {}
        self._selected_books: set[int] = set()
        self._batches: list[tuple[tuple[FileRows, ...], ...]] = []
        self.blocking: list[Fault] = []
        self.quarantine = Quarantine()
        self.trades = 0
        self.selected = 0
        self.valuations = 0.0

    @property
    def books(self) -> int:
        """How many books have selected trades."""
        return len(self._selected_books)

    @property
    def book_paths(self) -> Collection[str]:
        """Of all trades that could be read."""
        return self._books

    @property
    def contents(self) -> pa.Table:
        """`trade_contents.CONTENTS` of all rows, where they are to be priced."""
        return pa.concat_tables([CONTENTS.empty_table(), *self.content_tables()]).unify_dictionaries()

    def content_tables(self) -> Iterator[pa.Table]:
        """Likewise, a table after the other."""
        files = self._terms.files
        for number, batches in enumerate(self._batches):
            for pieces, digests in zip(batches, files.batches(files.contents(number)), strict=True):
                yield contents_table(pieces, digests)

    @property
    def faults(self) -> list[Fault]:
        """Of all rows, and the blocking ones: files whose content cannot be read."""
        return self.blocking + [
            Fault(level, "portfolio", file, column, rule, rows, sample, message)
            for (level, file, column, rule, message), (rows, sample) in self._faults.items()
        ]

    def rows(self) -> Iterator[SurveyedRows]:
        """Survey all pieces; then look for trade ids that occur twice, and tell of books with another name.

        Once a file turns out unreadable, of which nothing is planned, rows are surveyed and not handed over.
        """
        bounds = []
        for piece, found in zip(self._pieces, self._map(survey_piece, self._terms, self._pieces), strict=True):
            batches = tuple(
                tuple(FileRows(piece.parts[part].file, start, stop) for part, start, stop in batch)
                for batch in found.batches
            )
            self._batches.append(batches)
            bounds.append(found.bounds)
            self._add(found, batches)
            if not self.blocking:
                yield from self._rows_of(piece, found, batches)
            self._terms.files.store.delete(self._terms.files.rows(piece.number))
        if bounds:
            self._find_doubled(np.stack(bounds))
        self._tell_renamed()

    def _rows_of(
        self, piece: Piece, found: Findings, batches: tuple[tuple[FileRows, ...], ...]
    ) -> Iterator[SurveyedRows]:
        files = self._terms.files
        books = np.array([self._books[name] for name in found.books], np.int32)
        for pieces, batch in zip(batches, files.batches(files.rows(piece.number)), strict=True):
            yield rows_of(batch, pieces, books)

    def _add(self, found: Findings, batches: tuple[tuple[FileRows, ...], ...]) -> None:
        self.trades += found.trades
        self.selected += found.selected
        self.valuations += found.valuations
        for key, (rows, sample) in found.faults.items():
            self._count(key, rows, sample)
        known = {fault.file for fault in self.blocking}
        for path, why in found.unreadable.items():
            if path not in known:
                self.blocking.append(Fault(Level.ERROR, "portfolio", path, "", "unreadable", 0, (), why))
        self.quarantine.extend(found.quarantine)
        self._renamed.extend(found.renamed)
        numbers = [self._books.setdefault(name, len(self._books)) for name in found.books]
        self._selected_books.update(numbers[k] for k in np.flatnonzero(found.selected_books).tolist())
        dependants = self._terms.dependants
        if dependants is not None and found.dependants is not None:
            dependants.add(found.dependants)
            for pieces, touched in zip(batches, found.touched, strict=True):
                cuts = np.cumsum([len(piece) for piece in pieces])[:-1]
                dependants.found += zip(pieces, np.split(touched, cuts), strict=True)

    def _count(self, key: FaultKey, rows: int, ids: tuple[str, ...]) -> None:
        before, sample = self._faults.get(key, (0, ()))
        self._faults[key] = (before + rows, (sample + ids)[:SAMPLES])

    def _tell_renamed(self) -> None:
        told = self._renamed
        if told.rows:
            key = (Level.WARNING, told.path, "book", "normal_form", told.message())
            self._count(key, told.rows, told.sample)

    def _find_doubled(self, bounds: NDArray[np.int64]) -> None:
        """:param bounds: int64[pieces, partitions + 1]."""
        unreadable = frozenset(fault.file for fault in self.blocking)
        doubled = doubled_ids(self._map, self._terms.files, self._terms.store, bounds, self._batches, unreadable)
        by_file: dict[str, list[tuple[int, str]]] = {}
        for trade_id, places in doubled.items():
            for path, row in places:
                by_file.setdefault(path, []).append((row, trade_id))
        message = "trade_id occurs more than once in the portfolio; give each trade one row"
        for path, found in sorted(by_file.items()):
            ids = tuple(trade_id for _, trade_id in found[:SAMPLES])
            self._count((Level.ERROR, path, "trade_id", "unique", message), len(found), ids)
            rows = np.array(sorted(row for row, _ in found), np.int64)
            self.quarantine.add(path, rows, Reason.INVALID_TRADE, message, doubled=True)
