"""Currency pairs: which spots give the rate between two currencies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.market.factors import is_pair
from riskpipe.market.nodes import FxNodes
from riskpipe.market.snapshot import MarketSnapshot

_PREFERRED_CROSSES = ("USD", "EUR")


class Leg(Struct, frozen=True):
    """One spot of a route.

    :param group: position among the snapshot's groups; `factor` its position in x0.
    :param power: 1 to multiply by the spot, -1 to divide by it.
    """

    group: int
    factor: int
    power: int


Route = tuple[Leg, ...]
"""No leg for a currency against itself, one for a quoted pair, two for a cross."""


class FxGraph:
    """The spots of a snapshot that are currency pairs, as edges between currencies.

    :param left_out: pairs that the market would have but for errors: their legs have group and factor -1.
    """

    def __init__(self, snapshot: MarketSnapshot, left_out: Iterable[str] = ()) -> None:
        self._edges: dict[tuple[str, str], Leg] = {}
        for name in sorted(left_out):
            if is_pair(name, None):
                self._edges[name[:3], name[3:]] = Leg(-1, -1, 1)
        for index, group in enumerate(snapshot.groups):
            if group.kind == "spot" and is_pair(group.name, group.currency):
                base, quote = group.name[:3], group.name[3:]
                self._edges[base, quote] = Leg(index, group.start, 1)
        for (base, quote), leg in list(self._edges.items()):
            self._edges.setdefault((quote, base), Leg(leg.group, leg.factor, -1))
        currencies = {currency for pair in self._edges for currency in pair}
        self._crosses = [c for c in _PREFERRED_CROSSES if c in currencies]
        self._crosses += sorted(currencies - set(_PREFERRED_CROSSES))
        self._routes: dict[tuple[str, str], Route | None] = {}

    def route(self, base: str, quote: str) -> Route | None:
        """How to get quote units per one of base: the pair itself, its inverse, or a cross; None: no way.

        Of several crosses the one through USD is taken, else EUR, else the first in the alphabet.
        """
        key = (base, quote)
        if key not in self._routes:
            self._routes[key] = self._find(base, quote)
        return self._routes[key]

    def _find(self, base: str, quote: str) -> Route | None:
        if base == quote:
            return ()
        if (base, quote) in self._edges:
            return (self._edges[base, quote],)
        for cross in self._crosses:
            near, far = self._edges.get((base, cross)), self._edges.get((cross, quote))
            if near is not None and far is not None:
                return (near, far)
        return None


def spots_of(routes: Sequence[Route], codes: NDArray[np.int32]) -> FxNodes:
    """The rates of some routes, one node a code; code -1 is the rate of a currency against itself."""
    index = np.zeros((len(routes) + 1, 2), np.int32)
    power = np.zeros((len(routes) + 1, 2), np.int8)
    for k, route in enumerate(routes):
        for j, leg in enumerate(route):
            index[k, j], power[k, j] = leg.factor, leg.power
    return FxNodes(index[codes], power[codes])
