"""Market nodes shared by trades, evaluated for those trades alone that a call prices."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import NodeValues
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DividendNodes, PaidForwardNodes


class Nodes(Protocol):
    """What `MarketModel` makes of curves and names: a frozen struct of arrays with the node axis first."""

    def __len__(self) -> int: ...

    def evaluate(self, x: FloatArray) -> FloatArray:
        """float64[n_nodes, n_scenarios] from float64[n_factors, n_scenarios]."""
        ...


def take(nodes: Any, positions: NDArray[np.integer]) -> Any:
    """Some of the nodes, in the order of `positions`."""
    if isinstance(nodes, PaidForwardNodes | DividendNodes):  # not all of its arrays have the nodes' axis
        return nodes.take(positions)
    parts: dict[str, Any] = {}
    for name in nodes.__struct_fields__:
        value = getattr(nodes, name)
        parts[name] = take(value, positions) if isinstance(value, Struct) else value[positions]
    return replace(nodes, **parts)


def evaluate_used(
    nodes: Nodes, rows: NDArray[np.int32], x: FloatArray, *positions: NDArray[np.int32]
) -> tuple[FloatArray, tuple[NDArray[np.int32], ...]]:
    """Values of the nodes that `rows` use, and each trade's position among these.

    :param positions: int32[n] each, nodes by trade.
    :return: float64[used, n_scenarios], and int32[n] for each of `positions` (right for `rows` alone).
    """
    used = np.zeros(len(nodes), np.bool_)
    for position in positions:
        used[position[rows]] = True
    if used.all():
        return nodes.evaluate(x), positions
    place = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return take(nodes, np.flatnonzero(used)).evaluate(x), tuple(place[position] for position in positions)


class TradeNodes(Struct, frozen=True):
    """Market nodes, and which of them each trade has.

    :param position: int32[n].
    """

    nodes: Nodes
    position: NDArray[np.int32]

    def under(self, rows: NDArray[np.int32], x: FloatArray) -> NodeValues:
        """For kernels: what the nodes are worth, those that `rows` use."""
        values, (position,) = evaluate_used(self.nodes, rows, x, self.position)
        return values, position

    def overpaid(self, rows: NDArray[np.int32], x: FloatArray) -> NDArray[np.bool_]:
        """bool[m]: discrete dividends are worth the spot or more: there is no forward in the first scenario."""
        if not isinstance(self.nodes, PaidForwardNodes):
            return np.zeros(len(rows), np.bool_)
        return self.nodes.overpaid(x)[self.position[rows]]

    def today(self, model: MarketModel) -> FloatArray:
        """float64[n]: each trade's in the base scenario."""
        return np.asarray(self.nodes.evaluate(model.base)[self.position, 0])
