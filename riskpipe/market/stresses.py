"""Named stresses (contracts.md, `scenarios.parquet`): shifts of factors, by id or glob, made levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.kernels.tiles import exponentials
from riskpipe.market.checks import canonical_table
from riskpipe.market.factors import SHIFT_TYPES, MarketFault, fault, nearest
from riskpipe.market.snapshot import MarketSnapshot

SCENARIO_SCHEMA = pa.schema(
    [
        ("scenario", pa.string()),
        ("factor", pa.string()),
        ("shift_type", pa.string()),
        ("shift", pa.float64()),
    ]
)

EMPTY, LEFT_OUT = "empty", "left out"
"""Rules: a table without rows; scenarios that are not priced for their errors."""

_IN_UNITS = (SHIFT_TYPES.index("absolute"), SHIFT_TYPES.index("set"))

Column = tuple[str, NDArray[np.int32], FloatArray]
"""A scenario's name, the factors it moves (ascending) and their shocked levels."""


def bump(snapshot: MarketSnapshot, factor_index: NDArray[np.integer], shift: float, shift_type: str) -> FloatArray:
    """Today's levels of some factors after one shift of all of them.

    :param shift_type: absolute (x + s), relative (x (1 + s)), log (x e^s) or set (s).
    :return: float64[len(factor_index)].
    """
    levels = snapshot.x0[factor_index]
    code = SHIFT_TYPES.index(shift_type)
    return _shifted(levels, np.full(len(levels), shift), np.full(len(levels), code))


def _shifted(x: FloatArray, shift: FloatArray, shift_type: NDArray[np.integer]) -> FloatArray:
    is_log = shift_type == SHIFT_TYPES.index("log")
    ratio = exponentials(np.where(is_log, shift, 0.0))
    conditions = [
        shift_type == SHIFT_TYPES.index("absolute"),
        shift_type == SHIFT_TYPES.index("relative"),
        is_log,
    ]
    return np.select(conditions, [x + shift, x * (1.0 + shift), x * ratio], shift)


def stress_columns(
    table: pa.Table,
    snapshot: MarketSnapshot,
    left_out: frozenset[str] = frozenset(),
    units: Mapping[str, float] | None = None,
) -> tuple[list[Column], list[MarketFault]]:
    """The scenarios of a stress table in the order in which they first occur.

    A scenario with a bad row is left out: half a stress is none. A row that does not say whose it is leaves out all.
    A shift to a level that cannot be (a price below zero) leaves the point without one (NaN) in its scenario, with a
    warning. A later row wins on the same point of the same scenario. A glob (`*`, `?`, `[...]`, case-sensitive)
    passes over fixings: they are facts, and a row that names one is a fault. An absolute or set shift by a glob that
    matches volatilities passes over risk reversals and butterflies: a parallel move of a smile does not change them.

    :param left_out: ids of factors that the snapshot lacks for their errors: to shift one is no further error.
    :param units: factor -> how many of what it is quoted in, and shifts of it are, make one of its currency.
    :return: the columns, none if a column is missing or unusable, and every fault.
    """
    if not table.num_rows:
        return [], [fault(Level.ERROR, "scenario", EMPTY, (), "the table has no rows: there is no stress")]
    canonical, faults = canonical_table(table, SCENARIO_SCHEMA, tuple(SCENARIO_SCHEMA.names))
    broken = frozenset(f.column for f in faults if not f.rows)
    unusable = bool(broken)
    rows = _Rows(canonical, broken)
    patterns = _Patterns(rows.factors, snapshot, left_out)
    bad = np.zeros(len(rows.shift), np.bool_)
    for found, mask in (*rows.faults(), *(() if "factor" in rows.broken else patterns.faults(rows.factor))):
        faults.append(found)
        bad |= mask & (found.level == Level.ERROR)
    if unusable:
        return [], sorted(faults, key=lambda f: f.level)
    lost = np.append(np.bincount(rows.scenario[bad & (rows.scenario >= 0)], minlength=len(rows.scenarios)) > 0, True)
    lost |= np.array([not name for name in rows.scenarios] + [True], np.bool_) | bool((bad & rows.nameless).any())
    rows.keep(~lost[rows.scenario])
    scenario, factor, value = _resolve(rows, patterns, snapshot, units or {})
    faults += level_faults(rows.scenarios, scenario, factor, value, snapshot)
    bounds = np.searchsorted(scenario, np.arange(len(rows.scenarios) + 1))
    columns: list[Column] = []
    for k, name in enumerate(rows.scenarios):
        if not lost[k]:
            mine = slice(int(bounds[k]), int(bounds[k + 1]))
            columns.append((name, factor[mine], value[mine]))
    missing = [name for k, name in enumerate(rows.scenarios) if lost[k] and name]
    if missing:
        message = f"{len(missing)} of {len(missing) + len(columns)} scenarios are left out: their rows have errors"
        faults.append(fault(Level.ERROR, "scenario", LEFT_OUT, missing, message))
    return columns, sorted(faults, key=lambda f: f.level)


