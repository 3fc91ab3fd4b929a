"""One piece of the portfolio: every fault of its rows, and what each trade will cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason, StorageError, described, is_interrupt, printable
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import Ranges
from riskpipe.plan.costs import BYTES_PER_WEIGHT, MOST_WEIGHT_HELD, CostModel
from riskpipe.plan.dependants import Dependants
from riskpipe.plan.doubled_ids import partition_bounds
from riskpipe.plan.partition import ScenarioRange
from riskpipe.plan.piece_files import PieceFiles, SurveyedRows, rows_batch, rows_schema
from riskpipe.plan.portfolio_pieces import Piece
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import Selection
from riskpipe.plan.survey_batches import SAMPLES, Batch, RenamedBooks
from riskpipe.plan.trade_contents import DIGESTS, Digests, trade_digests
from riskpipe.products.agreed_terms import contents
from riskpipe.products.base import Product, RowFaults
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.term_ranges import odd_terms
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, check_rows
from riskpipe.store.filesystem import Store
from riskpipe.store.portfolio import TradeFile, iter_batches
from riskpipe.store.process import hold_standard_descriptors
from riskpipe.store.trade_rows import FileRows, gathered

BATCH_ROWS = 65_536

FaultKey = tuple[Level, str, str, str, str]
"""Level, path, column, rule and message."""

FileRange = tuple[int, int, int]
"""Which of a piece's parts, and rows [start, stop) of its file."""


class _Examined(Struct, frozen=True):
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


class Portfolio(Struct, frozen=True):
    """Trade files, the store that they lie in, and the products that they may be of.

    :param calendars: one's own that trades may name.
    """

    files: Sequence[TradeFile]
    store: Store
    products: Mapping[str, Product]
    calendars: Mapping[str, str] = field(default_factory=dict)


class Pricing(Struct, frozen=True):
    """In which ranges of scenarios trades are to be priced, what that takes, and whether their P&L is stored."""

    ranges: Sequence[ScenarioRange] = ()
    costs: CostModel = field(default_factory=CostModel)
    stored_pnl: bool = True


class SurveyTerms(Struct, frozen=True):
    """What all pieces share; see `Survey`.

    :param files: where what is found is put. :param partitions: of digests of trade ids.
    """

    store: Store
    products: Mapping[str, Product]
    calendars: Mapping[str, str]
    as_of: int
    model: MarketModel | None
    base_currency: str
    selection: Selection
    pricing: Pricing
    usual: Ranges
    dependants: Dependants | None
    files: PieceFiles
    partitions: int


class Findings(Struct):
    """What is found in a piece besides what is left in `SurveyTerms.files`.

    :param faults: how many rows break a rule, and names of some; in the order in which they were found.
    :param unreadable: path -> why: files whose content cannot be read.
    :param books: of all trades that could be read, each once. :param selected_books: bool[books], with selected trades.
    :param batches: of every `SurveyedRows`, where its rows lie.
    :param bounds: int64[partitions + 1], of each partition among the ascending ids.
    :param dependants: their counts. :param touched: of every batch bool[n], as `Dependants.found`.
    """

    trades: int = 0
    selected: int = 0
    valuations: float = 0.0
    faults: dict[FaultKey, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=Quarantine)
    renamed: RenamedBooks = field(default_factory=RenamedBooks)
    books: tuple[str, ...] = ()
    selected_books: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    batches: list[tuple[FileRange, ...]] = field(default_factory=list)
    bounds: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    dependants: Dependants | None = None
    touched: list[NDArray[np.bool_]] = field(default_factory=list)

    def count(self, key: FaultKey, rows: int, ids: tuple[str, ...]) -> None:
        """Add to what is known of a rule."""
        before, sample = self.faults.get(key, (0, ()))
        self.faults[key] = (before + rows, (sample + ids)[:SAMPLES])


def survey_piece(terms: SurveyTerms, piece: Piece) -> Findings:
    """Survey a piece; in memory is a batch of it at a time, and eight bytes a trade.

    :raises InputChangedError: a file has other row groups than when it was discovered.
    :raises StorageError: what is found cannot be written.
    """
    survey = _PieceSurvey(terms, piece)
    files, number = terms.files, piece.number
    ids = [np.empty(0, np.uint64)]
    with (
        files.writer(files.rows(number), rows_schema(len(terms.pricing.ranges)), "lz4") as rows,
        files.writer(files.contents(number), DIGESTS) as digests,
    ):
        for found, trade, content in survey.batches():
            rows.write_batch(rows_batch(found))
            digests.write_batch(pa.record_batch([pa.array(trade), pa.array(content)], schema=DIGESTS))
            ids.append(trade)
    ascending = np.sort(np.concatenate(ids))
    files.write_ids(files.ids(number), ascending)
    return survey.found(partition_bounds(ascending, terms.partitions))


