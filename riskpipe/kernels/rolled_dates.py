"""Dates of schedules with roll days, stubs or weeks: counted from either end, or from a first or last regular date.

The rules are those of QuantLib's Schedule. Rows have room between `offsets`; a row's dates are `count` of it from
`begin` on, ascending.
"""

from __future__ import annotations

from riskpipe.kernels.arguments import Codes, DateRows, Flags, Indices, Offsets, Periods, Rolls, Window
from riskpipe.kernels.civil_dates import day_in_month, month_of, month_start
from riskpipe.kernels.compiler import inline, kernel
from riskpipe.kernels.periods import BACK_STUB, FRONT_STUB, WHOLE

AS_COUNTED, IMM, END_OF_MONTH = 0, 32, 33
"""Of rolls, which are days of the month from 1 to 31 (the last day at most) else: the day of the date that they are
counted from; third Wednesdays; likewise, but the last days of months from such a day."""

NO_DAY = -(2**31)

_WEDNESDAY = 6  # 1970-01-01 was a Thursday
_THIRD = 14
_LONGEST = 31


@inline
def rolled(month: int, roll: int) -> int:
    """The date of a month."""
    if roll != IMM:
        return day_in_month(month, roll - 1)
    third = month_start(month) + _THIRD
    return third + (_WEDNESDAY - third) % 7


@inline
def _counted(seed: int, steps: int, length: int, roll: int) -> int:
    """The date so many steps from `seed`; of -length days each, or of `length` months."""
    if length < 0:
        return seed - steps * length
    month, day = month_of(seed)
    if roll in (AS_COUNTED, END_OF_MONTH):
        last = roll == END_OF_MONTH and month_of(seed + 1)[0] != month
        return rolled(month + steps * length, _LONGEST if last else day + 1)
    return rolled(month + steps * length, roll)


@inline
def _on_roll(day: int, roll: int) -> bool:
    return roll in (AS_COUNTED, END_OF_MONTH) or day == rolled(month_of(day)[0], roll)


@kernel
def roll_in_month(days: Indices, roll: Codes, dates: Indices) -> None:
    """The date of each day's month by a roll int8[k] other than those that depend on where one counts from."""
    for k in range(days.size):
        dates[k] = rolled(month_of(days[k])[0], roll[k])


@kernel
def step_from(seed: Indices, steps: Offsets, length: Offsets, dates: Indices) -> None:
    """The date so many steps from each seed, into int32[k]; length int64[k] as `count_dates` has it."""
    for k in range(seed.size):
        dates[k] = _counted(seed[k], steps[k], length[k], AS_COUNTED)


@kernel
def count_dates(
    start: Indices,
    maturity: Indices,
    length: Offsets,
    rolls: Rolls,
    offsets: Offsets,
    rows: DateRows,
    beyond: Indices,
) -> None:
    """All dates of each row, those that may be one business day as well, with what is regular.

    :param length: int64[n], of a period: months, or days if below zero; 0: a single one.
    :param beyond: int32[n], the next date that would be counted, written.
    """
    roll, forward, _, first, last = rolls
    begin, count, dates, regular = rows
    for k in range(start.size):
        stop, size = offsets[k + 1], offsets[k + 1] - offsets[k]
        sign = 1 if forward[k] else -1
        at = offsets[k] if forward[k] else stop - 1
        seed, end = (start[k], maturity[k]) if forward[k] else (maturity[k], start[k])
        near, far = (first[k], last[k]) if forward[k] else (last[k], first[k])
        made = 1
        dates[at], regular[at] = seed, True
        if near != NO_DAY:
            at, made = at + sign, made + 1
            whole = _on_roll(seed, roll[k]) and near == _counted(seed, sign, length[k], roll[k])
            dates[at], regular[at] = near, whole
            seed = near
        exit_ = far if far != NO_DAY else end
        beyond[k] = exit_
        step = 1
        while length[k] != 0 and made < size - 2:
            date = _counted(seed, sign * step, length[k], roll[k])
            beyond[k] = date
            if (date > exit_) if forward[k] else (date < exit_):
                break
            at, made, step = at + sign, made + 1, step + 1
            dates[at], regular[at] = date, True
        if exit_ != end:
            whole = exit_ == _counted(dates[at], sign, length[k], roll[k])
            at, made = at + sign, made + 1
            dates[at], regular[at] = exit_, whole
        # the last period of dates that are counted forwards is never whole, but where a counted one is maturity itself
        whole = length[k] == 0 or (not forward[k] and end == _counted(dates[at], sign, length[k], roll[k]))
        at, made = at + sign, made + 1
        dates[at], regular[at] = end, whole
        begin[k], count[k] = (offsets[k] if forward[k] else at), made


