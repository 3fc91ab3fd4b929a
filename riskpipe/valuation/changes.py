"""Sensitivities that are changes of the value in one column each: many columns at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.valuation.bumps import FirstBumps
from riskpipe.valuation.family_sums import FamilySums
from riskpipe.valuation.part import Part, Sensitivity

# Changes reduced at a time.
CHUNK_CHANGES = 1_000_000

Rates = tuple[FloatArray, FloatArray, NDArray[np.int32]]
"""To the base currency: today float64[rates, 1], in k columns float64[rates, k], and which of them each trade has."""


class Moved(Struct, frozen=True):
    """Trades in columns of a family that has no more of a subject than the change (`Family.is_plain`).

    :param columns: int64[k]. :param rows: int32[m], positions of the trades. :param values: float64[m, k], all finite.
    :param base: float64[m], today's.
    """

    columns: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: FloatArray
    base: FloatArray


def add_changes(part: Part, sums: FamilySums, bumps: FirstBumps, moved: Moved, rates: Rates) -> None:
    """Add the changes to what the family's subjects add up to, and put them into `part` as rows."""
    family, rows, values = sums.family, moved.rows, moved.values.T
    change = np.subtract(values, moved.base, order="C")
    sums.add_each(rows, change)
    today, then, position = rates
    if family.translated and (then != today).any():
        before, after = today[position[rows], 0], then.T[:, position[rows]]
        unmoved = change * part.conversion[rows]
        converted = np.where(after != before, values * after - moved.base * before, unmoved)
        column, at = np.nonzero((change != 0.0) | (converted != 0.0))
        own, value, value_base = rows[at], change[column, at], converted[column, at]
    else:
        # On one point of a curve most trades do not depend: an exact zero has no row.
        column, at = np.nonzero(change if family.total == "none" else np.ones_like(change))
        own, value = rows[at], change[column, at]
        value_base = value * part.conversion[own]
    bounds = np.searchsorted(column, np.arange(len(moved.columns) + 1)).tolist()
    (measure,) = family.measures
    for k, (begin, end) in enumerate(pairwise(bounds)):
        if begin < end:
            mine, (label, shift) = slice(begin, end), bumps.described(family, moved.columns[k])
            numbers = own[mine], label, measure, shift, family.shift_type, value[mine], value_base[mine]
            part.sensitivities.append(Sensitivity(*numbers))
