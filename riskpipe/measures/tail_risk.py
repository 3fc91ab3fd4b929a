"""Value at risk and expected shortfall as a desk defines them, of P&L vectors in the order of time."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.measures.order_statistics import harrell_davis_weights, quantile_ranks
from riskpipe.measures.tail import rank, shortfall_of
from riskpipe.measures.tail_definition import TailDefinition

INTERVAL = 0.95
_NORMAL = 1.959963984540054


class TailFigures(Struct, frozen=True):
    """Of k vectors.

    :param value: float64[k], positive for losses.
    :param lower, upper: float64[k], of an interval of 95 %; NaN: the scenarios do not tell.
    :param scenario: int64[k], position in the vector of the scenario that is the quantile, of several days the last.
    """

    value: FloatArray
    lower: FloatArray
    upper: FloatArray
    scenario: NDArray[np.int64]


def tail_figures(pnl: FloatArray, definition: TailDefinition) -> TailFigures:
    """The figure of each vector.

    :param pnl: float64[k, n], n at least `scenarios_needed`, in the order of time, finite.
    """
    sample = _sample(pnl, definition)
    ascending, place = sample.ascending, sample.place
    at_quantile = np.take_along_axis(ascending, place[:, None], 1)[:, 0]
    if definition.kind == "es":
        value = _shortfall(sample, definition)
        spread = _spread_of_shortfall(sample, at_quantile, definition)
        lower, upper = value - spread, value + spread
    else:
        value = at_quantile
        if definition.quantile == "harrell_davis":
            weights = harrell_davis_weights(ascending.shape[1], definition.confidence)
            value = np.sum(weights * ascending, axis=1)
        lower, upper = _interval(sample, definition)
    scale = math.sqrt(definition.horizon_days) if definition.horizon == "square_root" else 1.0
    scenario = np.take_along_axis(sample.order, place[:, None], 1)[:, 0] + sample.first + definition.sums - 1
    return TailFigures(value * scale, lower * scale, upper * scale, scenario)


def tail_weights(pnl: FloatArray, definition: TailDefinition) -> FloatArray:
    """How much of each scenario's loss the figure of each vector is: value = sum of weight x loss, float64[k, n].

    The figure is homogeneous of degree one in the P&L, so that the same weights on the losses of its parts are Euler's
    allocation (Tasche, Risk contributions and performance measurement, 1999): they add up to it. For `volatility` the
    scales are those of the whole.
    """
    sample = _sample(pnl, definition)
    k, n = sample.ascending.shape
    place = sample.place[:, None]
    if definition.kind == "es":
        share = np.full((k, n), 1.0 / n) if sample.weights is None else sample.weights
        beyond = np.arange(n) > place
        ordered = np.where(beyond, share, 0.0) / (1.0 - definition.confidence)
        np.put_along_axis(ordered, place, 1.0 - np.sum(ordered, axis=1, keepdims=True), 1)
    elif definition.quantile == "harrell_davis":
        ordered = np.tile(harrell_davis_weights(n, definition.confidence), (k, 1))
    else:
        ordered = np.where(np.arange(n) == place, 1.0, 0.0)
    moves = np.empty((k, n))
    np.put_along_axis(moves, sample.order, ordered, 1)
    if sample.scale is not None:
        moves *= sample.scale
    if definition.horizon == "square_root":
        moves *= math.sqrt(definition.horizon_days)
    weights = np.zeros(pnl.shape)
    for day in range(definition.sums):
        weights[:, sample.first + day : sample.first + day + n] += moves
    return weights


class _Sample(Struct, frozen=True):
    """Losses of k vectors over a definition's window and horizon, n of each.

    :param first: the first scenario of the window. :param scale: float64[k, n], of P&Ls to today's volatility.
    :param ascending: float64[k, n]; `order` int64[k, n], the scenario of each within the window.
    :param weights: float64[k, n], of `ascending`; None: equal.
    :param place: int64[k], of the quantile. :param effective: how many independent scenarios they are worth.
    """

    first: int
    scale: FloatArray | None
    ascending: FloatArray
    order: NDArray[np.int64]
    weights: FloatArray | None
    place: NDArray[np.int64]
    effective: int


def _sample(pnl: FloatArray, definition: TailDefinition) -> _Sample:
    first = 0 if definition.window is None else pnl.shape[1] - definition.window
    moves = _over_days(pnl[:, first:], definition.sums)
    scale = None
    if definition.weighting == "volatility":
        scale = _to_todays_volatility(moves, definition.decay or 0.94)
        moves = moves * scale
    order = np.argsort(-moves, axis=1, kind="stable")
    ascending, n = -np.take_along_axis(moves, order, 1), moves.shape[1]
    weights, worth = None, float(n)
    if definition.weighting == "age":
        by_age = np.power(definition.decay or 0.98, np.arange(n - 1, -1, -1, dtype=np.float64))
        by_age /= math.fsum(by_age)
        weights, worth = by_age[order], 1.0 / math.fsum(by_age**2)
    # Of scenarios that share days, or that weigh differently, only so many are worth one each.
    effective = max(int(worth / definition.sums + 1e-9), 1)
    place = _places(ascending.shape, weights, definition.confidence)
    return _Sample(first, scale, ascending, order, weights, place, effective)


def _places(shape: tuple[int, int], weights: FloatArray | None, probability: float) -> NDArray[np.int64]:
    """Places of the smallest losses that so much of the scenarios is not beyond, int64[k]."""
    k, n = shape
    if weights is None:
        return np.full(k, rank(n, probability) - 1)
    reached = np.cumsum(weights, axis=1) >= probability - 1e-12
    return np.where(reached.any(axis=1), reached.argmax(axis=1), n - 1)


def _over_days(pnl: FloatArray, days: int) -> FloatArray:
    """Sums of so many columns that follow each other, float64[k, n - days + 1]."""
    if days == 1:
        return pnl
    sums: FloatArray = np.lib.stride_tricks.sliding_window_view(pnl, days, axis=1).sum(axis=2)
    return sums


def _to_todays_volatility(pnl: FloatArray, decay: float) -> FloatArray:
    """The volatility after the last P&L over that before each, float64[k, n]."""
    variance = np.empty((pnl.shape[0], pnl.shape[1] + 1))
    variance[:, 0] = np.mean(pnl**2, axis=1)
    for day in range(pnl.shape[1]):
        variance[:, day + 1] = decay * variance[:, day] + (1.0 - decay) * pnl[:, day] ** 2
    before, after = np.sqrt(variance[:, :-1]), np.sqrt(variance[:, -1:])
    return np.divide(after, before, out=np.ones_like(pnl), where=before > 0.0)


def _interval(sample: _Sample, definition: TailDefinition) -> tuple[FloatArray, FloatArray]:
    """Order statistics between which the quantile lies."""
    unknown = np.full(len(sample.ascending), np.nan)
    ends = []
    for end in quantile_ranks(sample.effective, definition.confidence, INTERVAL):
        if 1 <= end <= sample.effective:
            place = _places(sample.ascending.shape, sample.weights, end / sample.effective)
            ends.append(np.take_along_axis(sample.ascending, place[:, None], 1)[:, 0])
        else:
            ends.append(unknown)
    return ends[0], ends[1]


def _shortfall(sample: _Sample, definition: TailDefinition) -> FloatArray:
    if sample.weights is None:
        return np.array([shortfall_of(losses, definition.confidence) for losses in sample.ascending])
    tail, found = 1.0 - definition.confidence, []
    for losses, weights, place in zip(sample.ascending, sample.weights, sample.place.tolist(), strict=True):
        beyond = weights[place + 1 :]
        at_quantile = (tail - math.fsum(beyond)) * losses[place]
        found.append((math.fsum(beyond * losses[place + 1 :]) + at_quantile) / tail)
    return np.array(found, np.float64)


def _spread_of_shortfall(sample: _Sample, at_quantile: FloatArray, definition: TailDefinition) -> FloatArray:
    """Half of an interval of 95 %: Brazauskas, Jones, Puri and Zitikis (2008).

    The estimate's variance is that of the excess over the quantile / (1 - c)^2, over the number of scenarios.
    """
    excess = np.maximum(sample.ascending - at_quantile[:, None], 0.0)
    share = np.full(excess.shape, 1.0 / excess.shape[1]) if sample.weights is None else sample.weights
    mean, square = np.sum(share * excess, axis=1), np.sum(share * excess**2, axis=1)
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0)) / (1.0 - definition.confidence)
    spread: FloatArray = _NORMAL * deviation / math.sqrt(sample.effective)
    return spread
