"""Which factor groups each trade of a block depends on, and which trades lack one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.model import MarketModel
from riskpipe.products.base import Need, Product, RowFaults
from riskpipe.products.trades import Trades


@dataclass(frozen=True)
class Dependencies:
    """Factor groups by trade.

    :param pricing: columns int32[n] of group indices (-1: none) that the price in the trade's currency depends on.
    :param conversion: likewise, of the conversion of the trade's currency to the base currency.
    :param faults: trades with a need that the snapshot does not meet.
    """

    pricing: tuple[NDArray[np.int32], ...]
    conversion: tuple[NDArray[np.int32], ...]
    faults: tuple[RowFaults, ...]

    def touched(self, groups: NDArray[np.integer], n_groups: int, *, converted: bool) -> NDArray[np.int32]:
        """Rows that depend on any of `groups`, ascending; with `converted`, through the conversion as well."""
        lookup = np.zeros(n_groups + 1, np.bool_)
        lookup[groups] = True
        columns = self.pricing + self.conversion if converted else self.pricing
        mask = np.zeros(len(columns[0]) if columns else 0, np.bool_)
        for column in columns:
            mask |= lookup[column]
        return np.flatnonzero(mask).astype(np.int32)

    def used(self, n_groups: int) -> NDArray[np.bool_]:
        """bool[n_groups]: some trade depends on the group."""
        lookup = np.zeros(n_groups + 1, np.bool_)
        for column in self.pricing + self.conversion:
            lookup[column] = True
        return lookup[:n_groups]


def dependencies(product: Product, trades: Trades, model: MarketModel, base_currency: str) -> Dependencies:
    """Resolve every need of every trade against the snapshot, once a distinct name."""
    currency = product.currency(trades)
    conversion = Need("conversion", ("fx",), currency.map(lambda c: f"{c}{base_currency}"))
    faults: list[RowFaults] = []
    pricing: list[NDArray[np.int32]] = []
    for need in product.requirements(trades, model.conventions):
        pricing += _columns(need, model, faults)
    converted = _columns(conversion, model, faults)
    if not pricing:
        pricing = [np.full(len(trades), -1, np.int32)]
    return Dependencies(tuple(pricing), tuple(converted), (*faults, *product.missing_points(trades, model)))


def _columns(need: Need, model: MarketModel, faults: list[RowFaults]) -> list[NDArray[np.int32]]:
    resolved = [model.resolve(need.kinds, name, cube=need.cube) for name in need.labels.names]
    width = max((len(groups) for groups in resolved if groups), default=0)
    table = np.full((len(resolved) + 1, width), -1, np.int32)
    for k, groups in enumerate(resolved):
        if groups:
            table[k, : len(groups)] = groups
    faults += _missing(need, model, resolved)
    return [np.ascontiguousarray(table[need.labels.codes, k]) for k in range(width)]


def _missing(need: Need, model: MarketModel, resolved: list[tuple[int, ...] | None]) -> list[RowFaults]:
    faults = []
    for code, groups in enumerate(resolved):
        if need.optional and not model.is_left_out(need.kinds, need.labels.names[code]):
            continue
        rows = np.flatnonzero(need.labels.codes == code) if groups is None else np.empty(0, np.int64)
        if len(rows):
            failure = model.failure(need.kinds, need.labels.names[code])
            faults.append(RowFaults(need.role, "market_data", rows, failure.reason, failure.message))
    return faults
