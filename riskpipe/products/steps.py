"""Terms that change over a trade's life: notionals that amortise, coupons and spreads that step up."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Column, NumberRule, RowFaults
from riskpipe.products.flows import Days, Integers
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault

_DAY_BITS = 32


class Stepped(Struct, frozen=True):
    """A term of n trades that changes on dates.

    :param first, values, dates: columns of its first value, of the later ones (a list) and of their dates (a list).
    """

    first: str
    values: str
    dates: str

    def columns(self, rule: NumberRule = "any", quantity: str = "") -> tuple[Column, Column]:
        """The two optional columns of the later values."""
        said = f"{self.first} from each of {self.dates} on"
        return (
            Column(self.values, "number", said, required=False, rule=rule, quantity=quantity, many=True),
            Column(
                self.dates, "date", f"starts of the periods at which {self.values} begin", required=False, many=True
            ),
        )

    def faults(self, trades: Trades) -> list[RowFaults]:
        """Lists of two lengths; dates that do not ascend."""
        if not (trades.has(self.values) or trades.has(self.dates)):
            return []
        values, dates = trades.nested(self.values), trades.nested(self.dates)
        uneven = np.diff(values.offsets) != np.diff(dates.offsets)
        days = dates.rows.days(self.dates)
        falls = (np.diff(days) <= 0) & (np.diff(dates.trades) == 0)
        unordered = np.isin(np.arange(len(trades)), dates.trades[1:][falls])
        return [
            *rows_fault(self.values, "one_each", uneven, f"{self.values} and {self.dates} are not as many"),
            *rows_fault(self.dates, "ascending", unordered, f"{self.dates} do not ascend"),
        ]

    def by_period(
        self, trades: Trades, periods: Schedule, default: float = np.nan, scale: FloatArray | None = None
    ) -> FloatArray:
        """float64[periods]: the value that each period has, which is that of the last date up to its start.

        A date is one of the schedule's, before or after adjustment.

        :param default: where a trade has no first value.
        :param scale: float64[n], that each trade's values are multiplied by; None: one.
        """
        first = trades.numbers(self.first, default)
        first = first if scale is None else scale * first
        if not trades.has(self.values):
            return periods.spread(first)
        return self._at(trades, (first, scale), periods.trades, np.maximum(periods.start, periods.unadjusted_start))

    def _at(
        self, trades: Trades, terms: tuple[FloatArray, FloatArray | None], trade: Integers, day: Days
    ) -> FloatArray:
        """:param terms: the first values, scaled, and the scale."""
        first, scale = terms
        values, dates = trades.nested(self.values), trades.nested(self.dates)
        at = np.searchsorted(_keys(dates.trades, dates.rows.days(self.dates)), _keys(trade, day), side="right") - 1
        found = first[trade]
        later = at >= dates.offsets[trade]
        stepped = values.rows.numbers(self.values)[at[later]]
        found[later] = stepped if scale is None else scale[trade[later]] * stepped
        return found


def _keys(trade: Integers, day: Days) -> Integers:
    """In the order of trades, then of days."""
    return (trade << _DAY_BITS) + day
