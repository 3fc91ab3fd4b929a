"""The rows of a history as levels by date and factor, and which of them cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, StorageError
from riskpipe.market.dated_levels import DatedLevels
from riskpipe.market.factors import MarketFault, Move, fault
from riskpipe.market.history_faults import (
    BLANK,
    CLASH,
    INFINITE,
    LATER,
    NAMELESS,
    NO_RATIO,
    NO_RATIO_OF,
    NOT_POSITIVE,
    TWICE,
    UNDATED,
    UNREADABLE,
    RowFaults,
    RowRule,
)
from riskpipe.market.history_source import HISTORY_SCHEMA, HistorySource, comparable
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.store.columns import composed, read_column

Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

_CHANGED = "the history changed while it was read"
UNKNOWN = np.inf
"""In place of a level that is there and cannot be."""


class _Batch(Struct, frozen=True):
    """Some rows.

    :param number: of each in the history. :param name: position among the distinct names.
    :param day: 0 where it is undated.
    :param value: in units of the factor's currency, NaN where there is none. :param unread: there is one, which could
        not be read.
    """

    number: Integers
    name: Integers
    day: Integers
    undated: Mask
    value: FloatArray
    unread: Mask


class HistoryRows:
    """A history over today's factors.

    A value that is null or NaN says nothing, as a row that is not there. A level that cannot be (a negative price, two
    values on a date) is no level but unknown, and so is what a row may have had that does not say of which date or
    factor it is. Rows are read in batches, and what is kept of them is a float64 a level.

    :ivar dates: int64[n_dates], days since 1970-01-01, ascending, none after as_of.
    :ivar factors: int32[n_columns], positions in x0 of the factors that it names, ascending.
    :ivar levels: by date and column: NaN where there is none, `UNKNOWN` for an error.
    :ivar is_log, is_ratio, moving, positive: bool[n_columns].
    :ivar foreign: factors that today's market does not have.
    :ivar unread: faults of cells that could not be read; `faults`: of rows, all else.
    """

    def __init__(
        self,
        source: HistorySource,
        distinct: pa.Table,
        snapshot: MarketSnapshot,
        moves: Sequence[Move],
        units: Mapping[str, float],
    ) -> None:
        """
        :param source: of columns that can be read. :param distinct: of it, see `distinct_values`.
        :param moves: of each factor. :param units: see `riskpipe.market.stresses.stress_columns`.
        :raises StorageError: the rows cannot be read.
        """
        self._source, self._snapshot = source, snapshot
        self._read_names(distinct)
        self._read_dates(distinct)
        self._know_columns([moves[k] for k in self.factors], units)
        self._faults = RowFaults(self._names, snapshot.as_of)
        self.levels = DatedLevels(len(self.dates), len(self.factors))
        self._lost_columns: set[int] = set()
        self._lost_dates: set[int] = set()
        said = sum(self._read(batch) for batch in self._batches(tell=True))
        if said != sum(np.count_nonzero(~np.isnan(piece)) for _, piece in self.levels.pieces()):
            self._settle_repeated()
        ever = self._ever()
        self._doubt(ever)
        self.unread = self._faults.found(unread=True)
        self.faults = self._faults.found(unread=False) + self._stuck(ever)

    # -- what there is

    def _read_names(self, distinct: pa.Table) -> None:
        """The distinct names, and which of today's factors each is."""
        raw = distinct.column("factor")
        names, unread = read_column(raw, distinct.schema.field("factor"), "string", optional=False)
        names = composed(names)
        self._raw, self._unread_names = raw.combine_chunks(), unread
        self._null = pc.index_in(pa.nulls(1, self._raw.type), value_set=self._raw)[0]
        self._names: list[str | None] = names.to_pylist()
        self._nameless: Mask = np.array([not name for name in self._names], np.bool_)
        known = pc.index_in(names, value_set=self._snapshot.factors.column("factor").combine_chunks())
        factor = pc.fill_null(known, -1).to_numpy().astype(np.int64)
        self.factors: NDArray[np.int32] = np.unique(factor[factor >= 0]).astype(np.int32)
        #: column of each name, -1 for factors that today's market does not have
        self._column = np.where(factor >= 0, np.searchsorted(self.factors, factor), -1)
        lost = zip(self._names, self._nameless, factor, strict=True)
        self.foreign = list(dict.fromkeys(str(name) for name, nameless, k in lost if not nameless and k < 0))

    def _read_dates(self, distinct: pa.Table) -> None:
        field = distinct.schema.field("date")
        days = read_column(distinct.column("date"), field, "date", optional=False)[0].drop_null()
        found = np.unique(days.cast(pa.int32()).to_numpy().astype(np.int64))
        self.dates: Integers = found[found <= self._snapshot.as_of]

    def _know_columns(self, moves: Sequence[Move], units: Mapping[str, float]) -> None:
        kinds, ids = self._snapshot.kind_of_factor, self._snapshot.factor_ids
        self.is_log = np.array([move == "log" for move in moves], np.bool_)
        self._is_relative = np.array([move == "relative" for move in moves], np.bool_)
        self.positive = np.array([kinds[k].positive for k in self.factors], np.bool_)
        self.is_ratio = self.is_log | self._is_relative
        self.moving = np.array([move != "none" for move in moves], np.bool_)
        # A ratio has no units, and keeps its bits.
        self._unit = np.array([*(units.get(ids[k], 1.0) for k in self.factors), 1.0])
        self._unit[:-1][self.is_ratio] = 1.0

    # -- rows

    def _batches(self, *, tell: bool = False) -> Iterator[_Batch]:
        """All rows. :param tell: what cannot be read, to the faults."""
        first = 0
        fields = {name: self._source.schema.field(name) for name in HISTORY_SCHEMA.names}
        for table in self._source.batches(HISTORY_SCHEMA.names):
            name = self._name(comparable(table.column("factor"), fields["factor"]))
            dates, undatable = read_column(table.column("date"), fields["date"], "date", optional=False)
            values, unreadable = read_column(table.column("value"), fields["value"], "number", optional=False)
            if tell:
                nameless = [replace(reason, rows=reason.rows[name]) for reason in self._unread_names]
                for column, lost in (("date", undatable), ("factor", nameless), ("value", unreadable)):
                    self._faults.tell_unread(column, lost, first, name)
            yield _Batch(
                number=np.arange(first, first + len(name)),
                name=name,
                day=pc.fill_null(dates.cast(pa.int32()), 0).to_numpy().astype(np.int64),
                undated=pc.is_null(dates).to_numpy(),
                value=pc.fill_null(values, np.nan).to_numpy() / self._unit[self._column[name]],
                unread=np.logical_or.reduce([np.zeros(len(name), np.bool_), *(reason.rows for reason in unreadable)]),
            )
            first += len(name)

    def _name(self, column: pa.ChunkedArray) -> Integers:
        """int64[n]: position of each row's name among the distinct ones."""
        found = []
        for chunk in column.chunks:
            is_coded = pa.types.is_dictionary(chunk.type)
            codes = pc.index_in(chunk.dictionary if is_coded else chunk, value_set=self._raw)
            if is_coded:
                codes = pc.fill_null(codes.take(chunk.indices), self._null)
            found.append(codes)
        if any(codes.null_count for codes in found):
            raise StorageError(_CHANGED)
        return np.concatenate([np.empty(0, np.int64), *(codes.to_numpy() for codes in found)])

    def _read(self, batch: _Batch) -> int:
        """Put the levels of some rows into their cells, and count them."""
        says = ~np.isnan(batch.value) | batch.unread
        nameless = self._nameless[batch.name]
        blank = batch.undated & nameless & ~says
        later = self._is_later(batch)
        undated, nameless = batch.undated & ~blank, nameless & ~blank & ~later
        for rule, mask in ((BLANK, blank), (LATER, later), (UNDATED, undated), (NAMELESS, nameless)):
            self._tell(rule, batch, np.flatnonzero(mask))
        self._lost_columns |= {*self._column[batch.name[undated]].tolist()} - {-1}
        self._lost_dates |= {*np.searchsorted(self.dates, batch.day[nameless & ~undated]).tolist()}
        rows, date, column = self._cells(batch)
        bad = self._bad(batch, rows, column)
        self.levels.put(date, column, np.where(bad, UNKNOWN, batch.value[rows]))
        return len(rows)

    def _is_later(self, batch: _Batch) -> Mask:
        return ~batch.undated & (batch.day > self._snapshot.as_of)

    def _cells(self, batch: _Batch) -> tuple[Integers, Integers, Integers]:
        """The rows that say something of a factor of today on a date; their dates; their columns."""
        says = ~np.isnan(batch.value) | batch.unread
        column = self._column[batch.name]
        rows = np.flatnonzero(~batch.undated & ~self._is_later(batch) & (column >= 0) & says)
        date = np.searchsorted(self.dates, batch.day[rows])
        if len(rows) and not np.array_equal(np.append(self.dates, -1)[date], batch.day[rows]):
            raise StorageError(_CHANGED)
        return rows, date, column[rows]

    def _tell(self, rule: RowRule, batch: _Batch, rows: Integers) -> None:
        self._faults.tell(rule, batch.number[rows], batch.name[rows], batch.day[rows])

    def _bad(self, batch: _Batch, rows: Integers, column: Integers) -> Mask:
        """bool[len(rows)], rows whose value cannot be."""
        value, positive, is_log = batch.value[rows], self.positive[column], self.is_log[column]
        low = value <= 0.0
        no_ratio = (low & is_log & ~positive) | (self._is_relative[column] & (value == 0.0))
        cells = (
            (INFINITE, np.isinf(value)),
            (UNREADABLE, batch.unread[rows]),
            (NOT_POSITIVE, low & positive),
            (NO_RATIO_OF, no_ratio),
        )
        bad = np.zeros(len(rows), np.bool_)
        for rule, mask in cells:
            bad |= mask
            self._tell(rule, batch, rows[mask])
        return bad

    def _settle_repeated(self) -> None:
        """Cells that several rows give: which of them have different values, and are unknown."""
        n_columns = len(self.factors)
        times = np.zeros(len(self.dates) * n_columns, np.uint8)
        for batch in self._batches():
            _, date, column = self._cells(batch)
            keys, count = np.unique(date * n_columns + column, return_counts=True)
            times[keys] = np.minimum(times[keys] + count, 2)
        found: list[tuple[Integers, Integers, FloatArray, Integers, Integers]] = []
        for batch in self._batches():
            rows, date, column = self._cells(batch)
            key = date * n_columns + column
            rows, key = rows[times[key] > 1], key[times[key] > 1]
            found.append((key, batch.number[rows], batch.value[rows], batch.name[rows], batch.day[rows]))
        key, number, value, name, day = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((value, key))
        again = np.append(False, key[order][1:] == key[order][:-1])
        differs = again & np.append(False, value[order][1:] != value[order][:-1])
        clash = np.isin(key, key[order][differs])
        twice = np.zeros(len(key), np.bool_)
        twice[order[again]] = True
        for rule, mask in ((CLASH, clash), (TWICE, twice & ~clash)):
            self._faults.tell(rule, number[mask], name[mask], day[mask])
        date, column = np.divmod(key[clash], n_columns)
        self.levels.put(date, column, np.full(len(date), UNKNOWN))

    # -- what is not known

    def _ever(self) -> Mask:
        """bool[n_columns]: there is a level on some date."""
        found = np.zeros(len(self.factors), np.bool_)
        for _, piece in self.levels.pieces():
            found |= np.isfinite(piece).any(axis=0)
        return found

    def _doubt(self, ever: Mask) -> None:
        """What rows without a date or a factor may have been is unknown; so are moves of what has no ratio today."""
        lost = np.array(sorted(self._lost_columns), np.int64)
        for dates, piece in self.levels.pieces():
            absent = piece[:, lost]
            piece[:, lost] = np.where(np.isnan(absent), UNKNOWN, absent)
            for date in self._lost_dates & {*range(dates.start, dates.stop)}:
                row = piece[date - dates.start]
                row[np.isnan(row) & ever] = UNKNOWN
            piece[:, self._is_stuck(ever)] = UNKNOWN

    def _is_stuck(self, ever: Mask) -> Mask:
        return self.is_log & (self._snapshot.x0[self.factors] <= 0.0) & ever

    def _stuck(self, ever: Mask) -> list[MarketFault]:
        ids = [self._snapshot.factor_ids[k] for k in self.factors[self._is_stuck(ever)]]
        message = f"today's value {NO_RATIO}; until then what depends on it has no historical P&L (NUMERICAL)"
        return [fault(Level.ERROR, "value", "not positive", ids, message)] if ids else []
