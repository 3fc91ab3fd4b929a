"""Volatility surfaces as weights on their points: linear in strike, total variance linear in time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.checks import strike_axis
from riskpipe.market.curves import DAYS_A_YEAR, linear_position
from riskpipe.market.factors import KINDS, NO_DATE
from riskpipe.market.nodes import VarianceNodes
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot

_ABSOLUTE, _MONEYNESS, _OFFSET, _FLAT = range(4)
_AXES = {"absolute": _ABSOLUTE, "moneyness": _MONEYNESS, "offset": _OFFSET, "atm": _FLAT}
_ATM_COORDINATE = {"moneyness": 1.0, "offset": 0.0}


@dataclass
class _Slices:
    """All expiries of all surfaces, one after the other; the points of each in ascending coordinate."""

    factor: list[int] = field(default_factory=list)
    coordinate: list[float] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    stop: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    axis: list[int] = field(default_factory=list)


class Surfaces:
    """The volatility surfaces of a snapshot, seen from its date plus a horizon.

    Surfaces quoted in delta, or over the tenor of an underlying, are not served: `unsupported` says why.
    """

    def __init__(self, snapshot: MarketSnapshot, horizon_days: int = 0) -> None:
        self._origin = snapshot.as_of + horizon_days
        self._snapshot = snapshot
        self.unsupported: dict[int, str] = {}
        slices = _Slices()
        first = np.zeros(len(snapshot.groups), np.int64)
        last = np.zeros(len(snapshot.groups), np.int64)
        for index, group in enumerate(snapshot.groups):
            first[index] = last[index] = len(slices.days)
            if KINDS[group.kind].volatility and self._supports(index, group):
                self._add(group, slices)
                last[index] = len(slices.days)
        self._first, self._last = first, last
        self._factor = np.array(slices.factor, np.int32)
        self._coordinate = np.array(slices.coordinate, np.float64)
        self._start = np.array(slices.start, np.int64)
        self._stop = np.array(slices.stop, np.int64)
        self._days = np.array(slices.days, np.float64)
        self._axis = np.array(slices.axis, np.int8)
        past = np.concatenate(([0], np.cumsum(self._days <= self._origin)))
        # A surface without any living expiry is flat in time at its last one.
        self._living = np.minimum(first + past[last] - past[first], np.maximum(last - 1, first))

    def variance(
        self,
        groups: NDArray[np.int32],
        days: NDArray[np.int32],
        strikes: NDArray[np.float64],
        forwards0: NDArray[np.float64],
    ) -> VarianceNodes:
        """Weights of each trade's total variance; zero where the group is -1.

        :param groups: int32[n], positions among the snapshot's groups.
        :param forwards0: float64[n], today's unshocked forwards: they turn strikes into moneyness or
            offsets, so that a trade's volatility does not change when the spot alone moves (sticky strike).
        """
        none = groups < 0
        start, stop = np.where(none, 0, self._living[groups]), np.where(none, 0, self._last[groups])
        near, far, fraction = linear_position(self._days, start, stop, days.astype(np.float64))
        time = np.maximum(days.astype(np.float64) - self._origin, 0.0) / DAYS_A_YEAR
        flat = near == far
        near_time = np.where(flat, time, (self._days[near] - self._origin) / DAYS_A_YEAR)
        far_time = (self._days[far] - self._origin) / DAYS_A_YEAR
        time_weight = np.column_stack(((1.0 - fraction) * near_time, fraction * far_time))
        near_index, near_weight = self._strikes(near, strikes, forwards0)
        far_index, far_weight = self._strikes(far, strikes, forwards0)
        time_weight[none] = 0.0
        return VarianceNodes(
            index=np.hstack((near_index, far_index)).astype(np.int32),
            strike_weight=np.hstack((near_weight, far_weight)),
            time_weight=time_weight,
        )

    def _strikes(
        self, slices: NDArray[np.int64], strikes: NDArray[np.float64], forwards0: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        axis = self._axis[slices]
        with np.errstate(divide="ignore", invalid="ignore"):
            key = np.select(
                [axis == _ABSOLUTE, axis == _MONEYNESS, axis == _OFFSET],
                [strikes, strikes / forwards0, strikes - forwards0],
                0.0,
            )
            left, right, fraction = linear_position(self._coordinate, self._start[slices], self._stop[slices], key)
        index = self._factor[np.column_stack((left, right))]
        return index, np.column_stack((1.0 - fraction, fraction))

    def _supports(self, index: int, group: FactorGroup) -> bool:
        rows = self._snapshot.factors.slice(group.start, group.stop - group.start)
        label = f"{group.kind}:{group.name}"
        if any(days != NO_DATE for days in rows.column("underlying_days").to_pylist()):
            self.unsupported[index] = f"{label} depends on an underlying tenor, which is not supported"
        elif any(str(kind).startswith("delta") for kind in rows.column("strike_type").to_pylist()):
            self.unsupported[index] = f"{label} is quoted in delta, which is not supported"
        return index not in self.unsupported

    def _add(self, group: FactorGroup, slices: _Slices) -> None:
        rows = self._snapshot.factors.slice(group.start, group.stop - group.start)
        days = rows.column("days").to_pylist()
        strikes, types = rows.column("strike").to_pylist(), rows.column("strike_type").to_pylist()
        for day, members in groupby(range(len(days)), key=days.__getitem__):
            points = list(members)
            axis = strike_axis({types[k] or "atm" for k in points}) or "atm"
            atm = _ATM_COORDINATE.get(axis, 0.0)
            coordinates = [atm if types[k] in (None, "atm") else strikes[k] for k in points]
            slices.start.append(len(slices.factor))
            for coordinate, k in sorted(zip(coordinates, points, strict=True)):
                slices.coordinate.append(coordinate)
                slices.factor.append(group.start + k)
            slices.stop.append(len(slices.factor))
            slices.days.append(day)
            slices.axis.append(_AXES[axis])
