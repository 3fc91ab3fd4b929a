"""A trade taken apart: what was read, what it pays, what its price is made of and moves with, and where its numbers are
from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from inspect import getdoc
from typing import Any

import numpy as np
import pyarrow.compute as pc
from msgspec import Struct

from riskpipe.measures.families import Bumps
from riskpipe.products.dependencies import dependencies
from riskpipe.results.find import Results
from riskpipe.results.priced_trades import SomeTrades, TradesOfRun
from riskpipe.store.table_schemas import SCHEMAS
from riskpipe.valuation.context import Context

_EPOCH = date(1970, 1, 1)
_ABSOLUTE = {"zero_rate": "rate", "par_rate": "rate", "hazard_rate": "hazard", "cds_spread": "hazard"}
_VOLATILITIES = ("black_vol", "normal_vol", "fx_vol")
_FIXINGS = ("fixing", "index_fixing")
_FIXINGS_SHOWN = 12
_COLUMNS_AT_A_TIME = 128


class TradeExplained(Struct, frozen=True):
    """:param inputs: column -> value, as read. :param file, row: of the portfolio, the row from 0.
    :param numbers: rows of `valuations`, and `sensitivities` of the measure where it has those.
    :param flows: leg, pay date, currency, amount, kind, discount factor, value; they add up to pv where a product has
        them.
    :param fixings: of the indices that its columns name, the latest that the market has.
    :param inside: what the price is made of, under the names of the product's code, levels with their dates.
    :param factors: id, level, bump, effect in the trade's currency, the largest first; those without any counted.
    """

    trade_id: str
    product: str
    model: str
    file: str
    row: int
    inputs: Mapping[str, Any]
    numbers: Sequence[Mapping[str, Any]]
    sensitivities: Sequence[Mapping[str, Any]]
    flows: Sequence[Mapping[str, Any]]
    fixings: Sequence[Mapping[str, Any]]
    inside: Sequence[Mapping[str, Any]]
    factors: Sequence[Mapping[str, Any]]
    without_effect: int


def rows_of_trade(results: Results, table: str, trade_id: str) -> list[dict[str, Any]]:
    """A trade's rows of a table."""
    names = [name for name in SCHEMAS[table].names if name not in ("as_of_date", "run_id")]
    found: list[dict[str, Any]] = []
    for rows in results.rows(table, names):
        found += rows.filter(pc.equal(rows["trade_id"], trade_id)).to_pylist()
    return found


def explain_trade(
    trades: TradesOfRun, results: Results, numbers: Sequence[Mapping[str, Any]], measure: str | None
) -> TradeExplained:
    """:param numbers: the trade's rows of `valuations`. :param measure: whose sensitivities are shown; None: of all."""
    context = trades.context
    trade_id, product = numbers[0]["trade_id"], trades.product(numbers[0]["product"])
    some = trades.one(product.name, trade_id)
    file, _, row = context.rows_of(product.name).places(some.rows)[0].rpartition("#")
    is_priced = not context.quarantined(some.block)
    base = np.ascontiguousarray(context.snapshot.x0[:, None])
    known: list[dict[str, Any]] = []
    factors: list[dict[str, Any]] = []
    quiet = 0
    if is_priced:
        prepared = product.prepare(some.trades, context.flow_model)  # in which nodes know their dates
        known = [_known(each.name, each.value, each.day) for each in prepared.inside(base)]
        factors, quiet = _factors(context, some)
    sensitivities = rows_of_trade(results, "sensitivities", trade_id)
    return TradeExplained(
        trade_id=trade_id,
        product=product.name,
        model=(getdoc(type(product)) or "").split("\n\n")[0].replace("\n", " "),
        file=file,
        row=int(row),
        inputs={k: v for k, v in some.trades.table.to_pylist()[0].items() if v is not None},
        numbers=[dict(each) for each in numbers if measure in (None, each["measure"])],
        sensitivities=[each for each in sensitivities if measure in (None, each["measure"])],
        flows=_flows(context, some) if is_priced else [],
        fixings=_fixings(context, some),
        inside=known,
        factors=factors,
        without_effect=quiet,
    )


