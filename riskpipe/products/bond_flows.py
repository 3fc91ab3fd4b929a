"""What fixed-rate bonds pay by period: interest on a face that may change, and falls in the face."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.accruals import Accrual
from riskpipe.market.schedules import Schedule
from riskpipe.products.debt import bond_dates
from riskpipe.products.ex_coupons import ex_coupon
from riskpipe.products.flows import Amounts, Days, merged
from riskpipe.products.steps import Stepped
from riskpipe.products.trades import Trades

FACE = Stepped("face", "notionals", "notional_dates")
COUPON = Stepped("coupon", "coupons", "coupon_dates")


class BondFlows(Struct, frozen=True, dict=True):
    """Of n bonds, the periods that are still to be paid, in time order; some before them may be there, too.

    :param interest: float64[periods], per year. :param years: float64[periods].
    :param face: float64[periods], that interest is on.
    """

    trades: Trades
    periods: Schedule
    accrual: Accrual
    face: FloatArray
    interest: FloatArray
    years: FloatArray

    @cached_property
    def redeemed(self) -> FloatArray:
        """float64[periods]: what is paid back with the coupon; below zero where the face grows."""
        trade = self.periods.trades
        fall = self.face.copy()
        follows = np.flatnonzero(trade[1:] == trade[:-1])
        fall[follows] -= self.face[follows + 1]
        return fall

    def redemptions(self) -> Amounts:
        if self.trades.has(FACE.values):
            return Amounts(self.periods.trades, self.periods.payment, self.redeemed)
        offsets = self.periods.offsets
        last = offsets[1:][np.diff(offsets) > 0] - 1
        return Amounts(self.periods.trades[last], self.periods.payment[last], self.face[last])

    def ex(self, day: Days) -> NDArray[np.bool_]:
        """bool[periods]: as `ex_coupon`."""
        return ex_coupon(self.trades, self.periods, day)

    def coupons(self, as_of: int) -> FloatArray:
        """float64[periods]: what a holder has of them; nothing of those that trade ex coupon today."""
        amount = self.interest * self.years
        if not self.trades.has("ex_coupon_days"):
            return amount
        return np.where(self.ex(np.full(len(self.trades), as_of, np.int32)), 0.0, amount)

    def held(self, as_of: int) -> Amounts:
        """Coupons and redemptions that a holder is still to be paid."""
        parts = (Amounts(self.periods.trades, self.periods.payment, self.coupons(as_of)), self.redemptions())
        return merged([part.where(part.day > as_of) for part in parts])


def bond_flows(trades: Trades, as_of: int) -> BondFlows:
    """As the columns of `Bond` say."""
    dates = bond_dates(trades)
    periods = dates.periods_around(as_of)
    accrual = dates.accrual(trades.labels("day_count"))
    face = FACE.by_period(trades, periods, scale=trades.numbers("quantity"))
    interest = face * COUPON.by_period(trades, periods)
    return BondFlows(trades, periods, accrual, face, interest, accrual.years(periods))
