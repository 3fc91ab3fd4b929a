"""The scenarios of a run, as they were made or kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from riskpipe.market.scenarios import ScenarioSet
from riskpipe.market.snapshot import MarketFault


class Scenarios(Struct, frozen=True):
    """The set, and the faults of the inputs that it was made from, by input; of stresses those that the
    configuration declares apart, of histories by scenario set; and of what `bumps` names.
    """

    columns: ScenarioSet
    stress_faults: tuple[MarketFault, ...] = ()
    declared_faults: tuple[MarketFault, ...] = ()
    history_faults: Mapping[str, Sequence[MarketFault]] = field(default_factory=dict)
    bump_faults: tuple[MarketFault, ...] = ()