@kernel
def drop_doubles(rolls: Rolls, moved: tuple[Indices, Indices], beyond: Indices, rows: DateRows) -> None:
    """Leave out dates that are the same business day as the one before, in the direction of counting; join long stubs.

    :param moved: int32[k] each, the dates on business days by the convention, and by that of maturity.
    :param beyond: int32[n], of `count_dates`, on business days: if the end is the same, no stub is there.
    """
    adjusted, adjusted_last = moved
    _, forward, long_stub, first, last = rolls
    begin, count, dates, regular = rows
    for k in range(begin.size):
        near = first[k] if forward[k] else last[k]
        if forward[k]:
            sign, at, stop = 1, begin[k], begin[k] + count[k]
        else:
            sign, at, stop = -1, begin[k] + count[k] - 1, begin[k] - 1
        kept, made, seen = at, 1, at
        for j in range(at + sign, stop, sign):
            same = adjusted[j] == adjusted[seen]
            if forward[k] and j == stop - 1:
                same = adjusted_last[j] == adjusted_last[seen]
            if not same or (j == at + sign and near != NO_DAY):  # a date that is given stays, as in QuantLib
                kept, made, seen = kept + sign, made + 1, j
                dates[kept], regular[kept] = dates[j], regular[j]
        if long_stub[k] and made > 2 and not regular[kept] and adjusted[seen] != beyond[k]:
            dates[kept - sign], regular[kept - sign] = dates[kept], False
            kept, made = kept - sign, made - 1
        count[k] = made
        if not forward[k]:
            begin[k] = kept


@kernel
def to_month_ends(chosen: Flags, rows: DateRows) -> None:
    """Move the dates between the first and the last of `chosen` rows to the ends of their months."""
    begin, count, dates, _ = rows
    for k in range(begin.size):
        if chosen[k]:
            for j in range(begin[k] + 1, begin[k] + count[k] - 1):
                dates[j] = month_start(month_of(dates[j])[0] + 1) - 1


@kernel
def join_rolled(
    forward: Flags, adjusted: Indices, window: Window, rows: DateRows, ends: Offsets, periods: Periods, stub: Codes
) -> None:
    """Neighbouring dates become periods: those that end after the first day of `window` and begin by the last.

    A date that is not before the last one, or not after the first, on business days, is left out.

    :param ends: int64[n + 1], where the periods of each row begin, written; periods int32[k] each and stub int8[k],
        likewise, as many as `ends` says.
    """
    after, before = window
    start, end, unadjusted_start, unadjusted_end = periods
    begin, count, dates, regular = rows
    made = 0
    ends[0] = 0
    for k in range(begin.size):
        first, last = begin[k], begin[k] + count[k] - 1
        previous = first
        for j in range(first + 1, last + 1):
            if adjusted[j] <= adjusted[first] or (j != last and adjusted[j] >= adjusted[last]):
                continue
            if adjusted[j] > after and adjusted[previous] <= before:
                start[made], end[made] = adjusted[previous], adjusted[j]
                unadjusted_start[made], unadjusted_end[made] = dates[previous], dates[j]
                whole = regular[j] if forward[k] else regular[previous]
                stub[made] = WHOLE
                if previous == first and not whole:
                    stub[made] = FRONT_STUB
                elif j == last and not whole:
                    stub[made] = BACK_STUB
                made += 1
            previous = j
        ends[k + 1] = made
