"""Scenario sets whose P&L is kept: which measure asks for them, what tables call them, and what moves in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.market.factors import RISK_CLASSES
from riskpipe.measures.measure_names import CROSS, PNL_SETS, WHOLE_RISK


class PnlSet(Struct, frozen=True):
    """A scenario set of P&L. A measure may have several: histories by name, and parts of each.

    :param scenario_set: what tables call it; the set and its parts have one scenario each in the same place.
    :param risk_class: what moves: everything, the factors of one class alone, those from a liquidity horizon on, or, of
        sums alone, the cross-effects.
    """

    measure: str
    scenario_set: str
    risk_class: str = WHOLE_RISK

    @property
    def name(self) -> str:
        """Of its columns among a run's scenarios."""
        if PNL_SETS.get(self.measure) == self.scenario_set and self.is_whole:
            return self.scenario_set
        return f"{self.measure}/{self.scenario_set}/{self.risk_class}"

    @property
    def title(self) -> str:
        """For people."""
        return f"a {self.scenario_set} P&L" + ("" if self.is_whole else f" of {self.risk_class}")

    @property
    def is_whole(self) -> bool:
        return self.risk_class == WHOLE_RISK

    @property
    def is_class(self) -> bool:
        """Whether it is one of those that add up, with the cross-effects, to the whole."""
        return self.risk_class in RISK_CLASSES

    @property
    def whole(self) -> PnlSet:
        """What it is a part of; a whole: itself."""
        return replace(self, risk_class=WHOLE_RISK)

    @property
    def cross(self) -> PnlSet:
        """What the parts of the whole leave of it."""
        return replace(self, risk_class=CROSS)


_MEASURE_OF = {name: measure for measure, name in PNL_SETS.items()}


def pnl_set(name: str) -> PnlSet | None:
    """That of some columns; None: no P&L is kept of them."""
    if name in _MEASURE_OF:
        return PnlSet(_MEASURE_OF[name], name)
    measure, *others = name.split("/")
    return PnlSet(measure, *others) if measure in PNL_SETS and len(others) == 2 else None


def pnl_sets(names: Iterable[str]) -> tuple[PnlSet, ...]:
    """Those among a run's scenario sets, in their order."""
    return tuple(found for name in names if (found := pnl_set(name)) is not None)


def left_out_of(failed: Collection[str], sets: Iterable[PnlSet]) -> set[str]:
    """Names of the sets that have no P&L of a trade that failed under some: those, and the parts of a whole."""
    return {each.name for each in sets if each.name in failed or each.whole.name in failed}
