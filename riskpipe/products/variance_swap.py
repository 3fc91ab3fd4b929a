"""Swap of the realised variance of an equity against a fixed one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.variance_swap import variance_swaps
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import VarianceNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared, RowFaults
from riskpipe.products.lognormal import negative_forwards, or_overpaid
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault
from riskpipe.products.vanilla import BLACK_VOLATILITY, UnderlyingOption

# Panels of quadrature end at the strikes of the smile. Around today's forward they are at most a deviation wide in the
# logarithm of the strike, from ten deviations on a tenth of the distance: there they matter where spots are shocked.
_NARROWEST, _WIDEST, _NEAR = 0.002, 5.0, 10.0
# Widths, in these units, up to which a panel has so many points of Gauss-Legendre quadrature; the widest have the last.
_ORDERS = ((0.03, 2), (0.125, 4), (math.inf, 8))
# So many deviations and more below today's forward strikes end where a smile has points at or below zero.
_DEVIATIONS, _REACH = 8.0, 0.5
# Measured, a leg over a smile: some hundred options.
_WEIGHT = 100.0


class VarianceSwap(UnderlyingOption):
    """Pays vega_notional / (2 strike_vol), in vol points, times realised variance less strike_vol squared.

    The variance to come is that of a strip of options over the surface (Demeterfi, Derman, Kamal and Zou 1999), between
    a later start and expiry the difference of two; what is realised is given. Variances count by calendar time,
    ACT/365F, and are paid on the expiry date.
    """

    name = "variance_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying and of the notional"),
        Column("vega_notional", "number", "for one vol point (0.01) above the strike; negative: pays the variance"),
        Column("strike_vol", "number", "decimal a year", rule="positive"),
        Column("start_date", "date", "when the variance begins to count"),
        Column("expiry_date", "date", "when it ceases to count, and is paid"),
        Column(
            "realised_variance",
            "number",
            "a year, from the start until today; needed once it has started",
            required=False,
            rule="nonnegative",
            observed=True,
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, expiry = trades.days("start_date"), trades.days("expiry_date")
        unknown = (start < as_of) & np.isnan(trades.numbers("realised_variance"))
        return [
            *super().validate(trades, as_of),
            *rows_fault("expiry_date", "date_order", expiry <= start, "expiry_date is not after start_date"),
            *rows_fault("realised_variance", "seasoned", unknown, "a swap that has started needs a realised_variance"),
        ]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        legs = 1.0 + (trades.days("start_date") > as_of)
        return np.asarray(_WEIGHT * legs)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        currency, start, expiry = trades.labels("currency"), trades.days("start_date"), trades.days("expiry_date")
        later = np.flatnonzero(start > model.as_of)
        legs = np.full((len(trades), 2), -1, np.int32)
        legs[:, 0] = np.arange(len(trades))
        legs[later, 1] = len(trades) + np.arange(len(later))
        discount, (position,) = model.discount((currency.map(model.conventions.discount_curve), expiry))
        strike_vol, past_days = trades.numbers("strike_vol"), np.maximum(model.as_of - start, 0)
        realised = np.where(past_days > 0, trades.numbers("realised_variance", 0.0), 0.0)
        return _VarianceSwaps(
            legs=legs,
            strip=_strip(trades, model, np.concatenate((np.arange(len(trades)), later)), np.r_[expiry, start[later]]),
            discount=TradeNodes(discount, position),
            past=realised * past_days / 365.0,
            years=(expiry - start) / 365.0,
            strike_variance=strike_vol * strike_vol,
            notional=100.0 * trades.numbers("vega_notional") / (2.0 * strike_vol),
        )


class _Strip(Struct, frozen=True):
    """Options over the surface, leg by leg: first its centre, then the ends of the smile, both with no weight."""

    forward: TradeNodes
    offset: NDArray[np.int64]
    strike: FloatArray
    weight: FloatArray
    variance: VarianceNodes


def _strip(trades: Trades, model: MarketModel, trade: NDArray[np.int64], days: NDArray[np.int32]) -> _Strip:
    """:param trade, days: int64[legs], int32[legs], the trade and the end of each leg."""
    underlying = _take(trades.labels("underlying"), trade)
    forward = TradeNodes(*model.forwards(underlying, _take(trades.labels("currency"), trade), days))
    centre = forward.today(model)
    middle = model.variance(BLACK_VOLATILITY, underlying, days, centre, centre)
    deviation = np.clip(np.sqrt(middle.evaluate(model.base)[:, 0]), _NARROWEST, _WIDEST)
    # A market that is not finite has no price, on any strip.
    deviation = np.where(np.isnan(deviation), _WIDEST, deviation)
    kink, first = model.kinks(BLACK_VOLATILITY, underlying, days, centre)
    owner = np.repeat(np.arange(len(trade)), np.diff(first))
    lowest = centre * np.exp(-_DEVIATIONS * deviation - _REACH)
    kink = np.where(kink > 0.0, kink, np.where(centre > 0.0, lowest, 1.0)[owner])
    leg, strike, weight = _panels(owner, kink, centre, deviation)
    # Without time there is no variance, and no smile without kinks.
    alive = np.flatnonzero((np.diff(first) > 0) & (model.time(days) > 0.0))
    ends = np.concatenate((kink[first[alive]], kink[first[alive + 1] - 1]))
    inner = (model.time(days) > 0.0)[leg]
    parts = ((np.arange(len(trade)), centre), (np.tile(alive, 2), ends), (leg[inner], strike[inner]))
    legs, strikes = (np.concatenate([part[k] for part in parts]) for k in range(2))
    weights = np.concatenate((np.zeros(len(legs) - inner.sum()), weight[inner]))
    order = np.argsort(legs, kind="stable")
    legs, strikes, weights = legs[order], strikes[order], weights[order]
    offset = np.searchsorted(legs, np.arange(len(trade) + 1))
    variance = model.variance(BLACK_VOLATILITY, _take(underlying, legs), days[legs], strikes, centre[legs])
    return _Strip(forward, offset, strikes, weights, variance)


def _panels(
    owner: NDArray[np.int64], kink: FloatArray, centre: FloatArray, deviation: FloatArray
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Leg, strike and weight (of d strike) of every point of quadrature between the kinks of a leg.

    :param owner: int64[kinks], ascending legs; `kink`: their strikes, ascending.
    :param centre, deviation: float64[legs].
    """
    inside = np.flatnonzero(owner[1:] == owner[:-1])
    leg, unit = owner[inside], deviation[owner[inside]]
    with np.errstate(invalid="ignore"):
        low, high = (_units(np.log(kink[k] / centre[leg]), unit) for k in (inside, inside + 1))
    # Of a market that is not finite one panel will do.
    low, high = np.nan_to_num(low), np.nan_to_num(high)
    count = np.maximum(np.ceil(high - low - 1e-9), 1.0).astype(np.int64)
    piece = np.repeat(np.arange(len(inside)), count)
    within = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)
    step = ((high - low) / count)[piece]
    edge = low[piece] + step * within
    begin, end = (_logarithms(at, unit[piece]) for at in (edge, edge + step))
    found, lower = [], 0.0
    for limit, order in _ORDERS:
        abscissa, share = np.polynomial.legendre.leggauss(order)
        mine = np.flatnonzero((step > lower) & (step <= limit))
        half = 0.5 * (end[mine] - begin[mine])[:, None]
        strike = centre[leg[piece[mine]]][:, None] * np.exp(begin[mine][:, None] + half * (1.0 + abscissa))
        found.append((np.repeat(leg[piece[mine]], order), strike.ravel(), (half * share * strike).ravel()))
        lower = limit
    legs, strikes, weights = (np.concatenate(column) for column in zip(*found, strict=True))
    order_of = np.lexsort((strikes, legs))
    return legs[order_of], strikes[order_of], weights[order_of]


