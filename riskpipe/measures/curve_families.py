"""Sensitivities to curves as they are priced with: zero and hazard rates, whatever these are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.families import Bumps, Family, Subject, factors_of, groups_of


class BucketedZeroFamily(Family):
    """Change for +1 bp on one point of a zero or hazard curve, all other points held.

    Of a curve that is made from quotes too: its quotes stay, and so do curves that are made from its points.
    """

    name = "bucketed_zero"
    measures = ("bucketed_zero",)
    kinds = ("zero_rate", "hazard_rate")
    total = "none"
    held = True

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        ids = snapshot.factors.column("factor")
        for group in groups_of(snapshot, self.kinds):
            size = bumps.rate if group.kind == "zero_rate" else bumps.hazard
            for factor in range(group.start, group.stop):
                yield Subject(ids[factor].as_py(), np.array([factor]), (snapshot.x0[factor : factor + 1] + size,))


class CurveDv01Family(Family):
    """Change for +1 bp on every zero rate of one curve, all other curves held."""

    name = "curve_dv01"
    measures = ("curve_dv01",)
    kinds = ("zero_rate",)
    total = "none"
    held = True

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = factors_of(group)
            yield Subject(f"{group.kind}:{group.name}", factors, (snapshot.x0[factors] + bumps.rate,))


class RhoFamily(Family):
    """Derivative by a parallel move of the zero rates of one curve, all other curves held: (v(r+h) - v(r-h)) / 2h."""

    name = "rho"
    measures = ("rho",)
    kinds = ("zero_rate",)
    width = 2
    central = True
    held = True

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = factors_of(group)
            levels = snapshot.x0[factors]
            yield Subject(f"{group.kind}:{group.name}", factors, (levels + bumps.rate, levels - bumps.rate))

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        return {"rho": (values[:, 0] - values[:, 1]) / (2.0 * shift)}