def _known(name: str, value: float, day: int | None) -> dict[str, Any]:
    return {"name": name, "value": value, **({} if day is None else {"date": _date(day)})}


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _flows(context: Context, some: SomeTrades) -> list[dict[str, Any]]:
    product = context.products[some.block.product]
    prepared = product.prepare(some.trades, context.flow_model)
    flows = prepared.cash_flows(np.ascontiguousarray(context.snapshot.x0[:, None]).copy())
    if flows is None:
        return []
    own = product.currency(some.trades).to_list()[0]
    rows = zip(
        flows.leg.to_list(), flows.day.tolist(), flows.currency.to_list(), flows.amount.tolist(),
        flows.projected.tolist(), flows.discount.tolist(), flows.value.tolist(), strict=True,
    )  # fmt: skip
    return [
        {
            "leg": leg,
            "pay_date": None if day == some.trades.NO_DATE else _date(day),
            "currency": currency or own,
            "amount": amount,
            "kind": "projected" if projected else "known",
            "discount_factor": discount,
            "value": value,
        }
        for leg, day, currency, amount, projected, discount, value in rows
    ]


def _fixings(context: Context, some: SomeTrades) -> list[dict[str, Any]]:
    snapshot = context.snapshot
    named = {value for value in some.trades.table.to_pylist()[0].values() if isinstance(value, str)}
    found = []
    for group in snapshot.groups:
        if group.kind in _FIXINGS and group.name in named:
            points = range(max(group.stop - _FIXINGS_SHOWN, group.start), group.stop)
            found += [{"factor": snapshot.factor_ids[k], "value": float(snapshot.x0[k])} for k in points]
    return found


def _factors(context: Context, some: SomeTrades) -> tuple[list[dict[str, Any]], int]:
    """Points of the groups that the trade depends on, each bumped alone, and how many of them have no effect."""
    snapshot, product = context.snapshot, context.products[some.block.product]
    needs = dependencies(product, some.trades, context.model(), context.spec.conventions.base_currency, checked=True)
    groups = np.flatnonzero(needs.used(len(snapshot.groups)))
    points = np.concatenate([np.arange(snapshot.groups[g].start, snapshot.groups[g].stop) for g in groups])
    levels = snapshot.x0[points]
    steps = np.array([_step(context.spec.bumps, str(snapshot.kinds[k]), snapshot.x0[k]) for k in points])
    prepared, row = product.prepare(some.trades, context.model()), np.zeros(1, np.int32)
    values = np.empty(len(points))
    for start in range(0, len(points), _COLUMNS_AT_A_TIME):
        mine = points[start : start + _COLUMNS_AT_A_TIME]
        x = np.repeat(snapshot.x0[:, None], _COLUMNS_AT_A_TIME, axis=1)
        x[mine, np.arange(len(mine))] += steps[start : start + len(mine)]
        priced = prepared.price(row, x)[0]
        values[start : start + len(mine)] = priced[: len(mine)]
    today = prepared.price(row, np.repeat(snapshot.x0[:, None], _COLUMNS_AT_A_TIME, axis=1))[0, 0]
    effects = values - today
    order = np.argsort(-np.abs(np.nan_to_num(effects)), kind="stable")
    moved = [k for k in order.tolist() if effects[k] != 0.0]
    rows = [
        {
            "factor": snapshot.factor_ids[points[k]],
            "level": float(levels[k]),
            "bump": float(steps[k]),
            "effect": float(effects[k]),
        }
        for k in moved
    ]
    return rows, len(points) - len(moved)


def _step(bumps: Bumps, kind: str, level: float) -> float:
    """As bucketed sensitivities have it: a basis point, a vol point, one per cent."""
    if kind in _ABSOLUTE:
        return float(getattr(bumps, _ABSOLUTE[kind]))
    if kind in _VOLATILITIES:
        return bumps.of_volatility(kind)
    return bumps.bucketed_spot * (abs(level) or 1.0)
