"""Options of either exercise, once they are spots, forwards, discount factors and total variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.american import american_options
from riskpipe.kernels.arguments import Expansions, NodeValues, Vanillas, Variances
from riskpipe.kernels.collocation import Scheme, collocation
from riskpipe.kernels.dividend_lattice import american_with_dividends
from riskpipe.kernels.expansion import unexpanded
from riskpipe.kernels.expansion_fit import base_regimes, expand_boundaries
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Prepared
from riskpipe.products.cash_flows import CashFlows
from riskpipe.products.payouts import TradePayouts
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.vanilla import VanillaOptions

# The least that keeps errors against high precision below 1e-6 of the strike (median 5e-9) under ordinary markets;
# where rates, dividends and drift are largest they reach 1e-5. Ten sweeps settle a boundary from cold to 1e-8.
NODES, POINTS, LAST_POINTS, SWEEPS = 8, 6, 20, 10
# Where dividends (of a call: rates) are below zero the boundary goes far, and these would leave 3e-5.
_FAR = (16, 12, 32, 12)


def schemes() -> tuple[Scheme, Scheme]:
    """The collocations that trades are priced with."""
    return collocation(NODES, POINTS, LAST_POINTS, SWEEPS), collocation(*_FAR)


def exercisable(
    vanilla: VanillaOptions,
    american: NDArray[np.bool_],
    spot: TradeNodes,
    payouts: TradePayouts,
    model: MarketModel,
) -> Prepared:
    """Options as `ExercisableOptions`, their boundaries expanded about the model's base scenario."""
    rows = np.flatnonzero(american & ~payouts.has_any).astype(np.int32)
    place = np.full(len(american), -1, np.int32)
    place[rows] = np.arange(len(rows), dtype=np.int32)
    if not len(rows):
        return ExercisableOptions(vanilla, american, spot, payouts, unexpanded(place, 0, 0))
    market = spot.under(rows, model.base), *vanilla.market.under(rows, model.base)
    moves = model.horizon_days == 0  # of another day is theta alone, which moves nothing else
    expansions = expanded(rows, place, market, vanilla.terms, schemes(), moves)
    return ExercisableOptions(vanilla, american, spot, payouts, expansions)


def expanded(
    rows: NDArray[np.int32],
    place: NDArray[np.int32],
    market: tuple[NodeValues, NodeValues, NodeValues, Variances],
    terms: Vanillas,
    used: tuple[Scheme, Scheme],
    moves: bool = True,
) -> Expansions:
    """Expansions of the boundaries of the options `rows`.

    :param place: int32[n], of each trade among these.
    :param market: spots, forwards, discount factors and variances in the base scenario.
    :param moves: see `expand_boundaries`.
    """
    found = unexpanded(place, len(rows), 0)
    base_regimes(rows, *market, terms, found)
    # Few options need the finer scheme, and room for it takes three times as much.
    nodes = len(used[max(int(found[1].max(initial=0)), 0)].time)
    place, kind, origin, *_ = found
    _, _, _, unit, reach, coefficients, inverse = unexpanded(place, len(rows), nodes)
    expansions = place, kind, origin, unit, reach, coefficients, inverse
    expand_boundaries((used, expansions), moves)
    return expansions


@dataclass(frozen=True)
class ExercisableOptions(Prepared):
    """n options, some of them American.

    :param vanilla: all of them, as if they were European.
    :param american: bool[n].
    :param payouts: discrete dividends until expiry; American options that have any are priced on a lattice.
    :param expansions: of the other American ones' boundaries, see `expanded`.
    """

    vanilla: VanillaOptions
    american: NDArray[np.bool_]
    spot: TradeNodes
    payouts: TradePayouts
    expansions: Expansions

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        early = self.american[rows]
        if not early.any():
            return self.vanilla.price(rows, x)
        out = np.empty((len(rows), x.shape[1]))
        paying = early & self.payouts.has_any[rows]
        ways = (
            (~early, self.vanilla.price),
            (early & ~paying, self._american),
            (paying, self._american_with_dividends),
        )
        for mine, way in ways:
            if mine.all():
                return way(rows, x)
            if mine.any():
                out[mine] = way(rows[mine], x)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        """Of the European ones: nobody knows when the others are exercised."""
        return self.vanilla.cash_flows(x).of_trades(~self.american)

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.vanilla.why_not(rows, x)

    def _american(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        market = vanilla.market.under(rows, x)
        american_options(rows, self.spot.under(rows, x), *market, vanilla.terms, (schemes(), self.expansions), out)
        return out

    def _american_with_dividends(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        market, payouts = vanilla.market.under(rows, x), self.payouts.under(rows, x)
        american_with_dividends(rows, self.spot.under(rows, x), *market, vanilla.terms, payouts, out)
        return out
