"""Trades as sums of flows on shared curve nodes: what `prepare` of swaps, bonds and credit products makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels import credit as credit
from riskpipe.kernels import legs
from riskpipe.kernels.arguments import KnownTerms, ProjectedTerms, UsedNodes
from riskpipe.market.growths import CurveNodes, GrowthNodes
from riskpipe.market.labels import Labels
from riskpipe.market.nodes import DatedNodes, DiscountNodes
from riskpipe.products.base import Prepared
from riskpipe.products.cash_flows import CashFlows, joined, undated
from riskpipe.products.inside import Inside, several
from riskpipe.products.nodes_in_use import NodesInUse, tile_width

Rows = NDArray[np.int32]
Positions = NDArray[np.int32]

NO_NODES = DiscountNodes(np.zeros((0, 2), np.int32), np.zeros((0, 2)))


class Tile(Struct, frozen=True):
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


class LegTerms(Struct, frozen=True):
    """The terms of a leg one by one, as cash flows.

    :param leg: the same terms as those of trades of their own, term k of trade k.
    :param trade: int64[terms], whose they are. :param payment: int32[terms], discount nodes of their payments.
    :param projected: bool[terms]: the market has a part in what is paid.
    """

    leg: Leg
    trade: NDArray[np.int64]
    payment: Positions
    projected: NDArray[np.bool_]


@dataclass(frozen=True)
class Leg(ABC):
    """Terms of n trades in compressed rows, each trade's in an order that no other trade changes.

    :param offsets: int64[n + 1].
    :param coefficient: float64[terms], in currency.
    """

    offsets: NDArray[np.int64]
    coefficient: FloatArray

    needs_logarithms: ClassVar[bool] = False
    called: ClassVar[str] = "payments"

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

    def begin(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        """As `add`, to columns that hold nothing yet."""
        value[:, first : first + tile.levels.shape[1]] = 0.0
        self.add(rows, tile, first, value)

    def why_not(self, discount: CurveNodes, rows: Rows, x: FloatArray) -> list[str]:
        """As `Prepared.why_not`."""
        return [""] * len(rows)

    def by_term(self) -> LegTerms | None:
        """None: the terms are no payments."""
        return None

    def _alone(self, payment: Positions, **changed: Any) -> LegTerms:
        """:param changed: what the leg of single terms has in place of its own."""
        terms = len(payment)
        trade = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        leg = replace(self, offsets=np.arange(terms + 1), **changed)
        return LegTerms(leg, trade, payment, np.ones(terms, np.bool_))

    def _of_terms(self, column: NDArray[Any]) -> NDArray[Any]:
        """What each trade has, for each of its terms."""
        return np.repeat(column, np.diff(self.offsets))


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
        legs.add_discounted(rows, tile.discount, self.terms, first, value, False)

    def begin(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        legs.add_discounted(rows, tile.discount, self.terms, first, value, True)

    def by_term(self) -> LegTerms:
        return structs.replace(self._alone(self.node), projected=np.zeros(len(self.node), np.bool_))


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

    def by_term(self) -> LegTerms:
        return self._alone(self.payment)


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

    def by_term(self) -> LegTerms:
        return self._alone(self.node)


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

    def by_term(self) -> LegTerms:
        return self._alone(self.payment)


@dataclass(frozen=True)
class DefaultLeg(Leg):
    """Amounts paid at one date if a name defaults between two others.

    :param recovery: int32[n], factor of the recovery rate that multiplies a trade's amounts; -1: none.
    """

    node: Positions
    start: Positions
    end: Positions
    recovery: NDArray[np.int32]

    called: ClassVar[str] = "default"

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return self.start, self.end

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        terms = (self.offsets, self.node, self.start, self.end, self.coefficient)
        recoveries = (self.recovery, tile.levels)
        credit.add_default(rows, tile.discount, tile.survival, terms, recoveries, first, value)

    def by_term(self) -> LegTerms:
        return self._alone(self.node, recovery=self._of_terms(self.recovery))


@dataclass(frozen=True)
class DefaultIntegralLeg(Leg):
    """A chain of dates a trade; between two of them an amount, linear in time, is paid on default.

    :param slope: float64[terms], growth of the amount over the step that ends at the term's date.
    """

    slope: FloatArray
    node: Positions
    hazard_node: Positions

    needs_logarithms: ClassVar[bool] = True
    called: ClassVar[str] = "default"

    def nodes(self) -> tuple[Positions, ...]:
        return (self.node,)

    def hazard_nodes(self) -> tuple[Positions, ...]:
        return (self.hazard_node,)

    def add(self, rows: Rows, tile: Tile, first: int, value: FloatArray) -> None:
        chains = (self.offsets, self.node, self.hazard_node, self.coefficient, self.slope)
        credit.add_default_integrals(rows, tile.rates, tile.hazards, chains, first, value)

    def by_term(self) -> LegTerms:
        """Steps of the chains: each is a chain of two dates, and counts as paid at its end."""
        step = np.ones(len(self.node), np.bool_)
        step[self.offsets[:-1][np.diff(self.offsets) > 0]] = False
        ends = np.flatnonzero(step)
        both = np.stack((ends - 1, ends), axis=1).ravel()
        parts = {name: getattr(self, name)[both] for name in ("coefficient", "slope", "node", "hazard_node")}
        leg = replace(self, offsets=2 * np.arange(len(ends) + 1), **parts)
        return LegTerms(leg, self._of_terms(np.arange(len(self.offsets) - 1))[ends], self.node[ends], step[ends])


class PreparedLegs(Prepared):
    """Trades whose value is the sum of their legs, added in the order given.

    :param discount: nodes of discount and projection curves.
    :param hazard: nodes of hazard curves.
    :param names: of the legs in cash flows; none: what they are called by their kind.
    """

    def __init__(
        self, discount: CurveNodes, hazard: DiscountNodes, legs: tuple[Leg, ...], names: tuple[str, ...] = ()
    ) -> None:
        self.discount = discount
        self.hazard = hazard
        self.legs = legs
        self.names = names or tuple(leg.called for leg in legs)

    def price(self, rows: Rows, x: FloatArray) -> FloatArray:
        return leg_values(self.discount, self.hazard, (self.legs,), rows, x)[0]

    def cash_flows(self, x: FloatArray) -> CashFlows:
        return leg_cash_flows(self.discount, self.hazard, self.legs, x, self.names)

    def inside(self, x: FloatArray, name: str = "") -> Iterator[Inside]:
        """Terms of the legs: each with its coefficient, and the factors of curves that it is multiplied with."""
        dated = self.discount.discount if isinstance(self.discount, GrowthNodes) else self.discount
        days = dated.day if isinstance(dated, DatedNodes) else np.empty(0, np.int32)  # growths come after them
        for k, leg in enumerate(part for each in self.legs for part in each.parts()):
            title = f"{name}.{leg.called}[{k}]" if name else f"{leg.called}[{k}]"
            yield from several(f"{title}.coefficient", leg.coefficient)
            of_curves = ((leg.nodes(), self.discount, "discount"), (leg.hazard_nodes(), self.hazard, "survival"))
            for columns, nodes, word in of_curves:
                used = NodesInUse(nodes, np.zeros(1, np.int32), [(leg.offsets, columns)])
                values, position = used.evaluate(x, False)[0]
                for column in columns:
                    is_dated = word == "discount" and bool((column < len(days)).all())
                    called = word if is_dated or word == "survival" else "growth"
                    found = values[position[column], 0]
                    yield from several(f"{title}.{called}", found, days[column] if is_dated else None)

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
    values = [np.empty((len(rows), x.shape[1])) for _ in sums]
    every = [part for summed in sums for leg in summed for part in leg.parts()]
    nodes = NodesInUse(discount, rows, [(leg.offsets, leg.nodes()) for leg in every])
    hazards = NodesInUse(hazard, rows, [(leg.offsets, leg.hazard_nodes()) for leg in every])
    logarithms = any(leg.needs_logarithms for leg in every)
    width = tile_width(nodes.rows + hazards.rows, x.shape[1])
    for first in range(0, x.shape[1], width):
        levels = np.ascontiguousarray(x[:, first : first + width])
        tile = Tile(levels, *nodes.evaluate(levels, logarithms), *hazards.evaluate(levels, logarithms))
        for summed, value in zip(sums, values, strict=True):
            summed[0].begin(rows, tile, first, value)
            for leg in summed[1:]:
                leg.add(rows, tile, first, value)
    return values


def leg_cash_flows(
    discount: CurveNodes, hazard: DiscountNodes, terms: Sequence[Leg], x: FloatArray, names: Sequence[str] = ()
) -> CashFlows:
    """What legs pay in today's market, valued in the legs' own currencies; see `Prepared.cash_flows`.

    :param discount: nodes that know their dates. :param names: of the legs; none: what they are called.
    """
    parts = []
    nodes = discount.discount if isinstance(discount, GrowthNodes) else discount
    assert isinstance(nodes, DatedNodes)
    factors = nodes.evaluate(x)[:, 0]
    for leg, name in zip(terms, names or [leg.called for leg in terms], strict=True):
        each = leg.by_term()
        rows = np.arange(len(leg.offsets) - 1 if each is None else len(each.trade), dtype=np.int32)
        value = leg_values(discount, hazard, ((leg if each is None else each.leg,),), rows, x)[0][:, 0]
        if each is None:
            parts.append(undated(value))
            continue
        paid, own = factors[each.payment], Labels(np.full(len(rows), -1, np.int32), ())
        amount = each.leg.coefficient if isinstance(each.leg, KnownLeg) else value / paid
        called = Labels.constant(name, len(rows))
        day = nodes.day[each.payment]
        parts.append(CashFlows(each.trade, called, day, own, amount, each.projected, paid, value))
    return joined(parts)
