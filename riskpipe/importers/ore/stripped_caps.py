"""Volatilities of single rates, stripped from caps, between the days and strikes that these have."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.importers.ore.quoted_dates import number

_YEAR: Final = 365.0
_SEARCHED: Final = (1e-8, 1.0)

Caps = list[tuple[int, FloatArray]]


class Optionlets(Struct, frozen=True):
    """Of each rate's fixing day, as ORE reads them: in strike, then in time.

    By straight lines, constant beyond the ends, or by cubics (Kruger, C. J. C.: Constrained cubic spline interpolation
    for chemical engineering applications).

    :param days: float64[fixing days]: days from today; `strikes`: float64[strikes].
    :param volatilities: float64[fixing days, strikes]; NaN where caps leave none.
    :param flat: whether cubics are constant beyond the first and last ones; they go on otherwise.
    """

    days: FloatArray
    strikes: FloatArray
    volatilities: FloatArray
    flat: bool
    linear: bool = False

    def at(self, days: FloatArray, strike: float) -> FloatArray:
        """Of rates that are fixed so many days from today."""
        by_day = np.array([self._read(self.strikes, row, np.array([strike]))[0] for row in self.volatilities])
        return self._read(self.days, by_day, days)

    def _read(self, xs: FloatArray, ys: FloatArray, at: FloatArray) -> FloatArray:
        if self.linear or len(xs) == 1:
            return np.interp(at, xs, ys)
        inside = np.clip(at, xs[0], xs[-1]) if self.flat else at
        if len(xs) == 2:
            return np.asarray(ys[0] + (ys[1] - ys[0]) * (inside - xs[0]) / (xs[1] - xs[0]))
        curve = ql.KrugerCubic(ql.Array(xs.tolist()), ql.Array(ys.tolist()))
        return np.array([curve(x, True) for x in inside.tolist()])


def read_stripped(stripper: Any, as_of: int, flat: bool) -> Optionlets:
    """Of QuantLib's stripper.

    :raises RuntimeError: it cannot strip the caps.
    """
    dates = stripper.optionletFixingDates()
    rows = np.array([list(stripper.optionletVolatilities(k)) for k in range(len(dates))])
    days = np.array([float(number(date) - as_of) for date in dates])
    return Optionlets(days, np.array(list(stripper.optionletStrikes(0))), rows, flat)


class Rates(Struct, frozen=True):
    """The rates of a cap that begins today, but the first, which is known.

    :param days: float64[n] from today to each one's fixing; `forwards`; `weights`: length times discount factor.
    """

    days: FloatArray
    forwards: FloatArray
    weights: FloatArray

    def first(self, count: int) -> Rates:
        """Those of a shorter cap."""
        return Rates(self.days[:count], self.forwards[:count], self.weights[:count])

    def premium(self, strike: float, volatilities: FloatArray) -> float:
        """Of the cap, by Bachelier."""
        deviations = volatilities * np.sqrt(self.days / _YEAR)
        terms = zip(self.forwards.tolist(), deviations.tolist(), self.weights.tolist(), strict=True)
        values = [ql.bachelierBlackFormula(ql.Option.Call, strike, *term) for term in terms]
        return float(sum(values))


def strip_linear(rates: Rates, strikes: FloatArray, caps: Caps) -> Optionlets:
    """Normal volatilities linear in time between the last rates of caps, and constant up to the first cap's last one.

    :param rates: of the longest cap.
    :param caps: of each term how many rates it has, and float64[strikes] its volatilities.
    """
    columns = [
        _nodes(rates, float(strike), [(count, float(row[j])) for count, row in caps])
        for j, strike in enumerate(strikes)
    ]
    days = rates.days[[count - 1 for count, _ in caps]]
    return Optionlets(days, strikes, np.array(columns).T, flat=True, linear=True)


def _nodes(rates: Rates, strike: float, caps: list[tuple[int, float]]) -> list[float]:
    """The volatility of each cap's last rate; NaN from the cap on that none reprices."""
    days: list[float] = []
    found: list[float] = []
    for count, quoted in caps:
        some = rates.first(count)
        days.append(float(some.days[-1]))
        wanted = some.premium(strike, np.full(count, quoted))

        def excess(node: float, some: Rates = some, wanted: float = wanted) -> float:
            return some.premium(strike, np.interp(some.days, days, [*found, node])) - wanted

        low, high = _SEARCHED
        if excess(low) > 0.0 or excess(high) < 0.0:
            return found + [np.nan] * (len(caps) - len(found))
        found.append(float(ql.Brent().solve(excess, 1e-15, quoted, low, high)))
    return found
