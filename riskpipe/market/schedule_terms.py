"""What schedules of n trades are made by, beyond their first date, their maturity and their frequency."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.kernels.rolled_dates import NO_DAY
from riskpipe.market.calendars import add_business_days, adjust
from riskpipe.market.labels import Labels

Days = NDArray[np.int32]
Flags = NDArray[np.bool_]


class Adjustment(Struct, frozen=True):
    """What moves the dates of n trades to business days.

    :param start, maturity: conventions of the first and of the last date; None: as of all others.
    """

    calendar: Labels
    convention: Labels
    start: Labels | None = None
    maturity: Labels | None = None

    def take(self, rows: NDArray[np.integer]) -> Adjustment:
        start, maturity = (None if of is None else of.take(rows) for of in (self.start, self.maturity))
        return Adjustment(self.calendar.take(rows), self.convention.take(rows), start, maturity)


class Rolls(Struct, frozen=True):
    """How dates are found that are not counted back from maturity, with a short first period.

    :param convention: one of `ROLL_CONVENTIONS`, or none: dates have the day of the date that they are counted from.
    :param forward: bool[n], counted from the first date on.
    :param long_stub: bool[n], where counting ends a period that is not whole is joined with its neighbour.
    :param first, last: int32[n], first and last regular date, from which dates are counted; `NO_DAY`: none.
    """

    convention: Labels
    forward: Flags
    long_stub: Flags
    first: Days
    last: Days

    @staticmethod
    def none(n: int) -> Rolls:
        no, nowhere = np.zeros(n, np.bool_), np.full(n, NO_DAY, np.int32)
        return Rolls(Labels(np.full(n, -1, np.int32), ()), no, no, nowhere, nowhere)

    @property
    def given(self) -> Flags:
        """bool[n]: anything of it is said."""
        dated = (self.first != NO_DAY) | (self.last != NO_DAY)
        return np.asarray(dated | self.forward | self.long_stub | (self.convention.codes >= 0))

    def take(self, rows: NDArray[np.integer]) -> Rolls:
        dates = (self.first[rows], self.last[rows])
        return Rolls(self.convention.take(rows), self.forward[rows], self.long_stub[rows], *dates)


class Payments(Struct, frozen=True):
    """When periods are paid: `lag` business days after their end, or on its business day where that is zero.

    :param lag: int64[n]; None: zero.
    """

    calendar: Labels
    convention: Labels
    lag: NDArray[np.int64] | None = None

    def days(self, end: Days, offsets: NDArray[np.int64] | None = None) -> Days:
        """int32[k]: of periods that end so, trade by trade.

        :param offsets: int64[n + 1], where each trade's periods begin; None: every trade has one.
        """
        paid = adjust(end, self.calendar, self.convention, offsets)
        if self.lag is not None and self.lag.any():
            trade = np.arange(len(self.lag))
            trade = trade if offsets is None else np.repeat(trade, np.diff(offsets))
            late = np.flatnonzero(self.lag[trade])
            lag = self.lag[trade[late]]
            paid[late] = add_business_days(end[late], lag, self.calendar.take(trade[late]))
        return paid

    def without_lag(self) -> Payments:
        return Payments(self.calendar, self.convention)

    def take(self, rows: NDArray[np.integer]) -> Payments:
        lag = None if self.lag is None else self.lag[rows]
        return Payments(self.calendar.take(rows), self.convention.take(rows), lag)
