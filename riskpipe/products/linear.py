"""Positions whose value is linear in one level of the market: a spot, a discount factor, a futures price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import linear_positions
from riskpipe.market.nodes import DatedNodes
from riskpipe.products.base import Prepared
from riskpipe.products.cash_flows import CashFlows, paid_once
from riskpipe.products.lognormal import or_overpaid
from riskpipe.products.shared_nodes import TradeNodes


@dataclass(frozen=True)
class LinearPositions(Prepared):
    """n positions: constant + size x (level - reference).

    :param size: float64[n], currency for one of the level.
    :param reference, constant: float64[n], the latter in currency.
    """

    level: TradeNodes
    size: FloatArray
    reference: FloatArray
    constant: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out = np.empty((len(rows), x.shape[1]))
        linear_positions(rows, self.level.under(rows, x), (self.constant, self.size, self.reference), out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows | None:
        """Of amounts that are discounted; other positions end when they are sold."""
        if not isinstance(self.level.nodes, DatedNodes):
            return None
        value = self.price(np.arange(len(self.size), dtype=np.int32), x)[:, 0]
        return paid_once(value, self.level, x, "cash", np.zeros(len(value), np.bool_))

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return or_overpaid([""] * len(rows), self.level.overpaid(rows, x))
