"""A day's market as one flat vector of factor levels, with curves and surfaces as ranges of it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.errors import InputError, Level, StorageError
from riskpipe.market.checks import canonical_table, check_market_table
from riskpipe.market.factors import NO_DATE, Kind, MarketFault, kind_of, pillar_days
from riskpipe.market.point_table import MARKET_SCHEMA, REQUIRED_COLUMNS

__all__ = ["NO_DATE", "FactorGroup", "MarketFault", "MarketSnapshot", "check_market_table"]

_SORT_KEYS = ("kind", "name", "days", "underlying_days", "strike", "factor")
_STORED_SCHEMA = pa.schema([*MARKET_SCHEMA, ("days", pa.int32()), ("underlying_days", pa.int32())])


class FactorGroup(Struct, frozen=True):
    """All points of one curve, surface or spot: rows `start:stop` of the factor table."""

    kind: str
    name: str
    currency: str | None
    start: int
    stop: int


class MarketSnapshot:
    """Immutable; made by `from_table` or `open`.

    :ivar as_of: days since 1970-01-01.
    :ivar factors: the contract's columns, + `days` (pillar date, `NO_DATE` where there is none) and
        `underlying_days` (as_of + underlying tenor); sorted by kind, name, days, underlying_days, strike.
    :ivar x0: float64[n_factors], read-only: the levels, in the order of `factors`.
    :ivar sha256: of the content; does not depend on the row order of the input.
    """

    def __init__(self, as_of: int, factors: pa.Table, sha256: str | None = None) -> None:
        """:param sha256: of `factors`, where it is known."""
        self.as_of = as_of
        self.factors = factors
        self._sha256 = sha256
        self.x0 = _numpy(factors, "value", np.float64)

    def __len__(self) -> int:
        return len(self.x0)

    @property
    def sha256(self) -> str:
        """Of all points."""
        if self._sha256 is None:
            self._sha256 = _sha256(self.factors, self.as_of)
        return self._sha256

    @classmethod
    def from_table(cls, table: pa.Table, as_of: int) -> MarketSnapshot:
        """A snapshot of a table that keeps the contract; it may have derived points.

        :raise InputError: with every error that `check_market_table` finds.
        """
        _refuse_errors(check_market_table(table, as_of, derived=True))
        canonical, _ = canonical_table(table, MARKET_SCHEMA, REQUIRED_COLUMNS)
        return cls.of_sound(canonical, as_of)

    @classmethod
    def of_completed(cls, canonical: pa.Table, made: Collection[tuple[str, str]], as_of: int) -> MarketSnapshot:
        """`from_table` of canonical columns that were checked before points were made of some of them.

        No rule but that of ids looks beyond a curve or surface, so those without new points are as they were.

        :param made: kind and name of the curves and surfaces that have new points.
        """
        pairs = zip(canonical.column("kind").to_pylist(), canonical.column("name").to_pylist(), strict=True)
        new = canonical.filter(pa.array([pair in made for pair in pairs], pa.bool_()))
        _refuse_errors(check_market_table(new, as_of, derived=True) if new.num_rows else ())
        ids = canonical.column("factor")
        if len(ids.unique()) < len(ids):
            _refuse_errors(check_market_table(canonical, as_of, derived=True))
        return cls.of_sound(canonical, as_of)

    @classmethod
    def of_sound(cls, canonical: pa.Table, as_of: int) -> MarketSnapshot:
        """A snapshot of canonical columns that are known to be without errors."""
        for column, name in (("tenor", "days"), ("underlying_tenor", "underlying_days")):
            canonical = canonical.append_column(name, _pillars(canonical.column(column), as_of))
        keys = [(name, "ascending") for name in _SORT_KEYS]
        order = pc.sort_indices(canonical, sort_keys=keys)
        factors = canonical.take(order).cast(_STORED_SCHEMA).combine_chunks()
        return cls(as_of, factors)

    def write(self, path: str | Path) -> None:
        """Write an Arrow IPC file to exactly this path (atomicity is the caller's)."""
        metadata = {"riskpipe.as_of": str(self.as_of), "riskpipe.sha256": self.sha256}
        table = self.factors.replace_schema_metadata(metadata).combine_chunks()
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=max(len(self), 1))

    @classmethod
    def open(cls, path: str | Path) -> MarketSnapshot:
        """Map a file that `write` made; `x0` and the columns are views of the mapping.

        :raise StorageError: no such file, or not a snapshot.
        """
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
            metadata = table.schema.metadata or {}
            as_of, sha256 = int(metadata[b"riskpipe.as_of"]), metadata[b"riskpipe.sha256"].decode()
        except (OSError, pa.ArrowInvalid, KeyError) as error:
            raise StorageError(f"cannot open the market snapshot {path}: {error}") from error
        return cls(as_of, table, sha256)

    @cached_property
    def groups(self) -> tuple[FactorGroup, ...]:
        """Every (kind, name), in the order of the factors."""
        kinds = self.factors.column("kind").to_pylist()
        names = self.factors.column("name").to_pylist()
        currencies = self.factors.column("currency").to_pylist()
        starts = [k for k in range(len(self)) if k == 0 or (kinds[k], names[k]) != (kinds[k - 1], names[k - 1])]
        groups = []
        for start, stop in zip(starts, [*starts[1:], len(self)], strict=True):
            currency = next((c for c in currencies[start:stop] if c is not None), None)
            groups.append(FactorGroup(kinds[start], names[start], currency, start, stop))
        return tuple(groups)

    @cached_property
    def _group_of_name(self) -> dict[tuple[str, str], int]:
        return {(group.kind, group.name): index for index, group in enumerate(self.groups)}

    @cached_property
    def _index_of_factor(self) -> dict[str, int]:
        return {factor: index for index, factor in enumerate(self.factor_ids)}

    @cached_property
    def factor_ids(self) -> tuple[str, ...]:
        return tuple(self.factors.column("factor").to_pylist())

    @cached_property
    def kinds(self) -> NDArray[np.object_]:
        """object[n_factors]: the kind of each factor."""
        return np.array(self.factors.column("kind").to_pylist(), dtype=object)

    @cached_property
    def kind_of_factor(self) -> tuple[Kind, ...]:
        """How each factor counts: by its kind, risk reversals and butterflies on their own."""
        types = self.factors.column("strike_type").to_pylist()
        return tuple(kind_of(kind, strike_type) for kind, strike_type in zip(self.kinds, types, strict=True))

    @cached_property
    def days(self) -> NDArray[np.int32]:
        """int32[n_factors]: pillar dates, `NO_DATE` where there is none."""
        return _numpy(self.factors, "days", np.int32)

    @cached_property
    def group_of_factor(self) -> NDArray[np.int32]:
        """int32[n_factors]: position in `groups`, ascending."""
        sizes = [group.stop - group.start for group in self.groups]
        return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)

    def group(self, kind: str, name: str) -> FactorGroup | None:
        index = self.group_index(kind, name)
        return None if index < 0 else self.groups[index]

    def group_index(self, kind: str, name: str) -> int:
        """Position in `groups`, -1 if there is none."""
        return self._group_of_name.get((kind, name), -1)

    def factor_index(self, factor_id: str) -> int:
        """Position in `x0`, -1 if there is no such factor."""
        return self._index_of_factor.get(factor_id, -1)


