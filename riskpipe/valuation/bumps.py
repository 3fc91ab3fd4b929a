"""The factor that a subject's columns bump first: its group, the size of the bump, and that as a person names it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.families import Family, reference_price


@dataclass(frozen=True)
class FirstBumps:
    """Of the columns of a set; the first factor is the first that was asked for, whatever follows from it."""

    scenarios: ScenarioSet
    snapshot: MarketSnapshot

    def group(self, column: np.int64) -> int:
        """Position among the snapshot's groups."""
        return int(self.snapshot.group_of_factor[self.scenarios.factor[self._first(column)]])

    def size(self, family: Family, columns: NDArray[np.int64]) -> float:
        """In units of the factor; one where nothing is bumped.

        :param columns: of one subject.
        """
        scenarios = self.scenarios
        if scenarios.indptr[columns[0]] == scenarios.indptr[columns[0] + 1]:
            return 1.0
        first = self._first(columns[0])
        if not family.central:
            return float(scenarios.value[first] - self.snapshot.x0[scenarios.factor[first]])
        return float(scenarios.value[first] - scenarios.value[self._first(columns[1])]) / 2.0

    def reported(self, family: Family, column: np.int64, size: float) -> float:
        """Relative ones as a share of the level."""
        if family.shift_type == "absolute" or not size:
            return size
        group = self.snapshot.groups[self.group(column)]
        return size / reference_price(self.snapshot.x0[group.start : group.stop])

    def _first(self, column: np.int64) -> int:
        """Where the shocks have it."""
        return int(self.scenarios.indptr[column]) + int(self.scenarios.lead[column])
