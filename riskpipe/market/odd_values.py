"""Levels of the market that are possible and odd, such as a rate of 4.25 where 4.25 % is meant."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from riskpipe.market.factors import NO_DATE, SPREAD_TYPES, MarketFault, date_of, fault
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import Ranges, outside

# A fixing that is older says nothing of where the curve should begin.
_RECENT_DAYS = 14


def odd_levels(table: pa.Table, ranges: Ranges) -> list[MarketFault]:
    """A warning for each kind of factor with levels outside its range.

    Normal volatilities of what has a price are in units of that and not looked at.

    :param table: canonical columns, without errors.
    :param ranges: of every kind that is looked at.
    """
    names = ("factor", "kind", "name", "strike_type", "value")
    rows = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    priced = {name for _, kind, name, _, _ in rows if kind in ("spot", "forward_price")}
    found: dict[str, list[tuple[str, float]]] = {}
    for factor, kind, name, strike_type, value in rows:
        key = strike_type if strike_type in SPREAD_TYPES else kind
        if key in ranges and not (kind == "normal_vol" and name in priced):
            low, high = ranges[key]
            if not low <= value <= high:
                found.setdefault(key, []).append((factor, value))
    faults = []
    for key, odd in sorted(found.items()):
        levels = [level for _, level in odd]
        message = f"levels from {min(levels):g} to {max(levels):g} are {outside(key, ranges)}"
        faults.append(fault("warning", "value", "odd value", [factor for factor, _ in odd], message))
    return faults


def odd_facts(model: MarketModel, ranges: Ranges) -> list[MarketFault]:
    """Fixings far from where their curve begins, and price indices that leap."""
    return [*_fixings(model, ranges), *_leaps(model, ranges)]


def _fixings(model: MarketModel, ranges: Ranges) -> Iterator[MarketFault]:
    snapshot, (low, high) = model.snapshot, ranges["fixing_less_curve"]
    ids, first = [], ""
    for group in snapshot.groups:
        if group.kind != "fixing":
            continue
        days = snapshot.days[group.start : group.stop]
        past = np.flatnonzero((days <= model.as_of) & (days > model.as_of - _RECENT_DAYS))
        curve = snapshot.group("zero_rate", model.conventions.index(group.name).curve)
        if not len(past) or curve is None:
            continue
        last = group.start + int(past[days[past].argmax()])
        level, begins = float(snapshot.x0[last]), float(snapshot.x0[_first(model, curve.start, curve.stop)])
        if not low <= level - begins <= high:
            ids.append(snapshot.factor_ids[last])
            first = first or f"fixing:{group.name} was {level:g}, its curve zero_rate:{curve.name} begins at {begins:g}"
    if ids:
        yield fault("warning", "value", "odd value", ids, f"{first}: {outside('fixing_less_curve', ranges)}")


def _first(model: MarketModel, start: int, stop: int) -> int:
    """Position of a curve's first point after as_of."""
    later = np.flatnonzero(model.snapshot.days[start:stop] > model.as_of)
    return start + (int(later[0]) if len(later) else 0)


def _leaps(model: MarketModel, ranges: Ranges) -> Iterator[MarketFault]:
    snapshot, (low, high) = model.snapshot, ranges["index_growth"]
    ids, first = [], ""
    for group in snapshot.groups:
        if group.kind != "index_fixing":
            continue
        rows = [k for k in range(group.start, group.stop) if snapshot.days[k] > NO_DATE]
        for before, after in pairwise(rows):
            months = max(1, round((snapshot.days[after] - snapshot.days[before]) / 30.44))
            growth = float((snapshot.x0[after] / snapshot.x0[before]) ** (1.0 / months) - 1.0)
            if not low <= growth <= high:
                ids.append(snapshot.factor_ids[after])
                first = first or f"{group.name} grows by {growth:.1%} a month to {date_of(snapshot.days[after])}"
    if ids:
        yield fault("warning", "value", "odd value", ids, f"{first}: {outside('index_growth', ranges)}")