def _numpy(table: pa.Table, column: str, dtype: type[np.generic]) -> NDArray:  # type: ignore[type-arg]
    """A column without nulls as a read-only array, a view where it is one chunk."""
    chunks = table.column(column).chunks
    if len(chunks) != 1:
        values = np.concatenate([chunk.to_numpy() for chunk in chunks]) if chunks else np.empty(0, dtype)
    else:
        values = chunks[0].to_numpy(zero_copy_only=True)
    values.flags.writeable = False
    return values


def _refuse_errors(faults: Iterable[MarketFault]) -> None:
    errors = [
        f"{f.message} ({f.rows} rows, such as {', '.join(f.sample)})" if f.rows else f.message
        for f in faults
        if f.level == Level.ERROR
    ]
    if errors:
        raise InputError("the market data do not keep their contract:\n" + "\n".join(errors))


def _pillars(tenors: pa.ChunkedArray, as_of: int) -> pa.Array:
    days = {tenor: pillar_days(tenor, as_of) for tenor in tenors.unique().to_pylist() if tenor is not None}
    return pa.array([NO_DATE if t is None else days[t] for t in tenors.to_pylist()], pa.int32())


def _sha256(factors: pa.Table, as_of: int) -> str:
    """Hash of the contract's columns in canonical order: null marks, lengths of strings, then bytes."""
    digest = hashlib.sha256(f"riskpipe market 1 {as_of} {factors.num_rows}".encode())
    for field in MARKET_SCHEMA:
        column = factors.column(field.name)
        digest.update(np.packbits(pc.is_null(column).to_numpy()).tobytes())
        if pa.types.is_string(field.type):
            texts = [(text or "").encode() for text in column.to_pylist()]
            digest.update(np.array([len(text) for text in texts], np.int64).tobytes())
            digest.update(b"".join(texts))
        else:
            digest.update(pc.fill_null(column, 0.0).to_numpy().astype(np.float64).tobytes())
    return digest.hexdigest()
