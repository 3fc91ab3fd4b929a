"""Prices for 100 of face, yields and spreads of bonds, as of the day on which a buyer of today pays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.kernels.yields import rates_of_prices, times_from
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import lengths_of
from riskpipe.products.bond_flows import BondFlows
from riskpipe.products.flows import Amounts, Days, Integers, merged
from riskpipe.products.settlement import Settlement, accrued_interest, settlement_days
from riskpipe.products.trades import Trades

BOND_FIGURES = ("accrued", "clean_price", "dirty_price", "yield", "modified_duration", "z_spread")
_A_YEAR = 365.0
_DAYS_OF_52_WEEKS = 364


class BondFigures(Struct, frozen=True, dict=True):
    """Of n bonds; where nothing is owed any more after settlement, or nothing is held, NaN.

    The yield is the street convention's (QuantLib's BondFunctions over unadjusted payments): flows at the ends of
    coupon periods, time by the coupons' day count, compounded as often as coupons are paid.

    :param pv: float64[n], today's values.
    """

    bond: BondFlows
    model: MarketModel
    pv: FloatArray

    @property
    def _trades(self) -> Trades:
        return self.bond.trades

    @cached_property
    def _settled(self) -> Settlement:
        bond = self.bond
        return Settlement(bond.trades, bond.periods, bond.face, settlement_days(bond.trades, self.model.as_of))

    @cached_property
    def _since(self) -> tuple[FloatArray, FloatArray]:
        return accrued_interest(self.bond, self._settled)

    @cached_property
    def accrued(self) -> FloatArray:
        """float64[n]"""
        return self._since[0] * self._settled.per_face

    @cached_property
    def _amounts(self) -> FloatArray:
        """float64[owed]: what a buyer gets, for 100 of face."""
        settled = self._settled
        amount = np.where(settled.ex, 0.0, self.bond.interest * self.bond.years) + self.bond.redeemed
        return np.asarray(amount[settled.owed] * settled.per_face[settled.trade])

    @cached_property
    def _early(self) -> Amounts:
        """What is in today's value and not the buyer's."""
        bond, today = self.bond, self.model.as_of
        trade, paid = bond.periods.trades, bond.periods.payment
        settles = self._settled.day[trade]
        coupon = np.where((paid <= settles) | self._settled.ex, bond.coupons(today), 0.0)
        redeemed = np.where(paid <= settles, bond.redeemed, 0.0)
        return merged([Amounts(trade, paid, coupon + redeemed).where(paid > today)])

    def _factors(self, days: Days, trade: Integers, kind: str = "zero_rate") -> FloatArray:
        column = {"zero_rate": "discount_curve", "hazard_rate": "credit_curve"}[kind]
        nodes, (position,) = self.model.discount((self._trades.labels(column).take(trade), days), kind=kind)
        return np.asarray(nodes.evaluate(self.model.base)[position, 0])

    @cached_property
    def _to_settlement(self) -> FloatArray:
        return self._factors(self._settled.day, np.arange(len(self._trades)))

    @cached_property
    def dirty_price(self) -> FloatArray:
        """float64[n]: today's value of what a buyer gets, carried to settlement by the discount curve."""
        early = self._early
        worth = early.amount * self._factors(early.day, early.trade)
        worth *= self._factors(early.day, early.trade, "hazard_rate")
        left = self.pv - np.bincount(early.trade, worth, len(self.pv))
        return np.asarray(left / self._to_settlement * self._settled.per_face)

    @cached_property
    def clean_price(self) -> FloatArray:
        return self.dirty_price - self.accrued

    @cached_property
    def _frequency(self) -> FloatArray:
        """float64[n]: compounding periods a year; one for bonds with a single period."""
        length = lengths_of(self._trades.labels("frequency"))
        of_days = np.divide(_DAYS_OF_52_WEEKS, -length, out=np.ones(len(length)), where=length < 0)
        return np.divide(12.0, length, out=of_days, where=length > 0)

    @cached_property
    def _at_yield(self) -> FloatArray:
        """float64[n, 2]: yields and modified durations."""
        bond, settled = self.bond, self._settled
        years, time = bond.years[settled.owed], np.empty(len(settled.owed))
        times_from(settled.offsets, years, self._since[1], time)
        return self._solved(time, self._amounts, self.dirty_price, self._frequency)

    def _solved(self, time: FloatArray, amount: FloatArray, price: FloatArray, frequency: FloatArray) -> FloatArray:
        found = np.empty((len(price), 2))
        rates_of_prices((self._settled.offsets, time, amount), price, frequency, found)
        found[np.isnan(price)] = np.nan
        return found

    @property
    def yield_(self) -> FloatArray:
        """float64[n], decimal a year."""
        return np.asarray(self._at_yield[:, 0])

    @property
    def modified_duration(self) -> FloatArray:
        """float64[n], years: relative fall of the dirty price by its yield."""
        return np.asarray(self._at_yield[:, 1])

    @cached_property
    def z_spread(self) -> FloatArray:
        """float64[n]: continuous spread over the discount curve (ACT/365F) at which flows are worth `market_price`."""
        settled = self._settled
        paid, trade = self.bond.periods.payment[settled.owed], settled.trade
        discount = self._factors(paid, trade) / self._to_settlement[trade]
        time = (paid - settled.day[trade]) / _A_YEAR
        price = self._trades.numbers("market_price") + self.accrued
        spreads = self._solved(time, self._amounts * discount, price, np.zeros(len(price)))
        return np.asarray(spreads[:, 0])

    def take(self, figure: str) -> FloatArray:
        """:param figure: of `BOND_FIGURES`."""
        return np.asarray(getattr(self, "yield_" if figure == "yield" else figure))
