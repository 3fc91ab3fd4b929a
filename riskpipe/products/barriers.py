"""Single-barrier options on anything with a spot, a forward and a volatility."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.barrier import barrier_options
from riskpipe.products.base import Column, Prepared
from riskpipe.products.nodes import Nodes, evaluate_used
from riskpipe.products.trades import Trades
from riskpipe.products.vanilla import VanillaOptions

BARRIER_TYPES = ("up_in", "up_out", "down_in", "down_out")
BARRIER_COLUMNS = (
    Column("barrier_type", "string", "side of the barrier, and whether it brings in or out", choices=BARRIER_TYPES),
    Column("barrier", "number", "level of the spot, watched continuously", rule="positive"),
    Column(
        "rebate", "number", "a unit; for out paid when the barrier is reached, for in with the option if it never is"
    ),
    Column("knocked", "boolean", "the barrier was reached before today, and any rebate paid", required=False),
)
# Measured: a term or three, and some rebates.
BARRIER_WEIGHT = 2.0


@dataclass(frozen=True)
class BarrierOptions(Prepared):
    """n barrier options.

    :param vanilla: what they are without the barrier.
    :param spot: nodes; `spot_position` int32[n] is each option's.
    :param barrier, rebate: float64[n]; `eta` float64[n], +1 for down and -1 for up.
    :param is_in, knocked: bool[n].
    :param weight: float64[n, 4], of Haug's terms A, B, C and D.
    """

    vanilla: VanillaOptions
    spot: Nodes
    spot_position: NDArray[np.int32]
    barrier: NDArray[np.float64]
    rebate: NDArray[np.float64]
    eta: NDArray[np.float64]
    is_in: NDArray[np.bool_]
    knocked: NDArray[np.bool_]
    weight: NDArray[np.float64]

    def price(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> NDArray[np.float64]:
        vanilla = self.vanilla
        spot, (spot_position,) = evaluate_used(self.spot, rows, x, self.spot_position)
        forward, (forward_position,) = evaluate_used(vanilla.forward, rows, x, vanilla.forward_position)
        discount, (discount_position,) = evaluate_used(vanilla.discount, rows, x, vanilla.discount_position)
        out = np.empty((len(rows), x.shape[1]))
        barrier_options(
            rows,
            spot,
            spot_position,
            forward,
            forward_position,
            discount,
            discount_position,
            vanilla.variance.index,
            vanilla.variance.strike_weight,
            vanilla.variance.time_weight,
            x,
            vanilla.strike,
            vanilla.sign,
            vanilla.quantity,
            self.barrier,
            self.rebate,
            self.eta,
            self.is_in,
            self.knocked,
            self.weight,
            out,
        )
        return out

    def why_not(self, rows: NDArray[np.int32], x: NDArray[np.float64]) -> list[str]:
        return self.vanilla.why_not(rows, x)


def prepare_barriers(trades: Trades, vanilla: VanillaOptions, spot: tuple[Nodes, NDArray[np.int32]]) -> BarrierOptions:
    """Options with the columns `BARRIER_COLUMNS`.

    :param spot: nodes of the spots that barriers are watched on, and each option's.
    """
    down = trades.is_one("barrier_type", "down_in") | trades.is_one("barrier_type", "down_out")
    is_in = trades.is_one("barrier_type", "down_in") | trades.is_one("barrier_type", "up_in")
    barrier = trades.numbers("barrier")
    weight = _knock_in_weight(down, vanilla.sign > 0.0, vanilla.strike > barrier)
    weight[~is_in] = np.array([1.0, 0.0, 0.0, 0.0]) - weight[~is_in]
    return BarrierOptions(
        vanilla=vanilla,
        spot=spot[0],
        spot_position=spot[1],
        barrier=barrier,
        rebate=trades.numbers("rebate"),
        eta=np.where(down, 1.0, -1.0),
        is_in=is_in,
        knocked=trades.flags("knocked"),
        weight=weight,
    )


def _knock_in_weight(
    down: NDArray[np.bool_], call: NDArray[np.bool_], strike_above: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """How A, B, C and D add up to a knock-in option, float64[n, 4]: Haug (2007), page 153.

    Whether paths that end in the money must have crossed the barrier (A), cannot have but by crossing back (C), or
    have partly (the sums of three) depends on where the strike lies from the barrier.
    """
    a, c = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 0.0])
    direct, reflected = np.array([1.0, -1.0, 0.0, 1.0]), np.array([0.0, 1.0, -1.0, 1.0])
    above = np.where(call[:, None], np.where(down[:, None], c, a), np.where(down[:, None], reflected, direct))
    below = np.where(call[:, None], np.where(down[:, None], direct, reflected), np.where(down[:, None], a, c))
    return np.where(strike_above[:, None], above, below)