class _Rows:
    """The table as codes and numbers; code -1 is null."""

    def __init__(self, table: pa.Table, broken: frozenset[str]) -> None:
        self.broken = broken
        self.scenario, self.scenarios = _encode(table.column("scenario"))
        self.factor, self.factors = _encode(table.column("factor"))
        self.shift_type, self.shift_types = _encode(table.column("shift_type"))
        self.shift: FloatArray = pc.fill_null(table.column("shift"), np.nan).to_numpy()
        #: bool[n], rows of no scenario
        self.nameless = np.array([not name for name in self.scenarios] + [True], np.bool_)[self.scenario]

    def keep(self, rows: NDArray[np.bool_]) -> None:
        for name in ("scenario", "factor", "shift_type", "shift", "nameless"):
            setattr(self, name, getattr(self, name)[rows])

    def faults(self) -> Iterator[tuple[MarketFault, NDArray[np.bool_]]]:
        """Each with its rows. One that says nothing at all is passed over."""
        known = np.array([name in SHIFT_TYPES for name in self.shift_types] + [False], np.bool_)
        empty = np.array([not name for name in self.factors] + [True], np.bool_)[self.factor]
        blank = self.nameless & empty & (self.shift_type < 0) & np.isnan(self.shift)
        if blank.any() and not self.broken:
            found = fault(
                Level.WARNING, "scenario", "blank", [f"row {k}" for k in np.flatnonzero(blank)], "a row is blank"
            )
            yield found, blank
        nobody = "a row has no scenario: it may belong to any of them, so none can be used"
        rules = (
            ("scenario", "null", self.nameless, nobody),
            ("factor", "null", empty, "a row has no factor"),
            (
                "shift_type",
                "unknown shift_type",
                ~known[self.shift_type],
                f"shift_type must be one of {', '.join(SHIFT_TYPES)}",
            ),
            ("shift", "not finite", ~np.isfinite(self.shift), "a shift is null, NaN or infinite"),
        )
        for column, rule, mask, message in rules:
            mask = mask & ~blank
            if mask.any() and column not in self.broken:
                labels = [self.label(int(k)) for k in np.flatnonzero(mask)]
                yield fault(Level.ERROR, column, rule, labels, message), mask

    def label(self, row: int) -> str:
        code = self.scenario[row]
        return self.scenarios[code] if code >= 0 else f"row {row}"


def _encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, encoded.dictionary.to_pylist()


@dataclass
class _Patterns:
    """What each distinct factor of the table, an id or a glob, matches."""

    texts: list[str]
    snapshot: MarketSnapshot
    left_out: frozenset[str]

    def __post_init__(self) -> None:
        kinds = self.snapshot.kind_of_factor
        self._fact = np.array([kind.fact for kind in kinds], np.bool_)
        self._made = np.array([kind.made for kind in kinds], np.bool_)
        #: bool[n_factors], differences of volatilities
        self.spread = np.array([kind.volatility and not kind.positive for kind in kinds], np.bool_)
        found = [self._find(text) for text in self.texts]
        self.matches = [match[~self._fact[match]] for match in found]
        self._only_facts = [len(all_) > 0 and len(kept) == 0 for all_, kept in zip(found, self.matches, strict=True)]
        #: of each text: it matches more than differences of volatilities
        self.mixed = np.array([not self.spread[match].all() for match in self.matches], np.bool_)

    def _find(self, text: str) -> NDArray[np.int32]:
        index = self.snapshot.factor_index(text)
        if index >= 0 and not self._made[index]:
            return np.array([index], np.int32)
        if not _is_glob(text):
            return np.empty(0, np.int32)
        match = re.compile(translate(text)).match
        ids = enumerate(self.snapshot.factor_ids)
        return np.array([k for k, factor in ids if match(factor) and not self._made[k]], np.int32)

    def faults(self, codes: NDArray[np.int64]) -> Iterator[tuple[MarketFault, NDArray[np.bool_]]]:
        """Each with its rows. :param codes: int64[n], which text each row has."""
        facts = [bool(only) for only in self._only_facts]
        none = [len(match) == 0 and not only for match, only in zip(self.matches, facts, strict=True)]
        globs = [_is_glob(text) for text in self.texts]
        absent = [text in self.left_out for text in self.texts]
        named = [bool(text) and text not in self.left_out for text in self.texts]
        unknown = [n and not g and m for n, g, m in zip(none, globs, named, strict=True)]
        idle = [n and g for n, g in zip(none, globs, strict=True)]
        hints = "; ".join(self._hint(text) for text, u in zip(self.texts, unknown, strict=True) if u)
        rules: tuple[tuple[Level, str, list[bool], str], ...] = (
            (Level.ERROR, "unknown factor", unknown, f"today's market has no such factor: {hints}"),
            (Level.WARNING, "unknown factor", idle, "a glob matches no factor of today's market"),
            (Level.WARNING, "factor left out", absent, "the factor is left out of the market for its errors"),
            (Level.ERROR, "fixing", facts, "fixings are facts and cannot be shifted"),
        )
        for level, rule, chosen, message in rules:
            mask = np.array([*chosen, False], np.bool_)[codes]
            if mask.any():
                yield fault(level, "factor", rule, [self.texts[code] for code in codes[mask]], message), mask

    def _hint(self, text: str) -> str:
        kind = text.split(":", 1)[0] + ":"
        alike = [factor for factor in self.snapshot.factor_ids if factor.startswith(kind)]
        return repr(text) + nearest(text, alike or self.snapshot.factor_ids)


