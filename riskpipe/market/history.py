"""Historical scenarios: the one-day moves of the past, applied to today's levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.market.checks import canonical_table
from riskpipe.market.factors import MarketFault, Move, Return, date_of, fault
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import Column

Vector = NDArray[np.float64]

_NO_RATIO = "is zero or negative and has no ratio: let it move by differences (history.returns: absolute)"
HISTORY_SCHEMA = pa.schema([("date", pa.date32()), ("factor", pa.string()), ("value", pa.float64())])


def historical_columns(
    table: pa.Table,
    snapshot: MarketSnapshot,
    derived: NDArray[np.bool_] | None = None,
    returns: Mapping[str, Return] | None = None,
) -> tuple[list[Column], list[MarketFault]]:
    """One column for each date of the history after its first: the move since the date before, applied to
    today.

    Rates, hazard rates, spreads and yields move by differences, spots, forwards and volatilities by ratios, unless
    `returns` says otherwise; fixings, recoveries and correlations stay. Factors are matched by id. A factor that
    lacks a value on a date does not move on that date nor on the next one: a gap is not filled, and its move is not
    spread or lumped together.

    :param table: the market table's columns and `date`; rows in any order.
    :param derived: bool[n_factors], points that follow others: a history that lacks them lacks nothing.
    :param returns: glob over kind:name -> how these move; the last that matches wins.
    :return: (ISO date, factors, levels) in the order of dates, none if there is an error; and every fault.
    """
    canonical, faults = canonical_table(table, HISTORY_SCHEMA, tuple(HISTORY_SCHEMA.names))
    if faults:
        return [], faults
    moves, idle = _moves(snapshot, returns or {})
    rows = _Rows(canonical, snapshot, moves)
    faults += idle
    errors = list(rows.errors(snapshot))
    if errors:
        return [], faults + errors
    levels = rows.pivot()
    faults += _gaps(levels, rows, snapshot, np.zeros(len(snapshot), np.bool_) if derived is None else derived)
    columns = _columns(levels, rows, snapshot)
    sunk = list(_sunk(columns, snapshot))
    return ([] if sunk else columns), faults + sunk


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
    return moves, [fault("warning", "factor", "unknown factor", idle, message)] if idle else []


class _Rows:
    """The table as factor positions, date positions and values."""

    def __init__(self, table: pa.Table, snapshot: MarketSnapshot, moves: list[Move]) -> None:
        self.ids = table.column("factor")
        known = pc.index_in(self.ids, value_set=snapshot.factors.column("factor").combine_chunks())
        #: position in x0, -1 for factors that today's market does not have
        self.factor: NDArray[np.int64] = pc.fill_null(known, -1).to_numpy().astype(np.int64)
        days = table.column("date").cast(pa.int32())
        self.no_date: NDArray[np.bool_] = pc.is_null(days).to_numpy()
        self.day: NDArray[np.int64] = pc.fill_null(days, 0).to_numpy().astype(np.int64)
        self.dates, self.date = np.unique(self.day, return_inverse=True)
        self.value: NDArray[np.float64] = pc.fill_null(table.column("value"), np.nan).to_numpy()
        self.is_log = np.array([move == "log" for move in moves], np.bool_)
        self.is_relative = np.array([move == "relative" for move in moves], np.bool_)
        self.positive = np.array([kind.positive for kind in snapshot.kind_of_factor], np.bool_)
        self.moving = np.array([move != "none" for move in moves], np.bool_)
        self.size = len(snapshot)

    def errors(self, snapshot: MarketSnapshot) -> Iterator[MarketFault]:
        mine, is_log = self.factor >= 0, self.is_log[self.factor]
        low = mine & (self.value <= 0.0)
        key = self.date * self.size + self.factor
        key = np.where(mine, key, -1)
        order = np.argsort(key, kind="stable")
        again = np.zeros(len(key), np.bool_)
        again[order[1:]] = key[order[1:]] == key[order[:-1]]
        rules = (
            ("date", "null", self.no_date, "a row has no date"),
            ("factor", "null", pc.is_null(self.ids).to_numpy(), "a row has no factor"),
            ("date", "after as_of", self.day > snapshot.as_of, "a date is after as_of"),
            ("value", "not finite", mine & ~np.isfinite(self.value), "a value is null, NaN or infinite"),
            (
                "value",
                "not positive",
                low & self.positive[self.factor],
                "a price or a volatility is zero or negative",
            ),
            ("value", "not positive", low & is_log & ~self.positive[self.factor], f"a value {_NO_RATIO}"),
            (
                "value",
                "not positive",
                mine & is_log & (snapshot.x0[self.factor] <= 0.0),
                f"today's value {_NO_RATIO}",
            ),
            (
                "value",
                "not positive",
                mine & self.is_relative[self.factor] & (self.value == 0.0),
                f"a value {_NO_RATIO}",
            ),
            ("factor", "duplicate", mine & again, "a factor has more than one value on a date"),
        )
        for column, rule, mask, message in rules:
            found = np.flatnonzero(mask)
            if len(found):
                ids = self.ids.take(pa.array(found)).to_pylist()
                labels = [factor or f"row {k}" for factor, k in zip(ids, found, strict=True)]
                yield fault("error", column, rule, labels, message)

    def pivot(self) -> NDArray[np.float64]:
        """float64[n_dates, n_factors], NaN where there is no value."""
        levels = np.full((len(self.dates), self.size), np.nan)
        mine = self.factor >= 0
        levels[self.date[mine], self.factor[mine]] = self.value[mine]
        return levels


def _gaps(
    levels: NDArray[np.float64], rows: _Rows, snapshot: MarketSnapshot, derived: NDArray[np.bool_]
) -> Iterator[MarketFault]:
    """Warnings: what does not move, wholly or on some dates, and what is not used."""
    if len(levels) < 2:
        yield fault("warning", "date", "too short", (), "moves need two dates at least: there is no scenario")
        return
    absent = np.isnan(levels).sum(axis=0)
    never = np.flatnonzero(rows.moving & ~derived & (absent == len(levels)))
    sometimes = np.flatnonzero(rows.moving & (absent > 0) & (absent < len(levels)))
    foreign = rows.factor < 0
    if len(never):
        ids = [snapshot.factor_ids[k] for k in never]
        message = "factors of today that the history lacks: they do not move"
        yield fault("warning", "factor", "no history", ids, message)
    if len(sometimes):
        ids = [snapshot.factor_ids[k] for k in sometimes]
        message = f"values are missing on some dates ({int(absent[sometimes].sum())} in all): no move around a gap"
        yield fault("warning", "factor", "gaps", ids, message)
    if foreign.any():
        ids = pc.unique(rows.ids.filter(pa.array(foreign))).to_pylist()
        message = "factors of the history that today's market lacks: they are not used"
        yield fault("warning", "factor", "not of today", ids, message)


def _columns(levels: NDArray[np.float64], rows: _Rows, snapshot: MarketSnapshot) -> list[Column]:
    moving = np.flatnonzero(rows.moving).astype(np.int32)
    today, is_ratio = snapshot.x0[moving], (rows.is_log | rows.is_relative)[moving]
    columns: list[Column] = []
    for k in range(1, len(levels)):
        before, after = levels[k - 1, moving], levels[k, moving]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shocked = np.where(is_ratio, today * (after / before), today + (after - before))
        given = ~(np.isnan(before) | np.isnan(after))
        columns.append((date_of(int(rows.dates[k])).isoformat(), moving[given], shocked[given]))
    return columns


def _sunk(columns: list[Column], snapshot: MarketSnapshot) -> Iterator[MarketFault]:
    """Moves that lead to no level: prices and volatilities at zero or below, infinity."""
    positive = np.array([kind.positive for kind in snapshot.kind_of_factor], np.bool_)
    by_ratio = "a difference makes a price or a volatility zero or negative (history.returns: log moves it by ratios)"
    rules: tuple[tuple[str, Callable[[NDArray[np.int32], Vector], NDArray[np.bool_]], str], ...] = (
        ("not positive", lambda factor, value: positive[factor] & (value <= 0.0), by_ratio),
        ("not finite", lambda factor, value: ~np.isfinite(value), "a move makes a value infinite"),
    )
    for rule, is_bad, message in rules:
        found = [(name, k) for name, factor, value in columns for k in factor[is_bad(factor, value)]]
        if found:
            ids = [snapshot.factor_ids[k] for _, k in found]
            yield fault("error", "value", rule, ids, f"{message}, first on {found[0][0]}")
