"""Stresses that the configuration declares, made columns: days of the history, ladders, moves of curves.

A fault names the key below `stress`, and stands in the way where it has no rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.factors import MarketFault, date_of, fault, nearest, pillar_days
from riskpipe.market.history import HistoricalMoves
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.market.stress_terms import CurveKind, CurveStress, DeclaredStresses, HistoryStress, LadderStress
from riskpipe.market.stresses import Column, bump, level_faults

UNDERLYING_KINDS = ("spot", "forward_price")
VOLATILITY_KINDS = ("black_vol", "normal_vol", "fx_vol")
CURVE_KINDS: Mapping[CurveKind, str] = {"rates": "zero_rate", "credit": "hazard_rate", "inflation": "inflation_zero"}

Found = tuple[list[Column], list[MarketFault]]


def declared_columns(
    declared: DeclaredStresses,
    snapshot: MarketSnapshot,
    moves: HistoricalMoves | None,
    taken: Collection[str] = (),
    left_out: Collection[str] = (),
) -> Found:
    """The scenarios of a configuration in its order: days of the history, ladders, moves of curves.

    A curve that is made of quotes moves by its zero (hazard) rates, not by its quotes.

    :param moves: whose columns have not been taken yet; None: there is no history that can be used.
    :param taken: names that are others' already.
    :param left_out: ids of factors that the snapshot lacks for their errors: to shift one is no further error.
    :return: the columns of what has no fault, and every fault.
    """
    columns: list[Column] = []
    faults: list[MarketFault] = []
    for key, (made, found) in (
        *((f"history.{each.name}", _of_history(each, moves)) for each in declared.history),
        *(
            (f"ladders.{each.name}", _sound(_of_ladder(each, snapshot, left_out), snapshot))
            for each in declared.ladders
        ),
        *((f"curves.{each.name}", _sound(_of_curve(each, snapshot, left_out), snapshot)) for each in declared.curves),
    ):
        columns += made
        faults += [replace(each, column=key) for each in found]
        doubles = [name for name, _, _ in made if name in taken]
        if doubles:
            message = f"inputs.scenarios has {', '.join(map(repr, doubles[:3]))}, too: give one of them another name"
            faults.append(fault(Level.ERROR, key, "named twice", (), message))
    return columns, sorted(faults, key=lambda each: each.level)


def _refused(rule: str, message: str) -> Found:
    return [], [fault(Level.ERROR, "", rule, (), message)]


def _are_left_out(left_out: Collection[str], kinds: Collection[str], pattern: str) -> bool:
    parts = [factor.split(":") for factor in left_out]
    return any(each[0] in kinds and len(each) > 1 and fnmatchcase(each[1], pattern) for each in parts)


def _sound(found: Found, snapshot: MarketSnapshot) -> Found:
    """Without levels that cannot be."""
    made, faults = found
    if not sum(len(factors) for _, factors, _ in made):
        return found
    sizes = [len(factors) for _, factors, _ in made]
    factors, levels = (np.concatenate([column[k] for column in made]) for k in (1, 2))
    names = [name for name, _, _ in made]
    more = level_faults(names, np.repeat(np.arange(len(made)), sizes), factors, levels, snapshot)
    told = [*faults, *more]
    parts = np.split(levels, np.cumsum(sizes)[:-1])
    return [(name, own, part) for (name, own, _), part in zip(made, parts, strict=True)], told


# -- days of the history


def _of_history(stress: HistoryStress, moves: HistoricalMoves | None) -> Found:
    if moves is None or not len(moves.dates):
        return [], []  # the history's own faults say why
    dates = moves.dates
    absent = [day for day in dict.fromkeys((stress.first, stress.last)) if day not in dates]
    if absent:
        texts = ", ".join(date_of(day).isoformat() for day in absent)
        return _refused("not in the history", f"the history has no {texts}: {_near(dates, absent[0])}")
    first, last = (int(place) for place in np.searchsorted(dates, [stress.first, stress.last]))
    if first == 0:
        message = f"a move to {date_of(stress.first)} needs a date before it, and the history begins there"
        return _refused("not in the history", message)
    column, found = moves.between(stress.name, first - 1, last)
    return [column], found


def _near(dates: NDArray[np.int64], day: int) -> str:
    place = int(np.searchsorted(dates, day))
    around = [date_of(int(each)).isoformat() for each in dates[max(place - 1, 0) : place + 1]]
    return f"nearest {'is' if len(around) == 1 else 'are'} {' and '.join(around)}"


# -- ladders


def _of_ladder(stress: LadderStress, snapshot: MarketSnapshot, left_out: Collection[str]) -> Found:
    groups = [each for each in snapshot.groups if each.kind in UNDERLYING_KINDS]
    names = [each.name for each in groups if fnmatchcase(each.name, stress.underlying)]
    underlyings = list(dict.fromkeys(names))
    if not underlyings and _are_left_out(left_out, UNDERLYING_KINDS, stress.underlying):
        underlyings = [stress.underlying]
    if not underlyings:
        hint = nearest(stress.underlying, [each.name for each in groups])
        return _refused(
            "unknown underlying", f"today's market has no spot or forward price {stress.underlying!r}{hint}"
        )
    chosen = [[name] for name in underlyings] if stress.separately else [underlyings]
    has_none = any(stress.volatility) and not any(len(_volatilities(snapshot, each, stress)) for each in chosen)
    if has_none and not _are_left_out(left_out, VOLATILITY_KINDS, stress.underlying):
        message = f"today's market has no volatilities of {stress.underlying!r}: leave volatility out"
        return _refused("unknown underlying", message)
    return [column for each in chosen for column in _rungs(stress, snapshot, each)], []


def _rungs(stress: LadderStress, snapshot: MarketSnapshot, names: Sequence[str]) -> Iterator[Column]:
    prices = _factors(snapshot, UNDERLYING_KINDS, names)
    volatilities = _volatilities(snapshot, names, stress)
    factors = np.concatenate([prices, volatilities])
    order = np.argsort(factors)
    whose = f"{stress.name}/{names[0]}" if stress.separately else stress.name
    for spot in stress.spot:
        for volatility in stress.volatility:
            levels = np.concatenate(
                [
                    bump(snapshot, prices, spot, "relative"),
                    bump(snapshot, volatilities, volatility, stress.volatility_shift),
                ]
            )
            name = f"{whose}/spot{100.0 * spot:+.10g}%/vol{_text(volatility, stress)}"
            yield name, factors[order], levels[order]


def _text(volatility: float, stress: LadderStress) -> str:
    return f"{100.0 * volatility:+.10g}{'%' if stress.volatility_shift == 'relative' else ''}"


def _volatilities(snapshot: MarketSnapshot, names: Sequence[str], stress: LadderStress) -> NDArray[np.int32]:
    factors = _factors(snapshot, VOLATILITY_KINDS, names)
    if stress.volatility_shift == "relative":
        return factors
    # A parallel move of a smile does not change its risk reversals and butterflies.
    return factors[np.array([snapshot.kind_of_factor[k].positive for k in factors], np.bool_)]


def _factors(snapshot: MarketSnapshot, kinds: Sequence[str], names: Sequence[str]) -> NDArray[np.int32]:
    wanted = set(names)
    found = [np.arange(each.start, each.stop) for each in snapshot.groups if each.kind in kinds and each.name in wanted]
    return np.concatenate([np.empty(0, np.int32), *found]).astype(np.int32)


# -- moves of curves


def _of_curve(stress: CurveStress, snapshot: MarketSnapshot, left_out: Collection[str]) -> Found:
    groups = [each for each in snapshot.groups if each.kind == CURVE_KINDS[stress.kind]]
    chosen = [each for each in groups if fnmatchcase(each.name, stress.curve)]
    if not chosen and _are_left_out(left_out, (CURVE_KINDS[stress.kind],), stress.curve):
        return [(stress.name, np.empty(0, np.int32), np.empty(0))], []
    if not chosen:
        hint = nearest(stress.curve, [each.name for each in groups])
        return _refused("unknown curve", f"today's market has no curve {stress.curve!r} of {stress.kind}{hint}")
    factors = np.concatenate([np.arange(each.start, each.stop, dtype=np.int32) for each in chosen])
    levels = np.concatenate([_shifted(stress, snapshot, each) for each in chosen])
    return [(stress.name, factors, levels)], []


def _shifted(stress: CurveStress, snapshot: MarketSnapshot, group: FactorGroup) -> FloatArray:
    days = snapshot.days[group.start : group.stop].astype(np.float64)
    return snapshot.x0[group.start : group.stop] + stress.shift * _share(stress, snapshot.as_of, days)


def _share(stress: CurveStress, as_of: int, days: FloatArray) -> FloatArray:
    """How much of the shift points at some days have."""
    if stress.pivot is None:
        return np.ones(len(days))
    pivot, end = (float(pillar_days(tenor, as_of) or 0) for tenor in (stress.pivot, stress.end))
    near = -1.0 if stress.shape == "twist" else 0.0
    share: FloatArray = np.interp(days, [float(as_of), pivot, end], [near, 0.0, 1.0])
    return share
