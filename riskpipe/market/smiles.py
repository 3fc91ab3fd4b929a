"""Derived volatilities by strike: of surfaces that are quoted by delta or in spreads, and of splines.

A surface of kind K and name N becomes `smile_vol:K:N`; whoever asks for K:N gets that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import InputError, Level
from riskpipe.market.conventions import Conventions, SurfaceConvention
from riskpipe.market.delta import (
    DELTA_NEUTRAL,
    FORWARD,
    SPOT,
    DeltaConvention,
    Underlying,
    has_spot_delta,
    is_premium_adjusted,
)
from riskpipe.market.derived import Derivation, DerivedGroup, GroupName, with_points, without_groups
from riskpipe.market.factors import DELTA_TYPES, KINDS, NO_DATE, SMILE, SPREAD_TYPES, MarketFault, fault, pillar_days
from riskpipe.market.model import MarketModel
from riskpipe.market.pillars import BadSmileError, Quote
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.smile import Smile, refine, smile_of_deltas, smile_of_strikes
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.market.strike_checks import coordinate, strike_axis
from riskpipe.market.strike_interpolation import SPLINE
from riskpipe.market.underlyings import Underlyings, underlyings

Row = dict[str, Any]

_BY_DELTA = ("delta", "spread")


def derive_smiles(table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]) -> Derivation:
    """A producer: see `riskpipe.market.derived`.

    A surface of which an expiry makes no smile is left out, with a fault that names the expiry and the reason. Cubes by
    delta, and surfaces by delta of what has no forward, stay as they are: they are not served.
    """
    if not _is_needed(table, conventions):
        return Derivation(table, left_out=left_out)
    model = MarketModel(MarketSnapshot.of_sound(table, as_of), conventions, left_out=left_out)
    groups: list[DerivedGroup] = []
    faults: list[MarketFault] = []
    bad: set[GroupName] = set()
    for group in model.snapshot.groups:
        if not _is_quoted(group.kind):
            continue
        rows = model.snapshot.factors.slice(group.start, group.stop - group.start).to_pylist()
        try:
            groups += _derived(model, group, rows)
        except BadSmileError as error:
            bad.add((group.kind, group.name))
            ids = [row["factor"] for row in rows]
            faults.append(fault(Level.ERROR, "value", "no smile", ids, f"{group.kind}:{group.name}: {error}"))
    sound = without_groups(table, frozenset(bad)) if bad else table
    return Derivation(with_points(sound, groups), tuple(groups), tuple(faults), left_out | bad)


def _is_needed(table: pa.Table, conventions: Conventions) -> bool:
    by_delta = not set(table.column("strike_type").unique().to_pylist()).isdisjoint((*DELTA_TYPES, *SPREAD_TYPES))
    return by_delta or any(entry.strike_interpolation == SPLINE for entry in conventions.surfaces.values())


def _is_quoted(kind: str) -> bool:
    return KINDS[kind].volatility and not KINDS[kind].made


class _Slice(Struct, frozen=True):
    """One expiry (and tenor of the underlying) of a surface, and its smile."""

    rows: list[Row]
    axis: str
    smile: Smile

    @property
    def place(self) -> str:
        return " ".join(text for text in (self.rows[0]["tenor"], self.rows[0]["underlying_tenor"]) if text)


def _derived(model: MarketModel, group: FactorGroup, rows: list[Row]) -> list[DerivedGroup]:
    """Nothing, or the one group of a surface.

    :raise BadSmileError: an expiry makes no smile.
    """
    convention = model.conventions.surface(group.name)
    by_delta = any(row["strike_type"] in (*DELTA_TYPES, *SPREAD_TYPES) for row in rows)
    spline = convention.strike_interpolation == SPLINE
    living = [row for row in rows if row["days"] > model.as_of]
    pieces = [list(piece) for _, piece in groupby(living, key=lambda row: (row["days"], row["underlying_days"]))]
    if by_delta:
        slices = _slices_by_delta(model, group, pieces, convention)
    else:
        slices = [_slice_by_strike(piece) for piece in pieces] if spline else []
    if spline:
        slices = [_Slice(piece.rows, piece.axis, refine(piece.smile)) for piece in slices]
    return [_group_of(group, slices)] if slices else []


def _slice_by_strike(rows: list[Row]) -> _Slice:
    axis = _axis(rows)
    ordered = sorted(rows, key=lambda row: coordinate(axis, row["strike_type"], row["strike"]))
    places = [coordinate(axis, row["strike_type"], row["strike"]) for row in ordered]
    return _Slice(ordered, axis, smile_of_strikes(np.array(places)))


def _slices_by_delta(
    model: MarketModel, group: FactorGroup, pieces: Sequence[list[Row]], convention: SurfaceConvention
) -> list[_Slice]:
    """None where such a surface is not served."""
    if group.kind == "normal_vol" or any(row["underlying_days"] != NO_DATE for piece in pieces for row in piece):
        return []
    if not pieces:
        raise BadSmileError("no expiry lies after as_of")
    days = np.array([piece[0]["days"] for piece in pieces], np.int32)
    try:
        found = underlyings(model, group.name, group.currency, days)
    except InputError as error:
        raise BadSmileError(f"strikes of deltas need its forwards: {error}") from error
    if found is None:
        return []
    low = [k for k in range(len(pieces)) if not found.forward[k] > 0.0 and _axis(pieces[k]) in _BY_DELTA]
    if low:
        forward, tenor = float(found.forward[low[0]]), pieces[low[0]][0]["tenor"]
        what = f"at {tenor} the forward is {forward:.6g}, and deltas are of lognormal prices, which are above zero"
        raise BadSmileError(f"{what}: quote normal volatilities by strike, for the model bachelier")
    return [
        _slice_by_delta(piece, found, k, convention, _delta_convention(convention, group.name, found, day, model.as_of))
        if _axis(piece) in _BY_DELTA
        else _slice_by_strike(piece)
        for k, (piece, day) in enumerate(zip(pieces, days.tolist(), strict=True))
    ]


def _slice_by_delta(
    rows: list[Row], found: Underlyings, k: int, convention: SurfaceConvention, deltas: DeltaConvention
) -> _Slice:
    underlying = Underlying(
        float(found.forward[k]), found.spot, float(found.foreign_discount[k]), float(found.years[k])
    )
    quotes = [Quote(row["strike_type"] or "atm", row["strike"] or 0.0) for row in rows]
    quotes = [Quote("atm") if quote.strike_type == "atm" else quote for quote in quotes]
    try:
        smile = smile_of_deltas(
            quotes,
            np.array([row["value"] for row in rows]),
            underlying,
            deltas,
            market_strangles=convention.strangle == "market",
            interpolation=convention.strike_interpolation,
        )
    except BadSmileError as error:
        raise BadSmileError(f"at {rows[0]['tenor']} {error}") from error
    return _Slice(rows, "absolute", smile)


def _delta_convention(
    convention: SurfaceConvention, name: str, found: Underlyings, days: int, as_of: int
) -> DeltaConvention:
    """What an expiry's quotes mean, by the configuration and else by the market.

    :raise BadSmileError: the configuration asks for what the underlying has not.
    """
    adjusted = found.is_pair and is_premium_adjusted(name)
    adjusted = adjusted if convention.premium_adjusted is None else convention.premium_adjusted
    if not found.is_pair and (adjusted or convention.delta == "spot"):
        key = f"market.surfaces.{name}"
        raise BadSmileError(f"deltas of the spot or less the premium are of pairs of currencies: correct {key}")
    atm = convention.atm or (DELTA_NEUTRAL if found.is_pair else FORWARD)
    if atm == SPOT and math.isnan(found.spot):
        raise BadSmileError(f"there is no spot to be at the money: correct market.surfaces.{name}.atm")
    short = days <= (pillar_days("1Y", as_of) or 0)
    market = found.is_pair and has_spot_delta(name) and short
    return DeltaConvention(convention.delta == "spot" or (convention.delta == "market" and market), adjusted, atm)


def _axis(rows: Sequence[Row]) -> str:
    return strike_axis({row["strike_type"] or "atm" for row in rows}) or "atm"


def _group_of(group: FactorGroup, slices: Sequence[_Slice]) -> DerivedGroup:
    points = [point for piece in slices for point in _points(group, piece)]
    ends = np.cumsum([len(piece.rows) for piece in slices])
    slope = np.zeros((len(points), int(ends[-1])))
    row = 0
    for piece, end in zip(slices, ends.tolist(), strict=True):
        size, inputs = piece.smile.slope.shape
        slope[row : row + size, end - inputs : end] = piece.smile.slope
        row += size
    return DerivedGroup(
        points=pa.Table.from_pylist(points, MARKET_SCHEMA),
        inputs=tuple(row["factor"] for piece in slices for row in piece.rows),
        slope=slope,
        revalue=_revaluation(slices, ends[:-1]),
        positive=True,
    )


def _points(group: FactorGroup, piece: _Slice) -> list[Row]:
    first = piece.rows[0]
    levels = piece.smile.volatilities(np.array([row["value"] for row in piece.rows]))
    points = []
    for place, level in zip(piece.smile.strikes.tolist(), levels.tolist(), strict=True):
        if not level > 0.0:
            raise BadSmileError(f"at {piece.place} the volatility is {level:.6g} at {place:.6g}, not above zero")
        flat = piece.axis == "atm"
        name = f"{group.kind}:{group.name}"
        parts = (SMILE, name, first["tenor"], first["underlying_tenor"], "atm" if flat else f"{place:.9g}")
        points.append({
            **dict.fromkeys(MARKET_SCHEMA.names),
            "factor": ":".join(part for part in parts if part),
            "kind": SMILE,
            "name": name,
            "currency": group.currency,
            "tenor": first["tenor"],
            "underlying_tenor": first["underlying_tenor"],
            "strike": None if flat else place,
            "strike_type": piece.axis,
            "value": level,
        })  # fmt: skip
    return points


def _revaluation(slices: Sequence[_Slice], ends: NDArray[np.int64]) -> Callable[[FloatArray], FloatArray]:
    def revalue(levels: FloatArray) -> FloatArray:
        parts = []
        for piece, own in zip(slices, np.split(levels, ends), strict=True):
            try:
                parts.append(piece.smile.volatilities(own))
            except BadSmileError as error:
                raise BadSmileError(f"at {piece.place} {error}") from error
            if not (parts[-1] > 0.0).all():
                raise BadSmileError(f"at {piece.place} a volatility is not above zero")
        return np.concatenate(parts)

    return revalue