def _units(logarithm: FloatArray, deviation: FloatArray) -> FloatArray:
    """Panels from the centre to a strike: deviations up to `_NEAR`, and from there on ever wider ones."""
    distance = np.abs(logarithm) / deviation
    far = _NEAR * (1.0 + np.log(np.maximum(distance, _NEAR) / _NEAR))
    return np.asarray(np.sign(logarithm) * np.where(distance > _NEAR, far, distance))


def _logarithms(units: FloatArray, deviation: FloatArray) -> FloatArray:
    """The inverse of `_units`."""
    distance = np.abs(units)
    far = _NEAR * np.exp(np.maximum(distance, _NEAR) / _NEAR - 1.0)
    return np.asarray(np.sign(units) * deviation * np.where(distance > _NEAR, far, distance))


def _take(labels: Labels, rows: NDArray[np.int64]) -> Labels:
    return Labels(labels.codes[rows], labels.names)


@dataclass(frozen=True)
class _VarianceSwaps(Prepared):
    """:param legs: int32[n, 2], of the strip: to the expiry, and to a start that is to come."""

    legs: NDArray[np.int32]
    strip: _Strip
    discount: TradeNodes
    past: FloatArray
    years: FloatArray
    strike_variance: FloatArray
    notional: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        strip, legs, out = self.strip, self.legs[rows].ravel(), np.empty((len(rows), x.shape[1]))
        market = (strip.forward.under(legs[legs >= 0], x), self.discount.under(rows, x), strip.variance.under(x))
        swaps = (self.past, self.years, self.strike_variance, self.notional)
        variance_swaps(rows, self.legs, *market, (strip.offset, strip.strike, strip.weight), swaps, out)
        return out

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        forward = self.strip.forward.nodes.evaluate(x)[self.strip.forward.position, 0]
        lowest = np.where(self.legs[rows] >= 0, forward[self.legs[rows]], np.inf).min(axis=1)
        overpaid = self.strip.forward.overpaid(self.legs[rows, 0], x)
        return or_overpaid(negative_forwards(lowest), overpaid)
