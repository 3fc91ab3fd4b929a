"""Every analysis: riskpipe's own, in order, then those of other packages (entry points)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from riskpipe.analyses.analysis import Analysis
from riskpipe.errors import UsageError
from riskpipe.plugins import load_plugins
from riskpipe.store.table_schemas import SCHEMAS, add_schema

GROUP = "riskpipe.analyses"

_VECTORS = ("book_pnl", "scenarios")
_CLASSES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "var": ("Var", _VECTORS),
        "var_components": ("VarComponents", ("book_pnl",)),
        "liquidity_es": ("LiquidityEs", _VECTORS),
        "stressed_windows": ("StressedWindows", _VECTORS),
        "delta_gamma_var": ("DeltaGammaVar", _VECTORS),
        "reverse_stress": ("ReverseStressTest", _VECTORS),
        "worst_stress": ("WorstStress", _VECTORS),
        "pnl_explain": ("PnlExplain", ("valuations", "scenarios", "scenario_pnl")),
        "backtests": ("Backtests", ("pnl_explain",)),
        "limit_checks": ("LimitChecks", ("aggregates",)),
    }
)
"""riskpipe's own analyses, in order -> class, in the module of the analysis's name, and the tables that it reads."""


@cache
def _own(name: str) -> Analysis:
    """One of riskpipe's: a day has few of them, whose modules take longer to import than most take to compute."""
    analysis: Analysis = getattr(import_module(f"riskpipe.analyses.{name}"), _CLASSES[name][0])()
    return analysis


class _OwnAnalyses(Mapping[str, Analysis]):
    def __getitem__(self, name: str) -> Analysis:
        if name not in _CLASSES:
            raise KeyError(name)
        return _own(name)

    def __contains__(self, name: object) -> bool:
        return name in _CLASSES

    def __iter__(self) -> Iterator[str]:
        return iter(_CLASSES)

    def __len__(self) -> int:
        return len(_CLASSES)


ANALYSES: Mapping[str, Analysis] = _OwnAnalyses()
"""riskpipe's own; each may read the tables of those before it, and is imported when it is taken."""


class Analyses(Mapping[str, Analysis]):
    """Name -> analysis. riskpipe's own are imported when they are asked for.

    :ivar further: those of other packages.
    :ivar broken: what is wrong with each plug-in that could not be loaded, by entry point.
    """

    def __init__(self) -> None:
        self.further: dict[str, Analysis] = {}
        self.broken: dict[str, str] = {}

    def __getitem__(self, name: str) -> Analysis:
        return self.further[name] if name in self.further else ANALYSES[name]

    def __contains__(self, name: object) -> bool:
        return name in self.further or name in ANALYSES

    def __iter__(self) -> Iterator[str]:
        yield from ANALYSES
        yield from self.further

    def __len__(self) -> int:
        return len(ANALYSES) + len(self.further)

    def can_be_made(self, name: str, tables: Container[str]) -> bool:
        """Whether a day with these tables has what an analysis reads."""
        reads = self.further[name].reads if name in self.further else _CLASSES[name][1]
        return all(table in tables for table in reads)


@cache
def analyses() -> Analyses:
    """Every analysis there is.

    Another package adds one with an entry point of the group `riskpipe.analyses` that names a subclass of `Analysis`
    (or an instance); its table has a name of its own. One that cannot be loaded is `broken`, and the others are there.

    :raises UsageError: a name that is taken, or a table that does not begin as others do.
    """
    found = Analyses()
    plugins = load_plugins(GROUP, Analysis)  # type: ignore[type-abstract]
    found.broken |= plugins.broken
    for plugin in plugins.found:
        if plugin.name in SCHEMAS:
            raise plugin.is_there("table")
        begins = [(field.name, str(field.type), field.nullable) for field in list(plugin.value.schema)[:2]]
        if begins != [("as_of_date", "date32[day]", False), ("run_id", "string", False)]:
            raise UsageError(
                f"the table {plugin.name!r} of {plugin.where} ({plugin.package}) must begin with as_of_date (date32) "
                "and run_id (string), both without nulls"
            )
        add_schema(plugin.name, plugin.value.schema)
        found.further[plugin.name] = plugin.value
    return found
