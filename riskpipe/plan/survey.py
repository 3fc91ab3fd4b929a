"""One streaming pass over the portfolio: every fault of every row, and what each trade will cost.

Memory grows with the trades by a few bytes each (a digest of the id, a flag), never with scenarios.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason, StorageError, described, is_interrupt, printable
from riskpipe.kernels.hashing import hash_strings
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import RANGES, Ranges
from riskpipe.plan.costs import BYTES_PER_WEIGHT, MOST_WEIGHT_HELD, CostModel
from riskpipe.plan.partition import ScenarioRange
from riskpipe.plan.quarantine import Quarantine
from riskpipe.plan.selection import Selection
from riskpipe.products.base import Product, RowFaults
from riskpipe.products.books import normal_book
from riskpipe.products.dependencies import Dependencies, dependencies
from riskpipe.products.term_ranges import odd_terms
from riskpipe.products.trades import Trades
from riskpipe.products.validation import all_columns, canonical, check_rows, read_trade_ids, renamed_books
from riskpipe.store.filesystem import Store
from riskpipe.store.portfolio import TradeFile, iter_batches, read_rows
from riskpipe.store.process import hold_standard_descriptors

BATCH_ROWS = 65_536
SAMPLES = 5


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
class FileSurvey:
    """What planning needs of one file, by row.

    :param selected: bool[n].
    :param seconds: float64[n_ranges, n], projected for each scenario range; 0 where not selected.
    :param bytes_: float64[n], the most that the row needs in any range.
    """

    file: TradeFile
    selected: NDArray[np.bool_]
    seconds: FloatArray
    bytes_: FloatArray


@dataclass(frozen=True)
class _Examined:
    """What the product says of some trades of a batch.

    :param rows: their positions in the batch. :param faults: with positions among `rows`.
    :param good: positions among `rows` of those without error; `needs` and `weight` are theirs.
    """

    rows: NDArray[np.int64]
    faults: list[RowFaults]
    good: NDArray[np.int64]
    needs: Dependencies | None = None
    weight: FloatArray | None = None


@dataclass
class _RenamedBooks:
    """Books whose normal form is another name, over all files: told once.

    :param path: the first file that has one. :param names: as given -> as read.
    """

    path: str = ""
    rows: int = 0
    sample: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def add(self, file: TradeFile, trades: Trades, original: pa.Table, first: int) -> None:
        rows, given = renamed_books(trades, original)
        if len(rows):
            self.path = self.path or file.path
            self.rows += len(rows)
            self.sample = (self.sample + _sample(file, trades, rows, first))[:SAMPLES]
            self.names.update({name: normal_book(name) for name in set(given)})

    def message(self) -> str:
        shown = [f"{given!a} as {normal!a}" for given, normal in sorted(self.names.items())[:SAMPLES]]
        more = f" and {len(self.names) - SAMPLES} more" if len(self.names) > SAMPLES else ""
        what = "books are read in their normal form (no empty parts, no spaces around a part, Unicode NFC)"
        return f"{what}: {', '.join(shown)}{more}"


@dataclass(frozen=True)
class Portfolio:
    """Trade files, the store that they lie in, and the products that they may be of."""

    files: Sequence[TradeFile]
    store: Store
    products: Mapping[str, Product]


@dataclass(frozen=True)
class Pricing:
    """In which ranges of scenarios trades are to be priced, what that takes, and whether their P&L is stored."""

    ranges: Sequence[ScenarioRange] = ()
    costs: CostModel = field(default_factory=CostModel)
    stored_pnl: bool = True


class Survey:
    """The pass. Iterate `files()` to its end; then `faults`, `blocking`, `quarantine` and `trades` are whole.

    :param as_of: days since 1970-01-01. :param model: None: the market cannot be read, its part is left out.
    :param usual: what lies outside is a warning.
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
    ) -> None:
        self._portfolio = portfolio
        self._as_of = as_of
        self._model = model
        self._base_currency = base_currency
        self._selection = selection or Selection()
        self._pricing = pricing or Pricing()
        self._usual = usual
        self._hashes: list[NDArray[np.uint64]] = []
        self._faults: dict[tuple[Level, str, str, str, str], tuple[int, tuple[str, ...]]] = {}
        self._renamed = _RenamedBooks()
        self.blocking: list[Fault] = []
        self.quarantine = Quarantine()
        self.trades = 0
        self.selected = 0
        self.valuations = 0.0

    @property
    def faults(self) -> list[Fault]:
        """Of all rows, and the blocking ones: files whose content cannot be read."""
        return self.blocking + [
            Fault(level, "portfolio", file, column, rule, rows, sample, message)
            for (level, file, column, rule, message), (rows, sample) in self._faults.items()
        ]

    def files(self) -> Iterator[FileSurvey]:
        """Survey file after file, then look for trade ids that occur twice, and tell of books with another name."""
        for file in self._portfolio.files:
            yield self._survey(file)
        self._find_duplicates()
        self._tell_renamed()

    def _survey(self, file: TradeFile) -> FileSurvey:
        product = self._portfolio.products[file.product]
        columns = [column.name for column in all_columns(product)]
        empty = (np.empty(0, np.bool_), np.empty((len(self._pricing.ranges), 0)), np.empty(0))
        parts = [empty]
        hashes = [np.empty(0, np.uint64)]
        first = 0
        try:
            for batch in iter_batches(self._portfolio.store, file, columns, BATCH_ROWS):
                table = canonical(batch, product)
                hashes.append(_hash(table.column("trade_id")))
                parts.append(self._batch(file, product, Trades(table), batch, first))
                first += len(table)
        except StorageError as error:
            # Its footer could be read, or it would not be here: the pages are damaged.
            self.blocking.append(Fault(Level.ERROR, "portfolio", file.path, "", "unreadable", 0, (), str(error)))
            parts, hashes = [empty], hashes[:1]
        self._hashes.append(np.concatenate(hashes))
        self.trades += first
        selected, seconds, bytes_ = zip(*parts, strict=True)
        survey = FileSurvey(file, np.concatenate(selected), np.concatenate(seconds, 1), np.concatenate(bytes_))
        self.selected += int(survey.selected.sum())
        return survey

    def _batch(
        self, file: TradeFile, product: Product, trades: Trades, original: pa.Table, first: int
    ) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
        n = len(trades)
        good = np.ones(n, np.bool_)
        every = np.arange(n, dtype=np.int64)
        self._note(file, trades, check_rows(trades, product, original, self._as_of), first, good, every)
        self._renamed.add(file, trades, original, first)
        weight = np.ones(n)
        seconds, valuations = np.zeros((len(self._pricing.ranges), n)), np.zeros(n)
        rows = np.flatnonzero(good)
        for found in self._examine(product, trades if good.all() else trades.take(rows), rows):
            self._note(file, trades, found.faults, first, good, found.rows)
            if found.needs is not None and found.weight is not None:
                examined = found.rows[found.good]
                weight[examined] = found.weight
                self._add_seconds(seconds, valuations, product, found.needs, examined, found.weight)
        sound = np.flatnonzero(good)
        odd = odd_terms(trades if good.all() else trades.take(sound), product, self._usual)
        self._note(file, trades, odd, first, good, sound)
        selected = self._selection.trades(product.name, trades.books, trades.trade_ids.to_pylist)
        self.valuations += float(valuations[selected].sum())
        bytes_ = np.zeros(n)
        for k, columns in enumerate(self._pricing.ranges):
            seconds[k] += self._pricing.costs.seconds_per_trade(product.name)
            bytes_ = np.maximum(bytes_, self._pricing.costs.trade_bytes(columns.pnl_columns, self._pricing.stored_pnl))
        return (
            selected,
            seconds * selected,
            (bytes_ + BYTES_PER_WEIGHT * np.minimum(weight, MOST_WEIGHT_HELD)) * selected,
        )

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
        return _Examined(rows, faults, good, needs, product.weight(valid, self._as_of))

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
        self,
        file: TradeFile,
        trades: Trades,
        faults: Sequence[RowFaults],
        first: int,
        good: NDArray[np.bool_],
        rows: NDArray[np.int64],
    ) -> None:
        """Count and quarantine; the positions in `faults` are among `rows`, those among the batch's `trades`."""
        for fault in faults:
            positions, message = rows[fault.rows], printable(fault.message)
            ids = _sample(file, trades, positions, first)
            self._count(fault.level, file.path, fault.column, fault.rule, message, len(positions), ids)
            if fault.level == Level.ERROR:
                good[positions] = False
                self.quarantine.add(file.path, positions + first, fault.reason, message)

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
        every = np.concatenate(self._hashes)
        distinct, counts = np.unique(every, return_counts=True)
        suspects = distinct[counts > 1]
        if not len(suspects):
            return
        where: dict[str, list[tuple[int, int]]] = {}
        for k, file in enumerate(self._portfolio.files):
            rows = np.flatnonzero(np.isin(self._hashes[k], suspects))
            if len(rows):
                ids = read_rows(self._portfolio.store, file, 0, file.rows, ["trade_id"]).take(pa.array(rows))
                for row, trade_id in zip(rows.tolist(), read_trade_ids(ids), strict=True):
                    if trade_id:
                        where.setdefault(trade_id, []).append((k, row))
        by_file: dict[int, list[tuple[int, str]]] = {}
        for trade_id, places in where.items():
            if len(places) > 1:
                for k, row in places:
                    by_file.setdefault(k, []).append((row, trade_id))
        message = "trade_id occurs more than once in the portfolio; give each trade one row"
        for k, found in sorted(by_file.items()):
            path = self._portfolio.files[k].path
            ids = tuple(trade_id for _, trade_id in found[:SAMPLES])
            self._count(Level.ERROR, path, "trade_id", "unique", message, len(found), ids)
            rows = np.array(sorted(row for row, _ in found), np.int64)
            self.quarantine.add(path, rows, Reason.INVALID_TRADE, message, doubled=True)


def _sample(file: TradeFile, trades: Trades, rows: NDArray[np.int64], first: int) -> tuple[str, ...]:
    """Names of a few of a batch's trades, which begins at row `first` of the file."""
    return tuple(str(trades.trade_ids[int(k)].as_py() or f"{file.path}#{first + k}") for k in rows[:SAMPLES])


def _hash(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    chunks = [chunk for chunk in column.cast(pa.large_string()).chunks if len(chunk)]
    parts = []
    for chunk in chunks:
        _, offsets, data = chunk.buffers()
        bounds = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        text = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
        parts.append(hash_strings(bounds, text))
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)
