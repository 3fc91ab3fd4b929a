"""A price index in the book: fixings, and the zero-coupon rates that project it in the months that trades observe."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from msgspec import Struct

from riskpipe.importers.book import Book
from riskpipe.importers.ore.quoted_dates import a_day
from riskpipe.market.inflation_curves import first_day, month_of

_YEAR = 12


def month_number(day: int) -> int:
    """Of days since 1970-01-01."""
    return int(month_of(np.array([day]))[0])


def month_start(month: int) -> int:
    """Days since 1970-01-01."""
    return int(first_day(np.array([month]))[0])


class ProjectedIndex(Struct, frozen=True):
    """Months are counted since January 1970.

    :param base: the month that projections start from; `lag`: months from there to today's.
    :param published: the index by month.
    :param level: of a month after the base month.
    :param seasonality: factors of the months from January on; () for none.
    """

    name: str
    currency: str
    base: int
    lag: int
    published: dict[int, float]
    level: Callable[[int], float]
    seasonality: tuple[float, ...] = ()

    def into(self, book: Book) -> None:
        """Fixings and conventions."""
        for month, value in self.published.items():
            tenor = a_day(month_start(month)).isoformat()
            book.point("index_fixing", self.name, value, tenor, tenor=tenor)
        seasonality = list(self.seasonality) or None
        book.convention("indices", self.name, curve=self.name, observation_lag=self.lag, seasonality=seasonality)

    def add(self, months: Iterable[int], book: Book) -> None:
        """The rates of months, but of those that are published."""
        for month in months:
            if month <= self.base or month in self.published:
                continue
            growth = self.level(month) / self.published[self.base] / self._season(month)
            rate = growth ** (_YEAR / (month - self.base)) - 1.0
            tenor = a_day(month_start(month + self.lag)).isoformat()
            book.point("inflation_zero", self.name, rate, tenor, currency=self.currency, tenor=tenor)

    def _season(self, month: int) -> float:
        factors = self.seasonality or (1.0,) * _YEAR
        return factors[month % _YEAR] / factors[self.base % _YEAR]
