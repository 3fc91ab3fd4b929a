"""Swap of the realised variance of an equity against a fixed one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.variance_swap import variance_swaps
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes, ForwardNodes, VarianceNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.lognormal import negative_forwards
from riskpipe.products.nodes import evaluate_used
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies
from riskpipe.products.vanilla import BLACK_VOLATILITY, underlying_needs

# Strikes reach so many deviations, and so far in any case, to either side of today's forward; in panels of a deviation
# with eight points of Gauss-Legendre quadrature each. Where a spot moves by more than a third the strip becomes short.
_DEVIATIONS, _REACH, _NARROWEST, _WIDEST, _POINTS = 8.0, 0.5, 0.02, 5.0, 8
# Measured, a leg: some two hundred options.
_WEIGHT = 100.0


class VarianceSwap(Product):
    """Pays vega_notional / (2 strike_vol), in vol points, times realised variance less strike_vol squared.

    The variance to come is that of a strip of options over the surface (Demeterfi, Derman, Kamal and Zou 1999), between
    a later start and expiry the difference of two; what is realised is given. Variances count by calendar time,
    ACT/365F, and are paid on the expiry date.
    """

    name = "variance_swap"
    version = 1
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
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, expiry = trades.days("start_date"), trades.days("expiry_date")
        unknown = (start < as_of) & np.isnan(trades.numbers("realised_variance"))
        return [
            *unknown_currencies(trades, "currency"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
            *rows_fault("expiry_date", "date_order", expiry <= start, "expiry_date is not after start_date"),
            *rows_fault("realised_variance", "seasoned", unknown, "a swap that has started needs a realised_variance"),
        ]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return underlying_needs(trades, conventions)

    def weight(self, trades: Trades, as_of: int) -> NDArray[np.float64]:
        legs = 1.0 + (trades.days("start_date") > as_of)
        return np.asarray(_WEIGHT * legs)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        currency, start, expiry = trades.labels("currency"), trades.days("start_date"), trades.days("expiry_date")
        later = np.flatnonzero(start > model.as_of)
        legs = np.full((len(trades), 2), -1, np.int32)
        legs[:, 0] = np.arange(len(trades))
        legs[later, 1] = len(trades) + np.arange(len(later))
        discount, (discount_position,) = model.discount((currency.map(model.conventions.discount_curve), expiry))
        strike_vol, past_days = trades.numbers("strike_vol"), np.maximum(model.as_of - start, 0)
        realised = np.where(past_days > 0, trades.numbers("realised_variance", 0.0), 0.0)
        return _VarianceSwaps(
            legs=legs,
            strip=_strip(trades, model, np.concatenate((np.arange(len(trades)), later)), np.r_[expiry, start[later]]),
            discount=discount,
            discount_position=discount_position,
            past=realised * past_days / 365.0,
            years=(expiry - start) / 365.0,
            strike_variance=strike_vol * strike_vol,
            notional=100.0 * trades.numbers("vega_notional") / (2.0 * strike_vol),
        )


@dataclass(frozen=True)
class _Strip:
    """Options over the surface, leg by leg; the first of a leg is at its centre, with no weight."""

    forward: ForwardNodes
    forward_position: NDArray[np.int32]
    centre: NDArray[np.float64]
    offset: NDArray[np.int64]
    strike: NDArray[np.float64]
    weight: NDArray[np.float64]
    variance: VarianceNodes


def _strip(trades: Trades, model: MarketModel, trade: NDArray[np.int64], days: NDArray[np.int32]) -> _Strip:
    """:param trade, days: int64[legs], int32[legs], the trade and the end of each leg."""
    underlying = _take(trades.labels("underlying"), trade)
    forward, position = model.forwards(underlying, _take(trades.labels("currency"), trade), days)
    today = np.ascontiguousarray(model.snapshot.x0[:, None])
    centre = forward.evaluate(today)[position, 0]
    middle = model.variance(BLACK_VOLATILITY, underlying, days, centre, centre)
    deviation = np.clip(np.sqrt(middle.evaluate(today)[:, 0]), _NARROWEST, _WIDEST)
    # A market that is not finite has no price, on any strip.
    deviation = np.where(np.isnan(deviation), _WIDEST, deviation)
    panels = np.where(model.time(days) > 0.0, np.ceil((_DEVIATIONS * deviation + _REACH) / deviation), 0.0)
    sizes = 1 + 2 * _POINTS * panels.astype(np.int64)
    offset = np.concatenate(([0], np.cumsum(sizes)))
    leg = np.repeat(np.arange(len(trade)), sizes)
    within = np.arange(len(leg)) - offset[leg] - 1
    abscissa, share = np.polynomial.legendre.leggauss(_POINTS)
    panel = within // _POINTS - panels[leg]
    log_strike = deviation[leg] * (panel + 0.5 * (1.0 + abscissa[within % _POINTS]))
    first = within < 0
    strike = centre[leg] * np.exp(np.where(first, 0.0, log_strike))
    weight = np.where(first, 0.0, 0.5 * deviation[leg] * share[within % _POINTS] * strike)
    variance = model.variance(BLACK_VOLATILITY, _take(underlying, leg), days[leg], strike, centre[leg])
    return _Strip(forward, position, centre, offset, strike, weight, variance)


def _take(labels: Labels, rows: NDArray[np.int64]) -> Labels:
    return Labels(labels.codes[rows], labels.names)


@dataclass(frozen=True)
class _VarianceSwaps(Prepared):
    """:param legs: int32[n, 2], of the strip: to the expiry, and to a start that is to come."""

    legs: NDArray[np.int32]
    strip: _Strip
    discount: DiscountNodes
    discount_position: NDArray[np.int32]
    past: NDArray[np.float64]
    years: NDArray[np.float64]
    strike_variance: NDArray[np.float64]
    notional: NDArray[np.float64]

    def price(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> NDArray[np.float64]:
        strip = self.strip
        legs = self.legs[rows].ravel()
        forward, (forward_position,) = evaluate_used(strip.forward, legs[legs >= 0], x, strip.forward_position)
        discount, (discount_position,) = evaluate_used(self.discount, rows, x, self.discount_position)
        out = np.empty((len(rows), x.shape[1]))
        variance_swaps(
            rows,
            self.legs,
            forward,
            forward_position,
            discount,
            discount_position,
            strip.centre,
            strip.offset,
            strip.strike,
            strip.weight,
            strip.variance.index,
            strip.variance.strike_weight,
            strip.variance.time_weight,
            x,
            self.past,
            self.years,
            self.strike_variance,
            self.notional,
            out,
        )
        return out

    def why_not(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> list[str]:
        forward = self.strip.forward.evaluate(x)[self.strip.forward_position, 0]
        lowest = np.where(self.legs[rows] >= 0, forward[self.legs[rows]], np.inf).min(axis=1)
        return negative_forwards(lowest)
