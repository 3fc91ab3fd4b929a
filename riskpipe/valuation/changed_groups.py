"""What of a market and its scenarios differs from an earlier run's, to the bit, by groups of factors and by sets.

A trade's number under a column is made of the levels, there and today, of the groups that it depends on; a sensitivity
of the size of its bump, too. So where no group of a trade is in `MarketChanges.groups`, and a set is not in `sets`, its
numbers of that set are those that the earlier run made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.scenarios import BASE, ScenarioSet
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.measures.catalogue import known_families
from riskpipe.measures.families import Family
from riskpipe.valuation.bumps import FirstBumps

TODAY = "today"


class PricedMarket(Struct, frozen=True):
    """What a run prices its trades under."""

    snapshot: MarketSnapshot
    scenarios: ScenarioSet


class MarketChanges(Struct):
    """:ivar groups: position among the groups of the later market -> where it is another, in the order found.

    :ivar gone: positions among those of the earlier one. :ivar sets: scenario set -> why none of its columns can be
        told from the earlier ones.
    """

    groups: dict[int, list[str]] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    sets: dict[str, str] = field(default_factory=dict)

    def add(self, groups: Iterable[int], why: str) -> None:
        for group in groups:
            found = self.groups.setdefault(group, [])
            if why not in found:
                found.append(why)


def market_changes(earlier: PricedMarket, later: PricedMarket, bumps_differ: bool) -> MarketChanges:
    """:param bumps_differ: a set of bumps that is another is another as a whole."""
    changes = MarketChanges()
    before = _Before(earlier, later, changes)
    before.compare_today()
    families = known_families()
    for name in later.scenarios.sets:
        if name == BASE:
            continue
        if name not in earlier.scenarios.sets:
            changes.sets[name] = "new"
            continue
        before.compare_set(name, families.get(name), bumps_differ)
    return changes


class _Before:
    """The earlier market, seen from the later one.

    :ivar at: int64[factors of the later one], the factor's position in the earlier one; -1: its group is another.
    """

    def __init__(self, earlier: PricedMarket, later: PricedMarket, changes: MarketChanges) -> None:
        self._old, self._new, self._changes = earlier, later, changes
        self._bumps = FirstBumps(earlier.scenarios, earlier.snapshot), FirstBumps(later.scenarios, later.snapshot)
        self._group_of = later.snapshot.group_of_factor
        self.at = np.full(len(later.snapshot), -1, np.int64)
        for number, group in enumerate(later.snapshot.groups):
            same = earlier.snapshot.group(group.kind, group.name)
            if same is None:
                changes.add([number], "new")
            elif not _same_points(earlier.snapshot, same, later.snapshot, group):
                changes.add([number], "other points")
            else:
                self.at[group.start : group.stop] = np.arange(same.start, same.stop)
        kept = {(group.kind, group.name) for group in later.snapshot.groups}
        changes.gone += [k for k, group in enumerate(earlier.snapshot.groups) if (group.kind, group.name) not in kept]
        self._back = np.full(len(earlier.snapshot), -1, np.int64)
        self._back[self.at[self.at >= 0]] = np.flatnonzero(self.at >= 0)
        self._pairs: dict[tuple[int, int], _Pair] = {}

    def compare_today(self) -> None:
        known = np.flatnonzero(self.at >= 0)
        other = known[_differ(self._new.snapshot.x0[known], self._old.snapshot.x0[self.at[known]])]
        self._changes.add(self._groups(other), TODAY)

    def compare_set(self, name: str, family: Family | None, bumps_differ: bool) -> None:
        old, new = (self._columns(market.scenarios, name) for market in (self._old, self._new))
        if why := self._incomparable(old, new):
            self._changes.sets[name] = why
            return
        found: set[int] = set()
        for before, after in zip(old, new, strict=True):
            found.update(self._column(before, after))
        if family is not None:
            found.update(self._subjects(family, old, new))
            if (found and bumps_differ) or self._wide_apart(old, new):
                self._changes.sets[name] = "other bumps"
                return
        self._changes.add(sorted(found), name)

    @staticmethod
    def _columns(scenarios: ScenarioSet, name: str) -> range:
        columns = scenarios.columns_of(name)
        return range(columns.start, columns.stop)

    def _incomparable(self, old: range, new: range) -> str | None:
        one, other = self._old.scenarios, self._new.scenarios
        if len(old) != len(new):
            return f"{len(new)} scenarios in place of {len(old)}"
        if not one.names[old.start : old.stop].equals(other.names[new.start : new.stop]):
            return "other scenarios"
        if not np.array_equal(one.horizon[old.start : old.stop], other.horizon[new.start : new.stop]):
            return "other horizons"
        return None

    def _column(self, before: int, after: int) -> Iterator[int]:
        """Groups whose levels are others in a column, or that are shocked in one of the two alone."""
        one, other = self._old.scenarios, self._new.scenarios
        key = int(one.pattern[before]), int(other.pattern[after])
        if key not in self._pairs:
            self._pairs[key] = self._pair(one.shocks(before)[0], other.shocks(after)[0])
        pair = self._pairs[key]
        levels = one.shocks(before)[1][pair.old], other.shocks(after)[1][pair.new]
        moved = _differ(*levels)
        yield from pair.apart
        if moved.any():
            yield from np.unique(pair.groups[moved]).tolist()

    def _pair(self, old: NDArray[np.int32], new: NDArray[np.int32]) -> _Pair:
        at = self.at[new]
        known = np.flatnonzero(at >= 0)
        place = np.searchsorted(old, at[known])
        there = place < len(old)
        there[there] = old[place[there]] == at[known[there]]
        only_before = np.setdiff1d(self._back[old], new[known])
        apart = self._groups(np.concatenate([new[known[~there]], only_before[only_before >= 0]]))
        return _Pair(place[there], known[there], self._group_of[new[known[there]]], tuple(apart))

    def _groups(self, factors: NDArray[np.int64]) -> list[int]:
        found: list[int] = np.unique(self._group_of[factors]).tolist()
        return found

    def _subjects(self, family: Family, old: range, new: range) -> Iterator[int]:
        """Groups that are bumped by subjects whose sizes, as they are divided by or reported, are others."""
        for first in range(0, len(new), family.width):
            if self._subject(family, 0, old[first]) != self._subject(family, 1, new[first]):
                columns = np.arange(new[first], min(new[first] + family.width, new.stop))
                yield from self._new.scenarios.touched_groups(columns, self._new.snapshot)[1].tolist()

    def _subject(self, family: Family, which: int, column: int) -> tuple[object, ...]:
        """What numbers are made of besides levels."""
        market, bumps = (self._old, self._new)[which], self._bumps[which]
        if not len(market.scenarios.shocks(column)[0]):
            return ()
        columns = np.arange(column, column + family.width)
        size = bumps.size(family, columns)
        group = market.snapshot.groups[bumps.group(columns[0])]
        reported = bumps.reported(family, columns[0], size)
        return group.kind, group.name, np.float64(size).tobytes(), np.float64(reported).tobytes()

    def _wide_apart(self, old: range, new: range) -> bool:
        """Columns that touch most of a market are of one class, which may touch more than each: with such ones sets are
        only the same where they touch the same groups."""
        sides = [(self._old, old), (self._new, new)]
        touched = [m.scenarios.touched_groups(np.arange(c.start, c.stop), m.snapshot) for m, c in sides]
        wide = any(
            (np.diff(indptr).max(initial=0) > len(market.snapshot.groups) // 2)
            for (indptr, _), (market, _) in zip(touched, sides, strict=True)
        )
        if not wide:
            return False
        names = [
            [(market.snapshot.groups[g].kind, market.snapshot.groups[g].name) for g in groups.tolist()]
            for (_, groups), (market, _) in zip(touched, sides, strict=True)
        ]
        return names[0] != names[1] or not np.array_equal(touched[0][0], touched[1][0])


class _Pair(Struct, frozen=True):
    """Two lists of shocked factors.

    :param old, new: positions, in each, of the factors that both have; `groups` those of the later market.
    :param apart: groups of factors that one alone has.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    groups: NDArray[np.int32]
    apart: tuple[int, ...]


def _differ(one: FloatArray, other: FloatArray) -> NDArray[np.bool_]:
    """bool[n]: not the same to the bit."""
    return np.asarray(
        np.ascontiguousarray(one).view(np.uint64) != np.ascontiguousarray(other).view(np.uint64), np.bool_
    )


def _same_points(old: MarketSnapshot, before: FactorGroup, new: MarketSnapshot, after: FactorGroup) -> bool:
    """Whether a group has the same points in the same order, whatever their levels are."""
    if before.stop - before.start != after.stop - after.start:
        return False
    tables: list[pa.Table] = [
        snapshot.factors.drop_columns(["value"]).slice(group.start, group.stop - group.start)
        for snapshot, group in ((old, before), (new, after))
    ]
    return bool(tables[0].equals(tables[1]))
