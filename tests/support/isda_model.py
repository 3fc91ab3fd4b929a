"""The ISDA CDS Standard Model in plain Python, a contract at a time: what the vectorised one is compared with.

After the description of the model's C code in White, The Pricing and Risk Management of Credit Default Swaps, with a
Focus on the ISDA Model (OpenGamma Quantitative Research 16, 2014), with the numerical fix of 2012 left out: the
integrals are taken by Gauss-Legendre quadrature between the points of both curves.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np

DAY = timedelta(days=1)
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Curve:
    """Log-linear between dates, from one at `origin`; beyond the last one as before it, or at the same zero rate.

    :param logarithm: minus that of the factor, at each date.
    """

    origin: date
    dates: Sequence[date]
    logarithm: Sequence[float]
    flat_zero: bool = False

    def minus_log(self, days: np.ndarray) -> np.ndarray:
        """At days after the origin, which need not be whole."""
        grid = np.array([0.0, *((day - self.origin).days for day in self.dates)])
        levels = np.array([0.0, *self.logarithm])
        before = 0 if self.flat_zero else len(grid) - 2
        pace = (levels[-1] - levels[before]) / (grid[-1] - grid[before])
        return np.where(days <= grid[-1], np.interp(days, grid, levels), levels[-1] + pace * (days - grid[-1]))

    def factor(self, day: date) -> float:
        return float(np.exp(-self.minus_log(np.array(max((day - self.origin).days, 0)))))


@dataclass(frozen=True)
class Contract:
    """Of a notional of one, protection bought.

    :param start: taken as given, as is `maturity`.
    :param adjust: moves coupon dates and payments to business days.
    :param months: of a period; 0: there is one.
    :param extra: days beyond maturity that earn premium.
    :param year_fraction: of accruals; ACT/360 as it stands.
    """

    start: date
    maturity: date
    spread: float
    recovery: float
    adjust: Callable[[date], date]
    months: int = 3
    extra: int = 1
    year_fraction: Callable[[date, date], float] = lambda begin, end: (end - begin).days / 360.0

    def periods(self) -> list[tuple[date, date, date]]:
        """Accrual from, to (exclusive), and payment."""
        dates, k = [self.maturity], 1
        while self.months and (earlier := months_before(self.maturity, k * self.months)) > self.start:
            dates.append(earlier)
            k += 1
        middle = [day for day in map(self.adjust, reversed(dates[1:])) if day != self.start]
        begins, ends = [self.start, *middle], [*middle, self.maturity + self.extra * DAY]
        return list(zip(begins, ends, [*middle, self.adjust(self.maturity)], strict=True))


def months_before(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def weekends(day: date) -> date:
    while day.weekday() > 4:
        day += DAY
    return day


def legs(contract: Contract, today: date, rates: Curve, hazards: Curve) -> tuple[float, float, float]:
    """Today's value of protection, of the coupons paid if the name survives, and of those accrued on default."""
    stops = sorted({*rates.dates, *hazards.dates})
    first = max(contract.start - DAY, today)
    if contract.maturity < first:
        return 0.0, 0.0, 0.0
    protection = (1.0 - contract.recovery) * on_default(first, contract.maturity, stops, rates, hazards, 1.0, 0.0)
    coupons = accrued = 0.0
    for begin, end, paid in contract.periods():
        if end <= today + DAY:
            continue
        amount = contract.spread * contract.year_fraction(begin, end)
        coupons += amount * rates.factor(paid) * hazards.factor(end - DAY)
        since = max(begin - DAY, today)
        a_day = amount / (end - begin).days
        earned = a_day * ((since - begin).days + 1.5)
        accrued += on_default(since, end - DAY, stops, rates, hazards, earned, a_day)
    return protection, coupons, accrued


def on_default(
    first: date, last: date, stops: Sequence[date], rates: Curve, hazards: Curve, amount: float, a_day: float
) -> float:
    """An amount, growing from that at `first`, paid at the time of default until `last`."""
    total = 0.0
    for left, right in pairwise([first, *(day for day in stops if first < day < last), last]):
        if right <= left:
            continue
        begin, width = (left - hazards.origin).days, (right - left).days
        edges = hazards.minus_log(np.array([begin, begin + width]))
        at = begin + width * (_POINTS + 1.0) / 2.0
        owed = amount + a_day * (at - (first - hazards.origin).days)
        lived = np.exp(-rates.minus_log(at) - hazards.minus_log(at))
        total += float((_WEIGHTS * owed * lived).sum()) * (edges[1] - edges[0]) / 2.0
    return total
