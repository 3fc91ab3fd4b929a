"""Par rates as functions of zero rates, with their gradients.

Discount factors of log-linear curves are exponentials of sums of zero rates; so is everything that a par rate is made
of. The gradients give the derivative of bootstrapped points by the implicit function theorem (`triangular_solve`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.curves import DAYS_A_YEAR, curve_position

Days = NDArray[np.int64]
Zeros = Mapping[str, FloatArray]
"""Name of a curve -> its zero rates, float64[nodes]."""


class Grid(Struct, frozen=True):
    """Nodes of a curve: dates after as_of, ascending, what is linear between them, and what is flat beyond."""

    as_of: int
    days: Days
    interpolation: str
    extrapolation: str = "flat_zero"

    def weights(self, days: Days) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray, FloatArray]:
        """left, right, near, far with -ln D(days) = near z[left] + far z[right], as `market.curves.Curves` has it."""
        key = days.astype(np.float64)
        grid = self.days.astype(np.float64)
        ends = np.zeros(len(key), np.int64), np.full(len(key), len(grid), np.int64)
        flat_forward = np.full(len(key), self.extrapolation == "flat_forward")
        left, right, fraction = curve_position(grid, *ends, key, flat_forward)
        time = np.maximum(key - self.as_of, 0.0) / DAYS_A_YEAR
        by_rate = (self.interpolation == "linear_zero") | (left == right)
        near = (1.0 - fraction) * np.where(by_rate, time, (grid[left] - self.as_of) / DAYS_A_YEAR)
        far = fraction * np.where(by_rate, time, (grid[right] - self.as_of) / DAYS_A_YEAR)
        return left, right, near, far

    def log_discount(self, days: Days) -> FloatArray:
        """float64[n, nodes], W with -ln D(days) = W z."""
        left, right, near, far = self.weights(days)
        rows = np.arange(len(days))
        weights = np.zeros((len(days), len(self.days)))
        np.add.at(weights, (rows, left), near)
        np.add.at(weights, (rows, right), far)
        return weights


class Floating(Struct, frozen=True):
    """Simple or compounded interest of a curve, sum of (P(start)/P(end) - 1) D(paid); `discount` "": undiscounted."""

    projection: str
    discount: str
    start: Days
    end: Days
    paid: Days


class Known(Struct, frozen=True):
    """Sum of amount x D(paid); `discount` "": undiscounted."""

    discount: str
    amount: FloatArray
    paid: Days


class Converted(Struct, frozen=True):
    """A leg whose amounts are each multiplied by D_foreign(at) / D_own(at), the forward exchange rate of a day.

    :param foreign: discounts the currency that the amounts are fixed in; the leg's curve the one that is paid.
    :param at: int64[amounts].
    """

    leg: Floating | Known
    foreign: str
    at: Days


class ParRate(Struct, frozen=True):
    """(sum of sign x leg) / annuity + offset: the rate at which an instrument is worth nothing."""

    legs: tuple[tuple[float, Floating | Known | Converted], ...]
    annuity: Known | Converted
    offset: float = 0.0


class _Exponentials(Struct, frozen=True):
    """sum of amount x exp(-(sum over curves of rows z)); `rows[curve]` is float64[n, nodes]."""

    amount: FloatArray
    rows: Mapping[str, FloatArray]

    def value(self, zeros: Zeros) -> tuple[float, dict[str, FloatArray]]:
        """The sum, and its gradient by curve."""
        exponent = np.zeros(len(self.amount))
        for curve, rows in self.rows.items():
            exponent -= (rows * zeros[curve]).sum(axis=1)
        terms = self.amount * np.exp(exponent)
        gradient = {curve: -(terms[:, None] * rows).sum(axis=0) for curve, rows in self.rows.items()}
        return float(terms.sum()), gradient


class Equation:
    """A par rate over given nodes.

    :param grids: of every curve that its legs name.
    """

    def __init__(self, par: ParRate, grids: Mapping[str, Grid]) -> None:
        self._offset = par.offset
        self._numerator = _joined([(sign, leg) for sign, leg in par.legs], grids)
        self._annuity = _joined([(1.0, par.annuity)], grids)

    def value(self, zeros: Zeros) -> tuple[float, dict[str, FloatArray]]:
        """The par rate, and its derivative by each curve's zero rates."""
        above, above_slope = self._numerator.value(zeros)
        below, below_slope = self._annuity.value(zeros)
        rate = above / below
        curves = above_slope.keys() | below_slope.keys()
        nothing = 0.0
        slope = {
            curve: np.asarray((above_slope.get(curve, nothing) - rate * below_slope.get(curve, nothing)) / below)
            for curve in curves
        }
        return rate + self._offset, slope


def _joined(legs: Iterable[tuple[float, Floating | Known | Converted]], grids: Mapping[str, Grid]) -> _Exponentials:
    """All legs as one sum: a period of a floating leg is two terms."""
    amounts: list[FloatArray] = []
    parts: list[tuple[str, FloatArray, int]] = []  # curve, rows, first term
    size = 0
    for sign, whole_leg in legs:
        leg = whole_leg.leg if isinstance(whole_leg, Converted) else whole_leg
        count = len(leg.paid)
        if isinstance(leg, Known):
            amounts.append(sign * leg.amount)
        else:
            amounts += [np.full(count, sign), np.full(count, -sign)]
            grid = grids[leg.projection]
            parts.append((leg.projection, grid.log_discount(leg.end) * -1.0 + grid.log_discount(leg.start), size))
        copies = 1 if isinstance(leg, Known) else 2
        factors = [(leg.discount, grids[leg.discount].log_discount(leg.paid))] if leg.discount else []
        if isinstance(whole_leg, Converted):
            at, foreign = whole_leg.at, whole_leg.foreign
            factors += [
                (foreign, grids[foreign].log_discount(at)),
                (leg.discount, -grids[leg.discount].log_discount(at)),
            ]
        parts += [(curve, rows, size + k * count) for curve, rows in factors for k in range(copies)]
        size += copies * count
    rows_of: dict[str, FloatArray] = {}
    for curve, rows, first in parts:
        whole = rows_of.setdefault(curve, np.zeros((size, rows.shape[1])))
        whole[first : first + len(rows)] += rows
    return _Exponentials(np.concatenate(amounts), rows_of)


def triangular_solve(lower: FloatArray, right: FloatArray) -> FloatArray:
    """X with `lower` X = `right`, by forward substitution.

    What is above the diagonal is not looked at: a quote depends on no node beyond its own. Not LAPACK, whose sums
    depend on how many threads it runs.

    :param lower: float64[n, n]; `right`: float64[n, m].
    """
    found = np.zeros_like(right)
    for k in range(len(lower)):
        rest = right[k].copy()
        for j in range(k):
            rest -= lower[k, j] * found[j]
        found[k] = rest / lower[k, k]
    return found
