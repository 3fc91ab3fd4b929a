"""Bonds as of the days on which their buyers pay: what is still owed then, and what is the buyers' of it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.calendars import add_business_days
from riskpipe.market.schedules import Schedule
from riskpipe.products.bond_flows import BondFlows
from riskpipe.products.ex_coupons import ex_coupon
from riskpipe.products.flows import Days, Integers, offsets_of
from riskpipe.products.trades import Trades


def settlement_days(trades: Trades, as_of: int) -> Days:
    """int32[n]: as many business days after today as the bond says, but not before its issue."""
    lag = np.nan_to_num(trades.numbers("settlement_days", 0.0)).astype(np.int64)
    today = np.full(len(trades), as_of, np.int32)
    settled = add_business_days(today, lag, trades.labels("calendar"))
    return np.maximum(settled, trades.days("issue_date"))


class Settlement(Struct, frozen=True, dict=True):
    """Of n bonds; NaN where nothing is owed any more after the day, or nothing is held.

    :param face: float64[periods], that is left in each. :param day: int32[n].
    """

    trades: Trades
    periods: Schedule
    face: FloatArray
    day: Days

    @cached_property
    def owed(self) -> NDArray[np.int64]:
        """Positions of periods that are paid after the day."""
        return np.flatnonzero(self.periods.payment > self.day[self.periods.trades])

    @cached_property
    def trade(self) -> Integers:
        """int64[owed]"""
        return self.periods.trades[self.owed]

    @cached_property
    def offsets(self) -> Integers:
        """int64[n + 1], of `owed`."""
        return offsets_of(self.trade, len(self.trades))

    @cached_property
    def is_owed(self) -> NDArray[np.bool_]:
        """bool[n]"""
        return np.asarray(np.diff(self.offsets) > 0)

    def of_next(self, values: FloatArray) -> FloatArray:
        """float64[n] of float64[periods]: that of the period which is paid next."""
        found = np.full(len(self.trades), np.nan)
        found[self.is_owed] = values[self.owed[self.offsets[:-1][self.is_owed]]]
        return found

    @cached_property
    def per_face(self) -> FloatArray:
        """float64[n]: what turns amounts into those for 100 of the face that is left."""
        face = self.of_next(self.face)
        return np.asarray(np.divide(100.0, face, out=np.full(len(face), np.nan), where=face != 0.0))

    @cached_property
    def ex(self) -> NDArray[np.bool_]:
        """bool[periods]: the coupon is paid later, and is not the buyer's."""
        return ex_coupon(self.trades, self.periods, self.day)


def accrued_interest(bond: BondFlows, settled: Settlement) -> tuple[FloatArray, FloatArray]:
    """float64[n] each: interest in currency, and years of the period that is paid next which are over.

    Interest is below zero where the next coupon is not the buyer's; nothing on the day it begins.
    """
    since, left = bond.accrual.split(bond.periods, settled.day[bond.periods.trades])
    earned = np.where(settled.ex & (since > 0.0), -left, since)
    return settled.of_next(bond.interest * earned), settled.of_next(since)
