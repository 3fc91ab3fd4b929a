"""A book's figure of the tail taken apart: its scenario, the trades that make it, the moves of the market behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import UsageError
from riskpipe.measures.measure_names import WHOLE_RISK
from riskpipe.measures.tail_definition import TailDefinition
from riskpipe.measures.tail_risk import tail_weights
from riskpipe.products.base import Prepared, Product
from riskpipe.products.trades import Trades
from riskpipe.results.find import Results
from riskpipe.results.priced_trades import SomeTrades, TradesOfRun
from riskpipe.store.parquet import open_parquet
from riskpipe.valuation.context import Context
from riskpipe.valuation.isolate import isolate
from riskpipe.valuation.part import Part
from riskpipe.valuation.price import value_columns

MEASURE = "historical_var"
MOST_SCENARIOS = 64
NEIGHBOURS = 3
MOST_TRADES = 5_000
_GROUPS_AT_A_TIME = 64


class FigureExplained(Struct, frozen=True):
    """:param row: as the table has it. :param scenarios: those that the figure is made of, with their losses' weights.
    :param around: losses beside the quantile, in order. :param trades: the largest parts of the figure, which add up to
        it over all of the book's trades. :param moves: factor groups moved alone under the scenario, the largest effect
        first. :param moved_trades: how many trades were repriced for them, the largest."""

    book: str
    measure: str
    row: Mapping[str, Any]
    scenario: str
    scenario_date: str | None
    scenarios: Sequence[Mapping[str, Any]]
    around: Sequence[Mapping[str, Any]]
    trades: Sequence[Mapping[str, Any]]
    trades_in_all: int
    sum_of_trades: float
    moves: Sequence[Mapping[str, Any]]
    moved_trades: int
    pnl_of_moves: float
    pnl_of_scenario: float


def rows_of_book(results: Results, table: str, book: str) -> list[dict[str, Any]]:
    """A book's rows of a table of books; none where there is no such table."""
    found: list[dict[str, Any]] = []
    for source in results.files.get(table, ()):
        with open_parquet(results.store, source.path, sha256=source.sha256) as file:
            for group in range(file.metadata.num_row_groups):
                rows = file.read_row_group(group)
                found += rows.filter(pc.equal(rows["book"], book)).to_pylist()
    return found


def vector_of(results: Results, book: str, set_name: str) -> FloatArray:
    """A book's P&L under a set. :raises UsageError: there is none."""
    for row in rows_of_book(results, "book_pnl", book):
        if (row["scenario_set"], row["risk_class"]) == (set_name, WHOLE_RISK) and row["pnl"]:
            return np.array(row["pnl"])
    raise UsageError(f"the day has no P&L vector of the book {book!r} under {set_name}")


def explain_figure(
    trades: TradesOfRun, results: Results, book: str, row: Mapping[str, Any], definition: TailDefinition
) -> FigureExplained:
    """:param row: of `aggregates` or `var`. :param definition: of the figure."""
    context, set_name = trades.context, str(row["scenario_set"])
    pnl = vector_of(results, book, set_name)
    first = context.scenarios.columns_of(set_name).start
    weights = tail_weights(pnl[None], definition)[0]
    quantile, scenarios = _scenarios(context, pnl, weights, first, definition)
    columns = np.sort(np.array([first + each["index"] for each in scenarios], np.int64))
    parts, every = _parts(trades, book, set_name, columns, weights[columns - first])
    parts.sort(key=lambda each: (-abs(each["component"]), each["trade_id"]))
    largest = {each["trade_id"] for each in parts[:MOST_TRADES]}
    moves, of_all = _moves(trades, book, largest, first + quantile)
    name, day = _named(context, first + quantile)
    return FigureExplained(
        book=book,
        measure=definition.name,
        row=row,
        scenario=name,
        scenario_date=day,
        scenarios=scenarios,
        around=_around(context, pnl, first, quantile),
        trades=parts,
        trades_in_all=every,
        sum_of_trades=float(sum(each["component"] for each in parts)),
        moves=moves,
        moved_trades=len(largest),
        pnl_of_moves=of_all,
        pnl_of_scenario=float(pnl[quantile]),
    )


def _named(context: Context, column: int) -> tuple[str, str | None]:
    name = context.scenarios.names[column].as_py()
    is_date = len(name) == 10 and name[4] == name[7] == "-"
    return name, name if is_date else None


def _scenarios(
    context: Context, pnl: FloatArray, weights: FloatArray, first: int, definition: TailDefinition
) -> tuple[int, list[dict[str, Any]]]:
    """The position of the scenario that is the quantile (the smallest loss that counts), and those that count."""
    counted = np.flatnonzero(np.abs(weights) > 1e-15)
    largest = counted[np.argsort(-np.abs(weights[counted] * pnl[counted]), kind="stable")][:MOST_SCENARIOS]
    found = [
        {"index": int(k), "scenario": _named(context, first + int(k))[0], "weight": float(weights[k]),
         "pnl": float(pnl[k]), "component": float(-weights[k] * pnl[k])}
        for k in largest
    ]  # fmt: skip
    if definition.quantile == "harrell_davis":
        quantile = int(counted[np.argmax(np.abs(weights[counted]))])
    else:
        quantile = int(counted[np.argmax(pnl[counted])])
    return quantile, found


