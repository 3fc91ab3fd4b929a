"""Discrete dividends until trades' expiries, for models of the way of the spot."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import Escrows, Payouts
from riskpipe.market.factors import DIVIDENDS
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import ExDates, PaidForwardNodes
from riskpipe.products.shared_nodes import TradeNodes


def has_spot(model: MarketModel, underlying: str) -> bool:
    """Whether forwards are made of the spot: those that are quoted do not tell dividends."""
    found = model.resolve(("forward_price", "spot"), underlying)
    return found is not None and model.snapshot.groups[found[0]].kind == "spot"


def ex_dates_until(underlying: Labels, days: NDArray[np.int32], model: MarketModel) -> NDArray[np.int32]:
    """int32[n]: how often discrete dividends go ex after today and until some days. What the market lacks has none."""
    count = np.zeros(len(days), np.int32)
    for code, name in enumerate(underlying.names):
        groups = [group for kind in DIVIDENDS for group in model.resolve((kind,), name) or ()]
        if groups and has_spot(model, name):
            found = (model.snapshot.groups[group] for group in groups)
            ex = np.unique(np.concatenate([model.snapshot.days[group.start : group.stop] for group in found]))
            rows = np.flatnonzero(underlying.codes == code)
            count[rows] = np.searchsorted(ex[ex > model.as_of], days[rows], "right")
    return count


class TradePayouts(Struct, frozen=True):
    """Discrete dividends of n trades.

    :param ex_dates: None: no trade has any until its expiry.
    :param last: int32[n], the last ex date up to the expiry; -1: none.
    :param years: float64[n], to the expiry. :param ex_years: float64[m], to the ex dates.
    """

    ex_dates: ExDates | None
    last: NDArray[np.int32]
    years: FloatArray
    ex_years: FloatArray

    @classmethod
    def none(cls, size: int) -> TradePayouts:
        """Of trades whose underlyings pay nothing, as futures."""
        return cls(None, np.full(size, -1, np.int32), np.zeros(size), np.empty(0))

    @classmethod
    def until(cls, model: MarketModel, forward: TradeNodes, days: NDArray[np.int32]) -> TradePayouts:
        """:param forward: to the trades' dates, `days`."""
        nodes, years = forward.nodes, model.time(days)
        if not isinstance(nodes, PaidForwardNodes):
            return cls.none(len(days))
        return cls(nodes.ex_dates, nodes.last[forward.position], years, model.time(nodes.ex_dates.day))

    @property
    def has_any(self) -> NDArray[np.bool_]:
        """bool[n]."""
        return self.last >= 0

    def under(self, rows: NDArray[np.int32], x: FloatArray) -> Payouts:
        """For kernels. :param rows: that have some."""
        assert self.ex_dates is not None
        used, last = self.ex_dates.used(self.last[rows])
        first = np.searchsorted(used.chain, used.chain[last]).astype(np.int32)
        years = self.ex_years[np.searchsorted(self._keys(self.ex_dates), self._keys(used))]
        escrows: Escrows = (years, *used.paid(x))
        return first, last + np.int32(1), self.years[rows], escrows

    @staticmethod
    def _keys(ex_dates: ExDates) -> NDArray[np.int64]:
        return ex_dates.chain.astype(np.int64) << 32 | ex_dates.day