class _PieceSurvey:
    """The pass over a piece. Iterate `batches()` to its end; then `found()`."""

    def __init__(self, terms: SurveyTerms, piece: Piece) -> None:
        self._terms = terms
        self._piece = piece
        self._found = Findings()
        self._books: dict[str, int] = {}
        self._selected_books: set[int] = set()
        self._dependants = None if terms.dependants is None else terms.dependants.fresh()

    def found(self, bounds: NDArray[np.int64]) -> Findings:
        """All but what was yielded. :param bounds: see `Findings`."""
        found = self._found
        found.bounds, found.books = bounds, tuple(self._books)
        found.selected_books = np.zeros(len(self._books), np.bool_)
        found.selected_books[list(self._selected_books)] = True
        found.dependants = None if self._dependants is None else self._dependants.counted()
        return found

    def batches(self) -> Iterator[tuple[SurveyedRows, Digests, Digests]]:
        """Survey all rows, many small files at once; with each batch the digests of its trades' ids and contents."""
        parts = {part.file.path: k for k, part in enumerate(self._piece.parts)}
        for pieces, table in gathered(self._read(), BATCH_ROWS):
            product = self._terms.products[pieces[0].file.product]
            self._found.batches.append(tuple((parts[p.file.path], p.start, p.stop) for p in pieces))
            yield self._survey(Batch(product, pieces, table, self._terms.calendars))

    def _read(self) -> Iterator[tuple[FileRows, pa.Table]]:
        for part in self._piece.parts:
            file, first = part.file, part.start
            columns = [column.name for column in all_columns(self._terms.products[file.product])]
            try:
                for batch in iter_batches(self._terms.store, file, columns, BATCH_ROWS, range(part.first, part.stop)):
                    if len(batch):
                        yield FileRows(file, first, first + len(batch)), batch
                        first += len(batch)
            except StorageError as error:
                # Its footer could be read, or it would not be here: the pages are damaged.
                self._found.unreadable[file.path] = str(error)

    def _survey(self, batch: Batch) -> tuple[SurveyedRows, Digests, Digests]:
        product, trades, n, pricing = batch.product, batch.trades, len(batch.trades), self._terms.pricing
        digests = trade_digests(trades.table.column("trade_id"))
        read = contents(product, trades) if pricing.ranges else digests
        self._found.trades += n
        good = np.ones(n, np.bool_)
        every = np.arange(n, dtype=np.int64)
        self._note(batch, check_rows(trades, product, batch.original, self._terms.as_of), good, every)
        self._found.renamed.add(batch)
        weight, touched = np.ones(n), np.ones(n, np.bool_)
        seconds, valuations = np.zeros((len(pricing.ranges), n)), np.zeros(n)
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
        odd = odd_terms(trades if good.all() else trades.take(sound), product, self._terms.usual)
        self._note(batch, odd, good, sound)
        selected = self._terms.selection.trades(product.name, trades.books, trades.trade_ids.to_pylist)
        if self._dependants is not None:
            self._found.touched.append(touched | ~selected)
        self._found.selected += int(selected.sum())
        self._found.valuations += float(valuations[selected].sum())
        bytes_ = np.zeros(n)
        for k, columns in enumerate(pricing.ranges):
            seconds[k] += pricing.costs.seconds_per_trade(product.name)
            bytes_ = np.maximum(bytes_, pricing.costs.trade_bytes(columns.pnl_columns, pricing.stored_pnl))
        bytes_ += BYTES_PER_WEIGHT * np.minimum(weight, MOST_WEIGHT_HELD)
        books = self._numbered(trades)
        self._selected_books.update(np.unique(books[selected]).tolist())
        surveyed = SurveyedRows(product.name, batch.pieces, selected, seconds * selected, bytes_ * selected, books)
        return surveyed, digests, read

    def _numbered(self, trades: Trades) -> NDArray[np.int32]:
        """A number for each trade's book, the same in the whole piece; trades without one stand at the root."""
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
        faults = list(product.validate(trades, self._terms.as_of))
        sound = np.ones(len(trades), np.bool_)
        for fault in faults:
            sound[fault.rows] &= fault.level != Level.ERROR
        good = np.flatnonzero(sound)
        if self._terms.model is None:
            return _Examined(rows, faults, good)
        valid = trades if sound.all() else trades.take(good)
        needs = dependencies(product, valid, self._terms.model, self._terms.base_currency)
        faults += [replace(fault, rows=good[fault.rows]) for fault in needs.faults]
        weight = product.weight_in(valid, self._terms.model)
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
        for k, columns in enumerate(self._terms.pricing.ranges):
            priced = np.full(len(rows), float(columns.dense))
            for column in needs.pricing:
                priced += columns.by_group[column]
            valuations[rows] += priced
            seconds[k, rows] = weight * priced * self._terms.pricing.costs.seconds_per_unit(product.name)

    def _note(
        self, batch: Batch, faults: Sequence[RowFaults], good: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> None:
        """Count and quarantine; the positions in `faults` are among `rows`, those among the batch's trades."""
        for fault in faults:
            message = printable(fault.message)
            for path, positions, of_file in batch.by_file(rows[fault.rows]):
                ids = batch.names(positions)
                self._found.count((fault.level, path, fault.column, fault.rule, message), len(positions), ids)
                if fault.level == Level.ERROR:
                    good[positions] = False
                    self._found.quarantine.add(path, of_file, fault.reason, message)