def _around(context: Context, pnl: FloatArray, first: int, quantile: int) -> list[dict[str, Any]]:
    """Order statistics of the loss beside the quantile; rank 1 is the largest loss."""
    order = np.argsort(pnl, kind="stable")
    place = int(np.flatnonzero(order == quantile)[0])
    near = range(max(place - NEIGHBOURS, 0), min(place + NEIGHBOURS + 1, len(order)))
    return [
        {"rank": k + 1, "scenario": _named(context, first + int(order[k]))[0], "loss": float(-pnl[order[k]])}
        for k in near
    ]


def _parts(
    trades: TradesOfRun, book: str, set_name: str, columns: NDArray[np.int64], weights: FloatArray
) -> tuple[list[dict[str, Any]], int]:
    """What each trade of the book adds to the figure; and how many trades there are."""
    found: list[dict[str, Any]] = []
    every = 0
    for some in trades.of_book(book):
        every += len(some.trades)
        good = _priced(trades.context, some)
        product = trades.product(some.block.product)

        def valued(few: Trades, product: Product = product) -> Part:
            return value_columns(trades.context, product, few, set_name, columns)

        for part in isolate(good, valued):
            if set_name not in part.pnl:
                continue
            pnl = part.pnl[set_name]
            has = np.isfinite(pnl).all(axis=1)
            names, books = part.trades.trade_ids.to_pylist(), part.trades.table["book"].to_pylist()
            for k in np.flatnonzero(has).tolist():
                component = float(-(pnl[k] * weights).sum())
                if component != 0.0:
                    row = {"trade_id": names[k], "book": books[k], "product": product.name, "component": component}
                    found.append(row)
    return found, every


def _priced(context: Context, some: SomeTrades) -> Trades:
    """Without those in quarantine."""
    known = context.quarantined(some.block)
    good = [k for k, row in enumerate(some.rows.tolist()) if row not in known]
    return some.trades if len(good) == len(some.rows) else some.trades.take(np.array(good, np.int64))


def _moves(trades: TradesOfRun, book: str, wanted: set[str], column: int) -> tuple[list[dict[str, Any]], float]:
    """What some trades gain when each group of factors moves alone, in the base currency; and when all move."""
    context = trades.context
    snapshot = context.snapshot
    base, moved = snapshot.x0, context.scenarios.levels(snapshot.x0, np.array([column]))[:, 0]
    touched = np.unique(snapshot.group_of_factor[np.flatnonzero(moved != base)])
    effects, whole = np.zeros(len(touched)), 0.0
    for some in trades.of_book(book):
        good = _priced(context, some)
        mine = [k for k, name in enumerate(good.trade_ids.to_pylist()) if name in wanted]
        if mine:
            few = SomeTrades(some.block, good.take(np.array(mine, np.int64)), some.rows[:0])
            gained = _gains(context, few, _alone(base, moved, touched, snapshot.group_of_factor))
            effects += gained[:-1]
            whole += gained[-1]
    rows = []
    for k in np.argsort(-np.abs(effects), kind="stable").tolist():
        group = snapshot.groups[touched[k]]
        points = slice(group.start, group.stop)
        shifts = moved[points] - base[points]
        most = int(np.argmax(np.abs(shifts)))
        if effects[k] != 0.0:
            rows.append(
                {"factors": f"{group.kind}:{group.name}", "points": int((shifts != 0.0).sum()),
                 "largest": snapshot.factor_ids[group.start + most], "from": float(base[group.start + most]),
                 "to": float(moved[group.start + most]), "effect": float(effects[k])}
            )  # fmt: skip
    return rows, whole


def _alone(
    base: FloatArray, moved: FloatArray, groups: NDArray[np.integer], group_of: NDArray[np.int32]
) -> list[FloatArray]:
    """Levels under each group's move alone, and last under all of them, in columns, a tile at a time."""
    tiles = []
    for start in range(0, len(groups) + 1, _GROUPS_AT_A_TIME):
        some = groups[start : start + _GROUPS_AT_A_TIME]
        last = start + _GROUPS_AT_A_TIME > len(groups)
        x = np.repeat(base[:, None], len(some) + last, axis=1)
        for k, group in enumerate(some.tolist()):
            mine = group_of == group
            x[mine, k] = moved[mine]
        if last:
            x[:, -1] = moved
        tiles.append(x)
    return tiles


def _gains(context: Context, some: SomeTrades, tiles: Sequence[FloatArray]) -> FloatArray:
    """float64[columns], in the base currency, summed over the trades that have values."""
    product, model = context.products[some.block.product], context.model()
    prepared = product.prepare(some.trades, model)
    currency = product.currency(some.trades)
    into = context.spec.conventions.base_currency
    fx, position = model.fx(currency, currency.map(lambda _: into))
    base = np.ascontiguousarray(context.snapshot.x0[:, None])
    before = _values(prepared, len(some.trades), base)[:, 0] * fx.evaluate(base)[position, 0]
    gains = []
    for x in tiles:
        after = _values(prepared, len(some.trades), x) * fx.evaluate(x)[position]
        gains.append(np.nansum(after - before[:, None], axis=0))
    return np.concatenate(gains)


def _values(prepared: Prepared, n: int, x: FloatArray) -> FloatArray:
    return prepared.price(np.arange(n, dtype=np.int32), x)
