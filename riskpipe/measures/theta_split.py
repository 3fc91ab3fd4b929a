"""Theta in two parts: what a day brings when forwards come true, and what is left of it when the market stays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.realised_forwards import CURVES, realised_forwards
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.families import Bumps, Family, Subject


class ThetaSplitFamily(Family):
    """theta_carry: change over one calendar day when forwards come true (`realised_forwards`), volatilities unchanged;
    theta_roll: what the market as it is, which theta is of, brings beyond that. They add up to theta.
    """

    name = "theta_split"
    measures = ("theta_carry", "theta_roll")
    kinds = (*CURVES, "spot")
    width = 2
    held = True
    horizon = 1

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        factors, levels = realised_forwards(snapshot, conventions, self.horizon)
        yield Subject("time", factors, (levels, snapshot.x0[factors]))

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        realised, unchanged = values[:, 0], values[:, 1]
        return {"theta_carry": realised - base, "theta_roll": np.asarray(unchanged - realised)}
