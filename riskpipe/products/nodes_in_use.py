"""Nodes of curves that some trades refer to, evaluated for these alone, a tile of scenarios at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import credit, legs
from riskpipe.kernels.arguments import UsedNodes
from riskpipe.kernels.discount import exp_linear
from riskpipe.market.growths import CurveNodes, GrowthNodes
from riskpipe.products.shared_nodes import take

Rows = NDArray[np.int32]
Positions = NDArray[np.int32]

# Of a tile's matrix of discount factors. Only what neighbouring trades use has to stay in the cache, and they use the
# same (`Product.pricing_order`); wide rows take less time a value.
_TILE_VALUES = 1 << 22
_NARROWEST, _WIDEST = 32, 128
_CACHE_LINE = 8  # values


class NodesInUse:
    """The nodes that some trades refer to, with buffers for their values."""

    def __init__(
        self,
        nodes: CurveNodes,
        rows: Rows,
        terms: list[tuple[NDArray[np.int64], tuple[Positions, ...]]],
    ) -> None:
        used = np.zeros(len(nodes), np.bool_)
        if any(len(rows) >= len(offsets) - 1 for offsets, _ in terms):
            used[:] = True  # all trades have all nodes
        else:
            for offsets, columns in terms:
                for column in columns:
                    legs.mark_nodes(rows, offsets, column, used)
        if not used.all():
            nodes = nodes.take(used) if isinstance(nodes, GrowthNodes) else take(nodes, np.flatnonzero(used))
        self.growths = nodes if isinstance(nodes, GrowthNodes) else None
        self.nodes = nodes.discount if isinstance(nodes, GrowthNodes) else nodes
        self.position = np.cumsum(used, dtype=np.int32) - np.int32(1)
        self._buffers: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty(0))

    @property
    def rows(self) -> int:
        """Of the matrices that a call fills."""
        return len(self.nodes) if self.growths is None else len(self.growths) + len(self.growths.daily.weight)

    def evaluate(self, levels: FloatArray, logarithms: bool) -> tuple[UsedNodes, UsedNodes]:
        """Factors, and minus their logarithms if wanted; valid until the next call."""
        shape = (len(self.nodes if self.growths is None else self.growths), levels.shape[1])
        size = shape[0] * shape[1]
        if self._buffers[0].size < size:
            self._buffers = (_aligned(size), _aligned(size if logarithms else 0))
        factors = self._buffers[0][:size].reshape(shape)
        exp_linear(self.nodes.index, self.nodes.weight, levels, factors[: len(self.nodes)])
        if self.growths is not None:
            self.growths.grow(factors)
        if not logarithms:
            return (factors, self.position), (factors, self.position)
        rates = self._buffers[1][:size].reshape(shape)
        credit.cumulative_rates(self.nodes.index, self.nodes.weight, levels, rates[: len(self.nodes)])
        return (factors, self.position), (rates, self.position)


def _aligned(size: int) -> FloatArray:
    """float64[size] that begins where a line of the cache does: loads of whole vectors cross none."""
    values = np.empty(size + _CACHE_LINE)
    first = -(values.ctypes.data // values.itemsize) % _CACHE_LINE
    return values[first : first + size]


def tile_width(nodes: int, scenarios: int) -> int:
    """Scenarios a tile; results do not depend on it."""
    width = _TILE_VALUES // max(nodes, 1) // _NARROWEST * _NARROWEST
    return max(1, min(scenarios, max(_NARROWEST, min(_WIDEST, width))))
