"""Levels of the market that are possible and odd, such as a rate of 4.25 where 4.25 % is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.factors import CARRY_KINDS, NO_DATE, SPREAD_TYPES, MarketFault, date_of, fault, is_pair
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.ranges import Ranges, outside
from riskpipe.market.snapshot import FactorGroup

# Of the name of fixings of a contract after the prompt one.
_LATER_CONTRACT = re.compile(r"\.[0-9]+$")
# A fixing that is older says nothing of where the curve should begin.
_RECENT_DAYS = 14
# Spots and forwards of different minutes: by less time their difference is not divided.
_SHORTEST_YEARS = 0.25


def odd_levels(table: pa.Table, ranges: Ranges) -> list[MarketFault]:
    """A warning for each kind of factor with levels outside its range.

    Normal volatilities and fixings of what has a price are in units of that and not looked at.

    :param table: canonical columns, without errors.
    :param ranges: of every kind that is looked at.
    """
    names = ("factor", "kind", "name", "strike_type", "value")
    rows = list(zip(*(table.column(name).to_pylist() for name in names), strict=True))
    priced = {name for _, kind, name, _, _ in rows if kind in ("spot", "forward_price")}
    found: dict[str, list[tuple[str, float]]] = {}
    for factor, kind, name, strike_type, value in rows:
        key = strike_type if strike_type in SPREAD_TYPES else kind
        stem = _LATER_CONTRACT.sub("", name)
        in_prices = kind in ("normal_vol", "fixing") and (stem in priced or is_pair(name, None))
        if key in ranges and not in_prices:
            low, high = ranges[key]
            if not low <= value <= high:
                found.setdefault(key, []).append((factor, value))
    faults = []
    for key, odd in sorted(found.items()):
        levels = [level for _, level in odd]
        message = f"levels from {min(levels):g} to {max(levels):g} are {outside(key, ranges)}"
        faults.append(fault(Level.WARNING, "value", "odd value", [factor for factor, _ in odd], message))
    return faults


def odd_facts(model: MarketModel, ranges: Ranges) -> list[MarketFault]:
    """Fixings far from where their curve begins, price indices that leap, forward prices far from spot and carry, a
    dividend that is much of its spot.
    """
    rules = (_fixings, _leaps, _forwards, _dividends)
    return [found for rule in rules for found in rule(model, ranges)]


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
        yield fault(Level.WARNING, "value", "odd value", ids, f"{first}: {outside('fixing_less_curve', ranges)}")


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
        yield fault(Level.WARNING, "value", "odd value", ids, f"{first}: {outside('index_growth', ranges)}")


def _forwards(model: MarketModel, ranges: Ranges) -> Iterator[MarketFault]:
    snapshot = model.snapshot
    found: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for group in snapshot.groups:
        expected = _carried(model, group) if group.kind == "forward_price" else None
        if expected is None:
            continue
        level, years = snapshot.x0[group.start : group.stop], model.time(snapshot.days[group.start : group.stop])
        key, sign = "forward_less_carry", 1.0
        known = any(snapshot.group(kind, group.name) for kind in CARRY_KINDS)
        if not is_pair(group.name, group.currency) and not known:
            key, sign = "convenience_yield", -1.0
        # A price of zero or below has no ratio, and the point of today is the spot's matter.
        told = np.flatnonzero((level > 0.0) & (years > 0.0))
        yearly = sign * np.log(level[told] / expected[told]) / np.maximum(years[told], _SHORTEST_YEARS)
        low, high = ranges[key]
        odd = told[(yearly < low) | (yearly > high)]
        ids = [snapshot.factor_ids[group.start + k] for k in odd.tolist()]
        found.setdefault(key, []).extend(ids)
        if ids:
            k = int(odd[0])
            first.setdefault(key, f"{ids[0]} is {level[k]:g}, spot, rates and dividends make it {expected[k]:g}")
    for key in sorted(first):
        yield fault(Level.WARNING, "value", "odd value", found[key], f"{first[key]}: {key} is {outside(key, ranges)}")


def _dividends(model: MarketModel, ranges: Ranges) -> Iterator[MarketFault]:
    snapshot, (low, high) = model.snapshot, ranges["dividend_over_spot"]
    ids, first = [], ""
    for group in snapshot.groups:
        spot = snapshot.group("spot", group.name) if group.kind == "dividend" else None
        if spot is None:
            continue
        level = float(snapshot.x0[spot.start])
        for k in range(group.start, group.stop):
            amount = float(snapshot.x0[k])
            if not low * level <= amount <= high * level:
                ids.append(snapshot.factor_ids[k])
                first = first or f"{ids[0]} is {amount:g}, the spot {level:g}"
    if ids:
        yield fault(Level.WARNING, "value", "odd value", ids, f"{first}: {outside('dividend_over_spot', ranges)}")


def _carried(model: MarketModel, group: FactorGroup) -> FloatArray | None:
    """What spot, rates and dividends make of each point of a curve of forward prices; None: not all are known."""
    days = model.snapshot.days[group.start : group.stop]
    n, x = len(days), np.ascontiguousarray(model.snapshot.x0[:, None])

    def curve(currency: str) -> Labels | None:
        name = model.conventions.discount_curve(currency)
        return Labels.constant(name, n) if model.resolve(("zero_rate",), name) else None

    if is_pair(group.name, group.currency):
        base, quote = group.name[:3], group.name[3:]
        if not model.resolve(("fx",), group.name) or curve(base) is None or curve(quote) is None:
            return None
        forwards, position = model.fx_forwards(Labels.constant(base, n), Labels.constant(quote, n), days)
        return np.asarray(forwards.evaluate(x)[position, 0])
    spot = model.snapshot.group("spot", group.name)
    currency = group.currency or (spot.currency if spot else None)
    rates = curve(currency) if currency else None
    if spot is None or currency is None or rates is None:
        return None
    names = Labels.constant(group.name, n), Labels.constant(currency, n)
    carried, position = model.forwards(*names, days, kinds=("spot",))
    return np.asarray(carried.evaluate(x)[position, 0])
