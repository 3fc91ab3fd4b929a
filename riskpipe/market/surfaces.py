"""Volatility surfaces and cubes as weights on their points: linear in strike, total variance linear in time."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.curves import DAYS_A_YEAR, linear_position
from riskpipe.market.factors import DELTA_TYPES, KINDS, NO_DATE, SMILE, SPREAD_TYPES
from riskpipe.market.nodes import CubeNodes, VarianceNodes
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.market.strike_checks import coordinate, strike_axis
from riskpipe.market.strike_interpolation import LOG_LINEAR

_ABSOLUTE, _MONEYNESS, _OFFSET, _FLAT = range(4)
_AXES = {"absolute": _ABSOLUTE, "moneyness": _MONEYNESS, "offset": _OFFSET, "atm": _FLAT}
_DAYS_A_MONTH = 365.25 / 12.0

Integers = NDArray[np.int64]


def months_between(start: NDArray[np.int32], end: NDArray[np.int32]) -> FloatArray:
    """Length of an underlying, to the nearest month (as QuantLib's SwaptionVolatilityStructure::swapLength)."""
    return np.round((end.astype(np.float64) - start) / _DAYS_A_MONTH)


class _Slices(Struct):
    """All expiries of all surfaces, one after the other; each has slices by tenor of the underlying, ascending, and
    these have points in ascending coordinate. A surface without such tenors has one slice an expiry.
    """

    factor: list[int] = field(default_factory=list)
    coordinate: list[float] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    stop: list[int] = field(default_factory=list)
    axis: list[int] = field(default_factory=list)
    logarithmic: list[bool] = field(default_factory=list)
    underlying: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    last: list[int] = field(default_factory=list)


class _Expiries(Struct, frozen=True):
    """Neighbouring expiries of each trade, int64[n] each, and the weights of their squared volatilities."""

    near: Integers
    far: Integers
    time_weight: FloatArray


class Surfaces:
    """The volatility surfaces of a snapshot, seen from its date plus a horizon.

    Surfaces quoted by delta are served by their derived points; those that have none are `unsupported`, which says why.
    Those over the tenor of an underlying, `cubes`, are served to who asks for them.
    """

    def __init__(self, snapshot: MarketSnapshot, conventions: Conventions, horizon_days: int = 0) -> None:
        self._origin = snapshot.as_of + horizon_days
        self._snapshot = snapshot
        self._conventions = conventions
        self.unsupported: dict[int, str] = {}
        self.cubes: dict[int, str] = {}
        slices = _Slices()
        first = np.zeros(len(snapshot.groups), np.int64)
        last = np.zeros(len(snapshot.groups), np.int64)
        for index, group in enumerate(snapshot.groups):
            first[index] = last[index] = len(slices.days)
            if KINDS[group.kind].volatility and self._supports(index, group):
                self._add(group, slices)
                last[index] = len(slices.days)
        self._last = last
        self._factor = np.array(slices.factor, np.int32)
        self._coordinate = np.array(slices.coordinate, np.float64)
        self._start, self._stop = np.array(slices.start, np.int64), np.array(slices.stop, np.int64)
        self._axis = np.array(slices.axis, np.int8)
        self._logarithmic = np.array(slices.logarithmic, np.bool_)
        today = np.full(len(slices.underlying), snapshot.as_of, np.int32)
        self._months = months_between(today, np.array(slices.underlying, np.int32))
        self._first_slice, self._last_slice = np.array(slices.first, np.int64), np.array(slices.last, np.int64)
        self._days = np.array(slices.days, np.float64)
        past = np.concatenate(([0], np.cumsum(self._days <= self._origin)))
        # A surface without any living expiry is flat in time at its last one.
        self._living = np.minimum(first + past[last] - past[first], np.maximum(last - 1, first))

    def variance(
        self, groups: NDArray[np.int32], days: NDArray[np.int32], strikes: FloatArray, forwards0: FloatArray
    ) -> VarianceNodes:
        """Weights of each trade's total variance; zero where the group is -1.

        :param groups: int32[n], positions among the snapshot's groups, none of them a cube.
        :param forwards0: float64[n], today's unshocked forwards: they turn strikes into moneyness or
            offsets, so that a trade's volatility does not change when the spot alone moves (sticky strike).
        """
        found = self._expiries(groups, days)
        near_index, near_weight = self._strikes(self._slice_of(found.near), strikes, forwards0)
        far_index, far_weight = self._strikes(self._slice_of(found.far), strikes, forwards0)
        return VarianceNodes(
            index=np.hstack((near_index, far_index)).astype(np.int32),
            strike_weight=np.hstack((near_weight, far_weight)),
            time_weight=found.time_weight,
        )

    def kinks(
        self, groups: NDArray[np.int32], days: NDArray[np.int32], forwards0: FloatArray
    ) -> tuple[FloatArray, NDArray[np.int64]]:
        """Strikes between which a trade's total variance is smooth, and beyond which it is flat: those of the points.

        :param groups: int32[n], none of them a cube; -1, like a surface at one strike, has none.
        :return: ascending and distinct, a trade's after another's; and int64[n + 1], where each trade's begin.
        """
        found = self._expiries(groups, days)
        trade, strike = np.empty(0, np.int64), np.empty(0)
        for expiries in (found.near, found.far):
            slices = self._slice_of(expiries)
            start, axis = self._start[slices], self._axis[slices]
            count = np.where((groups < 0) | (axis == _FLAT), 0, self._stop[slices] - start)
            mine = np.repeat(np.arange(len(groups)), count)
            place = self._coordinate[np.arange(len(mine)) + np.repeat(start - (np.cumsum(count) - count), count)]
            place = np.where(self._logarithmic[slices][mine], np.exp(place), place)
            forward = forwards0[mine]
            level = np.select(
                [axis[mine] == _MONEYNESS, axis[mine] == _OFFSET], [place * forward, place + forward], place
            )
            trade, strike = np.concatenate((trade, mine)), np.concatenate((strike, level))
        order = np.lexsort((strike, trade))
        trade, strike = trade[order], strike[order]
        first = np.ones(len(trade), np.bool_)
        first[1:] = (trade[1:] != trade[:-1]) | (strike[1:] != strike[:-1])
        return strike[first], np.searchsorted(trade[first], np.arange(len(groups) + 1))

    def cube_variance(
        self,
        groups: NDArray[np.int32],
        days: NDArray[np.int32],
        months: FloatArray,
        strikes: FloatArray,
        forwards0: FloatArray,
    ) -> CubeNodes:
        """Likewise with a tenor of the underlying: at an expiry volatility is linear in it, flat beyond the ends.

        :param groups: cubes, or surfaces that do not depend on the tenor.
        :param months: float64[n], tenors of the underlyings.
        """
        found = self._expiries(groups, days)
        near_index, near_weight = self._plane(found.near, months, strikes, forwards0)
        far_index, far_weight = self._plane(found.far, months, strikes, forwards0)
        return CubeNodes(
            index=np.hstack((near_index, far_index)).astype(np.int32),
            weight=np.hstack((near_weight, far_weight)),
            time_weight=found.time_weight,
        )

    def _expiries(self, groups: NDArray[np.int32], days: NDArray[np.int32]) -> _Expiries:
        none = groups < 0
        start, stop = np.where(none, 0, self._living[groups]), np.where(none, 0, self._last[groups])
        near, far, fraction = linear_position(self._days, start, stop, days.astype(np.float64))
        time = np.maximum(days.astype(np.float64) - self._origin, 0.0) / DAYS_A_YEAR
        flat = near == far
        near_time = np.where(flat, time, (self._days[near] - self._origin) / DAYS_A_YEAR)
        far_time = (self._days[far] - self._origin) / DAYS_A_YEAR
        time_weight = np.column_stack(((1.0 - fraction) * near_time, fraction * far_time))
        time_weight[none] = 0.0
        return _Expiries(near, far, time_weight)

    def _slice_of(self, expiries: Integers) -> Integers:
        return self._first_slice[expiries]

    def _plane(
        self, expiries: Integers, months: FloatArray, strikes: FloatArray, forwards0: FloatArray
    ) -> tuple[NDArray[np.int32], FloatArray]:
        first, last = self._first_slice[expiries], self._last_slice[expiries]
        short, long, fraction = linear_position(self._months, first, last, months)
        short_index, short_weight = self._strikes(short, strikes, forwards0)
        long_index, long_weight = self._strikes(long, strikes, forwards0)
        weight = np.hstack(((1.0 - fraction)[:, None] * short_weight, fraction[:, None] * long_weight))
        return np.hstack((short_index, long_index)), weight

    def _strikes(
        self, slices: Integers, strikes: FloatArray, forwards0: FloatArray
    ) -> tuple[NDArray[np.int32], FloatArray]:
        axis = self._axis[slices]
        with np.errstate(divide="ignore", invalid="ignore"):
            key = np.select(
                [axis == _ABSOLUTE, axis == _MONEYNESS, axis == _OFFSET],
                [strikes, strikes / forwards0, strikes - forwards0],
                0.0,
            )
            if self._logarithmic.any():
                key = np.where(self._logarithmic[slices], np.log(np.maximum(key, 0.0)), key)
            left, right, fraction = linear_position(self._coordinate, self._start[slices], self._stop[slices], key)
        # A forward of zero or below has no moneyness, and its trade no volatility; nor has a place that is not known.
        fraction = np.where(((axis == _MONEYNESS) & (forwards0 <= 0.0)) | np.isnan(key), np.nan, fraction)
        index = self._factor[np.column_stack((left, right))]
        return index, np.column_stack((1.0 - fraction, fraction))

    def group_index(self, kind: str, name: str) -> int:
        """Position among the snapshot's groups of what serves a surface: its derived points, else its own; -1: none."""
        derived = self._snapshot.group_index(SMILE, f"{kind}:{name}")
        return derived if derived >= 0 else self._snapshot.group_index(kind, name)

    def _supports(self, index: int, group: FactorGroup) -> bool:
        if self.group_index(group.kind, group.name) != index:
            return False
        rows = self._snapshot.factors.slice(group.start, group.stop - group.start)
        label = group.name if group.kind == SMILE else f"{group.kind}:{group.name}"
        tenors = [days != NO_DATE for days in rows.column("underlying_days").to_pylist()]
        if not set(rows.column("strike_type").to_pylist()).isdisjoint((*DELTA_TYPES, *SPREAD_TYPES)):
            what = "over the tenor of an underlying" if any(tenors) else "of what has no forward of this name"
            self.unsupported[index] = f"{label} is quoted in delta, which is not supported {what}"
        elif any(tenors) and not all(tenors):
            self.unsupported[index] = f"{label} has points with and without an underlying tenor"
        elif self._is_logarithmic(group) and not self._is_positive(rows):
            self.unsupported[index] = f"{label} has strikes that are not above zero: no linear_log_strike"
        elif any(tenors):
            self.cubes[index] = f"{label} depends on an underlying tenor, which this product does not have"
        return index not in self.unsupported

    def _is_logarithmic(self, group: FactorGroup) -> bool:
        name = group.name.split(":", 1)[1] if group.kind == SMILE else group.name
        return self._conventions.surface(name).strike_interpolation == LOG_LINEAR

    @staticmethod
    def _is_positive(rows: pa.Table) -> bool:
        pairs = zip(rows.column("strike_type").to_pylist(), rows.column("strike").to_pylist(), strict=True)
        return all(kind != "offset" and (kind in (None, "atm") or strike > 0.0) for kind, strike in pairs)

    def _add(self, group: FactorGroup, slices: _Slices) -> None:
        rows = self._snapshot.factors.slice(group.start, group.stop - group.start)
        days, tenors = rows.column("days").to_pylist(), rows.column("underlying_days").to_pylist()
        strikes, types = rows.column("strike").to_pylist(), rows.column("strike_type").to_pylist()
        for day, expiry in groupby(range(len(days)), key=days.__getitem__):
            slices.first.append(len(slices.start))
            slices.days.append(day)
            for tenor, members in groupby(expiry, key=tenors.__getitem__):
                points = list(members)
                axis = strike_axis({types[k] or "atm" for k in points}) or "atm"
                logarithmic = axis != "atm" and self._is_logarithmic(group)
                coordinates = [coordinate(axis, types[k], strikes[k]) for k in points]
                if logarithmic:
                    coordinates = np.log(coordinates).tolist()
                slices.start.append(len(slices.factor))
                for place, k in sorted(zip(coordinates, points, strict=True)):
                    slices.coordinate.append(place)
                    slices.factor.append(group.start + k)
                slices.stop.append(len(slices.factor))
                slices.axis.append(_AXES[axis])
                slices.logarithmic.append(logarithmic)
                slices.underlying.append(max(tenor, 0))
            slices.last.append(len(slices.start))
