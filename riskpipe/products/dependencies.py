"""Which factor groups each trade of a block depends on, and which trades lack one."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.errors import Level, Reason
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Need, Product, RowFaults
from riskpipe.products.trades import Trades

_LARGEST_INT64 = 2**63 - 1
_PRICES, _RATES = ("spot", "forward_price"), ("zero_rate",)


class Dependencies(Struct, frozen=True, dict=True):
    """Factor groups by trade.

    :param pricing: columns int32[n] of group indices (-1: none) that the price in the trade's currency depends on.
    :param conversion: likewise, of the conversion of the trade's currency to the base currency.
    :param today: likewise, of what is read at today's levels alone.
    :param faults: trades with a need that the snapshot does not meet.
    """

    pricing: tuple[NDArray[np.int32], ...]
    conversion: tuple[NDArray[np.int32], ...]
    today: tuple[NDArray[np.int32], ...]
    faults: tuple[RowFaults, ...]

    def touched(self, groups: NDArray[np.integer], n_groups: int, *, converted: bool) -> NDArray[np.bool_]:
        """bool[n]: the trade depends on any of `groups`; with `converted`, through the conversion as well."""
        lookup = np.zeros(n_groups + 1, np.bool_)
        lookup[groups] = True
        first, combination = self._combinations
        mask = np.zeros(len(first), np.bool_)
        for column in self.pricing + self.conversion if converted else self.pricing:
            mask |= lookup.take(column[first])
        return mask.take(combination)

    @cached_property
    def _combinations(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Trades' groups are asked for class after class of columns, and few combinations of them exist.

        :return: int64[k], the first trade of each combination; int64[n], which one a trade has.
        """
        columns = self.pricing + self.conversion
        combination = np.zeros(len(columns[0]), np.int64)
        combinations = 1
        for column in columns:
            width = int(column.max(initial=-1)) + 2
            if combinations * width > _LARGEST_INT64:
                _, combination = np.unique(combination, return_inverse=True)
                combinations = int(combination.max(initial=-1)) + 1
            combination = combination * width + column + 1
            combinations *= width
        _, first, combination = np.unique(combination, return_index=True, return_inverse=True)
        return first, combination

    def used(self, n_groups: int) -> NDArray[np.bool_]:
        """bool[n_groups]: some trade depends on the group, be it on today's levels alone."""
        lookup = np.zeros(n_groups + 1, np.bool_)
        for column in self.pricing + self.conversion + self.today:
            lookup[column] = True
        return lookup[:n_groups]


def dependencies(
    product: Product, trades: Trades, model: MarketModel, base_currency: str, *, checked: bool = False
) -> Dependencies:
    """Resolve every need of every trade against the snapshot, once a distinct name.

    :param checked: the trades have no faults: needs that go by date, which take their schedules, are not looked for.
    """
    currency = product.currency(trades)
    conversion = Need("conversion", ("fx",), currency.map(lambda c: f"{c}{base_currency}"))
    faults: list[RowFaults] = []
    pricing: list[NDArray[np.int32]] = []
    today: list[NDArray[np.int32]] = []
    for need in product.requirements(trades, model.conventions):
        (today if need.today_only else pricing).extend(_columns(need, model, faults))
        faults += _foreign(need, model, need.currency or currency)
    converted = _columns(conversion, model, faults)
    if not pricing:
        pricing = [np.full(len(trades), -1, np.int32)]
    if not checked:
        faults += product.missing_points(trades, model)
    return Dependencies(tuple(pricing), tuple(converted), tuple(today), tuple(faults))


def _columns(need: Need, model: MarketModel, faults: list[RowFaults]) -> list[NDArray[np.int32]]:
    resolved = [model.resolve(need.kinds, name, cube=need.cube) for name in need.labels.names]
    width = max((len(groups) for groups in resolved if groups), default=0)
    table = np.full((len(resolved) + 1, width), -1, np.int32)
    for k, groups in enumerate(resolved):
        if groups:
            table[k, : len(groups)] = groups
    faults += _missing(need, model, resolved)
    return [np.ascontiguousarray(table[need.labels.codes, k]) for k in range(width)]


def _foreign(need: Need, model: MarketModel, currency: Labels) -> list[RowFaults]:
    """Trades that would take levels of another currency as if they were of theirs."""
    if not set(need.kinds) & {*_PRICES, *_RATES}:
        return []
    groups = [model.resolve(need.kinds, name, cube=need.cube) for name in need.labels.names]
    quoted = [model.snapshot.groups[found[0]] if found else None for found in groups]
    own = {name: code for code, name in enumerate(currency.names)}
    # -1: not compared; -2: a currency that no trade has.
    wanted = [-1 if group is None or group.currency is None else own.get(group.currency, -2) for group in quoted]
    wanted_code = np.array([*wanted, -1], np.int32)[need.labels.codes]
    foreign = (wanted_code != -1) & (currency.codes >= 0) & (wanted_code != currency.codes)
    faults = []
    for code, mine in sorted(
        set(zip(need.labels.codes[foreign].tolist(), currency.codes[foreign].tolist(), strict=True))
    ):
        group = quoted[code]
        assert group is not None
        rows = np.flatnonzero(foreign & (need.labels.codes == code) & (currency.codes == mine))
        what = f"{group.kind}:{group.name} is in {group.currency}, the trade takes it in {currency.names[mine]}"
        if group.kind in _PRICES:
            message = f"{what}: correct the currency of either"
            faults.append(RowFaults("currency", "currency", rows, Reason.INVALID_TRADE, message))
        else:
            faults.append(RowFaults("currency", "currency", rows, Reason.INVALID_TRADE, what, level=Level.WARNING))
    return faults


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
