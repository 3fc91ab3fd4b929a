"""Which risk class each factor of a market belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import CARRY_KINDS, KINDS, RISK_CLASSES, RiskClass, is_pair
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot


class RiskClasses:
    """By kind; a spot is of fx where its name is a pair of currencies, and it, its dividends and its borrow costs are
    of commodity where the name has forward prices, or `conventions.commodities` lists it.

    :param chosen: glob over kind:name -> the class; the last that matches wins.
    """

    def __init__(
        self, snapshot: MarketSnapshot, conventions: Conventions, chosen: Mapping[str, RiskClass] | None = None
    ) -> None:
        self._commodities = {group.name for group in snapshot.groups if group.kind == "forward_price"}
        self._commodities |= set(conventions.commodities)
        self._chosen = chosen or {}
        self._code_of_group = np.array([RISK_CLASSES.index(self.of(group)) for group in snapshot.groups], np.int64)
        self._group_of_factor = snapshot.group_of_factor

    def members(self, risk_class: RiskClass) -> NDArray[np.bool_]:
        """bool[n_factors]: those of a class."""
        code = RISK_CLASSES.index(risk_class)
        return np.asarray(self._code_of_group[self._group_of_factor] == code, np.bool_)

    def of(self, group: FactorGroup) -> RiskClass:
        """That of a curve, surface or spot."""
        found = [name for glob, name in self._chosen.items() if fnmatchcase(f"{group.kind}:{group.name}", glob)]
        if found:
            return found[-1]
        if group.kind == "spot" and is_pair(group.name, group.currency):
            return "fx"
        if group.kind in ("spot", *CARRY_KINDS) and group.name in self._commodities:
            return "commodity"
        return KINDS[group.kind].risk_class