def _is_glob(text: str) -> bool:
    return any(mark in text for mark in "*?[")


def _resolve(
    rows: _Rows, patterns: _Patterns, snapshot: MarketSnapshot, units: Mapping[str, float]
) -> tuple[NDArray[np.int64], NDArray[np.int32], FloatArray]:
    """Scenario, factor and level of every shocked point, sorted by scenario and factor."""
    sizes = np.array([len(match) for match in patterns.matches], np.int64)
    starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
    flat = np.concatenate([*patterns.matches, np.empty(0, np.int32)]).astype(np.int32)
    counts = sizes[rows.factor]
    ends = np.cumsum(counts)
    row = np.repeat(np.arange(len(counts)), counts)
    factor = flat[np.arange(len(row)) + np.repeat(starts[rows.factor] - (ends - counts), counts)]
    # Of rows that are left out the type may be none.
    codes = np.array([SHIFT_TYPES.index(name) if name in SHIFT_TYPES else -1 for name in rows.shift_types], np.int64)
    parallel = np.isin(codes[rows.shift_type[row]], _IN_UNITS)
    moved = ~(parallel & patterns.spread[factor] & patterns.mixed[rows.factor[row]])
    row, factor = row[moved], factor[moved]
    scenario = rows.scenario[row]
    key = scenario * len(snapshot) + factor
    order = np.argsort(key, kind="stable")
    last = np.append(key[order][1:] != key[order][:-1], True)[: len(order)]
    kept = order[last]
    row, factor, scenario = row[kept], factor[kept], scenario[kept]
    shift, shift_type = rows.shift[row], codes[rows.shift_type[row]]
    if units:
        unit = np.array([units.get(name, 1.0) for name in snapshot.factor_ids])[factor]
        shift = np.where(np.isin(shift_type, _IN_UNITS), shift / unit, shift)
    return scenario, factor, _shifted(snapshot.x0[factor], shift, shift_type)


def level_faults(
    names: Sequence[str],
    scenario: NDArray[np.int64],
    factor: NDArray[np.int32],
    value: FloatArray,
    snapshot: MarketSnapshot,
) -> Iterator[MarketFault]:
    """Levels that cannot be, in one warning a rule; `value` has none (NaN) there, and what depends on them fails.

    :param names: of scenarios. :param scenario: int64[n], positions in `names`. :param factor: int32[n].
    :param value: float64[n], which is changed.
    """
    positive = np.array([kind.positive for kind in snapshot.kind_of_factor], np.bool_)
    low, high = np.array([kind.bounds for kind in snapshot.kind_of_factor]).reshape(-1, 2).T
    for rule, mask, message in (
        (
            "not positive",
            positive[factor] & (value <= 0.0),
            "a shift makes a price or volatility zero or negative",
        ),
        (
            "out of range",
            (value < low[factor]) | (value > high[factor]),
            "a shift makes a recovery, a correlation or a dividend one that cannot be",
        ),
        ("not finite", ~np.isfinite(value), "a shift makes a value infinite"),
    ):
        found = np.flatnonzero(mask)
        if len(found):
            first = names[scenario[found[0]]]
            ids = [snapshot.factor_ids[factor[k]] for k in found]
            message += f", first in scenario {first!r}: what depends on it fails there with NUMERICAL"
            yield fault(Level.WARNING, "shift", rule, ids, message)
        value[mask] = np.nan
