"""Single-barrier options on anything with a spot, a forward and a volatility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Barriers
from riskpipe.kernels.barrier import barrier_options
from riskpipe.kernels.dividend_barrier import barriers_with_dividends
from riskpipe.products.base import Column, Prepared
from riskpipe.products.payouts import TradePayouts
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import VanillaOptions

BARRIER_TYPES = ("up_in", "up_out", "down_in", "down_out")
BARRIER_COLUMNS = (
    Column("barrier_type", "string", "side of the barrier, and whether it brings in or out", choices=BARRIER_TYPES),
    Column("barrier", "number", "level of the spot, watched continuously", rule="positive"),
    Column(
        "rebate", "number", "a unit; for out paid when the barrier is reached, for in with the option if it never is"
    ),
    Column(
        "knocked", "boolean", "the barrier was reached before today, and any rebate paid", required=False, observed=True
    ),
)
# Measured: a term or three, and some rebates.
BARRIER_WEIGHT = 2.0


@dataclass(frozen=True)
class BarrierOptions(Prepared):
    """n barrier options.

    :param vanilla: what they are without the barrier.
    :param barrier, rebate: float64[n]; `eta` float64[n], +1 for down and -1 for up.
    :param is_in, knocked: bool[n].
    :param weight: float64[n, 4], of Haug's terms A, B, C and D.
    :param payouts: discrete dividends until expiry.
    """

    vanilla: VanillaOptions
    spot: TradeNodes
    barrier: FloatArray
    rebate: FloatArray
    eta: FloatArray
    is_in: NDArray[np.bool_]
    knocked: NDArray[np.bool_]
    weight: FloatArray
    payouts: TradePayouts

    @property
    def terms(self) -> Barriers:
        return self.barrier, self.rebate, self.eta, self.is_in, self.knocked, self.weight

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        paying = self.payouts.has_any[rows]
        if not paying.any():
            return self._without_dividends(rows, x)
        out = np.empty((len(rows), x.shape[1]))
        out[paying] = self._with_dividends(rows[paying], x)
        if not paying.all():
            out[~paying] = self._without_dividends(rows[~paying], x)
        return out

    def _without_dividends(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        market = vanilla.market.under(rows, x)
        barrier_options(rows, self.spot.under(rows, x), *market, vanilla.terms, self.terms, out)
        return out

    def _with_dividends(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        market, payouts = vanilla.market.under(rows, x), self.payouts.under(rows, x)
        barriers_with_dividends(rows, self.spot.under(rows, x), *market, vanilla.terms, self.terms, payouts, out)
        return out

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.vanilla.why_not(rows, x)


def prepare_barriers(
    trades: Trades, vanilla: VanillaOptions, spot: TradeNodes, payouts: TradePayouts
) -> BarrierOptions:
    """Options with the columns `BARRIER_COLUMNS`.

    :param spot: that barriers are watched on. :param payouts: discrete dividends until expiry.
    """
    down = trades.is_one("barrier_type", "down_in") | trades.is_one("barrier_type", "down_out")
    is_in = trades.is_one("barrier_type", "down_in") | trades.is_one("barrier_type", "up_in")
    barrier = trades.numbers("barrier")
    weight = _knock_in_weight(down, vanilla.sign > 0.0, vanilla.strike > barrier)
    weight[~is_in] = np.array([1.0, 0.0, 0.0, 0.0]) - weight[~is_in]
    return BarrierOptions(
        vanilla=vanilla,
        spot=spot,
        barrier=barrier,
        rebate=trades.numbers("rebate"),
        eta=np.where(down, 1.0, -1.0),
        is_in=is_in,
        knocked=trades.flags("knocked"),
        weight=weight,
        payouts=payouts,
    )


def _knock_in_weight(down: NDArray[np.bool_], call: NDArray[np.bool_], strike_above: NDArray[np.bool_]) -> FloatArray:
    """How A, B, C and D add up to a knock-in option, float64[n, 4]: Haug (2007), page 153.

    Whether paths that end in the money must have crossed the barrier (A), cannot have but by crossing back (C), or
    have partly (the sums of three) depends on where the strike lies from the barrier.
    """
    a, c = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])
    direct, reflected = np.array([1.0, -1.0, 0.0, 1.0]), np.array([0.0, 1.0, -1.0, 1.0])
    above = np.where(call[:, None], np.where(down[:, None], c, a), np.where(down[:, None], reflected, direct))
    below = np.where(call[:, None], np.where(down[:, None], direct, reflected), np.where(down[:, None], a, c))
    return np.where(strike_above[:, None], above, below)
