"""One streaming pass over the portfolio: every fault of every row, and what each trade will cost.

Memory grows with the trades by a few bytes each (a digest of the id, a flag), never with scenarios.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason, StorageError, described, is_interrupt, printable
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import RANGES, Ranges
from riskpipe.plan.costs import BYTES_PER_WEIGHT, MOST_WEIGHT_HELD, CostModel
from riskpipe.plan.dependants import Dependants
from riskpipe.plan.partition import ScenarioRange
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import Selection
from riskpipe.plan.survey_batches import SAMPLES, Batch, RenamedBooks
from riskpipe.plan.trade_contents import PieceContents, contents_table, trade_digests
from riskpipe.products.agreed_terms import contents
from riskpipe.products.base import Product, RowFaults
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.term_ranges import odd_terms
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, check_rows, read_trade_ids
from riskpipe.store.filesystem import Store
from riskpipe.store.portfolio import TradeFile, iter_batches, read_rows
from riskpipe.store.process import hold_standard_descriptors
from riskpipe.store.trade_rows import FileRows, gathered

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Fault:
    """One rule broken in one file; the same shape for trades, market, history, scenarios.

    :param rows: how many rows break it.
    :param sample: some of their trade ids (or factors, or dates).
    """

    level: Level
    table: str
    file: str
    column: str
    rule: str
    rows: int
    sample: tuple[str, ...]
    message: str


@dataclass(frozen=True)
class SurveyedRows:
    """What planning needs of rows of one product that follow each other, by row.

    :param pieces: where they lie: in files one after another.
    :param selected: bool[n].
    :param seconds: float64[n_ranges, n], projected for each scenario range; 0 where not selected.
    :param bytes_: float64[n], the most that the row needs in any range.
    :param books: int32[n], a number for each book of the portfolio.
    """

    product: str
    pieces: tuple[FileRows, ...]
    selected: NDArray[np.bool_]
    seconds: FloatArray
    bytes_: FloatArray
    books: NDArray[np.int32]


@dataclass(frozen=True)
class _Examined:
    """What the product says of some trades of a batch.

    :param rows: their positions in the batch. :param faults: with positions among `rows`.
    :param good: positions among `rows` of those without error; `needs`, `weight` and `touched` are theirs.
    """

    rows: NDArray[np.int64]
    faults: list[RowFaults]
    good: NDArray[np.int64]
    needs: Dependencies | None = None
    weight: FloatArray | None = None
    touched: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Portfolio:
    """Trade files, the store that they lie in, and the products that they may be of.

    :param calendars: one's own that trades may name.
    """

    files: Sequence[TradeFile]
    store: Store
    products: Mapping[str, Product]
    calendars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pricing:
    """In which ranges of scenarios trades are to be priced, what that takes, and whether their P&L is stored."""

    ranges: Sequence[ScenarioRange] = ()
    costs: CostModel = field(default_factory=CostModel)
    stored_pnl: bool = True


class Survey:
    """The pass. Iterate `rows()` to its end; then `faults`, `blocking`, `quarantine` and `trades` are whole.

    :param as_of: days since 1970-01-01. :param model: None: the market cannot be read, its part is left out.
    :param usual: what lies outside is a warning. :param dependants: are told what each trade depends on.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        as_of: int,
        model: MarketModel | None,
        base_currency: str,
        *,
        selection: Selection | None = None,
        pricing: Pricing | None = None,
        usual: Ranges = RANGES,
        dependants: Dependants | None = None,
    ) -> None:
        self._portfolio = portfolio
        self._as_of = as_of
        self._model = model
        self._base_currency = base_currency
        self._selection = selection or Selection()
        self._pricing = pricing or Pricing()
        self._usual = usual
        self._dependants = dependants
        self._hashes: list[PieceContents] = []
        self._faults: dict[tuple[Level, str, str, str, str], tuple[int, tuple[str, ...]]] = {}
        self._renamed = RenamedBooks()
        self._books: dict[str, int] = {}
        self._selected_books: set[int] = set()
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
        """`trade_contents.CONTENTS` of the rows so far, where they are to be priced."""
        return contents_table(self._hashes)

    @property
    def faults(self) -> list[Fault]:
        """Of all rows, and the blocking ones: files whose content cannot be read."""
        return self.blocking + [
            Fault(level, "portfolio", file, column, rule, rows, sample, message)
            for (level, file, column, rule, message), (rows, sample) in self._faults.items()
        ]

    def rows(self) -> Iterator[SurveyedRows]:
        """Survey all files, many small ones at once; then look for trade ids that occur twice, and tell of books with
        another name."""
        for pieces, table in gathered(self._read(), BATCH_ROWS):
            product = self._portfolio.products[pieces[0].file.product]
            yield self._survey(Batch(product, pieces, table, self._portfolio.calendars))
        self._find_duplicates()
        self._tell_renamed()

    def _read(self) -> Iterator[tuple[FileRows, pa.Table]]:
        for file in self._portfolio.files:
            columns = [column.name for column in all_columns(self._portfolio.products[file.product])]
            first = 0
            try:
                for batch in iter_batches(self._portfolio.store, file, columns, BATCH_ROWS):
                    if len(batch):
                        yield FileRows(file, first, first + len(batch)), batch
                        first += len(batch)
            except StorageError as error:
                # Its footer could be read, or it would not be here: the pages are damaged.
                self.blocking.append(Fault(Level.ERROR, "portfolio", file.path, "", "unreadable", 0, (), str(error)))

    def _survey(self, batch: Batch) -> SurveyedRows:
        product, trades, n = batch.product, batch.trades, len(batch.trades)
        digests = trade_digests(trades.table.column("trade_id"))
        read = contents(product, trades) if self._pricing.ranges else digests
        cuts = batch.bounds[1:-1]
        self._hashes += map(PieceContents, batch.pieces, np.split(digests, cuts), np.split(read, cuts))
        self.trades += n
        good = np.ones(n, np.bool_)
        every = np.arange(n, dtype=np.int64)
        self._note(batch, check_rows(trades, product, batch.original, self._as_of), good, every)
        self._renamed.add(batch)
        weight, touched = np.ones(n), np.ones(n, np.bool_)
        seconds, valuations = np.zeros((len(self._pricing.ranges), n)), np.zeros(n)
        rows = np.flatnonzero(good)
        for found in self._examine(product, trades if good.all() else trades.take(rows), rows):
            self._note(batch, found.faults, good, found.rows)
            if found.needs is not None and found.weight is not None:
                examined = found.rows[found.good]
                weight[examined] = found.weight
                if found.touched is not None:
                    touched[examined] = found.touched
                self._add_seconds(seconds, valuations, product, found.needs, examined, found.weight)
        sound = np.flatnonzero(good)
        odd = odd_terms(trades if good.all() else trades.take(sound), product, self._usual)
        self._note(batch, odd, good, sound)
        selected = self._selection.trades(product.name, trades.books, trades.trade_ids.to_pylist)
        if self._dependants is not None:
            self._dependants.found += zip(batch.pieces, np.split(touched | ~selected, cuts), strict=True)
        self.selected += int(selected.sum())
        self.valuations += float(valuations[selected].sum())
        bytes_ = np.zeros(n)
        for k, columns in enumerate(self._pricing.ranges):
            seconds[k] += self._pricing.costs.seconds_per_trade(product.name)
            bytes_ = np.maximum(bytes_, self._pricing.costs.trade_bytes(columns.pnl_columns, self._pricing.stored_pnl))
        bytes_ += BYTES_PER_WEIGHT * np.minimum(weight, MOST_WEIGHT_HELD)
        books = self._numbered(trades)
        self._selected_books.update(np.unique(books[selected]).tolist())
        return SurveyedRows(product.name, batch.pieces, selected, seconds * selected, bytes_ * selected, books)

    def _numbered(self, trades: Trades) -> NDArray[np.int32]:
        """A number for each trade's book, the same in all batches; trades without one stand at the root."""
        names = (*trades.books.names, "")
        numbers = [self._books.setdefault(name, len(self._books)) for name in names]
        return np.array(numbers, np.int32)[trades.books.codes]

    def _examine(self, product: Product, trades: Trades, rows: NDArray[np.int64]) -> Iterator[_Examined]:
        """All trades at once; when the product's code raises, the halves, down to the trades that make it raise."""
        if not len(trades):
            return
        failure = ""
        try:
            with np.errstate(all="ignore"):  # numbers near the end of their range: pricing judges the result
                found = self._examined(product, trades, rows)
        except BaseException as error:
            if isinstance(error, MemoryError) or is_interrupt(error):
                raise
            failure = described(error)
        finally:
            hold_standard_descriptors()
        if not failure:
            yield found
            return
        if len(trades) == 1:
            message = f"the check of {product.name} raised {failure}; the trade is not priced"
            alone = np.zeros(1, np.int64)
            faults = [RowFaults("", "product raised", alone, Reason.UNSUPPORTED, message)]
            yield _Examined(rows, faults, alone[:0])
            return
        middle = len(trades) // 2
        yield from self._examine(product, trades.slice(0, middle), rows[:middle])
        yield from self._examine(product, trades.slice(middle, len(trades)), rows[middle:])

    def _examined(self, product: Product, trades: Trades, rows: NDArray[np.int64]) -> _Examined:
        faults = list(product.validate(trades, self._as_of))
        sound = np.ones(len(trades), np.bool_)
        for fault in faults:
            sound[fault.rows] &= fault.level != Level.ERROR
        good = np.flatnonzero(sound)
        if self._model is None:
            return _Examined(rows, faults, good)
        valid = trades if sound.all() else trades.take(good)
        needs = dependencies(product, valid, self._model, self._base_currency)
        faults += [replace(fault, rows=good[fault.rows]) for fault in needs.faults]
        weight = product.weight_in(valid, self._model)
        touched = None if self._dependants is None else self._dependants.among(product, valid, needs)
        return _Examined(rows, faults, good, needs, weight, touched)

    def _add_seconds(
        self,
        seconds: FloatArray,
        valuations: FloatArray,
        product: Product,
        needs: Dependencies,
        rows: NDArray[np.int64],
        weight: FloatArray,
    ) -> None:
        for k, columns in enumerate(self._pricing.ranges):
            priced = np.full(len(rows), float(columns.dense))
            for column in needs.pricing:
                priced += columns.by_group[column]
            valuations[rows] += priced
            seconds[k, rows] = weight * priced * self._pricing.costs.seconds_per_unit(product.name)

    def _note(
        self, batch: Batch, faults: Sequence[RowFaults], good: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> None:
        """Count and quarantine; the positions in `faults` are among `rows`, those among the batch's trades."""
        for fault in faults:
            message = printable(fault.message)
            for path, positions, of_file in batch.by_file(rows[fault.rows]):
                ids = batch.names(positions)
                self._count(fault.level, path, fault.column, fault.rule, message, len(positions), ids)
                if fault.level == Level.ERROR:
                    good[positions] = False
                    self.quarantine.add(path, of_file, fault.reason, message)

    def _count(
        self, level: Level, path: str, column: str, rule: str, message: str, rows: int, ids: tuple[str, ...]
    ) -> None:
        key = (level, path, column, rule, message)
        before, sample = self._faults.get(key, (0, ()))
        self._faults[key] = (before + rows, (sample + ids)[:SAMPLES])

    def _tell_renamed(self) -> None:
        told = self._renamed
        if told.rows:
            self._count(Level.WARNING, told.path, "book", "normal_form", told.message(), told.rows, told.sample)

    def _find_duplicates(self) -> None:
        if not self._hashes:
            return
        every = np.concatenate([each.trade for each in self._hashes])
        distinct, counts = np.unique(every, return_counts=True)
        suspects = distinct[counts > 1]
        if not len(suspects):
            return
        unreadable = {fault.file for fault in self.blocking}
        where: dict[str, list[tuple[str, int]]] = {}
        for each in self._hashes:
            piece = each.piece
            rows = np.flatnonzero(np.isin(each.trade, suspects))
            if len(rows) and piece.file.path not in unreadable:
                ids = read_rows(self._portfolio.store, piece.file, piece.start, piece.stop, ["trade_id"])
                for row, trade_id in zip(rows.tolist(), read_trade_ids(ids.take(pa.array(rows))), strict=True):
                    if trade_id:
                        where.setdefault(trade_id, []).append((piece.file.path, piece.start + row))
        by_file: dict[str, list[tuple[int, str]]] = {}
        for trade_id, places in where.items():
            if len(places) > 1:
                for path, row in places:
                    by_file.setdefault(path, []).append((row, trade_id))
        message = "trade_id occurs more than once in the portfolio; give each trade one row"
        for path, found in sorted(by_file.items()):
            ids = tuple(trade_id for _, trade_id in found[:SAMPLES])
            self._count(Level.ERROR, path, "trade_id", "unique", message, len(found), ids)
            rows = np.array(sorted(row for row, _ in found), np.int64)
            self.quarantine.add(path, rows, Reason.INVALID_TRADE, message, doubled=True)
