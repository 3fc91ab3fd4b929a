"""What a figure of the tail is, for those who need no arrays to define it."""

from __future__ import annotations

import json
from typing import Literal

from msgspec import Struct

from riskpipe.measures.measure_names import NESTED, WHOLE_RISK
from riskpipe.structs import asdict

Kind = Literal["var", "es"]
Horizon = Literal["overlapping", "square_root"]
Weighting = Literal["equal", "age", "volatility"]
Quantile = Literal["empirical", "harrell_davis"]


class TailDefinition(Struct, frozen=True):
    """One figure of the tail.

    :param window: the last so many scenarios; None: all.
    :param horizon_days: of the figure, the scenarios being of one day: sums of so many that follow each other, or one
        day's figure times the square root.
    :param weighting: equal; or of scenarios k days old decay^k (Boudoukh, Richardson and Whitelaw 1998); or equal after
        each P&L is scaled to today's volatility, an exponentially weighted average of its squares with that decay (Hull
        and White 1998, applied to the P&L).
    :param scenario_set, risk_class: whose P&L it is of; None: of every history, of every class there is.
    """

    name: str
    kind: Kind
    confidence: float
    window: int | None = None
    horizon_days: int = 1
    horizon: Horizon = "overlapping"
    weighting: Weighting = "equal"
    decay: float | None = None
    quantile: Quantile = "empirical"
    scenario_set: str | None = None
    risk_class: str | None = None

    @property
    def is_of_days(self) -> bool:
        """Whether it asks for scenarios that follow each other in time, which simulated ones do not."""
        return self.window is not None or self.sums > 1 or self.weighting != "equal"

    def applies_to(self, scenario_set: str, risk_class: str = WHOLE_RISK) -> bool:
        """Whether it is of P&L under the scenarios of a history, or of a part of that."""
        is_part = risk_class == self.risk_class or (self.risk_class is None and risk_class not in NESTED.values())
        return self.scenario_set in (None, scenario_set) and is_part

    @property
    def text(self) -> str:
        """All of it, for files that are made of it."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def sums(self) -> int:
        """How many scenarios a P&L is of."""
        return self.horizon_days if self.horizon == "overlapping" else 1


def scenarios_needed(definition: TailDefinition) -> int:
    """The least that a vector must have."""
    return max(definition.window or 1, definition.sums)
