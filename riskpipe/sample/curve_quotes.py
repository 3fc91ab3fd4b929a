"""Curves that the sample's market gives by their quotes: overnight swaps and credit default swaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from riskpipe.sample.market_table import Point
from riskpipe.sample.universe import ISSUER_BY_NAME

SWAPPED_CURVES = ("CAD.CORRA",)
"""Discount curves given by overnight swaps."""
SPREAD_ISSUERS = ("US_TELECOM_01", "EU_AUTO_01")
"""Issuers given by spreads of credit default swaps."""
_PAYMENTS_A_YEAR = 2


def as_quoted(points: Sequence[Point]) -> list[Point]:
    """The points, those of quoted curves as the quotes that (nearly) give their zero and hazard rates."""
    curves = {name: [p for p in points if p.kind == "zero_rate" and p.name == name] for name in SWAPPED_CURVES}
    return [_quoted(point, curves) for point in points]


def _quoted(point: Point, curves: dict[str, list[Point]]) -> Point:
    if point.kind == "zero_rate" and point.name in curves:
        quote = replace(point, kind="par_rate", value=_par_rate(point.years, curves[point.name]), instrument="ois")
    elif point.kind == "hazard_rate" and point.name in SPREAD_ISSUERS:
        # The credit triangle, for a premium on ACT/360.
        spread = point.value * (1.0 - ISSUER_BY_NAME[point.name].recovery) * 360.0 / 365.0
        quote = replace(point, kind="cds_spread", value=round(spread, 6))
    else:
        return point
    return replace(quote, factor=f"{quote.kind}:{quote.name}:{quote.tenor}")


def _par_rate(years: float, curve: Sequence[Point]) -> float:
    """Of a swap that pays twice a year, a first payment being short."""
    count = max(1, round(years * _PAYMENTS_A_YEAR))
    times = years - np.arange(count)[::-1] / _PAYMENTS_A_YEAR
    zeros = np.interp(times, [p.years for p in curve], [p.value for p in curve])
    factors = np.exp(-zeros * times)
    periods = np.diff(times, prepend=0.0)
    return round(float((1.0 - factors[-1]) / (periods * factors).sum()), 6)
