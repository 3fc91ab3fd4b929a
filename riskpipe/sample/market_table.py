"""A list of risk-factor points and its table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import pillar_days
from riskpipe.market.point_table import MARKET_SCHEMA


class SpreadLeg(Struct, frozen=True):
    """One volatility of a spread of some, with its weight."""

    weight: float
    vol: float
    moneyness: float


class Point(Struct, frozen=True):
    """One row of market.parquet.

    :param years: time to the pillar, ACT/365F; 0 where there is none.
    :param moneyness: strike over forward of a vol point, 1 elsewhere; decides how the point moves in history.
    :param legs: of risk reversals and butterflies: the vols that they are made of.
    """

    factor: str
    kind: str
    name: str
    currency: str | None
    value: float
    tenor: str | None = None
    years: float = 0.0
    strike: float | None = None
    strike_type: str | None = None
    moneyness: float = 1.0
    underlying_tenor: str | None = None
    legs: tuple[SpreadLeg, ...] = ()
    instrument: str | None = None


def years_to(tenor: str, as_of: int) -> float:
    """ACT/365F from `as_of` to the date that the tenor means."""
    days = pillar_days(tenor, as_of)
    if days is None:
        raise ValueError(f"not a tenor: {tenor!r}")
    return (days - as_of) / 365.0


def curve_points(
    kind: str, name: str, currency: str, tenors: Sequence[str], as_of: int, values: Iterable[float]
) -> list[Point]:
    return [
        Point(f"{kind}:{name}:{tenor}", kind, name, currency, float(value), tenor, years_to(tenor, as_of))
        for tenor, value in zip(tenors, values, strict=True)
    ]


def columns(points: Sequence[Point]) -> dict[str, list[str | float | None]]:
    """The points column by column, in the order of the market schema."""
    return {field: [getattr(p, field, None) for p in points] for field in MARKET_SCHEMA.names}


def values_of(points: Sequence[Point]) -> FloatArray:
    return np.array([p.value for p in points])


def market_table(points: Sequence[Point]) -> pa.Table:
    """The rows of market.parquet, types as the market schema says."""
    return pa.table(columns(points), schema=MARKET_SCHEMA)
