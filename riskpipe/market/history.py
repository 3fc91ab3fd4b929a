"""Historical scenarios: the moves of the past, over a day or several, applied to today's levels."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.kernels.tiles import logarithms
from riskpipe.market.checks import canonical_table
from riskpipe.market.factors import SAMPLE_SIZE, MarketFault, Move, Return, date_of, fault
from riskpipe.market.history_rows import UNKNOWN, HistoryRows
from riskpipe.market.history_source import HISTORY_SCHEMA, HistorySource
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import EMPTY, Column

TOO_SHORT = "too short"
_BY_RATIO = "a difference makes a price or a volatility zero or negative (history.returns: log moves it by ratios)"
_SUNK = (
    ("not positive", _BY_RATIO),
    ("out of range", "a difference makes a dividend one that cannot be (history.returns: relative moves it by ratios)"),
    ("not finite", "a move makes a value infinite"),
)


class HistoryRules(Struct, frozen=True):
    """How a history moves today's factors.

    :param returns: glob over kind:name -> how these move; the last that matches wins.
    :param horizon_days: dates of the history that a move spans.
    :param units: factor -> how many of what it is quoted in make one of its currency; the history is in the quote's.
    :param derived: bool[n_factors], points that follow others: a history that lacks them lacks nothing. None: no such.
    """

    returns: Mapping[str, Return] = field(default_factory=dict)
    horizon_days: int = 1
    units: Mapping[str, float] = field(default_factory=dict)
    derived: NDArray[np.bool_] | None = None


class PastMoves(Struct, frozen=True):
    """All moves of a history at once, as they are applied: differences, changes in per cent, logarithms of ratios.

    :param factors: int32[n], ascending positions in x0. :param moves: float64[scenarios, n], NaN: there is none.
    :param is_log, is_relative: bool[n]; differences where neither.
    """

    factors: NDArray[np.int32]
    moves: FloatArray
    is_log: NDArray[np.bool_]
    is_relative: NDArray[np.bool_]


class HistoricalMoves:
    """One scenario for each date of the history that has one `horizon_days` dates before it: the move since then,
    applied to today. Moves over several days overlap.

    Rates, hazard rates, spreads and yields move by differences, spots, forwards and volatilities by ratios, unless
    `returns` says otherwise; fixings, recoveries and correlations stay. Factors are matched by id. A factor that
    lacks a value on a date has no move to that date nor from it: a gap is not filled, and its move is not
    spread or lumped together. Of one whose value cannot be (`HistoryRows`) these two moves are unknown (NaN), as is a
    move to a level that cannot be. Days after as_of are not used.

    :ivar faults: of the rows, once this is made; those of the moves come with the last column.
    """

    def __init__(
        self,
        source: HistorySource,
        distinct: pa.Table,
        snapshot: MarketSnapshot,
        rules: HistoryRules,
    ) -> None:
        """
        :param source: the market table's columns and `date`; rows in any order.
        :param distinct: of it (`riskpipe.market.history_source.distinct_values`).
        :raises StorageError: the rows cannot be read.
        """
        self._snapshot, self._horizon = snapshot, rules.horizon_days
        self._bounds = np.array([kind.bounds for kind in snapshot.kind_of_factor]).reshape(-1, 2)
        self._rows: HistoryRows | None = None
        self.faults: list[MarketFault] = []
        if not source.rows:
            message = "the table has no rows: there is no historical scenario"
            self.faults = [fault(Level.ERROR, "date", EMPTY, (), message)]
            return
        self.faults = canonical_table(source.schema.empty_table(), HISTORY_SCHEMA, tuple(HISTORY_SCHEMA.names))[1]
        if self.faults:
            return
        moves, idle = _moves(snapshot, rules.returns)
        rows = HistoryRows(source, distinct, snapshot, moves, rules.units)
        self.faults = [*rows.unread, *idle, *rows.faults]
        if len(rows.dates) <= self._horizon:
            least = "two dates" if self._horizon == 1 else f"{self._horizon + 1} dates"
            message = f"moves need {least} at least: there is no historical scenario"
            self.faults.append(fault(Level.ERROR, "date", TOO_SHORT, (), message))
            return
        moving = np.array([move != "none" for move in moves], np.bool_)
        self.faults += _gaps(rows, snapshot, moving if rules.derived is None else moving & ~rules.derived)
        self._rows = rows

    @property
    def dates(self) -> NDArray[np.int64]:
        """int64[n], days since 1970-01-01, ascending, of the levels that there still are; none of what is unusable."""
        return np.empty(0, np.int64) if self._rows is None else self._rows.dates

    def between(self, name: str, before: int, after: int) -> tuple[Column, list[MarketFault]]:
        """One column that moves today as the past moved between two of `dates`, whatever `horizon_days`; and what of
        it is not known. Before `columns`, which let the levels go.

        :param before, after: positions in `dates`.
        :raise ValueError: there are no levels.
        """
        if self._rows is None:
            raise ValueError("a history that cannot be used, or that has been used, has no moves")
        rows = self._rows
        start, end = (rows.levels.row(place)[rows.moving] for place in (before, after))
        sunk = [_Sunk() for _ in _SUNK]
        column = self._column(name, start, end, rows, sunk)
        faults = [each for (rule, what), found in zip(_SUNK, sunk, strict=True) for each in found.faults(rule, what)]
        lost = np.flatnonzero(np.isnan(start) ^ np.isnan(end))
        if len(lost):
            ids = [self._snapshot.factor_ids[k] for k in rows.factors[rows.moving][lost]]
            days = " or ".join(date_of(int(rows.dates[place])).isoformat() for place in (before, after))
            message = f"factors that the history has no level of on {days}: they do not move"
            faults.append(fault(Level.WARNING, "factor", "gaps", ids, message))
        return column, faults

    def matrix(self) -> PastMoves | None:
        """Moves over `horizon_days` dates, as `columns` has them, which has not been called yet. None: there are none.

        Of an infinite move, as of one that is not known, there is none.
        """
        rows = self._rows
        if rows is None:
            return None
        is_log, is_ratio = rows.is_log[rows.moving], rows.is_ratio[rows.moving]
        levels = np.concatenate([piece[:, rows.moving] for _, piece in rows.levels.pieces()])
        levels[levels == UNKNOWN] = np.nan
        before, after = levels[: -self._horizon], levels[self._horizon :]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ratio = after / before
            moves = np.where(is_ratio, ratio - 1.0, after - before)
        moves[:, is_log] = logarithms(ratio[:, is_log].ravel()).reshape(len(moves), -1)
        moves[~np.isfinite(moves)] = np.nan
        return PastMoves(rows.factors[rows.moving], moves, is_log, is_ratio & ~is_log)

    def columns(self) -> Iterator[Column]:
        """(ISO date, factors, levels) in the order of dates; none if a column is missing or unusable, or where there
        are too few dates. Once: levels are let go as they are used.
        """
        rows, self._rows = self._rows, None
        if rows is None:
            return
        sunk = [_Sunk() for _ in _SUNK]
        past: deque[FloatArray] = deque(maxlen=self._horizon)
        for day, levels in zip(rows.dates, rows.levels.drain(), strict=True):
            after = levels[rows.moving]
            if len(past) == self._horizon:
                yield self._column(date_of(int(day)).isoformat(), past[0], after, rows, sunk)
            past.append(after)
        for (rule, message), found in zip(_SUNK, sunk, strict=True):
            self.faults += found.faults(rule, message)

    def _column(self, name: str, before: FloatArray, after: FloatArray, rows: HistoryRows, sunk: list[_Sunk]) -> Column:
        factors, is_ratio = rows.factors[rows.moving], rows.is_ratio[rows.moving]
        today = self._snapshot.x0[factors]
        unknown = (before == UNKNOWN) | (after == UNKNOWN)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shocked = np.where(is_ratio, today * (after / before), today + (after - before))
        shocked[unknown] = np.nan
        given = unknown | ~(np.isnan(before) | np.isnan(after))
        factors, shocked = factors[given], shocked[given]
        positive = rows.positive[rows.moving][given]
        low, high = self._bounds[factors].T
        outside = ~positive & ((shocked < low) | (shocked > high)) & np.isfinite(shocked)
        for found, bad in zip(sunk, (positive & (shocked <= 0.0), outside, np.isinf(shocked)), strict=True):
            found.add(name, [self._snapshot.factor_ids[k] for k in factors[bad]])
            shocked[bad] = np.nan
        return name, factors, shocked


class _Sunk(Struct):
    """Moves that lead to no level, prices and volatilities at zero or below, infinity: the level is unknown (NaN)."""

    rows: int = 0
    first: str = ""
    sample: dict[str, None] = field(default_factory=dict)

    def add(self, name: str, ids: list[str]) -> None:
        if ids:
            self.rows += len(ids)
            self.first = self.first or name
            self.sample.update(dict.fromkeys(ids))

    def faults(self, rule: str, message: str) -> Iterator[MarketFault]:
        if self.rows:
            what = f"{message}, first on {self.first}: what depends on it has no historical P&L (NUMERICAL)"
            yield MarketFault(Level.ERROR, "value", rule, self.rows, tuple(self.sample)[:SAMPLE_SIZE], what)


def _moves(snapshot: MarketSnapshot, returns: Mapping[str, Return]) -> tuple[list[Move], list[MarketFault]]:
    """How each factor moves, and a warning for globs that name none that does."""
    moves: list[Move] = [kind.move for kind in snapshot.kind_of_factor]
    spread = [kind.volatility and not kind.positive for kind in snapshot.kind_of_factor]
    chosen: list[tuple[str, bool]] = []
    for glob, move in returns.items():
        hit = False
        for group in snapshot.groups:
            if fnmatchcase(f"{group.kind}:{group.name}", glob):
                for k in range(group.start, group.stop):
                    hit |= moves[k] != "none"
                    # Differences of volatilities have no ratios.
                    moves[k] = move if moves[k] != "none" and not spread[k] else moves[k]
        chosen.append((glob, hit))
    idle = [glob for glob, hit in chosen if not hit]
    message = "a glob of history.returns matches nothing of today's market that history moves"
    return moves, [fault(Level.WARNING, "factor", "unknown factor", idle, message)] if idle else []


def _gaps(rows: HistoryRows, snapshot: MarketSnapshot, due: NDArray[np.bool_]) -> Iterator[MarketFault]:
    """Warnings: what does not move, wholly or on some dates, and what is not used.

    :param due: bool[n_factors], what the history should have.
    """
    absent = np.full(len(snapshot), len(rows.dates))
    absent[rows.factors] = sum(np.isnan(piece).sum(axis=0) for _, piece in rows.levels.pieces())
    moving = np.zeros(len(snapshot), np.bool_)
    moving[rows.factors] = rows.moving
    never = np.flatnonzero(due & (absent == len(rows.dates)))
    sometimes = np.flatnonzero(moving & (absent > 0) & (absent < len(rows.dates)))
    if len(never):
        ids = [snapshot.factor_ids[k] for k in never]
        message = "factors of today that the history lacks: they do not move"
        yield fault(Level.WARNING, "factor", "no history", ids, message)
    if len(sometimes):
        ids = [snapshot.factor_ids[k] for k in sometimes]
        message = f"values are missing on some dates ({int(absent[sometimes].sum())} in all): no move around a gap"
        yield fault(Level.WARNING, "factor", "gaps", ids, message)
    if rows.foreign:
        message = "factors of the history that today's market lacks: they are not used"
        yield fault(Level.WARNING, "factor", "not of today", rows.foreign, message)
