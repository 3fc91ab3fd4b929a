"""Trades of one product that are priced in two ways, each by its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.products.base import Prepared
from riskpipe.products.cash_flows import CashFlows, joined
from riskpipe.products.trades import Trades


@dataclass(frozen=True)
class Either(Prepared):
    """Trades in two parts.

    :param first, second: the trades of each part, prepared.
    :param is_first: bool[n].
    :param place: int32[n], of each trade in its part.
    """

    first: Prepared
    second: Prepared
    is_first: NDArray[np.bool_]
    place: NDArray[np.int32]

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        out, among = np.empty((len(rows), x.shape[1])), self.is_first[rows]
        for part, mine in ((self.first, among), (self.second, ~among)):
            if mine.all():
                return part.price(self.place[rows], x)
            if mine.any():
                out[mine] = part.price(self.place[rows[mine]], x)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows | None:
        found = ((self.first.cash_flows(x), self.is_first), (self.second.cash_flows(x), ~self.is_first))
        parts = [flows.of(np.flatnonzero(mine)) for flows, mine in found if flows is not None]
        return joined(parts) if parts else None

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        among = self.is_first[rows]
        causes = [
            iter(part.why_not(self.place[rows[mine]], x)) for part, mine in ((self.second, ~among), (self.first, among))
        ]
        return [next(causes[int(k)]) for k in among]


def either(
    trades: Trades,
    is_first: NDArray[np.bool_],
    first: Callable[[Trades], Prepared],
    second: Callable[[Trades], Prepared],
) -> Prepared:
    """Trades prepared by `first` where the mask bool[n] holds, by `second` elsewhere."""
    if is_first.all():
        return first(trades)
    if not is_first.any():
        return second(trades)
    place = np.where(is_first, np.cumsum(is_first), np.cumsum(~is_first)).astype(np.int32) - np.int32(1)
    one, other = (trades.take(np.flatnonzero(mask)) for mask in (is_first, ~is_first))
    return Either(first(one), second(other), is_first, place)
