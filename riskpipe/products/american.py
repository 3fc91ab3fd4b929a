"""Options of either exercise, once they are spots, forwards, discount factors and total variances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.american import american_options
from riskpipe.kernels.collocation import Scheme, collocation
from riskpipe.products.base import Prepared
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.vanilla import VanillaOptions

# The least that keeps errors against high precision below 1e-6 of the strike (median 5e-9) under ordinary markets;
# where rates, dividends and drift are largest they reach 1e-5.
NODES, POINTS, LAST_POINTS, SWEEPS = 8, 6, 20, 5
# Where dividends (of a call: rates) are below zero the boundary goes far, and these would leave 3e-5.
_FAR = (16, 12, 32, 12)


def schemes() -> tuple[Scheme, Scheme]:
    """The collocations that trades are priced with."""
    return collocation(NODES, POINTS, LAST_POINTS, SWEEPS), collocation(*_FAR)


@dataclass(frozen=True)
class ExercisableOptions(Prepared):
    """n options, some of them American.

    :param vanilla: all of them, as if they were European.
    :param american: bool[n].
    """

    vanilla: VanillaOptions
    american: NDArray[np.bool_]
    spot: TradeNodes

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        early = self.american[rows]
        if not early.any():
            return self.vanilla.price(rows, x)
        out = np.empty((len(rows), x.shape[1]))
        if not early.all():
            out[~early] = self.vanilla.price(rows[~early], x)
        out[early] = self._american(rows[early], x)
        return out

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.vanilla.why_not(rows, x)

    def _american(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        market = vanilla.market.under(rows, x)
        american_options(rows, self.spot.under(rows, x), *market, vanilla.terms, schemes(), out)
        return out
