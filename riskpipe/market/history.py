"""Historical scenarios: the one-day moves of the past, applied to today's levels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.checks import canonical_table
from riskpipe.market.factors import MarketFault, Move, Return, date_of, fault
from riskpipe.market.history_rows import HistoryRows
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import EMPTY, Column

TOO_SHORT = "too short"
HISTORY_SCHEMA = pa.schema([("date", pa.date32()), ("factor", pa.string()), ("value", pa.float64())])


def historical_columns(
    table: pa.Table,
    snapshot: MarketSnapshot,
    derived: NDArray[np.bool_] | None = None,
    returns: Mapping[str, Return] | None = None,
    units: Mapping[str, float] | None = None,
) -> tuple[list[Column], list[MarketFault]]:
    """One column for each date of the history after its first: the move since the date before, applied to
    today.

    Rates, hazard rates, spreads and yields move by differences, spots, forwards and volatilities by ratios, unless
    `returns` says otherwise; fixings, recoveries and correlations stay. Factors are matched by id. A factor that
    lacks a value on a date does not move on that date nor on the next one: a gap is not filled, and its move is not
    spread or lumped together. Of one whose value cannot be (`HistoryRows`) these two moves are unknown (NaN), as is a
    move to a level that cannot be. Days after as_of are not used.

    :param table: the market table's columns and `date`; rows in any order.
    :param derived: bool[n_factors], points that follow others: a history that lacks them lacks nothing.
    :param returns: glob over kind:name -> how these move; the last that matches wins.
    :param units: factor -> how many of what it is quoted in make one of its currency; the history is in the quote's.
    :return: (ISO date, factors, levels) in the order of dates, none if a column is missing or unusable, or where there
        are no two dates; and every fault.
    """
    if not table.num_rows:
        return [], [fault(Level.ERROR, "date", EMPTY, (), "the table has no rows: there is no historical scenario")]
    canonical, faults = canonical_table(table, HISTORY_SCHEMA, tuple(HISTORY_SCHEMA.names))
    if any(not f.rows for f in faults):
        return [], faults
    moves, idle = _moves(snapshot, returns or {})
    rows = HistoryRows(canonical, snapshot, moves, units or {}, _unread(table.column("value"), canonical))
    faults += idle + rows.faults
    if len(rows.dates) < 2:
        message = "moves need two dates at least: there is no historical scenario"
        return [], [*faults, fault(Level.ERROR, "date", TOO_SHORT, (), message)]
    faults += _gaps(rows, snapshot, np.zeros(len(snapshot), np.bool_) if derived is None else derived)
    columns = _columns(rows, snapshot)
    return columns, faults + list(_sunk(columns, snapshot))


def _unread(given: pa.ChunkedArray, canonical: pa.Table) -> NDArray[np.bool_]:
    """bool[n]: there is a value, which could not be read."""
    lost = pc.is_null(canonical.column("value")).to_numpy() & ~pc.is_null(given, nan_is_null=True).to_numpy()
    return np.asarray(lost, np.bool_)


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


def _gaps(rows: HistoryRows, snapshot: MarketSnapshot, derived: NDArray[np.bool_]) -> Iterator[MarketFault]:
    """Warnings: what does not move, wholly or on some dates, and what is not used."""
    absent = (np.isnan(rows.levels) & ~rows.unknown).sum(axis=0)
    never = np.flatnonzero(rows.moving & ~derived & (absent == len(rows.dates)))
    sometimes = np.flatnonzero(rows.moving & (absent > 0) & (absent < len(rows.dates)))
    foreign = list(rows.foreign())
    if len(never):
        ids = [snapshot.factor_ids[k] for k in never]
        message = "factors of today that the history lacks: they do not move"
        yield fault(Level.WARNING, "factor", "no history", ids, message)
    if len(sometimes):
        ids = [snapshot.factor_ids[k] for k in sometimes]
        message = f"values are missing on some dates ({int(absent[sometimes].sum())} in all): no move around a gap"
        yield fault(Level.WARNING, "factor", "gaps", ids, message)
    if foreign:
        message = "factors of the history that today's market lacks: they are not used"
        yield fault(Level.WARNING, "factor", "not of today", foreign, message)


def _columns(rows: HistoryRows, snapshot: MarketSnapshot) -> list[Column]:
    moving = np.flatnonzero(rows.moving).astype(np.int32)
    today, is_ratio = snapshot.x0[moving], rows.is_ratio[moving]
    columns: list[Column] = []
    for k in range(1, len(rows.dates)):
        before, after = rows.levels[k - 1, moving], rows.levels[k, moving]
        unknown = rows.unknown[k - 1, moving] | rows.unknown[k, moving]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            shocked = np.where(is_ratio, today * (after / before), today + (after - before))
        shocked[unknown] = np.nan
        given = unknown | ~(np.isnan(before) | np.isnan(after))
        columns.append((date_of(int(rows.dates[k])).isoformat(), moving[given], shocked[given]))
    return columns


def _sunk(columns: list[Column], snapshot: MarketSnapshot) -> Iterator[MarketFault]:
    """Moves that lead to no level, prices and volatilities at zero or below, infinity: the level is unknown (NaN)."""
    positive = np.array([kind.positive for kind in snapshot.kind_of_factor], np.bool_)
    by_ratio = "a difference makes a price or a volatility zero or negative (history.returns: log moves it by ratios)"
    rules: tuple[tuple[str, Callable[[NDArray[np.int32], FloatArray], NDArray[np.bool_]], str], ...] = (
        ("not positive", lambda factor, value: positive[factor] & (value <= 0.0), by_ratio),
        ("not finite", lambda factor, value: np.isinf(value), "a move makes a value infinite"),
    )
    for rule, is_bad, message in rules:
        found: list[tuple[str, int]] = []
        for name, factor, value in columns:
            bad = is_bad(factor, value)
            found += [(name, int(k)) for k in factor[bad]]
            value[bad] = np.nan
        if found:
            ids = [snapshot.factor_ids[k] for _, k in found]
            what = f"{message}, first on {found[0][0]}: what depends on it has no historical P&L (NUMERICAL)"
            yield fault(Level.ERROR, "value", rule, ids, what)
