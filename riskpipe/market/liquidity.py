"""Liquidity horizons of factors: how many days it takes to leave a position in them (MAR33.12).

Basel Committee on Banking Supervision, MAR33: Internal models approach, capital requirements calculation, MAR33.12 and
its questions: of curves by currency, of exchange rates by pair, of volatilities by what they are of. What factors do
not tell, as the size of a company or the rating of a name, counts as the less liquid of what it may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.factors import CARRY_KINDS, LiquidityHorizon, RiskClass, is_currency
from riskpipe.market.risk_classes import RiskClasses
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot

SPECIFIED_CURRENCIES = frozenset({"EUR", "USD", "GBP", "AUD", "JPY", "SEK", "CAD"})
"""Whose rates have a horizon of 10 days, beside the domestic one."""

SPECIFIED_PAIRS = frozenset(
    {"USD", "EUR", "JPY", "GBP", "AUD", "CAD", "CHF", "MXN", "CNY", "NZD"}
    | {"RUB", "HKD", "SGD", "TRY", "KRW", "SEK", "ZAR", "INR", "NOK", "BRL"}
)
"""Currencies whose specified pairs, and first-order crosses of these, have a horizon of 10 days."""

_PRICES: Mapping[RiskClass, LiquidityHorizon] = {"equity": 20, "commodity": 60, "credit": 60}
_VOLATILITIES: Mapping[RiskClass, LiquidityHorizon] = {"equity": 60, "commodity": 120, "fx": 40}
_RATE_VOLATILITY: LiquidityHorizon = 60
_CARRY: LiquidityHorizon = 60


class LiquidityHorizons:
    """:param base_currency: the domestic one.
    :param chosen: glob over kind:name -> days; the last that matches wins.
    """

    def __init__(
        self,
        snapshot: MarketSnapshot,
        classes: RiskClasses,
        base_currency: str,
        chosen: Mapping[str, LiquidityHorizon] | None = None,
    ) -> None:
        self._snapshot, self._classes, self._chosen = snapshot, classes, chosen or {}
        self._liquid = SPECIFIED_CURRENCIES | {base_currency}
        self._underlyings = {
            group.name: classes.of(group) for group in snapshot.groups if group.kind in ("spot", "forward_price")
        }
        of_group = np.array([self._of(group) for group in snapshot.groups], np.int64)
        self._of_factor = of_group[snapshot.group_of_factor]

    def at_least(self, days: int) -> NDArray[np.bool_]:
        """bool[n_factors]: those with this horizon or a longer one."""
        return np.asarray(self._of_factor >= days, np.bool_)

    def _of(self, group: FactorGroup) -> LiquidityHorizon:
        found = [days for glob, days in self._chosen.items() if fnmatchcase(f"{group.kind}:{group.name}", glob)]
        if found:
            return found[-1]
        risk_class = self._classes.of(group)
        if risk_class == "volatility":
            underlying = "fx" if group.kind == "fx_vol" else self._underlyings.get(group.name, "rates")
            return _VOLATILITIES.get(underlying, _RATE_VOLATILITY)
        if risk_class in ("rates", "inflation"):
            return 10 if _currency(group) in self._liquid else 20
        if risk_class == "fx":
            return 10 if {group.name[:3], group.name[3:]} <= SPECIFIED_PAIRS else 20
        return _CARRY if group.kind in CARRY_KINDS else _PRICES[risk_class]


def _currency(group: FactorGroup) -> str | None:
    """That of a curve; by its name, such as `USD.SOFR`, where its points have none."""
    if group.currency is not None:
        return group.currency
    return group.name[:3] if is_currency(group.name[:3]) else None
