"""Floating legs of quoted swaps: what each coupon is projected from."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.importers.ore.growing_curves import Curve, Lookup
from riskpipe.importers.ore.indices import Index
from riskpipe.importers.ore.quoted_dates import (
    Days,
    Periods,
    fixing_date,
    fractions,
    market,
    maturity,
    number,
    numbers,
    periods,
    value_date,
)
from riskpipe.market.bootstrap.quantlib import to_date


class Parts(Struct, frozen=True):
    """Periods of an index that coupons are made of, one or several each.

    :param first: int64[coupons]: the first part of each.
    :param start, end: of the projection; `accrual`: float64, the length that counts.
    """

    first: Days
    start: Days
    end: Days
    accrual: FloatArray


class Floating(Struct, frozen=True, dict=True):
    """Coupons of a floating leg of notional one.

    :param fixed: the fixing of as_of, where it is known: it counts for what is fixed on as_of, as in ORE.
    :param compounds: coupons are longer than the index's tenor, and its periods compound.
    :param cutoff: of an overnight index: the last so many days have the rate of the day before them.
    """

    curve: str
    legs: Periods
    index: Index
    as_of: int
    fixed: float | None = None
    cutoff: int = 0
    compounds: bool = False

    def coupons(self, lookup: Lookup) -> FloatArray:
        """Amounts without a spread."""
        curve = lookup(self.curve)
        if self.cutoff:
            return self._cut_off(curve)
        if self.index.overnight:
            amounts = curve.discount(self.legs.start) / curve.discount(self.legs.end) - 1.0
            if self.fixed is not None and self._fixes_today:
                amounts[0] = self._first_night(curve)
            return np.asarray(amounts)
        parts = self._parts
        growth = curve.discount(parts.start) / curve.discount(parts.end) - 1.0
        simple = growth * parts.accrual / fractions(parts.start, parts.end, self.index.day_count)
        if self.fixed is not None and self._fixes_today:
            simple[0] = self.fixed * parts.accrual[0]
        return np.asarray(np.multiply.reduceat(1.0 + simple, parts.first) - 1.0)

    @cached_property
    def _fixes_today(self) -> bool:
        first = fixing_date(to_date(int(self.legs.start[0])), self.index)
        return number(first) == self.as_of

    @cached_property
    def _parts(self) -> Parts:
        if self.compounds:
            return self._sub_periods()
        dates = [to_date(int(day)) for day in (*self.legs.start, self.legs.end[-1])]
        # QuantLib's par coupons run from the value date of one fixing to that of the next.
        values = numbers([value_date(date, self.index) for date in dates])
        accrual = self.legs.fractions(self.index.day_count)
        return Parts(np.arange(len(self.legs.start)), values[:-1], values[1:], accrual)

    def _sub_periods(self) -> Parts:
        """The index's periods within each coupon, counted back from its end; rates are over the index's own period."""
        starts: list[Days] = []
        ends: list[Days] = []
        accruals: list[FloatArray] = []
        first, parts = [], 0
        for begin, end in zip(self.legs.start.tolist(), self.legs.end.tolist(), strict=True):
            inside = periods(to_date(begin), to_date(end), self.index.tenor, self.index.calendar, self.index.convention)
            first.append(parts)
            parts += len(inside.start)
            values = [value_date(to_date(int(day)), self.index) for day in inside.start]
            starts.append(numbers(values))
            ends.append(numbers([maturity(value, self.index) for value in values]))
            accruals.append(inside.fractions(self.index.day_count))
        return Parts(np.array(first, np.int64), np.concatenate(starts), np.concatenate(ends), np.concatenate(accruals))

    def _first_night(self, curve: Curve) -> float:
        """The first coupon, whose first day has the fixing."""
        assert self.fixed is not None
        start, end = self.legs.start[:1], self.legs.end[:1]
        night = numbers([market(self.index.calendar).advance(to_date(int(start[0])), 1, ql.Days)])
        growth = 1.0 + self.fixed * fractions(start, night, self.index.day_count)
        return float((growth * curve.discount(night) / curve.discount(end))[0]) - 1.0

    def _cut_off(self, curve: Curve) -> FloatArray:
        """The last days have the rate of the day before them, among those days that ORE looks at (`_looked_at`)."""
        amounts = []
        for first, last in zip(self.legs.start.tolist(), self.legs.end.tolist(), strict=True):
            days = _looked_at(first, last, self.as_of, self.index.calendar)
            kept = max(len(days) - 1 - self.cutoff, 1)
            fixed = int(days[kept - 1])
            night = np.array([fixed, number(market(self.index.calendar).advance(to_date(fixed), 1, ql.Days))])
            near, far = curve.discount(night)
            rate = float(near / far - 1.0) / float(fractions(night[:1], night[1:], self.index.day_count)[0])
            taus = fractions(days[kept:-1], days[kept + 1 :], self.index.day_count)
            growth = float(curve.discount(first) / curve.discount(days[kept]))
            amounts.append(growth * float(np.prod(1.0 + rate * taus)) - 1.0)
        return np.array(amounts)

    def value(self, discount: Curve, lookup: Lookup) -> float:
        return float(self.coupons(lookup) @ discount.discount(self.legs.payment))


def _looked_at(first: int, last: int, as_of: int, calendar: str) -> Days:
    """The days whose overnight rates ORE looks at in a swap that it is to price fast, and the end.

    These are the first days of the period, up to seven business days after it has begun or after today, and its last
    one (QuantExt's OvernightIndexedCoupon with telescopic value dates).
    """
    place = market(calendar)
    end = to_date(last)
    stop = min(place.advance(to_date(max(first, as_of)), 7, ql.Days), end)
    dates = [to_date(first)]
    while dates[-1] < stop:
        dates.append(place.advance(dates[-1], 1, ql.Days))
    dates[-1] = min(dates[-1], stop)
    for date in (place.advance(end, -1, ql.Days), end):
        if date > dates[-1]:
            dates.append(date)
    return numbers(dates)
