"""Scenarios as columns over the factor vector: the base, bumps, stresses and days of history alike."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import StorageError
from riskpipe.kernels.tiles import fill_levels
from riskpipe.market.derived import Derivative, Unmade
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.market.stresses import bump, stress_columns

__all__ = ["BASE", "ScenarioSet", "ScenarioSetBuilder", "bump", "stress_columns"]

BASE = "base"

_SHOCKS = pa.large_list(pa.struct([pa.field("factor", pa.int32(), False), pa.field("value", pa.float64(), False)]))
_SCHEMA = pa.schema(
    [
        pa.field("scenario", pa.string(), False),
        pa.field("scenario_set", pa.dictionary(pa.int16(), pa.string()), False),
        pa.field("horizon", pa.int16(), False),
        pa.field("cut", pa.bool_(), False),
        pa.field("lead", pa.int32(), False),
        pa.field("shocks", _SHOCKS, False),
    ]
)


@dataclass(frozen=True)
class ScenarioSet:
    """Columns 0..n-1 of shocked factor levels; column 0 is the base, without any.

    All arrays are read-only. Levels, not shifts: they are resolved once, so that every process prices the
    same bits.

    :param indptr: int64[n + 1]; column k shocks `factor[indptr[k]:indptr[k + 1]]`, ascending and distinct.
    :param factor: int32[nnz], positions in x0.
    :param value: float64[nnz], shocked levels.
    :param horizon: int16[n], calendar days forward.
    :param sets: names of the scenario sets, each a range of columns; `set_code` int16[n], ascending.
    :param names: string[n], of the scenario, or the ISO date of a day of history.
    :param cut: bool[n], whether the planner may cut before the column.
    :param lead: int32[n], which of the column's shocks is the first that was asked for; those before it follow from
        others (`riskpipe.market.derived`). 0 where there is none.
    """

    indptr: NDArray[np.int64]
    factor: NDArray[np.int32]
    value: FloatArray
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
        return (self.indptr, self.factor, self.value, self.horizon, self.set_code, self.cut, self.lead)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def sha256(self) -> str:
        """Of the content: shocks, horizons, sets, names, permitted cuts."""
        digest = hashlib.sha256(f"riskpipe scenarios 2 {len(self)} {len(self.factor)}\n".encode())
        for array in self._arrays():
            digest.update(np.ascontiguousarray(array).tobytes())
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

    def levels(self, x0: FloatArray, columns: NDArray[np.integer]) -> FloatArray:
        """Every factor's level in some columns.

        :param x0: float64[n_factors], the snapshot's levels.
        :param columns: int[m], in any order.
        :return: float64[n_factors, m], C-contiguous.
        """
        out = np.empty((len(x0), len(columns)))
        fill_levels(
            _frozen(x0),
            self.indptr,
            self.factor,
            self.value,
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
        columns = np.asarray(columns, np.int64)
        sizes = self.indptr[columns + 1] - self.indptr[columns]
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        entries = np.arange(total) + np.repeat(self.indptr[columns] - (ends - sizes), sizes)
        groups = snapshot.group_of_factor[self.factor[entries]]
        rows = np.repeat(np.arange(len(columns)), sizes)
        # Factors ascend in a column and groups are ranges of factors: equal groups are neighbours.
        first = np.ones(total, np.bool_)
        first[1:] = (groups[1:] != groups[:-1]) | (rows[1:] != rows[:-1])
        counts = np.bincount(rows[first], minlength=len(columns))
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64), groups[first]

    def write(self, path: str | Path) -> None:
        """Write an Arrow IPC file, a scenario a row, to exactly this path (atomicity is the caller's)."""
        points = [pa.array(self.factor), pa.array(self.value)]
        shocks = pa.StructArray.from_arrays(points, fields=list(_SHOCKS.value_type))
        columns = [
            self.names,
            pa.DictionaryArray.from_arrays(pa.array(self.set_code), pa.array(self.sets, pa.string())),
            pa.array(self.horizon),
            pa.array(self.cut),
            pa.array(self.lead),
            pa.LargeListArray.from_arrays(pa.array(self.indptr), shocks, type=_SHOCKS),
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
            shocks, sets = batch.column("shocks"), batch.column("scenario_set")
            found = cls(
                indptr=shocks.offsets.to_numpy(),
                factor=shocks.values.field("factor").to_numpy(),
                value=shocks.values.field("value").to_numpy(),
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


def _frozen(x0: FloatArray) -> FloatArray:
    """A read-only view, so that the kernel is compiled for one kind of array alone."""
    view = np.ascontiguousarray(x0).view()
    view.flags.writeable = False
    return view


@dataclass
class ScenarioSetBuilder:
    """Collects columns; the base is there from the start. The columns of one set go in together.

    :param derivative: derived points follow the factors that a column shocks; None: the snapshot has none.
    :ivar unmade: name of a scenario, and what cannot be made of its levels: the points have none (NaN) there.
    """

    snapshot: MarketSnapshot
    derivative: Derivative | None = None
    unmade: list[tuple[str, Unmade]] = field(default_factory=list)
    _factors: list[NDArray[np.int32]] = field(default_factory=list)
    _values: list[FloatArray] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _codes: list[int] = field(default_factory=list)
    _horizons: list[int] = field(default_factory=list)
    _cuts: list[bool] = field(default_factory=list)
    _leads: list[int] = field(default_factory=list)
    _sets: list[str] = field(default_factory=list)

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
    ) -> int:
        """Append a column.

        :param factor: int[k], positions in x0; of a factor given twice the later value counts.
        :param value: float64[k], shocked levels; NaN: the factor has none there.
        :param exact: derived points are made anew from what they derive from, where that is served; else they
            follow to first order.
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
        if self.derivative is not None:
            factors, values, unmade = self.derivative.extend(factors, values, exact=exact)
            self.unmade += [(name, each) for each in unmade]
        self._factors.append(factors.astype(np.int32))
        self._values.append(values)
        self._leads.append(int(np.searchsorted(factors, factor[0])) if len(factor) else 0)
        self._names.append(name)
        self._codes.append(len(self._sets) - 1)
        self._horizons.append(horizon)
        self._cuts.append(cut)
        return len(self._names) - 1

    def build(self) -> ScenarioSet:
        sizes = [len(factor) for factor in self._factors]
        return ScenarioSet(
            indptr=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
            factor=np.concatenate(self._factors),
            value=np.concatenate(self._values),
            horizon=np.array(self._horizons, np.int16),
            sets=tuple(self._sets),
            set_code=np.array(self._codes, np.int16),
            names=pa.array(self._names, pa.string()),
            cut=np.array(self._cuts, np.bool_),
            lead=np.array(self._leads, np.int32),
        )
