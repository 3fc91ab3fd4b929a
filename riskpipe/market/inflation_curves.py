"""Curves of zero-coupon inflation rates: a price index of a month from that of an earlier one."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.curves import linear_position
from riskpipe.market.snapshot import MarketSnapshot

Months = NDArray[np.int64]


def month_of(days: NDArray[np.integer]) -> Months:
    """Months since January 1970 of days since 1970-01-01."""
    return np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def first_day(months: Months) -> NDArray[np.int32]:
    """Days since 1970-01-01 of the first of each month."""
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64).astype(np.int32)


class InflationNodes(Struct, frozen=True):
    """Growth of an index since its base month: (1 + w0 x[i0] + w1 x[i1])^years.

    :param index: int32[n, 2], factors; `weight` float64[n, 2]; `years` float64[n].
    """

    index: NDArray[np.int32]
    weight: FloatArray
    years: FloatArray


class InflationCurves:
    """The `inflation_zero` curves of a snapshot.

    A point of tenor T is the annually compounded growth of the index from the month `lag` months before today's to the
    month `lag` months before that of T: the fair rate of a zero-coupon swap. Rates are linear in months between the
    points and flat beyond; points at or before the snapshot's date are not used.
    """

    def __init__(self, snapshot: MarketSnapshot) -> None:
        dated = np.maximum(snapshot.days, np.int32(0))
        self.base = int(month_of(np.array([snapshot.as_of]))[0])
        self._grid = month_of(dated).astype(np.float64)
        self._start = np.array([group.start for group in snapshot.groups], np.int64)
        self._stop = np.array([group.stop for group in snapshot.groups], np.int64)
        past = np.concatenate(([0], np.cumsum(snapshot.days <= snapshot.as_of)))
        living = self._start + past[self._stop] - past[self._start]
        self._living = np.minimum(living, self._stop - 1)

    def growth(self, groups: NDArray[np.int32], months: Months, lag: Months) -> InflationNodes:
        """Growth from the base month to `months`, int64[n], both of the index, not of payments.

        :param groups: int32[n], positions among the snapshot's groups.
        :param lag: int64[n], months from an index to what it is paid on.
        """
        key = (months + lag).astype(np.float64)
        left, right, fraction = linear_position(self._grid, self._living[groups], self._stop[groups], key)
        index = np.column_stack((left, right)).astype(np.int32)
        weight = np.column_stack((1.0 - fraction, fraction))
        return InflationNodes(index, weight, (months + lag - self.base) / 12.0)
