"""Curves as weights on their points: log discount factors and forward prices are linear in the factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.interpolation import bracket
from riskpipe.market.conventions import Conventions
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot

Index = NDArray[np.int32]

DAYS_A_YEAR = 365.0


def linear_position(
    grid: FloatArray,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    key: FloatArray,
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Neighbours of each key in its own range of the grid, and how far it is from the left to the right one.

    :return: left, right (equal at and beyond the ends, and for an empty range) and the fraction in [0, 1).
    """
    found = bracket(grid, start, stop, key)
    left = np.maximum(found, start)
    right = np.minimum(found + 1, np.maximum(stop - 1, start))
    left = np.minimum(left, right)
    inside = right > left
    gap = np.where(inside, grid[right] - grid[left], 1.0) if len(grid) else np.ones(len(key))
    fraction = np.where(inside, (key - grid[left]) / gap, 0.0) if len(grid) else np.zeros(len(key))
    return left, right, fraction


def curve_position(
    grid: FloatArray,
    start: NDArray[np.int64],
    stop: NDArray[np.int64],
    key: FloatArray,
    flat_forward: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """`linear_position`, but that where `flat_forward` a key beyond the last of two or more points has these as its
    neighbours, and a fraction above one."""
    left, right, fraction = linear_position(grid, start, stop, key)
    last = np.maximum(stop - 1, start)
    beyond = flat_forward & (last > start)
    beyond[beyond] = key[beyond] > grid[last[beyond]]
    if beyond.any():
        left, right = np.where(beyond, last - 1, left), np.where(beyond, last, right)
        begin, end = grid[left[beyond]], grid[right[beyond]]
        fraction[beyond] = (key[beyond] - begin) / (end - begin)
    return left, right, fraction


class Curves:
    """Dated groups of a snapshot, seen from its date plus a horizon.

    :param horizon_days: calendar days forward: pillars keep their dates, so times get shorter; points whose
        time is not positive any more are not used.
    :ivar contracts: bool[groups]: forward prices of futures contracts by their expiries.
    """

    def __init__(self, snapshot: MarketSnapshot, conventions: Conventions, horizon_days: int = 0) -> None:
        self.origin = snapshot.as_of + horizon_days
        self._grid = snapshot.days.astype(np.float64)
        self._start = np.array([group.start for group in snapshot.groups], np.int64)
        self._stop = np.array([group.stop for group in snapshot.groups], np.int64)
        past = np.concatenate(([0], np.cumsum(snapshot.days <= self.origin)))
        # A curve without any living point is flat at its last one.
        living = self._start + past[self._stop] - past[self._start]
        self._living = np.minimum(living, self._stop - 1)
        self._linear_zero = np.array(
            [conventions.interpolation(group.name) == "linear_zero" for group in snapshot.groups], np.bool_
        )
        self.contracts = np.array(
            [
                group.kind == "forward_price" and conventions.commodity(group.name).curve == "contracts"
                for group in snapshot.groups
            ],
            np.bool_,
        )
        self._flat_forward = np.array(
            [_is_flat_forward(group, snapshot, conventions) for group in snapshot.groups], np.bool_
        )

    def time(self, days: NDArray[np.int32]) -> FloatArray:
        """Years (ACT/365F) from the horizon date, zero before it."""
        return np.maximum(days.astype(np.float64) - self.origin, 0.0) / DAYS_A_YEAR

    def log_discount(self, groups: NDArray[np.int32], days: NDArray[np.int32]) -> tuple[Index, FloatArray]:
        """Weights w with -ln D = w0 x[i0] + w1 x[i1].

        Log-linear in the discount factor between points (or linear in the zero rate), from zero at time
        zero; flat in the zero rate before the first point, and beyond the last unless the forward rate is.

        :param groups: int32[n], positions among the snapshot's groups; -1: no curve, weights zero.
        :param days: int32[n], dates; the weights are zero at and before the horizon date.
        :return: index int32[n, 2], weight float64[n, 2].
        """
        none = groups < 0
        start = np.where(none, 0, self._living[groups])
        stop = np.where(none, 0, self._stop[groups])
        flat_forward = self._flat_forward[groups] & ~none
        left, right, fraction = curve_position(self._grid, start, stop, days.astype(np.float64), flat_forward)
        time = np.where(none, 0.0, self.time(days))
        left_time = (self._grid[left] - self.origin) / DAYS_A_YEAR
        right_time = (self._grid[right] - self.origin) / DAYS_A_YEAR
        by_rate = self._linear_zero[groups] | (left == right)
        near = (1.0 - fraction) * np.where(by_rate, time, left_time)
        far = fraction * np.where(by_rate, time, right_time)
        return _pair(left, right), np.column_stack((near, far))

    def forward_price(self, groups: NDArray[np.int32], days: NDArray[np.int32]) -> tuple[Index, FloatArray]:
        """Weights of forward prices: linear in time between delivery dates, flat beyond, whatever the
        horizon; of contracts the whole price of `contract`.

        :return: index int32[n, 2], weight float64[n, 2].
        """
        left, right, fraction = linear_position(
            self._grid, self._start[groups], self._stop[groups], days.astype(np.float64)
        )
        own = self.contracts[groups]
        if own.any():
            left[own], _ = self.contract(groups[own], days[own])
            right[own] = left[own]
            fraction[own] = 0.0
        return _pair(left, right), np.column_stack((1.0 - fraction, fraction))

    def contract(
        self, groups: NDArray[np.int32], days: NDArray[np.int32], later: NDArray[np.int32] | int = 0
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The first contract that expires on or after a day, or one so many contracts `later`.

        :return: int64[n], its factor, of the last contract where there is none; bool[n], there is one.
        """
        found = bracket(self._grid, self._start[groups], self._stop[groups], days.astype(np.float64) - 0.5) + 1 + later
        last = self._stop[groups] - 1
        return np.minimum(found, last), found <= last

    def exact(self, groups: NDArray[np.int32], days: NDArray[np.int32]) -> NDArray[np.int64]:
        """int64[n]: the factor of exactly that date, -1 where there is none or the group is -1."""
        start, stop = (
            np.where(groups < 0, 0, self._start[groups]),
            np.where(groups < 0, 0, self._stop[groups]),
        )
        found = bracket(self._grid, start, stop, days.astype(np.float64))
        hit = (found >= start) & (self._grid[np.maximum(found, 0)] == days)
        return np.where(hit, found, -1)


def _is_flat_forward(group: FactorGroup, snapshot: MarketSnapshot, conventions: Conventions) -> bool:
    """As configured; without an entry, hazard rates that are made of quotes are, and nothing else is."""
    made = group.kind == "hazard_rate" and snapshot.group("cds_spread", group.name) is not None
    return conventions.extrapolation(group.name, "flat_forward" if made else "flat_zero") == "flat_forward"


def _pair(left: NDArray[np.int64], right: NDArray[np.int64]) -> Index:
    return np.column_stack((left, right)).astype(np.int32)
