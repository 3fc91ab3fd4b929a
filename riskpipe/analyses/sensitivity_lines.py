"""What an earlier day's sensitivities say of the P&L since: each times the move of its factor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.analyses.analysis import Day
from riskpipe.analyses.explained_trades import TRANSLATION, Rates, TradeLines, Trades
from riskpipe.arrays import FloatArray
from riskpipe.market.explain_steps import CARRY
from riskpipe.market.factors import RISK_CLASSES, RiskClass
from riskpipe.market.model import MarketModel
from riskpipe.market.risk_classes import RiskClasses

# What measures by point have: where a day has them, measures of whole curves and surfaces say the same less well.
_OF_CURVES, _OF_SURFACES = ("dv01", "cs01"), ("vega",)


class Moves:
    """Moves of factors between two markets, by what sensitivities call them."""

    def __init__(self, before: MarketModel, after: MarketModel, chosen: Mapping[str, RiskClass]) -> None:
        today, earlier = after.snapshot, before.snapshot
        place = np.array([earlier.factor_index(factor) for factor in today.factor_ids], np.int64)
        level = earlier.x0[np.maximum(place, 0)] if len(earlier) else np.zeros(len(place))
        self._move = np.where(place >= 0, today.x0 - level, np.nan)
        self._today = today
        classes = RiskClasses(today, after.conventions, chosen)
        self._class_of_factor = np.empty(len(today), object)
        for risk_class in RISK_CLASSES:
            self._class_of_factor[classes.members(risk_class)] = risk_class

    @cached_property
    def _by_label(self) -> dict[str, NDArray[np.int64]]:
        groups = {f"{g.kind}:{g.name}": np.arange(g.start, g.stop) for g in self._today.groups}
        return {**groups, **{factor: np.array([k]) for k, factor in enumerate(self._today.factor_ids)}}

    @cached_property
    def _curves_of(self) -> dict[str, NDArray[np.int64]]:
        found: dict[str, list[NDArray[np.int64]]] = {}
        for group in self._today.groups:
            if group.kind == "zero_rate":
                found.setdefault(group.currency or group.name, []).append(np.arange(group.start, group.stop))
        return {currency: np.concatenate(parts) for currency, parts in found.items()}

    def of(self, measure: str, label: str) -> tuple[RiskClass | None, float]:
        """The factor's class and its move, the mean of those of a curve's or a surface's points; none of what a market
        lacks."""
        rows = self._curves_of.get(label.partition(":")[2]) if measure == "dv01" else self._by_label.get(label)
        if rows is None:
            return None, 0.0
        moves = self._move[rows][np.isfinite(self._move[rows])]
        return self._class_of_factor[rows[0]], float(moves.mean()) if len(moves) else 0.0


def sensitivity_lines(
    day: Day, previous: Day, trades: Trades, found: TradeLines, rates: Rates
) -> dict[str, FloatArray]:
    """float64[n] by line, zero where a trade has none; nothing where the earlier day has no sensitivities."""
    lines: dict[str, FloatArray] = {}
    theta = previous.table("valuations", ["book", "trade_id", "value_base"], _is_theta)
    if len(theta):
        at, value = trades.at(theta), pc.fill_null(theta["value_base"], 0.0).to_numpy()
        days = (day.as_of - previous.as_of).days
        lines[CARRY] = np.zeros(len(trades))
        np.add.at(lines[CARRY], at[at >= 0], days * value[at >= 0])
        lines[CARRY] -= found.cash
    moves = Moves(previous.market(), day.market(), day.terms.classes)
    by_point = _measures(previous) & {"bucketed_delta", "bucketed_vega"}
    left_out = (
        *(_OF_CURVES if "bucketed_delta" in by_point else ()),
        *(_OF_SURFACES if "bucketed_vega" in by_point else ()),
    )
    for piece in previous.read("sensitivities"):
        for risk_class, at, value in _products(piece, trades, moves, left_out, "bucketed_delta" in by_point):
            np.add.at(lines.setdefault(risk_class, np.zeros(len(trades))), at, value)
    if lines:
        lines[TRANSLATION] = np.nan_to_num(trades.before) * (rates.grown(trades.currency) - 1.0)
    return {name: np.where(found.kept, value, 0.0) for name, value in lines.items()}


def _is_theta(rows: pa.Table) -> pa.Array:
    return pc.and_(pc.equal(rows["measure"], "theta"), pc.is_valid(rows["value_base"]))


def _measures(previous: Day) -> set[str]:
    found: set[str] = set()
    for piece in previous.read("sensitivities"):
        found |= set(pc.unique(piece["measure"]).to_pylist())
    return found


def _products(
    piece: pa.Table, trades: Trades, moves: Moves, left_out: tuple[str, ...], by_point: bool
) -> Iterator[tuple[RiskClass, NDArray[np.int64], FloatArray]]:
    """Class, positions of trades and what their sensitivities come to, of each factor and measure of some rows."""
    rows = piece.filter(pc.is_valid(piece["value_base"]))
    at, value, shift = trades.at(rows), rows["value_base"].to_numpy(), pc.fill_null(rows["shift"], 1.0).to_numpy()
    names = pc.binary_join_element_wise(rows["measure"], rows["factor"], "\0").combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names.dictionary) + 1))
    for k, name in enumerate(names.dictionary.to_pylist()):
        measure, _, label = name.partition("\0")
        risk_class, move = moves.of(measure, label)
        own = order[bounds[k] : bounds[k + 1]]
        own = own[at[own] >= 0]
        if risk_class is None or measure in left_out or not _counts(measure, label, by_point):
            continue
        yield risk_class, at[own], _taylor(measure, value[own], move, shift[own])


def _counts(measure: str, label: str, by_point: bool) -> bool:
    """Prices that are points of a curve count once, and spots by their delta."""
    if measure == "bucketed_delta":
        return not label.startswith("spot:")
    if measure == "delta":
        return not (by_point and label.startswith("forward_price:"))
    return measure in ("gamma", "dv01", "cs01", "vega", "bucketed_vega")


def _taylor(measure: str, value: FloatArray, move: float, shift: FloatArray) -> FloatArray:
    if measure == "delta":
        return value * move
    if measure == "gamma":
        return 0.5 * value * move * move
    return value * (move / shift)
