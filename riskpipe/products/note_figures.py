"""Prices of floating-rate notes for 100 of face, as of the day on which a buyer of today pays."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.floating import Coupons, projection_curve
from riskpipe.products.flows import Integers
from riskpipe.products.note_flows import note_faces, note_flows, note_leg, note_periods
from riskpipe.products.note_legs import note_legs
from riskpipe.products.observations import Observations
from riskpipe.products.settlement import Settlement, settlement_days
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask

NOTE_FIGURES = ("accrued", "clean_price", "dirty_price")


class NoteFigures(Struct, frozen=True, dict=True):
    """Of n notes; where nothing is owed any more after settlement, or nothing is held, NaN."""

    trades: Trades
    model: MarketModel

    @cached_property
    def _settled(self) -> Settlement:
        periods = note_periods(self.trades, self.model.as_of)
        day = settlement_days(self.trades, self.model.as_of)
        return Settlement(self.trades, periods, note_faces(self.trades, periods), day)

    @cached_property
    def dirty_price(self) -> FloatArray:
        """float64[n]: today's value of what a buyer gets, carried to settlement by the discount curve."""
        settled, model, every = self._settled, self.model, np.arange(len(self.trades), dtype=np.int32)
        today = model.base.copy()  # writable, as those that legs are compiled for
        value = note_legs(note_flows(self.trades, model, settled.day), model).price(every, today)[:, 0]
        nodes, (position,) = model.discount((self.trades.labels("discount_curve"), settled.day))
        return np.asarray(value / nodes.evaluate(model.base)[position, 0] * settled.per_face)

    @cached_property
    def clean_price(self) -> FloatArray:
        """float64[n]"""
        return self.dirty_price - self.accrued

    @cached_property
    def accrued(self) -> FloatArray:
        """float64[n]; below zero where the next coupon is not the buyer's; nothing on the day it begins.

        Rates that are not known yet are today's forward ones, and caps and floors are worth what they are at these.
        """
        settled, periods = self._settled, self._settled.periods
        trade = np.flatnonzero(settled.is_owed)
        running = settled.owed[settled.offsets[:-1][trade]]
        start, day, end = periods.start[running], settled.day[trade], periods.end[running]
        ex = settled.ex[running]
        years = np.where(ex, -1.0, 1.0) * year_fraction(
            np.where(ex, np.minimum(day, end), start),
            np.where(ex, end, np.clip(day, start, end)),
            self.trades.labels("day_count").take(trade),
        )
        begun = day > start
        found = np.where(np.isnan(settled.per_face), np.nan, 0.0)
        found[trade[begun]] += 100.0 * self._rates(trade[begun], running[begun], ex[begun]) * years[begun]
        return found

    def _rates(self, trade: Integers, running: Integers, ex: NDArray[np.bool_]) -> FloatArray:
        """float64[k]: what coupons that have begun pay a year; overnight rates until settlement, or of all of it."""
        some, periods = self.trades.take(trade), self._settled.periods
        overnight = label_mask(some.labels("index"), lambda name: self.model.conventions.index(name).overnight)
        end = periods.end[running]
        until = np.where(overnight & ~ex, np.minimum(self._settled.day[trade], end), end).astype(np.int32)
        cut = Schedule(
            np.arange(len(trade) + 1),
            periods.start[running],
            until,
            periods.unadjusted_start[running],
            periods.unadjusted_end[running],
            periods.payment[running],
            periods.stub[running],
        )
        leg = note_leg(some, cut)
        coupons = Coupons(replace(leg, observed=_without_lockout(leg.observed)), self.model)
        known, weight = coupons.geared(leg.gearing)
        projection, curve = projection_curve(some, self.model.conventions), some.labels("discount_curve")
        nodes, (grown, _) = self.model.projected(*coupons.growth(weight).requests(projection, curve))
        interest, tau = known + weight * nodes.evaluate(self.model.base)[grown, 0], coupons.tau
        # Of days that the day count leaves out there is no rate, and no interest.
        rate = leg.spread + np.divide(interest, tau, out=np.zeros(len(tau)), where=tau != 0.0)
        return np.asarray(np.fmin(np.fmax(rate, some.numbers("floor")), some.numbers("cap")))

    def take(self, figure: str) -> FloatArray:
        """:param figure: of `NOTE_FIGURES`."""
        return np.asarray(getattr(self, figure))


def _without_lockout(observed: Observations | None) -> Observations | None:
    """A lockout is of the end of a period, and settlement is before it."""
    if observed is None:
        return None
    return replace(observed, kinds=tuple(replace(kind, lockout=0) for kind in observed.kinds))
