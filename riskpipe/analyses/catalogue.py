"""Every analysis: riskpipe's own, in order, then those of other packages (entry points)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from riskpipe.analyses.analysis import Analysis
from riskpipe.analyses.backtests import Backtests
from riskpipe.analyses.delta_gamma_var import DeltaGammaVar
from riskpipe.analyses.limit_checks import LimitChecks
from riskpipe.analyses.liquidity_es import LiquidityEs
from riskpipe.analyses.pnl_explain import PnlExplain
from riskpipe.analyses.reverse_stress import ReverseStressTest
from riskpipe.analyses.stressed_windows import StressedWindows
from riskpipe.analyses.var import Var
from riskpipe.analyses.var_components import VarComponents
from riskpipe.analyses.worst_stress import WorstStress
from riskpipe.errors import UsageError
from riskpipe.plugins import load_plugins
from riskpipe.store.table_schemas import SCHEMAS, add_schema

GROUP = "riskpipe.analyses"

_OWN: tuple[Analysis, ...] = (
    Var(),
    VarComponents(),
    LiquidityEs(),
    StressedWindows(),
    DeltaGammaVar(),
    ReverseStressTest(),
    WorstStress(),
    PnlExplain(),
    Backtests(),
    LimitChecks(),
)
ANALYSES: Mapping[str, Analysis] = MappingProxyType({analysis.name: analysis for analysis in _OWN})
"""riskpipe's own; each may read the tables of those before it."""


class Analyses(dict[str, Analysis]):
    """Name -> analysis. :ivar broken: what is wrong with each plug-in that could not be loaded, by entry point."""

    def __init__(self) -> None:
        super().__init__(ANALYSES)
        self.broken: dict[str, str] = {}


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
        found[plugin.name] = plugin.value
    return found
