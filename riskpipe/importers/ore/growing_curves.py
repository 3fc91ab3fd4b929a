"""Curves of discount factors while they are built, as riskpipe interpolates them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.market.bootstrap.quantlib import TIME, to_date

Days = NDArray[np.int64]
_ACCURACY: Final = 1e-15
_STEPS: Final = 60


class Curve:
    """Discount factors, log-linear in time between points and with a flat forward rate beyond the last.

    :param days: int64[n], days since 1970-01-01, ascending, after as_of.
    :param logs: float64[n], logarithms of the discount factors there.
    """

    def __init__(self, as_of: int, days: Days, logs: FloatArray) -> None:
        self.as_of = as_of
        self.days = np.asarray(days, np.int64)
        self.logs = np.asarray(logs, np.float64)

    def discount(self, days: Days | Sequence[int] | int) -> FloatArray:
        """float64, of each day."""
        at = np.asarray(days, np.int64)
        grid = np.concatenate(([self.as_of], self.days)).astype(np.float64)
        values = np.concatenate(([0.0], self.logs))
        slope = (values[-1] - values[-2]) / (grid[-1] - grid[-2])
        inside = np.interp(at, grid, values)
        return np.asarray(np.exp(np.where(at > grid[-1], values[-1] + slope * (at - grid[-1]), inside)))

    def quantlib(self) -> Any:
        """The same curve as QuantLib's."""
        dates = [to_date(self.as_of), *(to_date(int(day)) for day in self.days)]
        found = ql.DiscountCurve(dates, [1.0, *np.exp(self.logs).tolist()], TIME)
        found.enableExtrapolation()
        return found

    @property
    def zeros(self) -> FloatArray:
        """Continuously compounded zero rates at the points, on ACT/365F."""
        return np.asarray(-self.logs / (self.days - self.as_of) * 365.0)


Lookup = Callable[[str], Curve]
"""Curves by their ids; that of the curve which is being built is the part of it that there is."""


class Instrument(Struct, frozen=True):
    """A quoted instrument.

    :param quote: its name.
    :param pillar: the last day that its value depends on, days since 1970-01-01.
    :param excess: what it is off its quote, of curves.
    """

    quote: str
    pillar: int
    excess: Callable[[Lookup], float]


def bootstrap(curve_id: str, as_of: int, instruments: Sequence[Instrument], lookup: Lookup) -> Curve:
    """The curve that reprices its instruments, a point at each one's pillar.

    :raises LeftOutError: two instruments end on one day, or one has no solution.
    """
    ordered = sorted(instruments, key=lambda instrument: instrument.pillar)
    if not ordered:
        raise LeftOutError("none of its quotes is there")
    for one, next_ in pairwise(ordered):
        if one.pillar == next_.pillar:
            raise LeftOutError(f"{one.quote} and {next_.quote} end on one day")
    days = np.array([instrument.pillar for instrument in ordered], np.int64)
    logs = np.zeros(len(days))
    for k, instrument in enumerate(ordered):
        _solve(curve_id, as_of, instrument, days[: k + 1], logs[: k + 1], lookup)
    return Curve(as_of, days, logs)


def _solve(curve_id: str, as_of: int, instrument: Instrument, days: Days, logs: FloatArray, lookup: Lookup) -> None:
    """The last logarithm, in place, by the secant method."""
    growing = Curve(as_of, days, logs)
    growing.logs = logs

    def excess(value: float) -> float:
        logs[-1] = value
        return instrument.excess(lambda name: growing if name == curve_id else lookup(name))

    span = float(days[-1] - as_of)
    before = logs[-2] / float(days[-2] - as_of) * span if len(days) > 1 else -0.01 * span / 365.0
    low, high = before, before - 1e-4 * span / 365.0
    f_low, f_high = excess(low), excess(high)
    for _ in range(_STEPS):
        if f_high == f_low:
            break
        low, f_low, high = high, f_high, high - f_high * (high - low) / (f_high - f_low)
        f_high = excess(high)
        if abs(high - low) < _ACCURACY * max(1.0, abs(high)):
            break
    logs[-1] = high
    if not abs(f_high) < 1e-10:
        raise LeftOutError(f"no discount factor reprices {instrument.quote}")
