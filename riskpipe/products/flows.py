"""Flows while they are being put together: amounts on dates, trade by trade."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.amounts import merge
from riskpipe.kernels.arguments import Flows
from riskpipe.market.accruals import Accrual
from riskpipe.market.schedules import Schedule

Days = NDArray[np.int32]
Integers = NDArray[np.int64]


class Amounts(Struct, frozen=True):
    """Known amounts, k of them.

    :param trade: int64[k].
    :param day: int32[k], of payment; one before today counts as paid now, undiscounted.
    :param amount: float64[k], in currency.
    """

    trade: Integers
    day: Days
    amount: FloatArray

    def __len__(self) -> int:
        return len(self.trade)

    def where(self, mask: NDArray[np.bool_]) -> Amounts:
        return Amounts(self.trade[mask], self.day[mask], self.amount[mask])

    def ordered(self) -> Amounts:
        """By trade and day; what is of one day in the order that it has."""
        key = (self.trade << 32) + self.day
        if (key[1:] >= key[:-1]).all():
            return self
        order = np.argsort(key, kind="stable")
        return Amounts(self.trade[order], self.day[order], self.amount[order])

    def of(self, rows: Integers) -> Amounts:
        """The same of trades that were counted among `rows`, ascending."""
        return Amounts(rows[self.trade], self.day, self.amount)


def merged(parts: list[Amounts]) -> Amounts:
    """All amounts ordered by trade and day, one a trade and day; those that cancel are left out.

    Amounts of one day are summed in the order given, which does not depend on other trades.
    """
    (trade, day, amount), count = _merge(parts)
    if count < 0:
        (trade, day, amount), count = _merge([part.ordered() for part in parts])
    return Amounts(trade[:count].copy(), day[:count].copy(), amount[:count].copy())


def _merge(parts: list[Amounts]) -> tuple[Flows, int]:
    """The flows, and how many of them count; -1: a part is not by trade and day."""
    parts = [part for part in parts if len(part)] or parts[:1]
    bounds = np.cumsum([0, *(len(part) for part in parts)])
    trade = np.concatenate([part.trade for part in parts])
    day = np.concatenate([part.day for part in parts])
    amount = np.concatenate([part.amount for part in parts])
    into = (np.empty_like(trade), np.empty_like(day), np.empty_like(amount))
    return into, merge(bounds, (trade, day, amount), into)


def offsets_of(trade: Integers, trades: int) -> Integers:
    """int64[trades + 1]: where each trade's terms begin, for terms in the order of trades."""
    offsets = np.zeros(trades + 1, np.int64)
    np.cumsum(np.bincount(trade, minlength=trades), out=offsets[1:])
    return offsets


def fixed_coupons(periods: Schedule, accrual: Accrual, amount: FloatArray) -> Amounts:
    """Interest on `amount` float64[periods], notional times rate a year, over each period."""
    return Amounts(periods.trades, periods.payment, amount * accrual.years(periods))
