"""What analyses are asked for, for those who need no tables to ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct, field

from riskpipe.analyses.limit_terms import Limit
from riskpipe.market.factors import RiskClass
from riskpipe.measures.measure_names import PNL_SETS, WHOLE_RISK
from riskpipe.measures.tail_definition import TailDefinition, scenarios_needed


class LiquidityTerms(Struct, frozen=True):
    """Expected shortfall by liquidity horizons.

    :param base_days: T, what a P&L is over: sums of `horizon_days` that follow each other.
    """

    confidence: float
    base_days: int
    horizon_days: int

    @property
    def definition(self) -> TailDefinition:
        """Of the P&L of one nested set."""
        return TailDefinition("liquidity_es", "es", self.confidence, horizon_days=self.horizon_days)


class StressedWindow(Struct, frozen=True):
    """A search for the `days` that follow each other in which a book's P&L has the largest expected shortfall."""

    name: str
    book: str
    days: int
    confidence: float
    scenario_set: str


class ReverseStress(Struct, frozen=True):
    """A search for the most plausible move of the market that loses a book so much, in the base currency."""

    name: str
    book: str
    loss: float


class BacktestTerms(Struct, frozen=True):
    """:param days: at most so many, the last ones. :param pnl: of the market's moves alone, or all of it."""

    days: int = 250
    pnl: Literal["hypothetical", "actual"] = "hypothetical"


class RiskTerms(Struct, frozen=True):
    """What the configuration's section `risk` asks for, and the limits."""

    tails: tuple[TailDefinition, ...]
    liquidity: LiquidityTerms | None = None
    stressed_windows: tuple[StressedWindow, ...] = ()
    backtests: BacktestTerms = field(default_factory=BacktestTerms)
    classes: Mapping[str, RiskClass] = field(default_factory=dict)
    """Glob over kind:name -> risk class of these factors, where it is another than they would have."""
    limits: tuple[Limit, ...] = ()
    reverse_stresses: tuple[ReverseStress, ...] = ()

    def wanting(self, days: Mapping[str, int]) -> dict[str, list[str]]:
        """What is asked of histories that have too few days, by scenario set.

        :param days: of every history, by its scenario set.
        """
        found: dict[str, list[str]] = {}
        for name, count in days.items():
            history = "the history" if name == PNL_SETS["historical_var"] else f"the history {name}"
            for what, needed in self._needed(name):
                if needed > count:
                    message = (
                        f"{what} is of {needed} days and {history} has {count}: give it more, shorten the window, or "
                        "say of which scenario_set the figure is"
                    )
                    found.setdefault(name, []).append(message)
        return found

    def _needed(self, scenario_set: str) -> Iterator[tuple[str, int]]:
        """What is asked of a history, and the days that it must have."""
        for tail in self.tails:
            if tail.applies_to(scenario_set, tail.risk_class or WHOLE_RISK):
                yield f"risk.var: {tail.name}", scenarios_needed(tail)
        if self.liquidity is not None:
            yield "risk.liquidity_horizons", scenarios_needed(self.liquidity.definition)
        for window in self.stressed_windows:
            if window.scenario_set == scenario_set:
                yield f"risk.stressed_windows: {window.name}", window.days
