"""Trades as sums of flows on shared curve nodes: what `prepare` of swaps, bonds and credit products makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import credit as credit
from riskpipe.kernels import legs
from riskpipe.kernels.arguments import KnownTerms, ProjectedTerms, UsedNodes
from riskpipe.kernels.discount import exp_linear
from riskpipe.market.growths import CurveNodes, GrowthNodes
from riskpipe.market.nodes import DiscountNodes
from riskpipe.products.base import Prepared
from riskpipe.products.shared_nodes import take

Rows = NDArray[np.int32]
Positions = NDArray[np.int32]

# Of a tile's matrix of discount factors. Only what neighbouring trades use has to stay in the cache, and they use the
# same (`Product.pricing_order`); wide rows take less time a value.
_TILE_VALUES = 1 << 22
_NARROWEST, _WIDEST = 32, 128
_CACHE_LINE = 8  # values

NO_NODES = DiscountNodes(np.zeros((0, 2), np.int32), np.zeros((0, 2)))


@dataclass(frozen=True)
class Tile:
    """The market in some scenarios, at the nodes that a call needs.

    :param levels: float64[n_factors, width].
    :param discount: factors; `rates` minus their logarithms, where a leg needs them.
    :param survival: probabilities at hazard nodes; `hazards` minus their logarithms.
    """

    levels: FloatArray
    discount: UsedNodes
    rates: UsedNodes
    survival: UsedNodes
    hazards: UsedNodes


@dataclass(frozen=True)
class Leg(ABC):
    """Terms of n trades in compressed rows, each trade's in an order that no other trade changes.

    :param offsets: int64[n + 1].
    :param coefficient: float64[terms], in currency.
    """

    offsets: NDArray[np.int64]
    coefficient: FloatArray

    needs_logarithms: ClassVar[bool] = False

    @abstractmethod
    def nodes(self) -> tuple[Positions, ...]:
        """int32[terms] each: the discount nodes that terms refer to."""

    def hazard_nodes(self) -> tuple[Positions, ...]:
        """int32[terms] each: the hazard nodes that terms refer to."""
        return ()

    def parts(self) -> tuple[Leg, ...]:
        """Whose terms and nodes the leg is made of."""
        return (self,)

    @abstractmethod
    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        """Add the leg's value for `rows` to the columns of `value` from `first` on."""

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        """As `Prepared.why_not`."""
        return [""] * len(rows)


@dataclass(frozen=True)
class KnownLeg(Leg):
    """Known amounts on dates."""

    node: Positions

    @property
    def terms(self) -> KnownTerms:
        return self.offsets, self.node, self.coefficient

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        legs.add_discounted(rows, tile.discount, self.terms, first, value)


@dataclass(frozen=True)
class ProjectedLeg(Leg):
    """Amounts times the growth of a projection curve between two dates."""

    growth: Positions
    payment: Positions

    @property
    def terms(self) -> ProjectedTerms:
        return self.offsets, self.growth, self.payment, self.coefficient

    def nodes(self) -> tuple[Positions, ...]:
        return self.growth, self.payment

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        legs.add_projected(rows, tile.discount, self.terms, first, value)


@dataclass(frozen=True)
class SurvivalLeg(Leg):
    """Known amounts on dates, paid if a name has survived."""

    node: Positions
    hazard_node: Positions

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return (self.hazard_node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.node, self.hazard_node, self.coefficient)
        credit.add_survival(rows, tile.discount, tile.survival, terms, first, value)


@dataclass(frozen=True)
class ProjectedSurvivalLeg(Leg):
    """Amounts times the growth of a projection curve between two dates, paid if a name has survived."""

    growth: Positions
    payment: Positions
    hazard_node: Positions

    def nodes(self) -> tuple[Positions, ...]:
        return self.growth, self.payment

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return (self.hazard_node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.growth, self.payment, self.hazard_node, self.coefficient)
        credit.add_projected_survival(rows, tile.discount, tile.survival, terms, first, value)


@dataclass(frozen=True)
class DefaultLeg(Leg):
    """Amounts paid at one date if a name defaults between two others.

    :param recovery: int32[n], factor of the recovery rate that multiplies a trade's amounts; -1: none.
    """

    node: Positions
    start: Positions
    end: Positions
    recovery: NDArray[np.int32]

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return self.start, self.end

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.node, self.start, self.end, self.coefficient)
        recoveries = (self.recovery, tile.levels)
        credit.add_default(rows, tile.discount, tile.survival, terms, recoveries, first, value)


@dataclass(frozen=True)
class DefaultIntegralLeg(Leg):
    """A chain of dates a trade; between two of them an amount, linear in time, is paid on default.

    :param slope: float64[terms], growth of the amount over the step that ends at the term's date.
    """

    slope: FloatArray
    node: Positions
    hazard_node: Positions

    needs_logarithms: ClassVar[bool] = True

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return (self.hazard_node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        chains = (self.offsets, self.node, self.hazard_node, self.coefficient, self.slope)
        credit.add_default_integrals(rows, tile.rates, tile.hazards, chains, first, value)


class PreparedLegs(Prepared):
    """Trades whose value is the sum of their legs, added in the order given.

    :param discount: nodes of discount and projection curves.
    :param hazard: nodes of hazard curves.
    """

    def __init__(self, discount: CurveNodes, hazard: DiscountNodes, legs: tuple[Leg, ...]) -> None:
        self.discount = discount
        self.hazard = hazard
        self.legs = legs

    def price(self, rows: Rows, x: FloatArray) -> FloatArray:
        return leg_values(self.discount, self.hazard, (self.legs,), rows, x)[0]

    def why_not(self, rows: Rows, x: FloatArray) -> list[str]:
        found = [leg.why_not(self.discount, rows, x) for leg in self.legs]
        return [next(filter(None, causes), "") for causes in zip(*found, strict=True)]


def leg_values(
    discount: CurveNodes, hazard: DiscountNodes, sums: Sequence[tuple[Leg, ...]], rows: Rows, x: FloatArray
) -> list[FloatArray]:
    """Several sums of legs over the same nodes: float64[m, n_scenarios] each.

    :param sums: the legs of each sum, added in the order given.
    :param rows: int32[m], trades.
    :param x: float64[n_factors, n_scenarios].
    """
    rows = np.ascontiguousarray(rows, np.int32)
    values = [np.zeros((len(rows), x.shape[1])) for _ in sums]
    every = [part for summed in sums for leg in summed for part in leg.parts()]
    nodes = _Used(discount, rows, [(leg.offsets, leg.nodes()) for leg in every])
    hazards = _Used(hazard, rows, [(leg.offsets, leg.hazard_nodes()) for leg in every])
    logarithms = any(leg.needs_logarithms for leg in every)
    width = _tile_width(nodes.rows + hazards.rows, x.shape[1])
    for first in range(0, x.shape[1], width):
        levels = np.ascontiguousarray(x[:, first : first + width])
        tile = Tile(levels, *nodes.evaluate(levels, logarithms), *hazards.evaluate(levels, logarithms))
        for summed, value in zip(sums, values, strict=True):
            for leg in summed:
                leg.add(rows, tile, first, value)
    return values


class _Used:
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


def _tile_width(nodes: int, scenarios: int) -> int:
    """Scenarios a tile; results do not depend on it."""
    width = _TILE_VALUES // max(nodes, 1) // _NARROWEST * _NARROWEST
    return max(1, min(scenarios, max(_NARROWEST, min(_WIDEST, width))))
