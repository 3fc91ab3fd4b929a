"""Rules that the columns of `leg_dates` must keep: schedules that do not add up, with one message each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.market.calendar_names import A_CALENDAR, is_calendar
from riskpipe.market.date_rules import FREQUENCY_DAYS, ROLL_CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.market.rolled_schedules import on_roll
from riskpipe.products.base import RowFaults
from riskpipe.products.leg_dates import (
    ACCRUAL_CALENDAR,
    FIRST,
    FIXING_CALENDAR,
    GENERATION,
    LAG,
    LAST,
    LONGEST_LAG,
    PAYMENT_CALENDAR,
    ROLL,
    STUB,
    leg_dates,
    says_dates,
)
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

Flags = NDArray[np.bool_]


def date_faults(trades: Trades, prefix: str, start: str) -> list[RowFaults]:
    """Unknown rolls and calendars; regular dates outside the trade, out of order, off the roll or beside a stub.

    :param start: the column of the first date.
    """
    faults = _calendar_faults(trades, prefix)
    if not says_dates(trades, prefix):
        return faults
    faults += lag_faults(trades, prefix)
    return [*faults, *_roll_faults(trades, prefix), *_stub_faults(trades, prefix, start)]


def lag_faults(trades: Trades, prefix: str = "") -> list[RowFaults]:
    """Payment lags that are no days or too many."""
    message = f"{prefix}{LAG} is a whole number of business days, at most {LONGEST_LAG}"
    return rows_fault(prefix + LAG, "business_days", wrong_lags(trades, prefix), message)


def wrong_lags(trades: Trades, prefix: str = "") -> Flags:
    """bool[n]: of payments."""
    lag = np.nan_to_num(trades.numbers(prefix + LAG, 0.0))
    return np.asarray((lag != np.floor(lag)) | (lag > LONGEST_LAG))


def alive_by_dates(
    trades: Trades, prefix: str, as_of: int, start: str = "start_date", convention: Labels | None = None
) -> Flags:
    """bool[n]: what falls due at the leg's maturity is still to be paid, or is today, by the columns of `leg_dates`.

    :param convention: as `leg_dates` has it.
    """
    alive = np.zeros(len(trades), np.bool_)
    if not says_dates(trades, prefix):
        return alive
    named = label_mask(trades.labels("calendar"), is_calendar)
    for column in (prefix + ACCRUAL_CALENDAR, prefix + PAYMENT_CALENDAR):
        named &= ~label_mask(trades.labels(column), lambda name: not is_calendar(name))
    known = np.flatnonzero(named)
    rule = None if convention is None else convention.take(np.zeros(len(known), np.int64))
    alive[known] = leg_dates(trades.take(known), prefix, start, rule).last_payments() >= as_of
    return alive


def _calendar_faults(trades: Trades, prefix: str) -> list[RowFaults]:
    names = (ACCRUAL_CALENDAR, PAYMENT_CALENDAR, FIXING_CALENDAR)
    return [fault for name in names for fault in calendar_faults(trades, prefix + name)]


def calendar_faults(trades: Trades, column: str) -> list[RowFaults]:
    """Unknown calendars of an optional column."""
    unknown = label_mask(trades.labels(column), lambda name: not is_calendar(name))
    return rows_fault(column, "calendar", unknown, f"{column}: unknown calendar: {A_CALENDAR} is wanted")


def _roll_faults(trades: Trades, prefix: str) -> list[RowFaults]:
    column, frequency = prefix + ROLL, trades.labels(f"{prefix}frequency")
    roll = trades.labels(column)
    unknown = label_mask(roll, lambda name: name not in ROLL_CONVENTIONS)
    dayless = label_mask(frequency, lambda name: name == "1T" or name in FREQUENCY_DAYS) & (roll.codes >= 0)
    message = f"{column} is EOM (the end-of-month rule), IMM (third Wednesdays) or a day of the month from 1 to 31"
    return [
        *rows_fault(column, "choice", unknown, message),
        *rows_fault(
            column, "months", dayless & ~unknown, f"{column} is of periods of months: {prefix}frequency is not"
        ),
    ]


def _stub_faults(trades: Trades, prefix: str, start: str) -> list[RowFaults]:
    begin, end = trades.days(start), trades.days("maturity_date")
    first, last = trades.days(prefix + FIRST), trades.days(prefix + LAST)
    given = {FIRST: first != Trades.NO_DATE, LAST: last != Trades.NO_DATE}
    whole = (begin != Trades.NO_DATE) & (end != Trades.NO_DATE) & (begin < end)
    roll = trades.labels(prefix + ROLL)
    stub = trades.labels(prefix + STUB).codes >= 0
    forward = trades.is_one(prefix + GENERATION, "forward")
    single = trades.is_one(f"{prefix}frequency", "1T")
    known = roll.where(label_mask(roll, lambda name: name in ROLL_CONVENTIONS))
    faults: list[RowFaults] = []
    for name, days, counted_to in ((FIRST, first, ~forward), (LAST, last, forward)):
        column = prefix + name
        outside = given[name] & whole & ~single & ((days <= begin) | (days >= end))
        message = f"{column} is not between {start} and maturity_date"
        faults += rows_fault(column, "inside", outside, message)
        both = given[name] & stub & counted_to
        message = f"{column} and {prefix}{STUB} both say where the odd period ends: leave one null"
        faults += rows_fault(column, "stub", both, message)
        off = given[name] & ~outside & ~single & ~on_roll(days, known)
        message = f"{column} is not on the day of {prefix}{ROLL}: regular dates are given before adjustment"
        faults += rows_fault(column, "on_roll", off, message)
        message = f"{column} splits a single period: {prefix}frequency is 1T"
        faults += rows_fault(column, "single", given[name] & single, message)
    crossed = given[FIRST] & given[LAST] & (first > last)
    message = f"{prefix}{FIRST} is after {prefix}{LAST}"
    return [*faults, *rows_fault(prefix + FIRST, "date_order", crossed, message)]
