"""The factor that a subject's columns bump first: its group, the size of the bump, and that as a person names it."""

from __future__ import annotations

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.families import Family, reference_price


class FirstBumps(Struct, frozen=True):
    """Of the columns of a set; the first factor is the first that was asked for, whatever follows from it."""

    scenarios: ScenarioSet
    snapshot: MarketSnapshot
    _described: dict[int, tuple[str, float]] = field(default_factory=dict)

    def group(self, column: np.int64) -> int:
        """Position among the snapshot's groups."""
        return int(self.snapshot.group_of_factor[self._first(column)[0]])

    def size(self, family: Family, columns: NDArray[np.int64]) -> float:
        """In units of the factor; one where nothing is bumped.

        :param columns: of one subject.
        """
        if not len(self.scenarios.shocks(columns[0])[0]):
            return 1.0
        factor, level = self._first(columns[0])
        if not family.central:
            return level - float(self.snapshot.x0[factor])
        return (level - self._first(columns[1])[1]) / 2.0

    def reported(self, family: Family, column: np.int64, size: float) -> float:
        """Relative ones as a share of the level."""
        if family.shift_type == "absolute" or not size:
            return size
        group = self.snapshot.groups[self.group(column)]
        return size / reference_price(self.snapshot.x0[group.start : group.stop])

    def described(self, family: Family, column: np.int64) -> tuple[str, float]:
        """Label and reported size of a subject of one column; all blocks ask for the same ones."""
        key = int(column)
        if key not in self._described:
            size = self.size(family, np.array([key]))
            self._described[key] = str(self.scenarios.names[key].as_py()), self.reported(family, column, size)
        return self._described[key]

    def _first(self, column: np.int64) -> tuple[int, float]:
        """Its position in x0, and its level."""
        factors, levels = self.scenarios.shocks(column)
        lead = self.scenarios.lead[column]
        return int(factors[lead]), float(levels[lead])
