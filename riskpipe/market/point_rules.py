"""Rules of single points of the market table, whatever their kind: values, tenors, instruments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from riskpipe.errors import Level
from riskpipe.market.factors import INSTRUMENTS, KINDS, NO_DATE, MarketFault, is_iso_date
from riskpipe.market.points import Points
from riskpipe.market.rules import Rule, each, each_of_kind, faults_of

_NAMES = ("factor", "kind", "name")


def check_names(points: Points) -> Iterator[MarketFault]:
    """The columns that every point needs."""
    yield from faults_of(points, _OF_NAMES, [range(points.size)])


def check_values(points: Points) -> Iterator[MarketFault]:
    yield from faults_of(points, _OF_VALUES, [range(points.size)])


def check_tenors(points: Points) -> Iterator[MarketFault]:
    """Tenors and instruments; what lies in the past is told of curves and surfaces as a whole (`checks`)."""
    yield from faults_of(points, _OF_TENORS, [range(points.size)])


def _is_null(column: str) -> Rule:
    def broken_by(points: Points, rows: Sequence[int]) -> list[int]:
        texts = points.texts(column)
        return [k for k in rows if not texts[k]]

    return Rule(column, "null", f"the column {column!r} may not be null or empty", broken_by)


def _is_not_positive(kind: str) -> Rule:
    def breaks(points: Points, k: int) -> bool:
        spec = points.specs[k]
        return spec is not None and spec.positive and bool(points.value[k] <= 0.0)

    return Rule("value", "not positive", f"{kind} must be above zero", each_of_kind(kind, breaks))


def _is_outside(kind: str, bounds: tuple[float, float]) -> Rule:
    low, high = bounds

    def breaks(points: Points, k: int) -> bool:
        value = points.value[k]
        return math.isfinite(value) and not low <= value <= high

    what = f"be in [{low}, {high}]" if math.isfinite(high) else "not be negative"
    return Rule("value", "out of range", f"{kind} must {what}", each_of_kind(kind, breaks))


def _is_no_tenor(column: str) -> Rule:
    def broken_by(points: Points, rows: Sequence[int]) -> list[int]:
        texts = points.texts(column)
        bad = {text for text in set(texts) if text is not None and not points.is_tenor(text)}
        return [k for k in rows if texts[k] in bad] if bad else []

    return Rule(column, "bad tenor", f"{column} is neither nD, nW, nM, nY nor a date YYYY-MM-DD", broken_by)


def _is_lacking(column: str) -> Rule:
    def breaks(points: Points, k: int) -> bool:
        spec = points.specs[k]
        return spec is not None and column in spec.needs and points.texts(column)[k] is None

    return Rule(column, "required", f"{column} may not be null for this kind", each(breaks))


def _is_dated_fact(points: Points, k: int) -> bool:
    spec = points.specs[k]
    return spec is not None and spec.fact and points.days[k] != NO_DATE


_OF_NAMES = tuple(_is_null(column) for column in _NAMES)

_OF_VALUES = (
    Rule(
        "value",
        "not finite",
        "a value is null, NaN or infinite",
        each(lambda points, k: not math.isfinite(points.value[k])),
    ),
    *(_is_not_positive(kind) for kind, spec in KINDS.items() if spec.positive),
    *(_is_outside(kind, spec.bounds) for kind, spec in KINDS.items() if math.isfinite(spec.bounds[0])),
    Rule(
        "value",
        "negative forward",
        "a forward price is zero or negative: forwards and options of the model bachelier are valued, options with "
        "lognormal prices (the model black, all on equities) fail where their forward is",
        each_of_kind("forward_price", lambda points, k: bool(points.value[k] <= 0.0)),
        Level.WARNING,
    ),
    Rule(
        "value",
        "negative hazard",
        "a hazard rate is negative",
        each_of_kind("hazard_rate", lambda points, k: bool(points.value[k] < 0.0)),
        Level.WARNING,
    ),
)

_OF_TENORS = (
    _is_no_tenor("tenor"),
    _is_no_tenor("underlying_tenor"),
    _is_lacking("tenor"),
    _is_lacking("instrument"),
    Rule(
        "tenor",
        "fixing without date",
        "a fixing's tenor must be its date",
        each(lambda points, k: _is_dated_fact(points, k) and not is_iso_date(str(points.tenor[k]))),
    ),
    Rule(
        "instrument",
        "unknown instrument",
        f"instrument must be one of {', '.join(INSTRUMENTS)}",
        each(lambda points, k: points.instrument[k] is not None and points.instrument[k] not in INSTRUMENTS),
    ),
    Rule(
        "tenor",
        "fixing in the future",
        "a fixing is dated after as_of",
        each(lambda points, k: _is_dated_fact(points, k) and points.days[k] > points.as_of),
        Level.WARNING,
    ),
)
