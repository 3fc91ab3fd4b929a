"""Periods with roll days, stubs or weeks, by the rules of QuantLib's Schedule."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from riskpipe.kernels.rolled_dates import (
    AS_COUNTED,
    END_OF_MONTH,
    IMM,
    NO_DAY,
    count_dates,
    drop_doubles,
    join_rolled,
    roll_in_month,
    step_from,
    to_month_ends,
)
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import ROLL_CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment, Days, Flags, Rolls

Integers = NDArray[np.int64]
Codes = NDArray[np.int8]
Rows = tuple[Integers, Integers, Days, Flags]

_ROLLS: Final = {name: int(name) for name in ROLL_CONVENTIONS if name.isdigit()} | {"IMM": IMM, "EOM": END_OF_MONTH}
_UNKNOWN: Final = -1
_SHORTEST_MONTH: Final = 28
_ROOM: Final = 6  # dates beside the counted ones: the ends, the regular ones, one that is too far


def rolled_periods(
    start: Days, maturity: Days, length: Integers, adjustment: Adjustment, rolls: Rolls, window: tuple[int, int]
) -> tuple[Integers, tuple[Days, Days, Days, Days], Codes]:
    """Where each trade's periods begin, int64[n + 1]; their start, end, unadjusted start and end; which are stubs.

    :param length: int64[n], of a period: months, or days if below zero; 0: a single period.
    :param window: periods end after the first of these days and begin by the second, adjusted.
    """
    moved = _to_month_ends(start, maturity, rolls, adjustment)
    terms = (_codes(rolls.convention), rolls.forward, rolls.long_stub, rolls.first, rolls.last)
    shortest = np.where(length < 0, -length, np.where(length > 0, _SHORTEST_MONTH * length, np.int64(2**31)))
    room = (maturity.astype(np.int64) - start) // shortest + _ROOM
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(room)))
    dates = np.repeat(start, room).astype(np.int32)
    n, size = len(start), len(dates)
    rows = (np.empty(n, np.int64), np.empty(n, np.int64), dates, np.empty(size, np.bool_))
    beyond = np.empty(n, np.int32)
    count_dates(start, maturity, length, terms, offsets, rows, beyond)
    beyond = adjust(beyond, adjustment.calendar, adjustment.convention)
    drop_doubles(terms, _adjusted(rows, offsets, adjustment), beyond, rows)
    if moved.any():
        to_month_ends(moved, rows)
    adjusted = _on_business_days(rows, offsets, adjustment)
    ends, stub = np.empty(n + 1, np.int64), np.empty(size, np.int8)
    begin, end, unadjusted_begin, unadjusted_end = (np.empty(size, np.int32) for _ in range(4))
    periods = (begin, end, unadjusted_begin, unadjusted_end)
    join_rolled(rolls.forward, adjusted, window, rows, ends, periods, stub)
    made = ends[-1]
    kept = (begin[:made].copy(), end[:made].copy(), unadjusted_begin[:made].copy(), unadjusted_end[:made].copy())
    return ends, kept, stub[:made].copy()


def seeds(start: Days, maturity: Days, rolls: Rolls) -> Days:
    """int32[n]: the dates that others are counted from."""
    regular = np.where(rolls.forward, rolls.first, rolls.last)
    return np.where(regular != NO_DAY, regular, np.where(rolls.forward, start, maturity)).astype(np.int32)


def follows_month_ends(days: Days, adjustment: Adjustment) -> Flags:
    """bool[n]: no business day of its month comes after the day: the end-of-month rule holds for it."""
    following = adjust(days + np.int32(1), adjustment.calendar, "following")
    return np.asarray(_month(following) != _month(days))


def one_period_from(days: Days, steps: Integers, length: Integers, adjustment: Adjustment, month_ends: Flags) -> Days:
    """The business day a period before or after each day, as QuantLib's Calendar.advance has it.

    :param days: int32[k]; the terms are of each.
    :param steps: int64[k], -1 or 1.
    :param month_ends: bool[k], the end-of-month rule is asked for.
    """
    moved = np.empty(len(days), np.int32)
    step_from(days, steps, length, moved)
    found = adjust(moved, adjustment.calendar, adjustment.convention)
    if month_ends.any():
        exact = _month(days + np.int32(1)) != _month(days)
        unadjusted = adjustment.convention.is_one("unadjusted")
        holds = month_ends & np.where(unadjusted, exact, follows_month_ends(days, adjustment))
        end = _month_start(moved, 1) - np.int32(1)
        last = np.where(unadjusted, end, adjust(end, adjustment.calendar, "preceding"))
        found = np.where(holds, last, found).astype(np.int32)
    return found


def on_roll(days: Days, convention: Labels) -> Flags:
    """bool[n]: the day is one of a roll convention; every day is, of the end-of-month rule and of none.

    :param days: int32[n], of any year where there is no convention.
    """
    roll = _codes(convention)
    fixed = np.flatnonzero((roll != AS_COUNTED) & (roll != END_OF_MONTH) & (days != NO_DAY))
    found = np.ones(len(days), np.bool_)
    rolled = np.empty(len(fixed), np.int32)
    roll_in_month(days[fixed], roll[fixed], rolled)
    found[fixed] = rolled == days[fixed]
    return found


def _codes(convention: Labels) -> Codes:
    """int8[n], as kernels have them.

    :raises ValueError: unknown roll convention.
    """
    table = np.array([*(_ROLLS.get(name, _UNKNOWN) for name in convention.names), AS_COUNTED], np.int8)
    roll = table[convention.codes]
    unknown = roll == _UNKNOWN
    if unknown.any():
        raise ValueError(f"unknown roll convention {convention.names[convention.codes[np.argmax(unknown)]]!r}")
    return roll


def _to_month_ends(start: Days, maturity: Days, rolls: Rolls, adjustment: Adjustment) -> Flags:
    """bool[n]: the end-of-month rule is asked for, and dates are counted from a last business day before a month's end.

    Dates are then counted as they are, and moved; those that are counted from the end itself are ends at once.
    """
    by_rule = rolls.convention.is_one("EOM")
    if not by_rule.any():
        return by_rule
    seed = seeds(start, maturity, rolls)
    exact = _month(seed + np.int32(1)) != _month(seed)
    return np.asarray(by_rule & ~exact & follows_month_ends(seed, adjustment))


def _month_start(days: Days, after: int) -> Days:
    """The first day of the month so many months after that of each day."""
    months = days.astype("datetime64[D]").astype("datetime64[M]") + after
    return months.astype("datetime64[D]").astype(np.int32)


def _month(days: Days) -> NDArray[np.int64]:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _adjusted(rows: Rows, offsets: Integers, adjustment: Adjustment) -> tuple[Days, Days]:
    """All dates on business days: by the convention, the first by its own; and all by that of maturity."""
    begin, _, dates, _ = rows
    adjusted = adjust(dates, adjustment.calendar, adjustment.convention, offsets)
    if adjustment.start is not None:
        begins = adjust(dates[begin], adjustment.calendar, adjustment.start)
        for date in (begin, begin + 1):  # the first date may be one of the counted ones, too
            adjusted[date] = np.where(dates[date] == dates[begin], begins, adjusted[date])
    if adjustment.maturity is None:
        return adjusted, adjusted
    return adjusted, adjust(dates, adjustment.calendar, adjustment.maturity, offsets)


def _on_business_days(rows: Rows, offsets: Integers, adjustment: Adjustment) -> Days:
    """Each date by the convention that it goes by."""
    begin, count, dates, _ = rows
    adjusted = adjust(dates, adjustment.calendar, adjustment.convention, offsets)
    if adjustment.maturity is not None:
        last = begin + count - 1
        adjusted[last] = adjust(dates[last], adjustment.calendar, adjustment.maturity)
    if adjustment.start is not None:
        adjusted[begin] = adjust(dates[begin], adjustment.calendar, adjustment.start)
    return adjusted
