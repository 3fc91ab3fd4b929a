"""What a simulation of the market is asked for, for those who need no arrays to ask."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Copula = Literal["normal", "t"]


class MonteCarloTerms(Struct, frozen=True):
    """A simulation of the moves of a day (or of `history.horizon_days`).

    :param degrees_of_freedom: of the copula t, above 2. :param seed: not negative.
    :param shrinkage: of the correlations towards none, from 0 to 1; None: as Ledoit and Wolf estimate it.
    """

    scenarios: int
    copula: Copula
    degrees_of_freedom: float
    seed: int
    shrinkage: float | None
