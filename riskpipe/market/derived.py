"""Points made from quotes (zero rates from par rates, hazard rates from spreads), and how they follow the quotes.

A producer reads the quoted groups of the market table and makes derived points, once a run. They join the table before
the snapshot is made of it, so everything that prices reads zero and hazard rates and never learns about quotes. A
scenario that moves an input of a derived point moves the point, to first order or exactly; see `Derivative`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import MarketFault
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot

GroupName = tuple[str, str]
"""Kind and name of a curve, surface or spot."""


class DerivedGroup(Struct, frozen=True):
    """Points of one curve or surface.

    :param points: rows of the market's schema; their ids are new to the market.
    :param inputs: ids of the factors that the points are made from: quotes, points of other curves, and derived
        points of groups before this one. Distinct.
    :param slope: float64[n_points, n_inputs], d(point)/d(input), all other inputs held.
    :param revalue: levels of the inputs, float64[n_inputs] -> levels of the points, float64[n_points]; for
        moves that are too large for the slope. Raises `ValueError`, with the reason, where there are none; what else
        a solver raises (`RuntimeError`, `ArithmeticError`) says the same. None: the slope is all there is.
    :param positive: levels are above zero; where the slope leads below, a point has none (NaN).
    """

    points: pa.Table
    inputs: tuple[str, ...]
    slope: FloatArray
    revalue: Callable[[FloatArray], FloatArray] | None = None
    positive: bool = False


class Derivation(Struct, frozen=True):
    """What producers made of a market table.

    :param table: the market's schema: what was given, less what is left out, and the derived points.
    :param groups: in an order in which inputs come before what is made of them.
    :param faults: of quotes that nothing can be made of; they name curve, instrument and reason.
    :param left_out: kind and name of the groups that these faults keep out of the market.
    """

    table: pa.Table
    groups: tuple[DerivedGroup, ...] = ()
    faults: tuple[MarketFault, ...] = ()
    left_out: frozenset[GroupName] = frozenset()


Producer = Callable[[pa.Table, int, Conventions, frozenset[GroupName]], Derivation]
"""Canonical market table with what was derived before, as_of (days since 1970-01-01), conventions, and the groups that
are left out so far -> the same table with more points. Quotes of a group that is left out come to nothing as well."""


def derive(
    table: pa.Table,
    producers: Iterable[Producer],
    as_of: int,
    conventions: Conventions,
    left_out: frozenset[GroupName] = frozenset(),
) -> Derivation:
    """All derived points of a market.

    :param table: canonical columns, without errors.
    :param left_out: groups that the table lacks for their errors.
    """
    found = Derivation(table, left_out=left_out)
    for producer in producers:
        more = producer(found.table, as_of, conventions, found.left_out)
        found = Derivation(
            more.table, found.groups + more.groups, found.faults + more.faults, found.left_out | more.left_out
        )
    return found


def without_groups(table: pa.Table, groups: frozenset[GroupName]) -> pa.Table:
    """The table less all points of some groups."""
    pairs = zip(table.column("kind").to_pylist(), table.column("name").to_pylist(), strict=True)
    return table.filter(pa.array([pair not in groups for pair in pairs], pa.bool_()))


def with_points(table: pa.Table, groups: Iterable[DerivedGroup]) -> pa.Table:
    """The table and the points of some groups."""
    return pa.concat_tables([table, *(group.points.cast(MARKET_SCHEMA) for group in groups)]).combine_chunks()


class Unmade(Struct, frozen=True):
    """A curve or surface that cannot be made of a scenario's levels.

    :param group: `kind:name`.
    """

    group: str
    reason: str


class _Resolved(Struct, frozen=True):
    """A derived group by positions in the snapshot; `row` and `column` index the nonzero slopes, row by row."""

    name: str
    points: NDArray[np.int64]
    inputs: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    slope: FloatArray
    revalue: Callable[[FloatArray], FloatArray] | None
    positive: bool


_SOLVER_ERRORS = (ValueError, ArithmeticError, RuntimeError)


class Derivative(Struct, frozen=True, dict=True):
    """Derived points over a snapshot that has them.

    To first order a derived point is at x0[point] + the sum over its inputs of slope x (level - x0[input]), added up
    in the order of the inputs; inputs that are derived themselves are at their own levels by then. A derived point
    that a scenario shocks itself stays at that level.

    :param groups: as `derive` gives them.
    """

    snapshot: MarketSnapshot
    groups: tuple[DerivedGroup, ...] = ()

    @cached_property
    def _resolved(self) -> tuple[_Resolved, ...]:
        return tuple(_resolve(self.snapshot, group) for group in self.groups)

    @cached_property
    def is_derived(self) -> NDArray[np.bool_]:
        """bool[n_factors]."""
        mask = np.zeros(len(self.snapshot), np.bool_)
        for group in self._resolved:
            mask[group.points] = True
        return mask

    def extend(
        self, factor: NDArray[np.integer], value: FloatArray, *, exact: bool = False
    ) -> tuple[NDArray[np.integer], FloatArray, tuple[Unmade, ...]]:
        """A column's shocks with the derived points that follow from them.

        Points that cannot be made anew have none (NaN), and so has what is made of them: their trades fail.

        :param factor: int[k], positions in x0, distinct; `value`: float64[k], their levels.
        :param exact: make the points anew from the inputs' levels where their group can do that.
        :return: factors, ascending, levels, and what cannot be made.
        """
        level = self.snapshot.x0.copy()
        level[factor] = value
        moved = np.zeros(len(level), np.bool_)
        moved[factor] = True
        given = moved.copy()
        unmade: list[Unmade] = []
        for group in self._resolved:
            free = ~given[group.points]
            if not (moved[group.inputs].any() and free.any()):
                continue
            points = group.points[free]
            try:
                level[points] = self._levels(group, level, exact)[free]
            except _SOLVER_ERRORS as error:
                level[points] = np.nan
                unmade.append(Unmade(group.name, str(error)))
            # Of a group only what depends on a moved input moves.
            touched = np.full(len(group.points), exact and group.revalue is not None)
            touched[group.row[moved[group.inputs[group.column]]]] = True
            moved[points] |= touched[free]
        found = np.flatnonzero(moved)
        return found, level[found], tuple(unmade)

    def _levels(self, group: _Resolved, level: FloatArray, exact: bool) -> FloatArray:
        if exact and group.revalue is not None:
            absent = np.flatnonzero(~np.isfinite(level[group.inputs]))
            if len(absent):
                first = self.snapshot.factor_ids[int(group.inputs[absent[0]])]
                raise ValueError(f"it is made of {first}, which has no level")
            levels = group.revalue(level[group.inputs])
            if not np.isfinite(levels).all():
                raise ValueError("the levels that it makes are not finite")
            return levels
        move = level[group.inputs] - self.snapshot.x0[group.inputs]
        # bincount adds one after the other: the same bits whatever else moves.
        total = np.bincount(group.row, group.slope * move[group.column], len(group.points))
        found = self.snapshot.x0[group.points] + total
        return np.where(found > 0.0, found, np.nan) if group.positive else np.asarray(found)


def _resolve(snapshot: MarketSnapshot, group: DerivedGroup) -> _Resolved:
    ids = group.points.column("factor").to_pylist()
    row, column = np.nonzero(group.slope)
    return _Resolved(
        name=":".join(str(group.points.column(key)[0].as_py()) for key in ("kind", "name")),
        points=_positions(snapshot, ids),
        inputs=_positions(snapshot, group.inputs),
        row=row.astype(np.int64),
        column=column.astype(np.int64),
        slope=group.slope[row, column],
        revalue=group.revalue,
        positive=group.positive,
    )


def _positions(snapshot: MarketSnapshot, ids: Iterable[str]) -> NDArray[np.int64]:
    found = np.array([snapshot.factor_index(factor) for factor in ids], np.int64)
    if (found < 0).any():
        raise ValueError("a derived point or an input of one is not in the snapshot")
    return found


def names_of(table: pa.Table, kind: str) -> list[str]:
    """Distinct names of the groups of a kind, in alphabetical order."""
    return sorted(set(pc.filter(table.column("name"), pc.equal(table.column("kind"), kind)).to_pylist()))
