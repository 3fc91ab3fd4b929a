"""The rows of a history as levels by date and factor, and which of them cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.factors import MarketFault, Move, date_of, fault
from riskpipe.market.snapshot import MarketSnapshot

Mask = NDArray[np.bool_]

NO_MOVE = "its moves there and on the next date are unknown: what depends on it has no historical P&L (NUMERICAL)"
_FIRST = "{first}"
"""In messages: the first date at fault."""
_NO_RATIO = "is zero or negative and has no ratio: let it move by differences (history.returns: absolute)"


class HistoryRows:
    """A history over today's factors.

    A value that is null or NaN says nothing, as a row that is not there. A level that cannot be (a negative price, two
    values on a date) is no level but unknown, and so is what a row may have had that does not say of which date or
    factor it is.

    :ivar dates: int64[n_dates], days since 1970-01-01, ascending, none after as_of.
    :ivar levels: float64[n_dates, n_factors], NaN where there is none.
    :ivar unknown: bool[n_dates, n_factors], NaN for an error.
    :ivar is_ratio, moving: bool[n_factors].
    :ivar faults: of the rows.
    """

    def __init__(
        self,
        table: pa.Table,
        snapshot: MarketSnapshot,
        moves: Sequence[Move],
        units: Mapping[str, float],
        unread: Mask,
    ) -> None:
        """
        :param table: canonical columns date, factor and value.
        :param moves: of each factor. :param units: see `riskpipe.market.stresses.stress_columns`.
        :param unread: bool[n], rows whose value is there and could not be read.
        """
        self.is_log = np.array([move == "log" for move in moves], np.bool_)
        self.is_relative = np.array([move == "relative" for move in moves], np.bool_)
        self.is_ratio = self.is_log | self.is_relative
        self.moving = np.array([move != "none" for move in moves], np.bool_)
        self._positive = np.array([kind.positive for kind in snapshot.kind_of_factor], np.bool_)
        self._snapshot = snapshot
        self._read(table, units, unread)
        self.faults: list[MarketFault] = []
        bad = self._bad_cells(unread)
        self._pivot(bad)
        self._doubts()

    def _read(self, table: pa.Table, units: Mapping[str, float], unread: Mask) -> None:
        self._ids = table.column("factor")
        known = pc.index_in(self._ids, value_set=self._snapshot.factors.column("factor").combine_chunks())
        #: position in x0, -1 for factors that today's market does not have
        self._factor: NDArray[np.int64] = pc.fill_null(known, -1).to_numpy().astype(np.int64)
        days = table.column("date").cast(pa.int32())
        undated: Mask = pc.is_null(days).to_numpy()
        nameless: Mask = pc.is_null(self._ids).to_numpy() | pc.equal(pc.fill_null(self._ids, ""), "").to_numpy()
        self._day: NDArray[np.int64] = pc.fill_null(days, 0).to_numpy().astype(np.int64)
        # A ratio has no units, and keeps its bits.
        unit = np.array([*(units.get(name, 1.0) for name in self._snapshot.factor_ids), 1.0])
        unit[:-1][self.is_ratio] = 1.0
        self._value: FloatArray = pc.fill_null(table.column("value"), np.nan).to_numpy() / unit[self._factor]
        says = ~np.isnan(self._value) | unread
        self._blank = undated & nameless & ~says
        self._later = ~undated & (self._day > self._snapshot.as_of)
        self._undated = undated & ~self._blank
        self._nameless = nameless & ~self._blank & ~self._later
        dated = ~undated & ~self._later
        self.dates = np.unique(self._day[dated])
        self._date = np.searchsorted(self.dates, np.where(dated, self._day, 0))
        self._mine = dated & ~nameless & (self._factor >= 0) & says
        self._foreign = ~nameless & (self._factor < 0)

    # -- what is wrong

    def _bad_cells(self, unread: Mask) -> Mask:
        """bool[n], rows whose value cannot be."""
        mine, value, factor = self._mine, self._value, self._factor
        low, is_log, positive = mine & (value <= 0.0), self.is_log[factor], self._positive[factor]
        clash, twice = self._repeated()
        cells: tuple[tuple[str, str, Mask, str], ...] = (
            ("value", "not finite", mine & np.isinf(value), "a value is infinite"),
            ("value", "unreadable", mine & unread, "a value cannot be read"),
            ("value", "not positive", low & positive, "a price or a volatility is zero or negative"),
            ("value", "not positive", low & is_log & ~positive, f"a value {_NO_RATIO}"),
            ("value", "not positive", mine & self.is_relative[factor] & (value == 0.0), f"a value {_NO_RATIO}"),
            ("factor", "duplicate", clash, "a factor has different values on a date"),
        )
        bad = np.zeros(len(mine), np.bool_)
        for column, rule, mask, message in cells:
            bad |= mask
            self._tell(Level.ERROR, column, rule, mask, f"{message}, first on {_FIRST}; {NO_MOVE}")
        blank = "a row is blank"
        later = f"days after as_of ({date_of(self._snapshot.as_of)}) are not used, the first of them {_FIRST}"
        again = f"a factor has the same value on a date twice, first on {_FIRST}"
        undated = "a row has no date: where the factor has no value, it is unknown"
        nameless = "a row has no factor: the factors that have no value on its date are unknown there"
        rows: tuple[tuple[Level, str, str, Mask, str], ...] = (
            (Level.WARNING, "factor", "duplicate", twice, again),
            (Level.WARNING, "date", "blank", self._blank, blank),
            (Level.WARNING, "date", "after as_of", self._later, later),
            (Level.ERROR, "date", "null", self._undated, undated),
            (Level.ERROR, "factor", "null", self._nameless, nameless),
        )
        for level, column, rule, mask, message in rows:
            self._tell(level, column, rule, mask, message)
        return bad

    def _tell(self, level: Level, column: str, rule: str, mask: Mask, message: str) -> None:
        found = np.flatnonzero(mask)
        if not len(found):
            return
        ids = self._ids.take(pa.array(found)).to_pylist()
        labels = [factor or f"row {k}" for factor, k in zip(ids, found, strict=True)]
        message = message.replace(_FIRST, date_of(int(self._day[found].min())).isoformat())
        self.faults.append(fault(level, column, rule, labels, message))

    def _repeated(self) -> tuple[Mask, Mask]:
        """Rows of a factor that has different values on their date; rows that say again what another said."""
        rows = np.flatnonzero(self._mine)
        key = self._date[rows] * len(self._snapshot) + self._factor[rows]
        clash, twice = np.zeros(len(self._mine), np.bool_), np.zeros(len(self._mine), np.bool_)
        seen = np.zeros(len(self.dates) * len(self._snapshot), np.bool_)
        seen[key] = True
        if np.count_nonzero(seen) == len(key):  # as in every good history, which need not be sorted then
            return clash, twice
        order = np.lexsort((self._value[rows], key))
        sorted_key, sorted_value = key[order], self._value[rows][order]
        again = np.zeros(len(rows), np.bool_)
        again[1:] = sorted_key[1:] == sorted_key[:-1]
        differs = again.copy()
        differs[1:] &= sorted_value[1:] != sorted_value[:-1]
        twice[rows[order[again]]] = True
        clash[rows] = np.isin(key, sorted_key[differs])
        return clash, twice & ~clash

    # -- what is known

    def _pivot(self, bad: Mask) -> None:
        shape = len(self.dates), len(self._snapshot)
        self.levels, self.unknown = np.full(shape, np.nan), np.zeros(shape, np.bool_)
        good = self._mine & ~bad
        self.levels[self._date[good], self._factor[good]] = self._value[good]
        bad = bad & self._mine
        self.unknown[self._date[bad], self._factor[bad]] = True

    def _doubts(self) -> None:
        """What rows without a date or a factor may have been; factors of today that have no ratio."""
        absent = np.isnan(self.levels)
        ever = ~absent.all(axis=0)
        lost = np.unique(self._factor[self._undated & (self._factor >= 0)])
        self.unknown[:, lost] |= absent[:, lost]
        dates = np.unique(self._date[self._nameless & ~self._undated])
        self.unknown[dates] |= absent[dates] & ever
        stuck = np.flatnonzero(self.is_log & (self._snapshot.x0 <= 0.0) & ever)
        self.unknown[:, stuck] = True
        if len(stuck):
            ids = [self._snapshot.factor_ids[k] for k in stuck]
            message = f"today's value {_NO_RATIO}; until then what depends on it has no historical P&L (NUMERICAL)"
            self.faults.append(fault(Level.ERROR, "value", "not positive", ids, message))

    def foreign(self) -> Iterator[str]:
        """Factors that today's market does not have."""
        if self._foreign.any():
            yield from pc.unique(self._ids.filter(pa.array(self._foreign))).to_pylist()
