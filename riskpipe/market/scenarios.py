"""Scenarios as columns over the factor vector: the base, bumps, stresses and days of history alike."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from msgspec import Struct, field
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import StorageError
from riskpipe.kernels.tiles import fill_levels
from riskpipe.market.derived import Derivative, Unmade
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import bump, stress_columns

__all__ = ["BASE", "ScenarioSet", "ScenarioSetBuilder", "bump", "stress_columns"]

BASE = "base"
_STEP = 1 << 19
Number = TypeVar("Number", bound=np.generic)

_FACTORS = pa.large_list(pa.field("item", pa.int32(), False))
_LEVELS = pa.large_list(pa.field("item", pa.float64(), False))
_SCHEMA = pa.schema(
    [
        pa.field("scenario", pa.string(), False),
        pa.field("scenario_set", pa.dictionary(pa.int16(), pa.string()), False),
        pa.field("horizon", pa.int16(), False),
        pa.field("cut", pa.bool_(), False),
        pa.field("lead", pa.int32(), False),
        pa.field("factors", pa.dictionary(pa.int32(), _FACTORS), False),
        pa.field("levels", _LEVELS, False),
    ]
)


class ScenarioSet(Struct, frozen=True, dict=True):
    """Columns 0..n-1 of shocked factor levels; column 0 is the base, without any.

    All arrays are read-only. Levels, not shifts: they are resolved once, so that every process prices the
    same bits. Columns that shock the same factors, as the days of a history do, share the list of them, their sparsity
    pattern.

    :param indptr: int64[n + 1]; the levels of column k are `value[indptr[k]:indptr[k + 1]]`.
    :param value: float64[nnz], shocked levels.
    :param pattern: int32[n], which pattern a column has: its factors are, in the order of its levels,
        `factor[pattern_indptr[p]:pattern_indptr[p + 1]]` with p = pattern[k], ascending and distinct.
    :param pattern_indptr: int64[n_patterns + 1].
    :param factor: int32[...], positions in x0.
    :param horizon: int16[n], calendar days forward.
    :param sets: names of the scenario sets, each a range of columns; `set_code` int16[n], ascending.
    :param names: string[n], of the scenario, or the ISO date of a day of history.
    :param cut: bool[n], whether the planner may cut before the column.
    :param lead: int32[n], which of the column's shocks is the first that was asked for; those before it follow from
        others (`riskpipe.market.derived`). 0 where there is none.
    """

    indptr: NDArray[np.int64]
    value: FloatArray
    pattern: NDArray[np.int32]
    pattern_indptr: NDArray[np.int64]
    factor: NDArray[np.int32]
    horizon: NDArray[np.int16]
    sets: tuple[str, ...]
    set_code: NDArray[np.int16]
    names: pa.StringArray
    cut: NDArray[np.bool_]
    lead: NDArray[np.int32]

    def __post_init__(self) -> None:
        for array in self._arrays():
            array.flags.writeable = False

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        shocks = (self.indptr, self.value, self.pattern, self.pattern_indptr, self.factor)
        return (*shocks, self.horizon, self.set_code, self.cut, self.lead)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def sha256(self) -> str:
        """Of the content: shocks, horizons, sets, names, permitted cuts."""
        digest = hashlib.sha256(f"riskpipe scenarios 3 {len(self)} {len(self.value)} {len(self.factor)}\n".encode())
        for array in self._arrays():
            digest.update(np.ascontiguousarray(array).data)  # no copy
        for text in (*self.sets, *self.names.to_pylist()):
            encoded = text.encode()
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        return digest.hexdigest()

    def columns_of(self, set_name: str) -> slice:
        """The columns of a scenario set.

        :raise KeyError: there is no such set.
        """
        if set_name not in self.sets:
            raise KeyError(set_name)
        code = self.sets.index(set_name)
        first, last = np.searchsorted(self.set_code, [code, code + 1])
        return slice(int(first), int(last))

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """int64[n], read-only: where in `factor` a column's factors begin."""
        return _frozen(self.pattern_indptr[self.pattern])

    def shocks(self, column: int | np.integer) -> tuple[NDArray[np.int32], FloatArray]:
        """The factors that a column shocks, ascending, and their levels."""
        p = self.pattern[column]
        factors = self.factor[self.pattern_indptr[p] : self.pattern_indptr[p + 1]]
        return factors, self.value[self.indptr[column] : self.indptr[column + 1]]

    def levels(self, x0: FloatArray, columns: NDArray[np.integer]) -> FloatArray:
        """Every factor's level in some columns.

        :param x0: float64[n_factors], the snapshot's levels.
        :param columns: int[m], in any order.
        :return: float64[n_factors, m], C-contiguous.
        """
        out = np.empty((len(x0), len(columns)))
        fill_levels(
            _frozen(np.ascontiguousarray(x0)),
            self.indptr,
            self.value,
            self.first,
            self.factor,
            np.array(columns, np.int64),
            out,
        )
        return out

    def touched_groups(
        self, columns: NDArray[np.integer], snapshot: MarketSnapshot
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """The groups of factors that columns shock, as sparse rows.

        :return: indptr int64[m + 1] and groups int32[...], positions in `snapshot.groups`, ascending in each
            row.
        """
        patterns, which = np.unique(self.pattern[np.asarray(columns, np.int64)], return_inverse=True)
        # Factors ascend in a pattern and groups are ranges of factors: equal groups are neighbours.
        found = []
        for p in patterns:
            groups = snapshot.group_of_factor[self.factor[self.pattern_indptr[p] : self.pattern_indptr[p + 1]]]
            found.append(groups[np.diff(groups, prepend=-1) > 0])
        sizes = np.array([len(groups) for groups in found], np.int64)[which]
        rows = [found[k] for k in which]
        return np.append(0, np.cumsum(sizes)).astype(np.int64), np.concatenate([np.empty(0, np.int32), *rows])

    def write(self, path: str | Path) -> None:
        """Write an Arrow IPC file, a scenario a row, to exactly this path (atomicity is the caller's)."""
        patterns = pa.LargeListArray.from_arrays(pa.array(self.pattern_indptr), pa.array(self.factor), type=_FACTORS)
        columns = [
            self.names,
            pa.DictionaryArray.from_arrays(pa.array(self.set_code), pa.array(self.sets, pa.string())),
            pa.array(self.horizon),
            pa.array(self.cut),
            pa.array(self.lead),
            pa.DictionaryArray.from_arrays(pa.array(self.pattern), patterns),
            pa.LargeListArray.from_arrays(pa.array(self.indptr), pa.array(self.value), type=_LEVELS),
        ]
        schema = _SCHEMA.with_metadata({"riskpipe.sha256": self.sha256})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            writer.write_batch(pa.record_batch(columns, schema=schema))

    @classmethod
    def open(cls, path: str | Path) -> ScenarioSet:
        """Map a file that `write` made; the shocks are views of the mapping.

        :raise StorageError: no such file, or not a scenario set.
        """
        try:
            batch = pa.ipc.open_file(pa.memory_map(str(path), "r")).get_batch(0)
            sha256 = batch.schema.metadata[b"riskpipe.sha256"].decode()
            levels, factors, sets = (batch.column(name) for name in ("levels", "factors", "scenario_set"))
            found = cls(
                indptr=levels.offsets.to_numpy(),
                value=levels.values.to_numpy(),
                pattern=factors.indices.to_numpy(),
                pattern_indptr=factors.dictionary.offsets.to_numpy(),
                factor=factors.dictionary.values.to_numpy(),
                horizon=batch.column("horizon").to_numpy(),
                sets=tuple(sets.dictionary.to_pylist()),
                set_code=sets.indices.to_numpy(),
                names=batch.column("scenario"),
                cut=batch.column("cut").to_numpy(zero_copy_only=False),
                lead=batch.column("lead").to_numpy(),
            )
        except (OSError, pa.ArrowInvalid, KeyError, TypeError) as error:
            raise StorageError(f"cannot open the scenario set {path}: {error}") from error
        # The stored hash stands in for hashing gigabytes in every worker.
        found.__dict__["sha256"] = sha256
        return found


def _frozen(array: NDArray[Number]) -> NDArray[Number]:
    """A read-only view, so that the kernel is compiled for one kind of array alone."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Levels:
    """An array that grows at its end, in steps: large ones by the system's pages, without a copy beside them."""

    def __init__(self) -> None:
        self._buffer: FloatArray = np.empty(1 << 10)
        self._size = 0

    def append(self, values: FloatArray) -> None:
        wanted = self._size + len(values)
        if wanted > len(self._buffer):
            self._buffer.resize(wanted + min(wanted, _STEP), refcheck=False)
        self._buffer[self._size : wanted] = values
        self._size = wanted

    def between(self, start: int, stop: int) -> FloatArray:
        """A copy of some of it."""
        return self._buffer[start:stop].copy()

    def take(self) -> FloatArray:
        """What there is; the last call."""
        self._buffer.resize(self._size, refcheck=False)
        return self._buffer


class ScenarioSetBuilder(Struct):
    """Collects columns; the base is there from the start. The columns of one set go in together.

    :param derivative: derived points follow the factors that a column shocks; None: the snapshot has none.
    :ivar unmade: name of a scenario, and what cannot be made of its levels: the points have none (NaN) there.
    """

    snapshot: MarketSnapshot
    derivative: Derivative | None = None
    unmade: list[tuple[str, Unmade]] = field(default_factory=list)
    _patterns: dict[bytes, int] = field(default_factory=dict)
    _pattern: list[int] = field(default_factory=list)
    _factors: list[NDArray[np.int32]] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)
    _levels: _Levels = field(default_factory=_Levels)
    _names: list[str] = field(default_factory=list)
    _codes: list[int] = field(default_factory=list)
    _horizons: list[int] = field(default_factory=list)
    _cuts: list[bool] = field(default_factory=list)
    _leads: list[int] = field(default_factory=list)
    _sets: list[str] = field(default_factory=list)
    _first_level: list[int] = field(default_factory=lambda: [0])
    _asked: dict[bytes, NDArray[np.int32]] = field(default_factory=dict)
    _asked_of: list[NDArray[np.int32] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.add(BASE, BASE, np.empty(0, np.int32), np.empty(0))

    def add(
        self,
        name: str,
        set_name: str,
        factor: NDArray[np.integer],
        value: FloatArray,
        horizon: int = 0,
        cut: bool = True,
        exact: bool = False,
        held: bool = False,
    ) -> int:
        """Append a column.

        :param factor: int[k], positions in x0; of a factor given twice the later value counts.
        :param value: float64[k], shocked levels; NaN: the factor has none there.
        :param exact: derived points are made anew from what they derive from, where that is served; else they
            follow to first order.
        :param held: derived points stay where they are.
        :return: the column's number.
        :raise ValueError: a factor out of range, an infinite value, or a set that was closed by another one.
        """
        factor, value = np.asarray(factor), np.asarray(value, np.float64)
        if factor.shape != value.shape or factor.ndim != 1:
            raise ValueError(f"scenario {name!r}: {factor.shape} factors, {value.shape} values")
        if len(factor) and not (factor.min() >= 0 and factor.max() < len(self.snapshot)):
            raise ValueError(f"scenario {name!r} shocks a factor that the snapshot does not have")
        if np.isinf(value).any():
            raise ValueError(f"scenario {name!r} shocks a factor to an infinite value")
        if not self._sets or self._sets[-1] != set_name:
            if set_name in self._sets:
                raise ValueError(f"the columns of the set {set_name!r} must be added one after the other")
            self._sets.append(set_name)
        ascending, last = np.unique(factor[::-1], return_index=True)
        factors, values = ascending, value[::-1][last]
        if self.derivative is not None and not held:
            factors, values, unmade = self.derivative.extend(factors, values, exact=exact)
            self.unmade += [(name, each) for each in unmade]
        self._add_pattern(factors.astype(np.int32))
        self._add_asked(ascending.astype(np.int32), len(factors))
        self._levels.append(values)
        self._first_level.append(self._first_level[-1] + len(values))
        self._leads.append(int(np.searchsorted(factors, factor[0])) if len(factor) else 0)
        self._names.append(name)
        self._codes.append(len(self._sets) - 1)
        self._horizons.append(horizon)
        self._cuts.append(cut)
        return len(self._names) - 1

    def _add_pattern(self, factors: NDArray[np.int32]) -> None:
        pattern = self._patterns.setdefault(hashlib.sha256(factors.data).digest(), len(self._factors))
        if pattern == len(self._factors):
            self._factors.append(factors)
        self._pattern.append(pattern)
        self._sizes.append(len(factors))

    def moved(self, set_name: str) -> NDArray[np.bool_]:
        """bool[n_factors]: what some column of a set shocks."""
        moved = np.zeros(len(self.snapshot), np.bool_)
        if set_name in self._sets:
            code = self._sets.index(set_name)
            for pattern in {p for p, found in zip(self._pattern, self._codes, strict=True) if found == code}:
                moved[self._factors[pattern]] = True
        return moved

    def add_part(self, set_name: str, of: str, moves: NDArray[np.bool_]) -> None:
        """Append a set with the columns of another one, in which only some of the factors move: derived points follow
        those alone, to first order.

        :param moves: bool[n_factors].
        """
        code = self._sets.index(of)
        for column in [k for k, found in enumerate(self._codes) if found == code]:
            factors = self._factors[self._pattern[column]]
            levels = self._levels.between(self._first_level[column], self._first_level[column + 1])
            asked = self._asked_of[column]
            kept = moves[factors] if asked is None else moves[factors] & np.isin(factors, asked, assume_unique=True)
            self.add(self._names[column], set_name, factors[kept], levels[kept])

    def _add_asked(self, asked: NDArray[np.int32], size: int) -> None:
        """Which factors were asked for, where others follow them; `size` counts both."""
        if len(asked) == size:
            self._asked_of.append(None)
        else:
            self._asked_of.append(self._asked.setdefault(hashlib.sha256(asked.data).digest(), asked))

    def build(self) -> ScenarioSet:
        """The set; the builder is used up."""
        lengths = [len(factors) for factors in self._factors]
        return ScenarioSet(
            indptr=np.append(0, np.cumsum(self._sizes)).astype(np.int64),
            value=self._levels.take(),
            pattern=np.array(self._pattern, np.int32),
            pattern_indptr=np.append(0, np.cumsum(lengths)).astype(np.int64),
            factor=np.concatenate(self._factors),
            horizon=np.array(self._horizons, np.int16),
            sets=tuple(self._sets),
            set_code=np.array(self._codes, np.int16),
            names=pa.array(self._names, pa.string()),
            cut=np.array(self._cuts, np.bool_),
            lead=np.array(self._leads, np.int32),
        )
